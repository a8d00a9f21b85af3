//! Issues: paths that were not stored, or not restored, as they are.

use std::{
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

/// Issues kept in full; beyond that only the count grows, so that memory stays bounded.
pub const KEPT_ISSUES: usize = 10_000;

/// Bytes that are kept of a path and of a message: names in a repository may be of any length.
const MOST_PATH_BYTES: usize = 4096;
const MOST_MESSAGE_BYTES: usize = MOST_PATH_BYTES + 1024;

/// What happened to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IssueKind {
    /// Could not be opened or read.
    Unreadable,
    /// A folder could not be listed, or its listing cannot be trusted.
    Listing,
    /// Got shorter while it was read.
    Shrunk,
    /// Was written to while it was read.
    Rewritten,
    /// Nothing at all was found in the source.
    EmptySource,
    /// The source holds far less than the last complete snapshot.
    SourceShrank,
    /// Went away between listing and reading.
    Vanished,
    /// Only grew while it was read; what was there when it was listed is stored.
    Grew,
    /// Its attributes could not be read or hold what the format cannot.
    Attributes,
    /// Left out because the repository, its cache or the journal lies there.
    OwnFiles,
    /// The metadata cache could not be written; cold is complete.
    HotIncomplete,
    /// The metadata cache was not what cold says; what was wrong was set aside and filled.
    HotMended,
    /// An object in the repository was left out, because it is not what its name or MAC says.
    IgnoredObject,
    /// An object in the repository is not what its name or MAC says.
    Damaged,
    /// A name that must not be restored: empty, `.`, `..`, with `/` or NUL, or twice in a folder.
    UnsafeName,
    /// Could not be written to the target of a restore.
    NotWritten,
    /// Written, but its owner, mode, times or attributes could not be set.
    Metadata,
    /// A device, socket or other special file that was not asked for, or what would be taken for
    /// the mark of an unfinished restore.
    NotRestored,
}

impl IssueKind {
    /// The name used in records and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::Listing => "listing",
            Self::Shrunk => "shrunk",
            Self::Rewritten => "rewritten",
            Self::EmptySource => "empty-source",
            Self::SourceShrank => "source-shrank",
            Self::Vanished => "vanished",
            Self::Grew => "grew",
            Self::Attributes => "attributes",
            Self::OwnFiles => "own-files",
            Self::HotIncomplete => "hot-incomplete",
            Self::HotMended => "hot-mended",
            Self::IgnoredObject => "ignored-object",
            Self::Damaged => "damaged",
            Self::UnsafeName => "unsafe-name",
            Self::NotWritten => "not-written",
            Self::Metadata => "metadata",
            Self::NotRestored => "not-restored",
        }
    }

    /// True for what is told but never makes a run partial.
    pub fn is_note(self) -> bool {
        matches!(
            self,
            Self::Vanished
                | Self::Grew
                | Self::Attributes
                | Self::OwnFiles
                | Self::HotIncomplete
                | Self::HotMended
                | Self::IgnoredObject
                | Self::NotRestored
        )
    }
}

/// One path and what happened to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// What happened.
    pub kind: IssueKind,
    /// The path as bytes: relative to the source for a backup, to the source's folder for a
    /// restore, an object's name for damage. Empty means the whole.
    pub path: Vec<u8>,
    /// One sentence, lower case, no full stop.
    pub message: String,
}

impl Issue {
    /// An issue about `path`.
    pub fn new(kind: IssueKind, path: impl AsRef<OsStr>, message: impl Into<String>) -> Self {
        Self { kind, path: path.as_ref().as_bytes().to_vec(), message: message.into() }
    }

    fn shorten(&mut self) {
        if self.path.len() > MOST_PATH_BYTES {
            self.path.truncate(MOST_PATH_BYTES);
            self.path.extend_from_slice("…".as_bytes());
            self.path.shrink_to_fit();
        }
        if self.message.len() > MOST_MESSAGE_BYTES {
            self.message.truncate(self.message.floor_char_boundary(MOST_MESSAGE_BYTES));
            self.message.push('…');
            self.message.shrink_to_fit();
        }
    }
}

/// Issues as they are collected from several threads: bounded in memory, exact in number.
#[derive(Debug, Default)]
pub struct Issues {
    inner: Mutex<Collected>,
    /// No note is kept any more: a million problems must not each look for one.
    is_full: AtomicBool,
}

/// What was collected: the first [`KEPT_ISSUES`] and the count of all.
#[derive(Debug, Default, Clone)]
pub struct Collected {
    /// The first issues, in the order in which they were noticed.
    pub kept: Vec<Issue>,
    /// How many there were that make a run partial.
    pub problem_count: u64,
    /// How many there were that are only told.
    pub note_count: u64,
}

impl Issues {
    /// Note an issue about `path`.
    pub fn add(&self, kind: IssueKind, path: impl AsRef<Path>, message: impl Into<String>) {
        self.push(Issue::new(kind, path.as_ref(), message));
    }

    /// Note an issue.
    pub fn push(&self, mut issue: Issue) {
        issue.shorten();
        let mut inner = self.lock();
        if issue.kind.is_note() {
            inner.note_count += 1;
        } else {
            inner.problem_count += 1;
        }
        // A problem must not be crowded out by notes.
        if inner.kept.len() < KEPT_ISSUES {
            inner.kept.push(issue);
        } else if !issue.kind.is_note() && !self.is_full.load(Relaxed) {
            match inner.kept.iter().position(|kept| kept.kind.is_note()) {
                Some(place) => {
                    inner.kept.remove(place);
                    inner.kept.push(issue);
                }
                None => self.is_full.store(true, Relaxed),
            }
        }
    }

    /// A copy of what was collected so far.
    pub fn collected(&self) -> Collected {
        self.lock().clone()
    }

    /// Whether any was noted that makes a run partial.
    pub fn has_problems(&self) -> bool {
        self.lock().problem_count > 0
    }

    /// What was collected here and then in `later`; where there are too many, each has the place
    /// that the other does not need, and at least half.
    #[must_use]
    pub fn followed_by(self, later: Self) -> Self {
        let [mut all, mut more] = [self, later].map(Self::into_collected);
        let room = |others: &[Issue]| KEPT_ISSUES - others.len().min(KEPT_ISSUES / 2);
        all.kept.truncate(room(&more.kept));
        more.kept.truncate(KEPT_ISSUES - all.kept.len());
        all.kept.append(&mut more.kept);
        all.problem_count += more.problem_count;
        all.note_count += more.note_count;
        Self { inner: Mutex::new(all), is_full: AtomicBool::default() }
    }

    /// What was collected.
    pub fn into_collected(self) -> Collected {
        self.inner.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Collected> {
        self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_messages_of_any_length_take_little_memory() {
        let issues = Issues::default();

        issues.add(IssueKind::Damaged, "p".repeat(1 << 20), "ö".repeat(1 << 20));
        issues.add(IssueKind::Damaged, "path", "message");

        let kept = issues.collected().kept;
        assert!(kept[0].path.capacity() < 5000 && kept[0].message.capacity() < 6000);
        assert!(kept[0].message.ends_with("ö…"));
        assert_eq!(kept[1], Issue::new(IssueKind::Damaged, "path", "message"));
    }
}
