//! Where backups are read from.
//!
//! A source lists entries in the order of a tree and opens files; it knows nothing of archiving.
//! [`tracked::Tracked`] turns any source into what the archiver reads, and keeps the ledger of
//! everything that was not stored as it is: the archiver itself only logs that.

pub mod ahead;
pub mod attributes;
pub mod beneath;
pub mod directory;
pub mod earlier;
pub mod file;
pub mod ftps;
pub mod node;
pub mod tracked;
pub mod walk;

use std::{io, path::PathBuf};

use rustic_core::repofile::Node;

use crate::issue::{Issue, IssueKind};

/// Something readable with a tree below it.
pub trait Source: Send + Sync + 'static {
    /// A file that can be opened later, on another thread.
    type File: SourceFile;
    /// The root folder first, then every folder before its content, names in byte order.
    type Entries: Iterator<Item = Result<Entry<Self::File>, Issue>> + Send;

    /// Learn what earlier snapshots hold, before anything is listed. A source whose files tell
    /// themselves whether they changed does without.
    fn learn(&self, _earlier: earlier::Earlier) {}

    /// List everything; called once.
    fn entries(&self) -> Self::Entries;

    /// Say what is known of files only after they were read; asked when all were.
    fn settle(&self) -> Vec<Issue> {
        Vec::new()
    }

    /// Why it went away while it was read, if it did; asked when the listing has ended.
    fn lost(&self) -> Option<String>;

    /// A look at how much there is, which can be taken while it is read; None where that would
    /// take as long as reading it.
    fn scan(&self) -> Option<directory::Scan> {
        None
    }
}

/// One entry of the listing.
pub struct Entry<File> {
    /// Relative to the source; empty for its root folder.
    pub path: PathBuf,
    /// Name and metadata as listed.
    pub node: Node,
    /// How to read it; None for everything but regular files.
    pub file: Option<File>,
}

/// A file as it was listed.
pub trait SourceFile: Send + 'static {
    /// Reads the content.
    type Reader: SourceReader;

    /// Open what was listed, not what may stand in its place by now.
    fn open(self) -> Result<Self::Reader, Failure>;
}

/// The content of a file.
pub trait SourceReader: Send + 'static {
    /// Fill the buffer as far as there is content; 0 at the end.
    /// The archiver's chunker keeps a buffer as small as its first read.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize>;

    /// After the end: how the file changed while it was read, if the source can tell. That there
    /// were fewer or more bytes than listed is told without it.
    fn change(&mut self) -> Option<Failure>;
}

/// What is wrong with one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What happened.
    pub kind: IssueKind,
    /// One sentence, lower case, no full stop.
    pub message: String,
}

impl Failure {
    /// A failure with its sentence.
    pub fn new(kind: IssueKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// A system call that failed on a path; one that is gone is told apart.
    pub fn of(doing: &str, error: &io::Error) -> Self {
        let kind = match error.kind() {
            io::ErrorKind::NotFound => IssueKind::Vanished,
            _ => IssueKind::Unreadable,
        };
        Self::new(kind, format!("cannot {doing}: {error}"))
    }
}
