//! A file on its way from the server to the archiver.

use std::{
    collections::VecDeque,
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use crc_fast::{CrcAlgorithm::Crc64Nvme, Digest};
use parking_lot::{Condvar, Mutex};

use super::pool::{Pool, wait};
use crate::{
    control::Control,
    ftps::{Class, Connection, Fault, moment::Moment},
    issue::IssueKind,
    source::{Failure, SourceFile, SourceReader},
};

/// Of one file so much is in memory at most.
const WINDOW_BYTES: u64 = 4 * 1024 * 1024;
/// What comes in smaller pieces is kept in pieces of about this length.
const PIECE_BYTES: usize = 64 * 1024;

/// The content of one file, from whoever reads it to whoever opens it.
pub struct Reading {
    path: Vec<u8>,
    listed_bytes: u64,
    modified: Option<Moment>,
    control: Arc<Control>,
    state: Mutex<State>,
    changed: Condvar,
    is_wanted: AtomicBool,
}

#[derive(Default)]
struct State {
    chunks: VecDeque<Vec<u8>>,
    /// What was taken of the first of them.
    taken_bytes: usize,
    waiting_bytes: u64,
    /// Everything that was ever put into `chunks`, to go on after a fault.
    delivered_bytes: u64,
    delivered: Sum,
    end: Option<Result<(), Fault>>,
    /// It ended so far as it was listed, and there is more.
    growth: Option<Fault>,
    /// Nobody will take it any more.
    is_dropped: bool,
    /// Somebody needs the connection, should it have to wait.
    is_interrupted: bool,
    /// What is counted for it of the memory for reading ahead.
    reserved_bytes: u64,
}

impl State {
    /// Keep what came. A server may send a byte at a time, each of which would take as much memory
    /// as fifty.
    fn put(&mut self, bytes: &[u8]) {
        self.waiting_bytes += bytes.len() as u64;
        match self.chunks.back_mut().filter(|last| last.len() + bytes.len() <= PIECE_BYTES) {
            Some(last) => last.extend_from_slice(bytes),
            None => self.chunks.push_back(bytes.to_vec()),
        }
    }

    /// Move what is there into the buffer, of one chunk; 0 where nothing is.
    fn take(&mut self, buffer: &mut [u8]) -> usize {
        let Some(chunk) = self.chunks.front() else { return 0 };
        let rest = chunk.get(self.taken_bytes..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        for (to, from) in buffer.iter_mut().zip(rest) {
            *to = *from;
        }
        self.taken_bytes += count;
        self.waiting_bytes -= count as u64;
        if self.taken_bytes == chunk.len() {
            self.chunks.pop_front();
            self.taken_bytes = 0;
        }
        count
    }
}

impl Reading {
    /// Nothing is read yet.
    pub fn new(
        path: Vec<u8>,
        listed_bytes: u64,
        modified: Option<Moment>,
        control: Arc<Control>,
    ) -> Arc<Self> {
        Arc::new(Self {
            path,
            listed_bytes,
            modified,
            control,
            state: Mutex::default(),
            changed: Condvar::new(),
            is_wanted: AtomicBool::new(false),
        })
    }

    /// Relative to the source.
    pub fn path(&self) -> &[u8] {
        &self.path
    }

    /// Its length as it was listed.
    pub fn listed_bytes(&self) -> u64 {
        self.listed_bytes
    }

    /// When it was last written to as it was listed.
    pub fn modified(&self) -> Option<Moment> {
        self.modified
    }

    /// What it takes of memory until it is taken.
    pub fn read_ahead_bytes(&self) -> u64 {
        self.listed_bytes.min(WINDOW_BYTES)
    }

    /// From now on so much memory is counted for it; returns what was counted before.
    pub fn reserve(&self, bytes: u64) -> u64 {
        std::mem::replace(&mut self.state.lock().reserved_bytes, bytes)
    }

    /// Whether to leave the connection to somebody else rather than to wait on it.
    pub fn interrupt(&self, is_interrupted: bool) {
        self.state.lock().is_interrupted = is_interrupted;
        self.changed.notify_all();
    }

    /// Whether somebody waits for it.
    pub fn is_wanted(&self) -> bool {
        self.is_wanted.load(Relaxed)
    }

    /// Read it from the server. Called again after a fault, it goes on behind what was delivered
    /// if that is still what the server has.
    pub fn read(
        &self,
        connection: &mut Connection,
        path: &[u8],
        has_more: bool,
    ) -> Result<(), Fault> {
        let (known_bytes, known) = {
            let state = self.state.lock();
            (state.delivered_bytes, state.delivered)
        };
        let mut again = Again { left_bytes: known_bytes, seen: Sum::default(), known };
        let ending = connection.retrieve(path, has_more, &mut |bytes| {
            let new = again.pass(bytes)?;
            self.deliver(new)
        })?;
        if again.left_bytes > 0 || ending.bytes != self.listed_bytes {
            let message = format!("{} bytes were listed, {} came", self.listed_bytes, ending.bytes);
            return Err(Fault::new(Class::Integrity, message));
        }
        Ok(())
    }

    fn deliver(&self, bytes: &[u8]) -> Result<(), Fault> {
        if bytes.is_empty() {
            return Ok(());
        }
        let mut state = self.state.lock();
        while state.waiting_bytes >= WINDOW_BYTES && !state.is_dropped {
            if state.is_interrupted {
                return Err(Fault::new(Class::Interrupted, "another file goes first"));
            }
            wait(&self.changed, &mut state);
        }
        if state.is_dropped {
            return Err(ended());
        }
        let left = self.listed_bytes - state.delivered_bytes;
        let listed = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let (bytes, more) = bytes.split_at(listed);
        if !bytes.is_empty() {
            state.delivered.0.update(bytes);
            state.delivered_bytes += bytes.len() as u64;
            state.put(bytes);
        }
        drop(state);
        if !self.is_small() {
            self.changed.notify_all();
        }
        match more.is_empty() {
            true => Ok(()),
            false => Err(Fault::new(Class::Grown, "more came than was listed")),
        }
    }

    /// It was read to its end, or never will be.
    pub fn end(&self, result: Result<(), Fault>) {
        let mut state = self.state.lock();
        let (result, growth) = match result {
            Err(fault) if fault.class == Class::Grown => (Ok(()), Some(fault)),
            result => (result, None),
        };
        if state.end.is_none() {
            state.end = Some(result);
            state.growth = growth;
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Whether nothing more will be read of it.
    pub fn has_ended(&self) -> bool {
        self.state.lock().end.is_some()
    }

    /// Whether whoever waits for it is woken once, when it is complete: most files are small, and
    /// to be woken takes longer than to take what there is.
    fn is_small(&self) -> bool {
        self.listed_bytes <= PIECE_BYTES as u64
    }

    /// Wait until some of it came, or the end.
    fn begun(&self) -> Result<(), Fault> {
        let mut state = self.state.lock();
        loop {
            match &state.end {
                _ if state.delivered_bytes > 0 && !self.is_small() => return Ok(()),
                Some(end) => return end.clone(),
                None if self.control.is_ending() => return Err(ended()),
                None => wait(&self.changed, &mut state),
            }
        }
    }

    /// Fill the buffer as far as there is content; waits until it is full.
    fn take(&self, buffer: &mut [u8]) -> Result<usize, Fault> {
        let mut filled = 0;
        let mut state = self.state.lock();
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            let count = state.take(rest);
            if count > 0 {
                filled += count;
                // Whoever delivers waits only where that is so.
                if state.waiting_bytes + count as u64 >= WINDOW_BYTES {
                    self.changed.notify_all();
                }
                continue;
            }
            match &state.end {
                Some(Err(fault)) => return Err(fault.clone()),
                Some(Ok(())) => break,
                None if self.control.is_ending() => return Err(ended()),
                None => wait(&self.changed, &mut state),
            }
        }
        Ok(filled)
    }

    /// Whether nobody takes it any more.
    pub fn is_dropped(&self) -> bool {
        self.state.lock().is_dropped
    }

    fn give_up(&self) {
        let mut state = self.state.lock();
        state.is_dropped = true;
        state.chunks.clear();
        drop(state);
        self.changed.notify_all();
    }
}

/// Nobody waits for the rest of it.
pub fn ended() -> Fault {
    Fault::new(Class::Cancelled, "the run ends")
}

/// Tells whether a second attempt brings what the first did. The server may forge it, and gains
/// nothing: what is in the file is its own to say.
#[derive(Clone, Copy)]
struct Sum(Digest);

impl Default for Sum {
    fn default() -> Self {
        Self(Digest::new(Crc64Nvme))
    }
}

/// Passes over what was delivered before, when it is the same.
struct Again {
    left_bytes: u64,
    seen: Sum,
    known: Sum,
}

impl Again {
    fn pass<'bytes>(&mut self, bytes: &'bytes [u8]) -> Result<&'bytes [u8], Fault> {
        if self.left_bytes == 0 {
            return Ok(bytes);
        }
        let old = usize::try_from(self.left_bytes).unwrap_or(usize::MAX).min(bytes.len());
        let (old, new) = bytes.split_at(old);
        self.seen.0.update(old);
        self.left_bytes -= old.len() as u64;
        if self.left_bytes == 0 && self.seen.0.finalize() != self.known.0.finalize() {
            return Err(Fault::new(Class::Changed, "it changed while it was read"));
        }
        Ok(new)
    }
}

/// A file as it was listed.
pub struct FtpsFile {
    pub reading: Arc<Reading>,
    pub pool: Arc<Pool>,
}

/// The content of a file.
pub struct FtpsReader(FtpsFile);

impl SourceFile for FtpsFile {
    type Reader = FtpsReader;

    fn open(self) -> Result<FtpsReader, Failure> {
        self.reading.is_wanted.store(true, Relaxed);
        self.pool.read_now(&self.reading);
        self.reading.begun().map_err(|fault| failure(&fault))?;
        Ok(FtpsReader(self))
    }
}

impl SourceReader for FtpsReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.reading.take(buffer).map_err(io::Error::from)
    }

    fn change(&mut self) -> Option<Failure> {
        self.0.reading.state.lock().growth.as_ref().map(failure)
    }
}

