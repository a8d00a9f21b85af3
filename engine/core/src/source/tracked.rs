//! A source with a ledger: nothing that goes wrong while it is read is only logged.

use std::{
    cmp::Ordering,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use rustic_core::{
    ErrorKind as RusticKind, ReadSource, ReadSourceEntry, ReadSourceOpen, RusticError,
    RusticResult,
    jiff::Timestamp,
    repofile::{Metadata, Node, NodeType},
};

use super::{Entry, Failure, Source, SourceFile, SourceReader, node::FOLDER_MODE};
use crate::{
    birth::Birth,
    control::Control,
    issue::{Issue, IssueKind, Issues},
};

/// The truth about what was read.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Every path that was not stored as it is.
    pub issues: Issues,
    /// Entries given to the archiver that are not folders.
    pub files_emitted: AtomicU64,
    /// Files that the archiver will not store: they could not be opened or read to the end.
    pub files_left_out: AtomicU64,
    /// Entries found below the root folder.
    pub entries_below_root: AtomicU64,
    /// Bytes read from files.
    pub bytes_read: AtomicU64,
}

/// What reader, opener and iterator share.
struct Shared {
    ledger: Arc<Ledger>,
    control: Arc<Control>,
    customer_path: PathBuf,
    root_path: PathBuf,
}

/// The source of a backup as the archiver sees it, below `/<customer>/<resource>`.
pub struct Tracked<S> {
    source: S,
    shared: Arc<Shared>,
}

impl<S: Source> Tracked<S> {
    /// What is tracked.
    pub fn source(&self) -> &S {
        &self.source
    }

    /// Everything is noted in `ledger`; when `control` is cancelled, the listing ends.
    pub fn new(source: S, birth: &Birth, ledger: Arc<Ledger>, control: Arc<Control>) -> Self {
        let customer_path = PathBuf::from(format!("/{}", birth.customer()));
        let root_path = PathBuf::from(birth.snapshot_path());
        Self { source, shared: Arc::new(Shared { ledger, control, customer_path, root_path }) }
    }
}

impl Shared {
    fn note(&self, path: &Path, failure: Failure) {
        self.ledger.issues.add(failure.kind, path, failure.message);
    }

    /// Count a file that will not be stored, note why, and say it in the archiver's words.
    fn leave_out(&self, path: &Path, failure: Failure) -> io::Error {
        self.ledger.files_left_out.fetch_add(1, Relaxed);
        let told = io::Error::other(failure.message.clone());
        // A cancelled run leaves files out without calling that an issue of theirs.
        if !self.control.is_ending() {
            self.note(path, failure);
        }
        told
    }

    fn check_cancelled(&self) -> Result<(), Failure> {
        match self.control.is_ending() {
            true => Err(Failure::new(IssueKind::Unreadable, "cancelled")),
            false => Ok(()),
        }
    }
}

/// Run a part of a source; a panic in it is a failure of that part.
fn guarded<T>(part: impl FnOnce() -> T) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(part))
        .map_err(|_| Failure::new(IssueKind::Unreadable, "the source panicked"))
}

impl<S: Source> ReadSource for Tracked<S> {
    type Open = TrackedFile<S::File>;
    type Iter = TrackedEntries<S>;

    fn size(&self) -> RusticResult<Option<u64>> {
        Ok(None)
    }

    fn entries(&self) -> Self::Iter {
        TrackedEntries {
            entries: self.source.entries(),
            shared: self.shared.clone(),
            has_begun: false,
            has_ended: false,
        }
    }
}

/// Entries on their way to the archiver.
pub struct TrackedEntries<S: Source> {
    entries: S::Entries,
    shared: Arc<Shared>,
    has_begun: bool,
    has_ended: bool,
}

impl<S: Source> TrackedEntries<S> {
    /// The next good entry; what is not good is noted and passed over.
    fn next_entry(&mut self) -> Option<Entry<S::File>> {
        while !self.has_ended && !self.shared.control.is_ending() {
            match guarded(|| self.entries.next()) {
                Ok(Some(Ok(entry))) => return Some(entry),
                Ok(Some(Err(issue))) => self.shared.ledger.issues.push(issue),
                Ok(None) => self.has_ended = true,
                Err(failure) => {
                    self.has_ended = true;
                    let message = format!("the listing broke off: {}", failure.message);
                    self.shared.ledger.issues.push(Issue::new(IssueKind::Listing, "", message));
                }
            }
        }
        None
    }

