//! A file that is being restored: it takes its name only when all its pieces were verified.

use std::{
    os::fd::{AsFd, OwnedFd},
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use rustix::{
    fs::ftruncate,
    io::{Errno, Result as IoResult, pwrite},
};

use super::{
    content::Piece,
    metadata::{Subject, apply},
    report::Report,
    standing::{Standing, has_no_more_attributes, read_verified},
    target::{Folder, explain},
    temporary::{Temporary, TemporaryNames},
};
use crate::{
    control::Control,
    error::{Error, Result},
    format::tree::{Metadata, Node},
    issue::IssueKind,
    workers::lock,
};

/// Zeros of this length and place become a hole.
const BLOCK_BYTES: usize = 4096;
const ZEROS: [u8; BLOCK_BYTES] = [0; BLOCK_BYTES];

/// A file that is being restored.
pub struct PendingFile {
    temporary: Temporary,
    metadata: Metadata,
    /// Length of all pieces that were planned.
    size_bytes: u64,
    /// What stood in its place when the restore came.
    standing: OnceLock<Standing>,
    /// What is written to; nothing while the pieces of `standing` are right.
    written: OnceLock<Written>,
    failure: Mutex<Option<(IssueKind, String)>>,
}

/// What is written to.
struct Written {
    handle: OwnedFd,
    /// An earlier restore, cut off, left it: it may hold right pieces, and anything else.
    is_leftover: bool,
    /// Where what was written to a new file ends; holes after that are not there yet.
    end_bytes: AtomicU64,
}

impl Written {
    fn new(handle: OwnedFd, is_leftover: bool) -> Self {
        Self { handle, is_leftover, end_bytes: AtomicU64::new(0) }
    }

    fn write(&self, offset_bytes: u64, content: &[u8]) -> IoResult<()> {
        if self.is_leftover {
            return write_all(&self.handle, offset_bytes, content);
        }
        let end_bytes = write_sparse(&self.handle, offset_bytes, content)?;
        self.end_bytes.fetch_max(end_bytes, Relaxed);
        Ok(())
    }

    /// The pieces may end in a hole, and what was left there may be longer.
    fn set_length(&self, size_bytes: u64) -> IoResult<()> {
        if !self.is_leftover && self.end_bytes.load(Relaxed) == size_bytes {
            return Ok(());
        }
        ftruncate(&self.handle, size_bytes)
    }
}

impl PendingFile {
    /// The file `node` in `folder`; nothing is made yet.
    pub fn new(folder: &Arc<Folder>, names: &TemporaryNames, node: Node) -> Self {
        Self {
            temporary: Temporary::new(folder, names, &node.name),
            metadata: node.metadata,
            size_bytes: 0,
            standing: OnceLock::new(),
            written: OnceLock::new(),
            failure: Mutex::new(None),
        }
    }

    /// Its path below the target.
    pub fn path(&self) -> Vec<u8> {
        self.temporary.path()
    }

    /// Whether `self` and `other` lie in one folder.
    pub fn is_beside(&self, other: &Self) -> bool {
        Arc::ptr_eq(self.temporary.folder(), other.temporary.folder())
    }

    /// Plan a piece at the end; returns where it begins.
    pub fn grow(&mut self, piece_bytes: u32) -> u64 {
        let offset_bytes = self.size_bytes;
        self.size_bytes = offset_bytes.saturating_add(piece_bytes.into());
        offset_bytes
    }

    /// Give the file up; the first reason stays.
    pub fn fail(&self, kind: IssueKind, message: impl Into<String>) {
        lock(&self.failure).get_or_insert_with(|| (kind, message.into()));
    }

    /// Whether it was given up.
    pub fn is_failed(&self) -> bool {
        lock(&self.failure).is_some()
    }

    /// Make it under a name of its own, or find what an earlier restore left or wrote, unless
    /// that was done or it was given up.
    pub fn prepare(&self, exact: bool) {
        let is_prepared = self.written.get().is_some() || self.standing.get().is_some();
        if is_prepared || self.is_failed() {
            return;
        }
        if !self.temporary.folder().is_new() {
            if let Some(handle) = self.reopen() {
                return drop(self.written.set(Written::new(handle, true)));
            }
            if let Some(standing) = Standing::find(&self.temporary, &self.metadata, exact) {
                return drop(self.standing.set(standing));
            }
        }
        match self.temporary.create_file() {
            // Only one thread creates a file, so that none is ever there already.
            Ok(handle) => drop(self.written.set(Written::new(handle, false))),
            Err(errno) => self.fail(IssueKind::NotWritten, errno.to_string()),
        }
    }

    /// What an earlier restore, cut off, left of it, if only its owner could have touched it.
    fn reopen(&self) -> Option<OwnedFd> {
        let (handle, found) = self.temporary.reopen_file()?;
        if !has_no_more_attributes(&handle, &Metadata::default(), true) {
            return None;
        }
        if u64::try_from(found.st_size).unwrap_or_default() < self.metadata.size_bytes {
            // Holes that were not made yet are right, and must not be filled with zeros. A length
            // that no file can have is found out when it is written.
            let _ = ftruncate(&handle, self.metadata.size_bytes);
        }
        Some(handle)
    }

    /// Whether some of its pieces may be right already.
    pub fn may_hold_pieces(&self) -> bool {
        self.standing.get().is_some()
            || self.written.get().is_some_and(|written| written.is_leftover)
    }

    /// Whether the piece is right already. Pieces are asked for in their order.
    pub fn holds(&self, piece: &Piece, control: &Control) -> bool {
        let (offset_bytes, length) = (piece.offset_bytes, piece.plain_bytes as usize);
        let Some(standing) = self.standing.get() else {
            return self.written.get().is_some_and(|written| {
                read_verified(&written.handle, piece.blob.id, offset_bytes, length).is_some()
            });
        };
        let Some(right) = read_verified(standing, piece.blob.id, offset_bytes, length) else {
            if let Err(error) = self.replace(standing, control) {
                self.fail(IssueKind::NotWritten, error.chain());
            }
            return false;
        };
        match self.written.get() {
            Some(_) => self.write(offset_bytes, &right),
            None => standing.remember(piece.blob.id, piece.plain_bytes),
        }
        true
    }

    /// Write another file in place of `standing`, with its pieces that are right.
    fn replace(&self, standing: &Standing, control: &Control) -> Result<()> {
        if self.written.get().is_some() {
            return Ok(());
        }
        let handle = self.temporary.create_file();
        let handle = handle.map_err(|errno| Error::storage("cannot be made", errno.into()))?;
        let written = Written::new(handle, false);
        standing.copy(control, |offset_bytes, piece| written.write(offset_bytes, piece))?;
        let _ = self.written.set(written);
        Ok(())
    }

    /// Write verified content; to a file that stands there nothing is written.
    pub fn write(&self, offset_bytes: u64, content: &[u8]) {
        let written = self.written.get();
        let done = written.map_or(Ok(()), |written| written.write(offset_bytes, content));
        if let Err(errno) = done {
            self.fail(IssueKind::NotWritten, errno.to_string());
        }
    }

    /// Set length, metadata and name. True when it stands under its name; a file that was given
    /// up is removed instead, and what stood there before stays.
    pub fn finish(self, report: &Report<'_>, exact: bool) -> bool {
        let path = self.path();
        if let Some((kind, message)) = lock(&self.failure).take() {
            report.failed(kind, &path, message);
            return false;
        }
        let expected_bytes = self.metadata.size_bytes;
        if self.size_bytes != expected_bytes && !report.is_partial {
            let message = format!("holds {} bytes instead of {expected_bytes}", self.size_bytes);
            report.issue(IssueKind::Damaged, &path, message);
        }
        let size_bytes = self.size_bytes;
        match self.complete(report.control, exact) {
            Ok(failures) => {
                report.metadata(&path, failures);
                report.file(size_bytes);
                true
            }
            Err(error) => {
                report.failed(IssueKind::NotWritten, &path, error.chain());
                false
            }
        }
    }

    fn complete(self, control: &Control, exact: bool) -> Result<Vec<String>> {
        let failed = |errno: Errno| Error::storage("cannot be completed", explain(errno));
        if let Some(standing) = self.standing.get() {
            if standing.size_bytes() == self.size_bytes && self.written.get().is_none() {
                let folder = self.temporary.folder();
                folder.settle(self.temporary.final_name(), || Ok(())).map_err(failed)?;
                return Ok(apply(&Subject::File(standing.as_fd()), &self.metadata, exact));
            }
            self.replace(standing, control)?;
        }
        let written = self.written.get().ok_or_else(|| failed(Errno::BADF))?;
        written.set_length(self.size_bytes).map_err(failed)?;
        let failures = apply(&Subject::File(written.handle.as_fd()), &self.metadata, exact);
        self.temporary.place().map_err(failed)?;
        Ok(failures)
    }
}

fn write_all(handle: &OwnedFd, offset_bytes: u64, content: &[u8]) -> IoResult<()> {
    let mut done = 0;
    while let Some(rest) = content.get(done..).filter(|rest| !rest.is_empty()) {
        done += pwrite(handle, rest, offset_bytes + done as u64)?;
    }
    Ok(())
}

/// Write `content`, leaving out blocks of zeros: the file is new, so that holes stay. Returns
/// where the last block that was written ends; 0 for none.
fn write_sparse(handle: &OwnedFd, offset_bytes: u64, content: &[u8]) -> IoResult<u64> {
    let (mut done, mut end_bytes) = (0, 0);
    while let Some(rest) = content.get(done..).filter(|rest| !rest.is_empty()) {
        let offset_bytes = offset_bytes + done as u64;
        let hole = leading_blocks(offset_bytes, rest, true);
        if hole > 0 {
            done += hole;
            continue;
        }
        let (filled, _) = rest.split_at(leading_blocks(offset_bytes, rest, false));
        let count = pwrite(handle, filled, offset_bytes)?;
        done += count;
        end_bytes = offset_bytes + count as u64;
    }
    Ok(end_bytes)
}

/// Bytes of the blocks at the start of `content` that are zeros, or that are not.
fn leading_blocks(offset_bytes: u64, content: &[u8], zeros: bool) -> usize {
    let misplaced = usize::try_from(offset_bytes % BLOCK_BYTES as u64).unwrap_or_default();
    let (first, rest) = content.split_at(content.len().min(BLOCK_BYTES - misplaced));
    std::iter::once(first)
        .chain(rest.chunks(BLOCK_BYTES))
        .take_while(|block| ZEROS.starts_with(block) == zeros)
        .map(<[u8]>::len)
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_counted_from_the_start_of_the_file() {
        let content = [vec![1; 96], vec![0; 8192], vec![1; 10]].concat();
        assert_eq!(leading_blocks(4000, &content, false), 96);
        assert_eq!(leading_blocks(4096, &content[96..], true), 8192);
        assert_eq!(leading_blocks(4096 * 3, &content[96 + 8192..], false), 10);
        assert_eq!(leading_blocks(0, &content, true), 0);
        assert_eq!(leading_blocks(0, &content, false), 4096);
    }

    #[test]
    fn zeros_become_holes_and_read_as_zeros() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let handle = OwnedFd::from(file.reopen().unwrap());
        let content = [vec![1; 100], vec![0; 1 << 20], vec![2; 5000], vec![0; 3]].concat();
        assert_eq!(write_sparse(&handle, 7, &content).unwrap(), 7 + content.len() as u64);
        ftruncate(&handle, 7 + content.len() as u64).unwrap();
        assert_eq!(std::fs::read(file.path()).unwrap()[7..], content);
        assert!(rustix::fs::fstat(&handle).unwrap().st_blocks * 512 < 100_000);
    }
}