impl Drop for FtpsFile {
    fn drop(&mut self) {
        self.reading.give_up();
        self.pool.forget(&self.reading);
    }
}

/// What a fault means for a file.
fn failure(fault: &Fault) -> Failure {
    let kind = match fault.class {
        Class::Changed => IssueKind::Rewritten,
        Class::Vanished => IssueKind::Vanished,
        Class::Grown => IssueKind::Grew,
        _ => IssueKind::Unreadable,
    };
    Failure::new(kind, fault.message.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_come_one_by_one_are_kept_together_and_in_their_order() {
        let reading = Reading::new(Vec::new(), 1_000_000, None, Arc::default());
        let content: Vec<u8> =
            (0..1_000_000_u32).flat_map(u32::to_le_bytes).take(200_000).collect();
        let (first, rest) = content.split_at(10);

        first.iter().for_each(|byte| reading.deliver(&[*byte]).unwrap());
        let mut taken = [0; 7];
        reading.take(&mut taken).unwrap();
        rest.iter().for_each(|byte| reading.deliver(&[*byte]).unwrap());

        assert!(reading.state.lock().chunks.len() <= 4, "a piece for each byte");
        reading.end(Ok(()));
        let mut left = vec![0; content.len()];
        assert_eq!(reading.take(&mut left).unwrap(), content.len() - taken.len());
        left.truncate(content.len() - taken.len());
        assert_eq!([taken.to_vec(), left].concat(), content);
    }
}
