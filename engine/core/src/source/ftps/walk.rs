//! The order of a tree: a folder before what lies in it, names in byte order.

use std::{
    ffi::{OsStr, OsString},
    ops::ControlFlow,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use ignore::gitignore::Gitignore;
use rustic_core::{
    jiff::Timestamp,
    repofile::{Metadata, Node, NodeType},
};

use super::{
    pool::{Pool, join},
    reading::{FtpsFile, Reading},
};
use crate::{
    ftps::{
        Class, Fault,
        listing::{Entry as Listed, Kind, Listing},
        reply::shown,
    },
    issue::{Issue, IssueKind},
    source::{
        Entry, Failure,
        ahead::Batches,
        node::{FOLDER_MODE, GO_SYMLINK},
        walk::LONGEST_PATH_BYTES,
    },
};

/// What to pass over.
pub struct Rules {
    /// Paths relative to the root, as in gitignore.
    pub exclude: Gitignore,
}

/// One walk over the source.
pub struct Walk {
    pool: Arc<Pool>,
    rules: Arc<Rules>,
    name: OsString,
    batches: Batches<FtpsFile>,
    now: Timestamp,
}

/// A folder on the way from the root to where the walk is.
struct Frame {
    path: Vec<u8>,
    /// What the server calls the same wherever it is listed.
    unique: Option<Vec<u8>>,
    entries: std::vec::IntoIter<Listed>,
}

impl Walk {
    /// Tell `batches` of everything; the root folder is called `name`.
    pub fn new(
        pool: Arc<Pool>,
        rules: Arc<Rules>,
        name: OsString,
        batches: Batches<FtpsFile>,
    ) -> Self {
        Self { pool, rules, name, batches, now: Timestamp::now() }
    }

    /// List all; a source that was lost on the way is told by itself.
    pub fn run(mut self) {
        // Broken off or finished: either way the walk is over.
        let _ = self.all();
    }

    fn all(&mut self) -> ControlFlow<()> {
        let node = Node::new_node(&self.name, NodeType::Dir, folder_metadata(None));
        self.tell(Ok(Entry { path: PathBuf::new(), node, file: None }))?;
        let mut frames = vec![self.enter(Vec::new(), None)?];
        while let Some(frame) = frames.last_mut() {
            let Some(entry) = frame.entries.next() else {
                frames.pop();
                continue;
            };
            let path = join(&frame.path, &entry.name);
            let is_folder = entry.kind == Kind::Folder;
            if self.rules.exclude.matched(path_of(&path), is_folder).is_ignore() {
                continue;
            }
            let unique = entry.unique.clone();
            self.entry(&path, &entry)?;
            if !is_folder {
                continue;
            }
            if let Some(reason) = endless(&frames, &path, unique.as_ref()) {
                self.issue(&path, IssueKind::Listing, reason)?;
            } else {
                frames.push(self.enter(path, unique)?);
            }
        }
        ControlFlow::Continue(())
    }

    /// What lies in a folder; one that is not believed is told, and nothing of it is.
    fn enter(&mut self, path: Vec<u8>, unique: Option<Vec<u8>>) -> ControlFlow<(), Frame> {
        let entries = match self.pool.listed(&path) {
            Ok(Listing { entries, refused }) => {
                for name in refused {
                    let message = format!("the name \"{name}\" in it cannot be stored");
                    if self.issue(&path, IssueKind::Unreadable, message).is_break() {
                        return ControlFlow::Break(());
                    }
                }
                entries
            }
            Err(fault) if self.is_over(&fault) => return ControlFlow::Break(()),
            Err(fault) => {
                let message = format!("cannot list it: {}", fault.message);
                if self.issue(&path, IssueKind::Listing, message).is_break() {
                    return ControlFlow::Break(());
                }
                Vec::new()
            }
        };
        ControlFlow::Continue(Frame { path, unique, entries: entries.into_iter() })
    }

    fn is_over(&self, fault: &Fault) -> bool {
        fault.class == Class::Cancelled || self.pool.failure().is_some()
    }

    /// Tell of an entry as the format stores it.
    fn entry(&mut self, path: &[u8], entry: &Listed) -> ControlFlow<()> {
        let name = OsStr::from_bytes(&entry.name);
        let (node_type, metadata) = match &entry.kind {
            Kind::Folder => (NodeType::Dir, folder_metadata(entry.mode)),
            Kind::Link(Some(target)) => {
                let target = Path::new(OsStr::from_bytes(target));
                (NodeType::from_link(target), self.file_metadata(entry, GO_SYMLINK))
            }
            Kind::Link(None) => {
                let message = "the server does not tell where the link leads";
                return self.issue(path, IssueKind::Unreadable, message);
            }
            Kind::Other => {
                let message = "it is neither a file, a folder nor a link";
                return self.issue(path, IssueKind::Unreadable, message);
            }
            Kind::File => (NodeType::File, self.file_metadata(entry, 0)),
        };
        let node = Node::new_node(name, node_type, metadata);
        let file = (entry.kind == Kind::File).then(|| self.file(path, entry)).transpose();
        match file {
            Ok(file) => self.tell(Ok(Entry { path: path_of(path).to_path_buf(), node, file })),
            Err(failure) => self.issue(path, failure.kind, failure.message),
        }
    }

    fn file(&self, path: &[u8], entry: &Listed) -> Result<FtpsFile, Failure> {
        let Some(size_bytes) = entry.size_bytes else {
            let message = "the server does not tell how long it is";
            return Err(Failure::new(IssueKind::Unreadable, message));
        };
        let reading = Reading::new(path.to_vec(), size_bytes, self.pool.control.clone());
        self.pool.read_later(reading.clone());
        Ok(FtpsFile { reading, pool: self.pool.clone() })
    }

    fn file_metadata(&self, entry: &Listed, kind: u32) -> Metadata {
        let modified = entry.modified.and_then(|moment| Timestamp::from_second(moment.0).ok());
        Metadata {
            mode: Some(kind | entry.mode.unwrap_or(0o644) & 0o777),
            mtime: modified,
            atime: modified,
            ctime: Some(self.now),
            size: match entry.kind {
                Kind::File => entry.size_bytes.unwrap_or(0),
                _ => 0,
            },
            links: 1,
            ..Metadata::default()
        }
    }

    fn issue(
        &mut self,
        path: &[u8],
        kind: IssueKind,
        message: impl Into<String>,
    ) -> ControlFlow<()> {
        self.tell(Err(Issue::new(kind, path_of(path), message)))
    }

    fn tell(&mut self, found: Result<Entry<FtpsFile>, Issue>) -> ControlFlow<()> {
        self.batches.tell(found)?;
        match self.pool.control.is_ending() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }
}

fn folder_metadata(mode: Option<u32>) -> Metadata {
    let permissions = mode.map(|mode| (FOLDER_MODE & !0o777) | (mode & 0o777));
    Metadata {
        mode: Some(permissions.unwrap_or(FOLDER_MODE)),
        mtime: Some(Timestamp::UNIX_EPOCH),
        ..Metadata::default()
    }
}

/// Why the walk would not come to an end below a folder.
fn endless(frames: &[Frame], path: &[u8], unique: Option<&Vec<u8>>) -> Option<String> {
    if path.len() > LONGEST_PATH_BYTES {
        return Some("this folder lies too deep".to_owned());
    }
    let unique = unique?;
    let above = frames.iter().find(|frame| frame.unique.as_ref() == Some(unique))?;
    Some(format!("this folder is {} again, in which it lies", shown(&above.path)))
}

fn path_of(path: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(path))
}
