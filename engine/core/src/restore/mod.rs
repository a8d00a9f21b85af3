//! Restore: a snapshot's folder into a folder, verified, bounded, and never outside of it.
//!
//! - Every file is written under a name of its own and takes its real one when all its pieces
//!   were verified. One that is damaged is left out and reported; what stood there stays.
//! - Nothing is deleted but what stands where an entry of the snapshot belongs.
//! - A restore that was cut off goes on: what is right stays, what is not is written again.
//! - Trees are walked one folder at a time; content is written in batches, read from packs in
//!   order and by several threads, so that memory does not grow with the snapshot.

mod batch;
mod claim;
mod content;
mod file;
mod metadata;
mod plan;
mod report;
mod standing;
mod target;
mod temporary;
mod walk;

use std::{os::fd::AsFd, path::Path};

use rustix::fs::syncfs;

use self::{
    claim::Claim,
    metadata::{Subject, apply},
    report::Report,
    target::{Folder, allow_many_handles},
    temporary::TemporaryNames,
    walk::Walk,
};
pub use self::{
    claim::{claim_name, claimed_snapshot},
    plan::{RestorePlan, plan},
};
use crate::{
    browse::{MOST_ENTRIES, explain, find},
    control::Control,
    error::Result,
    format::{
        reader::{BlobReader, Reader},
        tree::NodeKind,
    },
    issue::Collected,
    object::ObjectId,
};

/// What to restore, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreOptions {
    /// A path below the source's folder; empty for all of it. The content of a folder goes
    /// directly into the target, anything else goes there under its own name.
    pub path: Vec<u8>,
    /// Also set owners, special mode bits and all attributes, and make devices, pipes and
    /// sockets. Only for repositories whose writer is trusted.
    pub exact: bool,
    /// Replace what differs in a target that is not empty; what the snapshot lacks stays.
    pub overwrite: bool,
    /// Entries beyond these are left out.
    pub most_entries: u64,
}

impl Default for RestoreOptions {
    fn default() -> Self {
        Self { path: Vec::new(), exact: false, overwrite: false, most_entries: MOST_ENTRIES }
    }
}

/// What a restore wrote.
#[derive(Debug, Clone)]
pub struct RestoreSummary {
    /// Files, other names of the same file included.
    pub files: u64,
    /// Folders, the target included.
    pub folders: u64,
    /// Links, and with `exact` devices, pipes and sockets.
    pub others: u64,
    /// Bytes of all files.
    pub bytes_written: u64,
    /// Bytes of them that were right already, from an earlier restore or before any.
    pub bytes_kept: u64,
    /// Everything that is not as it is in the snapshot.
    pub issues: Collected,
}

/// Write the content of the source's folder in the snapshot `snapshot_id` into `target`, which is
/// made where it is missing, and is empty, or holds the same restore cut off, or is to be
/// overwritten.
///
/// Fails only where nothing can be restored: no such snapshot or path, no target, storage that
/// cannot be listed, or cancelled. Everything else is an issue in the summary.
pub fn restore(
    reader: &Reader,
    snapshot_id: ObjectId,
    target: &Path,
    options: &RestoreOptions,
    control: &Control,
) -> Result<RestoreSummary> {
    let snapshot = reader.snapshot(snapshot_id)?;
    let (index, index_issues) = reader.index()?;
    let blobs = BlobReader::new(reader, &index);
    let node =
        find(&blobs, &snapshot, &options.path).map_err(|error| explain(error, &index_issues))?;
    if options.path.is_empty() {
        // The summary counts files without folders: how many entries there are stays unknown.
        control.set_total(snapshot.bytes_total.unwrap_or_default(), 0);
    }
    let report = Report::new(control, snapshot.is_partial());
    for issue in index_issues {
        report.push(issue);
    }
    allow_many_handles();
    let names = TemporaryNames::new(snapshot_id);
    let folder = Folder::target(target)?;
    let claim = Claim::take(&folder, target, snapshot_id, options)?;
    let metadata = node.metadata.clone();
    let is_folder = matches!(node.kind, NodeKind::Folder(_));
    Walk::new(&folder, &blobs, &report, &names, options).run(&folder, node)?;
    // Before anything is called restored: the system may find out late that a disk is full.
    if let Err(errno) = syncfs(&folder) {
        report.not_written(b"", errno);
    }
    // Otherwise the claim stays, so that the same call tries again.
    if !report.is_unfinished()
        && let Err(errno) = claim.release()
    {
        report.not_written(b"", errno);
    }
    if is_folder {
        // Only now: giving up the claim changes the folder, and its mode may forbid that.
        report.metadata(b"", apply(&Subject::Folder(folder.as_fd()), &metadata, options.exact));
    }
    Ok(report.summary())
}
