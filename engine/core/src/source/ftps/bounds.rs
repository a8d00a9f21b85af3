//! How much of a server is read at most: one without an end must not take a run without an end.

use std::time::Duration;

use crate::ftps::{
    Class, Fault,
    listing::{Entry, Kind},
};

/// How much one run reads at most. What is beyond makes its snapshot incomplete, never smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Files, folders and everything else.
    pub files: u64,
    /// Of all files, as they are listed.
    pub bytes: u64,
    /// From the first listing on.
    pub run: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            files: 10_000_000,
            bytes: 16 * 1024 * 1024 * 1024 * 1024,
            run: Duration::from_hours(24),
        }
    }
}

impl Bounds {
    /// Why nothing more is read once the time is over.
    pub fn is_late(&self) -> Fault {
        let seconds = self.run.as_secs();
        reached(&format!(
            "it took longer than max_seconds={seconds} allows: the next run goes on from here, \
             and a higher limit lets it come further"
        ))
    }
}

/// What a run was told of so far.
#[derive(Debug, Default)]
pub struct Counted {
    files: u64,
    bytes: u64,
}

impl Counted {
    /// Count an entry; why it is one too many, if it is.
    pub fn add(&mut self, entry: &Entry, bounds: &Bounds) -> Result<(), Fault> {
        self.files += 1;
        if entry.kind == Kind::File {
            self.bytes = self.bytes.saturating_add(entry.size_bytes.unwrap_or(0));
        }
        let way_out = "raise the limit, or exclude what need not be stored";
        if self.files > bounds.files {
            let most = bounds.files;
            return Err(reached(&format!(
                "it holds more files and folders than max_files={most} allows: {way_out}"
            )));
        }
        if self.bytes > bounds.bytes {
            let most = bounds.bytes;
            return Err(reached(&format!(
                "its files are longer than max_bytes={most} allows: {way_out}"
            )));
        }
        Ok(())
    }
}

fn reached(message: &str) -> Fault {
    Fault::new(Class::Configuration, message)
}
