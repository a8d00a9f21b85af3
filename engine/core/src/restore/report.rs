//! What a restore did, counted and noted from all its threads.

use std::{
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};

use super::{RestoreSummary, target::explain};
use crate::{
    control::Control,
    error::{Error, ErrorKind},
    format::tree::Refused,
    issue::{Issue, IssueKind, Issues},
};

/// Collects what happens.
pub struct Report<'a> {
    /// Shared with the caller.
    pub control: &'a Control,
    /// The snapshot's run told of files that changed while they were read.
    pub is_partial: bool,
    issues: Issues,
    files: AtomicU64,
    folders: AtomicU64,
    others: AtomicU64,
    bytes_written: AtomicU64,
    bytes_kept: AtomicU64,
    /// Something failed that may well succeed when it is tried again.
    is_unfinished: AtomicBool,
}

impl<'a> Report<'a> {
    /// Nothing happened yet.
    pub fn new(control: &'a Control, is_partial: bool) -> Self {
        Self {
            control,
            is_partial,
            issues: Issues::default(),
            files: AtomicU64::new(0),
            folders: AtomicU64::new(0),
            others: AtomicU64::new(0),
            bytes_written: AtomicU64::new(0),
            bytes_kept: AtomicU64::new(0),
            is_unfinished: AtomicBool::new(false),
        }
    }

    /// A file of `size_bytes` is complete.
    pub fn file(&self, size_bytes: u64) {
        self.files.fetch_add(1, Relaxed);
        self.bytes_written.fetch_add(size_bytes, Relaxed);
    }

    /// A piece of a file was right before.
    pub fn kept(&self, piece_bytes: u32) {
        self.bytes_kept.fetch_add(piece_bytes.into(), Relaxed);
        self.control.add_bytes(piece_bytes.into());
    }

    /// A folder is complete.
    pub fn folder(&self) {
        self.folders.fetch_add(1, Relaxed);
    }

    /// A link or special file is complete.
    pub fn other(&self) {
        self.others.fetch_add(1, Relaxed);
    }

    /// Something about `path` is not as it is in the snapshot.
    pub fn issue(&self, kind: IssueKind, path: &[u8], message: impl Into<String>) {
        self.push(Issue::new(kind, OsStr::from_bytes(path), message));
    }

    /// Note an issue.
    pub fn push(&self, issue: Issue) {
        self.issues.push(issue);
    }

    /// `path` could not be written.
    pub fn not_written(&self, path: &[u8], error: rustix::io::Errno) {
        self.failed(IssueKind::NotWritten, path, explain(error).to_string());
    }

    /// `path` is not there; what is not damaged may be had when it is tried again.
    pub fn failed(&self, kind: IssueKind, path: &[u8], message: impl Into<String>) {
        self.is_unfinished.fetch_or(kind == IssueKind::NotWritten, Relaxed);
        self.issue(kind, path, message);
    }

    /// Whether another attempt may bring more.
    pub fn is_unfinished(&self) -> bool {
        self.is_unfinished.load(Relaxed)
    }

    /// `path` is there, but not all that belongs to it.
    pub fn metadata(&self, path: &[u8], failures: Vec<String>) {
        for failure in failures {
            self.issue(IssueKind::Metadata, path, failure);
        }
    }

    /// An entry at `path` has a name that nothing may have.
    pub fn refused(&self, path: &[u8], refused: &Refused) {
        self.issue(IssueKind::UnsafeName, path, refused.reason);
    }

    /// All of it.
    pub fn summary(self) -> RestoreSummary {
        RestoreSummary {
            files: self.files.into_inner(),
            folders: self.folders.into_inner(),
            others: self.others.into_inner(),
            bytes_written: self.bytes_written.into_inner(),
            bytes_kept: self.bytes_kept.into_inner(),
            issues: self.issues.collected(),
        }
    }
}

/// Storage that fails is not damage: trying again may help.
pub fn kind_of(error: &Error) -> IssueKind {
    match error.kind() {
        ErrorKind::Damaged => IssueKind::Damaged,
        _ => IssueKind::NotWritten,
    }
}
