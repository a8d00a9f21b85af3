//! Goes through a folder of a snapshot and all below it.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt, vec::IntoIter};

use super::{MOST_LEVELS, MOST_WAITING_BYTES, normal};
use crate::{
    control::Control,
    error::{Error, ErrorKind, Result},
    format::{
        index::Places,
        reader::BlobReader,
        tree::{Node, NodeKind},
    },
    issue::{Issue, IssueKind, Issues},
    object::ObjectId,
};

/// Our own backups hold no longer ones.
const LONGEST_PATH_BYTES: usize = 64 << 10;
/// Of a path in an issue: issues are kept.
const LONGEST_TOLD_BYTES: usize = 4096;

/// What to do after an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Go on; into a folder.
    Into,
    /// Go on behind it.
    Over,
}

/// A walk; several in a row share its bound.
pub struct Walk<'a, I> {
    blobs: &'a BlobReader<'a, I>,
    control: &'a Control,
    issues: &'a Issues,
    /// Entries that may still be looked at.
    left: u64,
    levels: Vec<Level>,
    waiting_bytes: usize,
    path: Vec<u8>,
}

/// A folder that the walk is in.
struct Level {
    path_bytes: usize,
    /// Folders in it that were not entered yet.
    folders: IntoIter<Node>,
}

impl<'a, I: Places> Walk<'a, I> {
    /// A walk that notes in `issues` what it has to leave out.
    pub fn new(
        blobs: &'a BlobReader<'a, I>,
        control: &'a Control,
        issues: &'a Issues,
        most_entries: u64,
    ) -> Self {
        let (levels, path) = (Vec::new(), Vec::new());
        Self { blobs, control, issues, left: most_entries, levels, waiting_bytes: 0, path }
    }

    /// Give `node`, which stands at `path`, and all below it to `visit`, each with its path below
    /// the source's folder: a folder first, then what in it is none, then its folders, each of
    /// them in the order of their names. Attributes, which may be long, are left away: nobody who
    /// browses asks for them, and nodes wait for whoever reads slowly.
    ///
    /// Fails when `visit` does, when cancelled, and with errors that are no damage.
    pub fn run(
        &mut self,
        path: &[u8],
        mut node: Node,
        mut visit: impl FnMut(&[u8], Node) -> Result<Step>,
    ) -> Result<()> {
        node.metadata.attributes = Vec::new();
        self.path = normal(path);
        self.levels.clear();
        self.waiting_bytes = 0;
        self.give(node, &mut visit)?;
        while let Some(level) = self.levels.last_mut() {
            self.path.truncate(level.path_bytes);
            match level.folders.next() {
                Some(node) => self.descend(node, &mut visit)?,
                None => drop(self.levels.pop()),
            }
        }
        Ok(())
    }

    fn descend(
        &mut self,
        node: Node,
        visit: &mut impl FnMut(&[u8], Node) -> Result<Step>,
    ) -> Result<()> {
        self.waiting_bytes -= node.held_bytes();
        if self.push_name(&node.name) { self.give(node, visit) } else { Ok(()) }
    }

    /// Give the entry that the path leads to, and enter it when it is a folder.
    fn give(
        &mut self,
        node: Node,
        visit: &mut impl FnMut(&[u8], Node) -> Result<Step>,
    ) -> Result<()> {
        self.control.check()?;
        let tree = if let NodeKind::Folder(tree) = node.kind { Some(tree) } else { None };
        let step = visit(&self.path, node)?;
        self.control.add_entry();
        match tree {
            Some(tree) if step == Step::Into => self.enter(tree, visit),
            _ => Ok(()),
        }
    }

    /// Give what the folder holds, and keep its folders for later.
    fn enter(
        &mut self,
        tree: Option<ObjectId>,
        visit: &mut impl FnMut(&[u8], Node) -> Result<Step>,
    ) -> Result<()> {
        let path_bytes = self.path.len();
        let mut nodes = self.read(tree)?;
        // The others, which may be a million, stay where they are.
        let is_folder = |node: &mut Node| matches!(node.kind, NodeKind::Folder(_));
        let folders: Vec<_> = nodes.extract_if(.., is_folder).collect();
        for node in nodes {
            if self.push_name(&node.name) {
                self.give(node, visit)?;
            }
            self.path.truncate(path_bytes);
        }
        self.waiting_bytes += folders.iter().map(Node::held_bytes).sum::<usize>();
        self.levels.push(Level { path_bytes, folders: folders.into_iter() });
        Ok(())
    }

    /// The entries of a folder; none when it is damaged or too much.
    fn read(&mut self, tree: Option<ObjectId>) -> Result<Vec<Node>> {
        let Some(id) = tree else {
            self.note(IssueKind::Damaged, "the folder has no tree");
            return Ok(Vec::new());
        };
        if self.levels.len() > MOST_LEVELS {
            let message = format!("its content lies deeper than {MOST_LEVELS} folders");
            self.note(IssueKind::Listing, message);
            return Ok(Vec::new());
        }
        let mut tree = match self.blobs.tree(id) {
            Ok(tree) => tree,
            Err(error) => {
                self.control.check()?;
                self.note(kind_of(&error)?, error.chain());
                return Ok(Vec::new());
            }
        };
        let folder =
            if self.path.is_empty() { Vec::new() } else { [&self.path[..], b"/"].concat() };
        for refused in &tree.refused {
            let path = [folder.as_slice(), &refused.name].concat();
            self.issues.push(issue(IssueKind::UnsafeName, &path, refused.reason));
        }
        tree.nodes.iter_mut().for_each(|node| node.metadata.attributes = Vec::new());
        Ok(self.take(tree.nodes))
    }

    /// `nodes`, unless they are beyond the bounds: then the walk ends here and says so.
    fn take(&mut self, nodes: Vec<Node>) -> Vec<Node> {
        let count = nodes.len() as u64;
        if count <= self.left && self.waiting_bytes <= MOST_WAITING_BYTES {
            self.left -= count;
            return nodes;
        }
        self.note(IssueKind::Listing, "from here on left out: there are too many entries");
        self.left = 0;
        self.levels.clear();
        Vec::new()
    }

    /// Lengthen the path by a name; false when it would be too long.
    fn push_name(&mut self, name: &[u8]) -> bool {
        if self.path.len() + name.len() > LONGEST_PATH_BYTES {
            self.note(IssueKind::Listing, "a path in it is too long");
            return false;
        }
        if !self.path.is_empty() {
            self.path.push(b'/');
        }
        self.path.extend_from_slice(name);
        true
    }

    fn note(&self, kind: IssueKind, message: impl Into<String>) {
        self.issues.push(issue(kind, &self.path, message));
    }
}

fn issue(kind: IssueKind, path: &[u8], message: impl Into<String>) -> Issue {
    let told = path.get(..LONGEST_TOLD_BYTES).unwrap_or(path);
    Issue::new(kind, OsStr::from_bytes(told), message)
}

/// What an error is to the path it harms; one that is neither damage nor storage is returned.
pub fn kind_of(error: &Error) -> Result<IssueKind> {
    match error.kind() {
        ErrorKind::Damaged => Ok(IssueKind::Damaged),
        ErrorKind::Storage => Ok(IssueKind::Unreadable),
        kind => Err(Error::new(kind, error.chain())),
    }
}
