//! A backup: read the source, judge what was seen, commit the snapshot, prove it on cold.
//!
//! The archiver of `rustic_core` logs what it could not read and goes on; the truth about a run
//! is the source's ledger. So its snapshot is held back until [`judge`] has seen the ledger.

mod attempt;
mod judge;
mod parents;
mod proof;
#[cfg(test)]
mod strict;
#[cfg(test)]
mod tests;

use std::{
    path::PathBuf,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use rustic_core::repofile::SnapshotFile;

use self::attempt::Run;
use crate::{
    control::Control,
    error::Result,
    format::seal::Seal,
    issue::Collected,
    known::Known,
    object::{Object, ObjectId},
    process,
    repository::Repository,
    source::{ftps::FtpsPlace, tracked::Ledger},
};

/// What a run is given.
#[derive(Debug, Clone)]
pub struct BackupOptions {
    /// What to store.
    pub source: SourcePlace,
    /// The run's id; it becomes the snapshot's command.
    pub run_id: String,
    /// When the run started, in seconds since 1970, UTC; the snapshot's time.
    pub started_at_seconds: i64,
    /// Globs relative to the source, as in gitignore.
    pub exclude: Vec<String>,
    /// Folders of our own that are left out where they lie inside the source.
    pub own_folders: Vec<PathBuf>,
    /// Stay on the source's file system.
    pub one_file_system: bool,
    /// How much less than the last complete snapshot the source may hold; None for any.
    pub max_shrink_percent: Option<u32>,
}

/// Where a source is read.
#[derive(Debug, Clone)]
pub enum SourcePlace {
    /// A folder of this machine.
    Directory(PathBuf),
    /// A folder of a server.
    Ftps(Box<FtpsPlace>),
}

impl From<PathBuf> for SourcePlace {
    fn from(path: PathBuf) -> Self {
        Self::Directory(path)
    }
}

/// A snapshot that is in cold.
#[derive(Debug, Clone)]
pub struct BackupSummary {
    /// The snapshot's id.
    pub snapshot_id: ObjectId,
    /// `incomplete`, `partial`, both or none.
    pub tags: Vec<String>,
    /// What was not stored as it is.
    pub issues: Collected,
    /// Everything in the snapshot that is not a folder.
    pub files_total: u64,
    /// Files that no parent had.
    pub files_new: u64,
    /// Files that differ from the parent's.
    pub files_changed: u64,
    /// Files that were not read because nothing about them changed.
    pub files_unchanged: u64,
    /// Bytes of all files in the snapshot.
    pub bytes_total: u64,
    /// Bytes read from the source.
    pub bytes_read: u64,
    /// Bytes added to cold.
    pub bytes_added: u64,
}

impl Repository {
    /// Store a folder as a new snapshot and prove that it is in cold.
    pub fn backup(&self, options: &BackupOptions, control: &Arc<Control>) -> Result<BackupSummary> {
        process::check()?;
        self.attend(control);
        let place = self.known_place.clone();
        let known = Known::load(place, Seal::new(&self.key), self.issues.clone());
        Run::new(self, options, control, Arc::new(known))?.store(true, true)
    }
}

fn summarise(
    snapshot_id: ObjectId,
    snapshot: &SnapshotFile,
    tags: Vec<String>,
    written: &[(Object, u64)],
    issues: &Collected,
    ledger: &Ledger,
) -> BackupSummary {
    let counts = snapshot.summary.clone().unwrap_or_default();
    BackupSummary {
        snapshot_id,
        tags,
        issues: issues.clone(),
        files_total: counts.total_files_processed,
        files_new: counts.files_new,
        files_changed: counts.files_changed,
        files_unchanged: counts.files_unmodified,
        bytes_total: counts.total_bytes_processed,
        bytes_read: ledger.bytes_read.load(Relaxed),
        bytes_added: written.iter().map(|(_, size)| size).sum(),
    }
}
