//! A listing that runs ahead of whoever reads it, in a thread of its own.

use std::{ops::ControlFlow, thread::JoinHandle};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::Entry;
use crate::issue::{Issue, IssueKind};

/// How far it runs ahead: batches of so many entries …
const BATCH_ENTRIES: usize = 64;
/// … and so many batches.
const BATCHES_AHEAD: usize = 32;

type Listed<File> = Result<Entry<File>, Issue>;

/// The listing, a bounded number of entries ahead of whoever reads it.
pub struct ReadAhead<File> {
    batches: Receiver<Vec<Listed<File>>>,
    batch: std::vec::IntoIter<Listed<File>>,
    /// The thread that lists; None once its end was seen.
    thread: Option<JoinHandle<()>>,
}

/// Takes what is listed.
pub struct Batches<File> {
    batch: Vec<Listed<File>>,
    sender: Sender<Vec<Listed<File>>>,
}

impl<File: Send + 'static> ReadAhead<File> {
    /// What `list` tells, from now on.
    pub fn of(list: impl FnOnce(Batches<File>) + Send + 'static) -> Self {
        let (sender, batches) = bounded(BATCHES_AHEAD);
        let told = Batches { batch: Vec::with_capacity(BATCH_ENTRIES), sender };
        let thread = std::thread::spawn(move || list(told));
        Self { batches, batch: Vec::new().into_iter(), thread: Some(thread) }
    }
}

impl<File> ReadAhead<File> {
    /// A listing that panicked ends like one that is complete; only its thread knows.
    fn broken_off(&mut self) -> Option<Issue> {
        self.thread.take()?.join().err()?;
        Some(Issue::new(IssueKind::Listing, "", "the listing broke off: it panicked"))
    }
}

impl<File> Iterator for ReadAhead<File> {
    type Item = Listed<File>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(listed) = self.batch.next() {
                return Some(listed);
            }
            match self.batches.recv() {
                Ok(batch) => self.batch = batch.into_iter(),
                Err(_) => return self.broken_off().map(Err),
            }
        }
    }
}

impl<File> Batches<File> {
    /// Tell what was found; breaks when nobody reads any more.
    pub fn tell(&mut self, found: Listed<File>) -> ControlFlow<()> {
        self.batch.push(found);
        match self.batch.len() >= BATCH_ENTRIES {
            true => self.flush(),
            false => ControlFlow::Continue(()),
        }
    }

    /// Hand over what was told so far: whoever tells may have to wait.
    pub fn flush(&mut self) -> ControlFlow<()> {
        if self.batch.is_empty() {
            return ControlFlow::Continue(());
        }
        let batch = std::mem::replace(&mut self.batch, Vec::with_capacity(BATCH_ENTRIES));
        match self.sender.send(batch) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    }
}

impl<File> Drop for Batches<File> {
    /// What was told last is handed over, however the listing ended.
    fn drop(&mut self) {
        // Whether the reader is still there no longer matters.
        let _ = self.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_that_panicked_is_not_taken_for_a_complete_one() {
        let mut listed = ReadAhead::<()>::of(|_told| panic!("on purpose"));

        assert_eq!(listed.next().unwrap().err().unwrap().kind, IssueKind::Listing);
        assert!(listed.next().is_none());
    }
}