    fn track(&self, entry: Entry<S::File>) -> ReadSourceEntry<TrackedFile<S::File>> {
        let ledger = &self.shared.ledger;
        self.shared.control.add_entry();
        if !entry.path.as_os_str().is_empty() {
            ledger.entries_below_root.fetch_add(1, Relaxed);
        }
        if !entry.node.is_dir() {
            ledger.files_emitted.fetch_add(1, Relaxed);
        }
        // Joining an empty path would leave a slash at the end.
        let path = match entry.path.as_os_str().is_empty() {
            true => self.shared.root_path.clone(),
            false => self.shared.root_path.join(&entry.path),
        };
        let listed_bytes = entry.node.meta.size;
        let open = entry.file.map(|file| TrackedFile {
            file,
            path: entry.path,
            listed_bytes,
            shared: self.shared.clone(),
        });
        ReadSourceEntry { path, node: entry.node, open }
    }

    /// The folder above the source's; the archiver would make up one without a type in its mode.
    fn customer_folder(&self) -> ReadSourceEntry<TrackedFile<S::File>> {
        let path = self.shared.customer_path.clone();
        let metadata = Metadata {
            mode: Some(FOLDER_MODE),
            mtime: Some(Timestamp::UNIX_EPOCH),
            ..Metadata::default()
        };
        let name = path.file_name().unwrap_or_default();
        ReadSourceEntry { node: Node::new_node(name, NodeType::Dir, metadata), path, open: None }
    }
}

impl<S: Source> Iterator for TrackedEntries<S> {
    type Item = RusticResult<ReadSourceEntry<TrackedFile<S::File>>>;

    fn next(&mut self) -> Option<Self::Item> {
        if !self.has_begun {
            self.has_begun = true;
            return Some(Ok(self.customer_folder()));
        }
        let entry = self.next_entry()?;
        Some(Ok(self.track(entry)))
    }
}

/// A file on its way to the archiver.
pub struct TrackedFile<File> {
    file: File,
    path: PathBuf,
    listed_bytes: u64,
    shared: Arc<Shared>,
}

impl<File: SourceFile> ReadSourceOpen for TrackedFile<File> {
    type Reader = TrackedReader<File::Reader>;

    fn open(self) -> RusticResult<Self::Reader> {
        let Self { file, path, listed_bytes, shared } = self;
        let opened = shared.check_cancelled().and_then(|()| guarded(|| file.open())?);
        match opened {
            Ok(reader) => Ok(TrackedReader {
                reader,
                path,
                listed_bytes,
                read_bytes: 0,
                state: State::Reading,
                shared,
            }),
            Err(failure) => {
                let error = shared.leave_out(&path, failure);
                Err(RusticError::with_source(RusticKind::InputOutput, "open", error))
            }
        }
    }
}

/// The content of a file on its way to the archiver.
pub struct TrackedReader<Reader> {
    reader: Reader,
    path: PathBuf,
    listed_bytes: u64,
    read_bytes: u64,
    state: State,
    shared: Arc<Shared>,
}

/// How far a file is; each is judged once.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Reading,
    Ended,
    Failed,
}

impl<Reader: SourceReader> TrackedReader<Reader> {
    fn read_on(&mut self, buffer: &mut [u8]) -> Result<usize, Failure> {
        self.shared.check_cancelled()?;
        guarded(|| self.reader.read(buffer))?
            .map_err(|error| Failure::new(IssueKind::Unreadable, format!("cannot read: {error}")))
    }

    fn advance(&mut self, count: usize) {
        self.read_bytes += count as u64;
        self.shared.ledger.bytes_read.fetch_add(count as u64, Relaxed);
    }

    fn end(&mut self) {
        self.state = State::Ended;
        let change = guarded(|| self.reader.change()).unwrap_or_else(Some);
        if let Some(failure) = change.or_else(|| self.other_length()) {
            self.shared.note(&self.path, failure);
        }
    }

    /// What no source needs to notice itself.
    fn other_length(&self) -> Option<Failure> {
        let kind = match self.read_bytes.cmp(&self.listed_bytes) {
            Ordering::Equal => return None,
            Ordering::Less => IssueKind::Shrunk,
            Ordering::Greater => IssueKind::Rewritten,
        };
        let message = format!("{} bytes were listed, {} read", self.listed_bytes, self.read_bytes);
        Some(Failure::new(kind, message))
    }
}

impl<Reader: SourceReader> io::Read for TrackedReader<Reader> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.state {
            State::Reading => {}
            State::Ended => return Ok(0),
            // Never a clean end: half a file would be stored as a whole one.
            State::Failed => return Err(io::Error::other("failed before")),
        }
        let count = match self.read_on(buffer) {
            Ok(count) => count,
            Err(failure) => {
                self.state = State::Failed;
                return Err(self.shared.leave_out(&self.path, failure));
            }
        };
        self.advance(count);
        if count == 0 && !buffer.is_empty() {
            self.end();
        }
        Ok(count)
    }
}
