//! What the caller and a long-running call share: progress counters and the wish to stop.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use crate::error::{Error, ErrorKind, Result};

/// Shared between the thread that works and the thread that watches; cheap to update.
#[derive(Debug, Default)]
pub struct Control {
    cancelled: AtomicBool,
    given_up: AtomicBool,
    source_left: AtomicBool,
    /// Bytes of the source (backup) or of the target (restore) that are done.
    pub bytes_done: AtomicU64,
    /// Bytes to do; 0 while unknown.
    pub bytes_total: AtomicU64,
    /// Files, folders and other entries that are done.
    pub entries_done: AtomicU64,
    /// Entries to do; 0 while unknown.
    pub entries_total: AtomicU64,
}

impl Control {
    /// Ask the work to stop at the next chance; it ends within a second.
    pub fn cancel(&self) {
        self.cancelled.store(true, Relaxed);
    }

    /// Whether the work was asked to stop.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Relaxed)
    }

    /// Stop reading the source: what was read can no longer be stored.
    pub fn give_up(&self) {
        self.given_up.store(true, Relaxed);
    }

    /// Read no more of the source: it is done with, or it went away.
    pub fn leave_source(&self) {
        self.source_left.store(true, Relaxed);
    }

    /// Whether to go no further, for whichever reason.
    pub fn is_ending(&self) -> bool {
        let has = |wish: &AtomicBool| wish.load(Relaxed);
        has(&self.cancelled) || has(&self.given_up) || has(&self.source_left)
    }

    /// Fail with [`ErrorKind::Cancelled`] when the work was asked to stop.
    pub fn check(&self) -> Result<()> {
        if self.is_cancelled() {
            return Err(Error::new(ErrorKind::Cancelled, "cancelled"));
        }
        Ok(())
    }

    /// Nothing is done any more: the work begins anew.
    pub fn start_over(&self) {
        self.source_left.store(false, Relaxed);
        self.bytes_done.store(0, Relaxed);
        self.entries_done.store(0, Relaxed);
    }

    /// Count bytes that are done.
    pub fn add_bytes(&self, count: u64) {
        self.bytes_done.fetch_add(count, Relaxed);
    }

    /// Count one more entry that is done.
    pub fn add_entry(&self) {
        self.entries_done.fetch_add(1, Relaxed);
    }

    /// Say how much there is to do.
    pub fn set_total(&self, bytes: u64, entries: u64) {
        self.bytes_total.store(bytes, Relaxed);
        self.entries_total.store(entries, Relaxed);
    }
}
