//! The order of a tree: a folder before what lies in it, names in byte order.

use std::{
    ffi::{OsStr, OsString},
    ops::ControlFlow,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rustic_core::{
    jiff::Timestamp,
    repofile::{Metadata, Node, NodeType},
};

use super::{
    bounds::Counted,
    path_of,
    pool::Pool,
    reading::FtpsFile,
    telling::{Found, FoundFile, Telling},
};
use crate::{
    ftps::{
        Class, Fault,
        listing::{Entry as Listed, Kind, Listing},
        path::join,
        reply::shown,
    },
    issue::IssueKind,
    source::{
        ahead::Batches,
        earlier::{Earlier, Folder},
        node::{FOLDER_MODE, GO_SYMLINK},
        walk::LONGEST_PATH_BYTES,
    },
};

/// One walk over the source.
pub struct Walk {
    pool: Arc<Pool>,
    name: OsString,
    earlier: Option<Earlier>,
    telling: Telling,
    now: Timestamp,
    counted: Counted,
}

/// A folder on the way from the root to where the walk is.
struct Frame {
    path: Vec<u8>,
    /// What the server calls the same wherever it is listed.
    unique: Option<Vec<u8>>,
    entries: std::vec::IntoIter<Listed>,
    /// What earlier snapshots hold of it.
    earlier: Folder,
}

impl Walk {
    /// Tell `batches` of everything; the root folder is called `name`. Each file is read anew every
    /// `reread` though nothing about it changed.
    pub fn new(
        pool: Arc<Pool>,
        reread: Duration,
        name: OsString,
        earlier: Option<Earlier>,
        batches: Batches<FtpsFile>,
    ) -> Self {
        let now = Timestamp::now();
        let telling = Telling::new(pool.clone(), batches, now, reread);
        Self { pool, name, earlier, telling, now, counted: Counted::default() }
    }

    /// List all; a source that was lost on the way is told by itself.
    pub fn run(mut self) {
        // Broken off or finished: either way the walk is over.
        let _ = self.all();
    }

    fn all(&mut self) -> ControlFlow<()> {
        let node = Node::new_node(&self.name, NodeType::Dir, folder_metadata(None));
        self.telling.tell(Found::Entry(PathBuf::new(), node))?;
        let earlier = self.earlier.as_ref().map(Earlier::root).unwrap_or_default();
        if !earlier.is_empty() {
            self.telling.hold();
        }
        let mut frames = vec![self.enter(Vec::new(), None, earlier)?];
        while let Some(frame) = frames.last_mut() {
            let Some(entry) = frame.entries.next() else {
                frames.pop();
                continue;
            };
            let path = join(&frame.path, &entry.name);
            let is_folder = entry.kind == Kind::Folder;
            if self.pool.place.leaves_out(&path, is_folder) {
                continue;
            }
            if let Err(fault) = self.counted.add(&entry, &self.pool.place.bounds) {
                self.pool.fall_short(fault);
                break;
            }
            self.entry(&path, &entry, &frame.earlier)?;
            if !is_folder {
                continue;
            }
            let earlier = self.below(&frame.earlier, &entry.name);
            if let Some(reason) = endless(&frames, &path, entry.unique.as_ref()) {
                self.telling.tell(Found::issue(&path, IssueKind::Listing, reason))?;
            } else {
                frames.push(self.enter(path, entry.unique, earlier)?);
            }
        }
        self.telling.release()
    }

    fn below(&self, folder: &Folder, name: &[u8]) -> Folder {
        self.earlier.as_ref().map(|earlier| earlier.below(folder, name)).unwrap_or_default()
    }

    /// What lies in a folder. One that is not believed is told; in its place stands what earlier
    /// snapshots hold of it, so that nothing of it counts as deleted.
    fn enter(
        &mut self,
        path: Vec<u8>,
        unique: Option<Vec<u8>>,
        earlier: Folder,
    ) -> ControlFlow<(), Frame> {
        self.telling.flush()?;
        let entries = match self.pool.listed(&path) {
            Ok(Listing { entries, refused, .. }) => {
                let told = refused.iter().try_for_each(|name| {
                    let message = format!("the name \"{name}\" in it cannot be stored");
                    self.telling.tell(Found::issue(&path, IssueKind::Unreadable, message))
                });
                told?;
                entries
            }
            Err(fault) if self.is_over(&fault) => return ControlFlow::Break(()),
            Err(fault) => {
                self.keep(&path, &earlier, &fault)?;
                Vec::new()
            }
        };
        ControlFlow::Continue(Frame { path, unique, entries: entries.into_iter(), earlier })
    }

    fn is_over(&self, fault: &Fault) -> bool {
        fault.class == Class::Cancelled || self.pool.shortfall().is_some()
    }

    /// Tell of a folder that could not be listed, and of what it held.
    fn keep(&mut self, path: &[u8], earlier: &Folder, fault: &Fault) -> ControlFlow<()> {
        let taken_at = earlier.taken_at_seconds().and_then(|at| Timestamp::from_second(at).ok());
        let kept = taken_at
            .map_or_else(String::new, |taken_at| format!("; what it held at {taken_at} was kept"));
        let message = format!("cannot list it: {}{kept}", fault.message);
        self.telling.tell(Found::issue(path, IssueKind::Listing, message))?;
        self.keep_all(path, earlier)
    }

    fn keep_all(&mut self, folder: &[u8], earlier: &Folder) -> ControlFlow<()> {
        for node in earlier.held() {
            let name = node.name().as_bytes().to_vec();
            let path = join(folder, &name);
            if self.pool.place.leaves_out(&path, node.is_dir()) || path.len() > LONGEST_PATH_BYTES {
                continue;
            }
            let bare = Node { subtree: None, ..node.clone() };
            if node.is_file() {
                self.telling.tell(Found::Kept(path, bare))?;
                continue;
            }
            self.telling.tell(Found::Entry(path_of(&path).to_path_buf(), bare))?;
            if node.is_dir() {
                self.keep_all(&path, &self.below(earlier, &name))?;
            }
        }
        ControlFlow::Continue(())
    }

    /// Tell of an entry as the format stores it.
    fn entry(&mut self, path: &[u8], entry: &Listed, earlier: &Folder) -> ControlFlow<()> {
        let found = match self.node(entry) {
            Err(message) => Found::issue(path, IssueKind::Unreadable, message),
            Ok(node) if entry.kind != Kind::File => Found::Entry(path_of(path).to_path_buf(), node),
            Ok(node) => Found::File(FoundFile {
                path: path.to_vec(),
                node,
                modified: entry.modified,
                earlier: earlier.find(&entry.name).cloned().collect(),
            }),
        };
        self.telling.tell(found)
    }

    fn node(&self, entry: &Listed) -> Result<Node, &'static str> {
        let (node_type, metadata) = match &entry.kind {
            Kind::Folder => (NodeType::Dir, folder_metadata(entry.mode)),
            Kind::Link(Some(target)) => {
                let target = Path::new(OsStr::from_bytes(target));
                (NodeType::from_link(target), self.metadata(entry, GO_SYMLINK, 0))
            }
            Kind::Link(None) => return Err("the server does not tell where the link leads"),
            Kind::Other => return Err("it is neither a file, a folder nor a link"),
            Kind::File => {
                let size_bytes =
                    entry.size_bytes.ok_or("the server does not tell how long it is")?;
                (NodeType::File, self.metadata(entry, 0, size_bytes))
            }
        };
        Ok(Node::new_node(OsStr::from_bytes(&entry.name), node_type, metadata))
    }

    fn metadata(&self, entry: &Listed, kind: u32, size_bytes: u64) -> Metadata {
        let modified = entry.modified.and_then(|moment| Timestamp::from_second(moment.0).ok());
        Metadata {
            mode: Some(kind | entry.mode.unwrap_or(0o644) & 0o777),
            mtime: modified,
            atime: modified,
            // When it was last read, by which the next run knows whether to read it again.
            ctime: Some(self.now),
            size: size_bytes,
            links: 1,
            ..Metadata::default()
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
        let most = LONGEST_PATH_BYTES;
        return Some(format!(
            "its path has more than {most} bytes: exclude it, or what leads there"
        ));
    }
    let unique = unique?;
    let above = frames.iter().find(|frame| frame.unique.as_ref() == Some(unique))?;
    Some(format!("this folder is {} again, in which it lies", shown(&above.path)))
}
