//! Walks a snapshot's tree and hands its entries to the batch.

use std::{sync::Arc, vec::IntoIter};

use rustix::{
    fs::{FileType, Mode, mknodat, symlinkat},
    io::Result as IoResult,
};

use super::{
    RestoreOptions,
    batch::Batch,
    claim::{CLAIMS, claimed_snapshot},
    metadata::{Anchored, Subject, apply},
    report::{Report, kind_of},
    target::Folder,
    temporary::{Temporary, TemporaryNames},
};
use crate::{
    browse::{MOST_LEVELS, MOST_WAITING_BYTES},
    error::Result,
    format::{
        reader::BlobReader,
        tree::{Metadata, Node, NodeKind},
    },
    issue::IssueKind,
    object::ObjectId,
};

/// A walk through one snapshot.
pub struct Walk<'a> {
    blobs: &'a BlobReader<'a>,
    report: &'a Report<'a>,
    names: &'a TemporaryNames,
    options: &'a RestoreOptions,
    batch: Batch<'a>,
    levels: Vec<Level>,
    held_bytes: usize,
    entries: u64,
}

/// A folder that the walk is in.
struct Level {
    folder: Arc<Folder>,
    metadata: Metadata,
    /// Folders in it that were not entered yet, and whether this restore made them.
    folders: IntoIter<(Node, bool)>,
    /// What all its folders take: the metadata of one that was entered is held on.
    held_bytes: usize,
}

impl<'a> Walk<'a> {
    /// A walk that writes into `target`.
    pub fn new(
        target: &Arc<Folder>,
        blobs: &'a BlobReader<'a>,
        report: &'a Report<'a>,
        names: &'a TemporaryNames,
        options: &'a RestoreOptions,
    ) -> Self {
        let batch = Batch::new(Arc::clone(target), blobs, report, names, options.exact);
        let levels = Vec::new();
        Self { blobs, report, names, options, batch, levels, held_bytes: 0, entries: 0 }
    }

    /// Write what is in `node` into the target when it is a folder, else itself.
    pub fn run(mut self, target: &Arc<Folder>, node: Node) -> Result<()> {
        match node.kind {
            NodeKind::Folder(tree) => self.enter(Arc::clone(target), Metadata::default(), tree)?,
            _ if is_claim(target, &node) => {
                self.report.issue(IssueKind::NotWritten, &node.name, CLAIMS);
            }
            _ => self.write(target, node)?,
        }
        while let Some(level) = self.levels.last_mut() {
            self.report.control.check()?;
            match level.folders.next() {
                Some((node, is_new)) => self.descend(node, is_new)?,
                None => self.leave()?,
            }
        }
        self.batch.flush()
    }

    /// Enter the folder `node` in the folder entered last.
    fn descend(&mut self, node: Node, is_new: bool) -> Result<()> {
        let Some(level) = self.levels.last() else { return Ok(()) };
        let NodeKind::Folder(tree) = node.kind else { return Ok(()) };
        match level.folder.child(&node.name, is_new) {
            Ok(folder) => self.enter(folder, node.metadata, tree),
            Err(errno) => {
                self.report.not_written(&level.folder.path_of(&node.name), errno);
                Ok(())
            }
        }
    }

    /// Make the folders `nodes` in `folder`; returns those that stand, and whether they are new.
    ///
    /// All of them before anything in them is made: ext4 then spreads their files. Otherwise it
    /// lays them, one folder after the other, where as many were deleted minutes before, and
    /// searches for a free inode among those of each that must not be used again so soon.
    fn make_folders(&self, folder: &Folder, nodes: Vec<Node>) -> Result<Vec<(Node, bool)>> {
        let mut made = Vec::with_capacity(nodes.len());
        for node in nodes {
            self.report.control.check()?;
            let path = || folder.path_of(&node.name);
            if self.levels.len() >= MOST_LEVELS {
                let message = format!("lies deeper than {MOST_LEVELS} folders");
                self.report.issue(IssueKind::NotWritten, &path(), message);
                continue;
            }
            match folder.make_child(&node.name) {
                Ok(is_new) => made.push((node, is_new)),
                Err(errno) => self.report.not_written(&path(), errno),
            }
        }
        Ok(made)
    }

    /// Write what lies in `folder`, and keep its folders for later.
    fn enter(
        &mut self,
        folder: Arc<Folder>,
        metadata: Metadata,
        tree: Option<ObjectId>,
    ) -> Result<()> {
        let mut nodes = self.read_tree(&folder, tree);
        nodes.retain(|node| {
            let is_claim = is_claim(&folder, node);
            if is_claim {
                self.report.issue(IssueKind::NotRestored, &node.name, CLAIMS);
            }
            !is_claim
        });
        // The others, which may be a million, stay where they are.
        let is_folder = |node: &mut Node| matches!(node.kind, NodeKind::Folder(_));
        let folders = nodes.extract_if(.., is_folder).collect();
        let folders = self.make_folders(&folder, folders)?;
        for node in nodes {
            self.report.control.check()?;
            self.write(&folder, node)?;
        }
        let held_bytes = folders.iter().map(|(node, _)| node.held_bytes()).sum();
        self.held_bytes += held_bytes;
        self.levels.push(Level { folder, metadata, folders: folders.into_iter(), held_bytes });
        Ok(())
    }

    /// The entries of the folder with the tree `tree`; none when it is damaged or too much.
    fn read_tree(&mut self, folder: &Folder, tree: Option<ObjectId>) -> Vec<Node> {
        let Some(id) = tree else {
            self.report.issue(IssueKind::Damaged, &folder.path(), "the folder has no tree");
            return Vec::new();
        };
        let tree = match self.blobs.tree(id) {
            Ok(tree) => tree,
            Err(error) => {
                self.report.failed(kind_of(&error), &folder.path(), error.chain());
                return Vec::new();
            }
        };
        for refused in &tree.refused {
            self.report.refused(&folder.path_of(&refused.name), refused);
        }
        self.entries += tree.nodes.len() as u64;
        if self.entries > self.options.most_entries || self.held_bytes > MOST_WAITING_BYTES {
            let message = "left out: the snapshot holds more entries than a restore writes";
            self.report.issue(IssueKind::NotWritten, &folder.path(), message);
            return Vec::new();
        }
        tree.nodes
    }

    fn leave(&mut self) -> Result<()> {
        match self.levels.pop() {
            Some(level) => {
                self.held_bytes -= level.held_bytes;
                self.batch.add_left_folder(level.folder, level.metadata)
            }
            None => Ok(()),
        }
    }

    /// Write an entry that is not a folder.
    fn write(&mut self, folder: &Arc<Folder>, mut node: Node) -> Result<()> {
        if let NodeKind::File(content) = &mut node.kind {
            let content = std::mem::take(content);
            return self.batch.add_file(folder, node, &content);
        }
        let path = folder.path_of(&node.name);
        if let NodeKind::Unknown(kind) = &node.kind {
            let message = format!("an entry of the unknown kind {kind:?}");
            self.report.issue(IssueKind::NotWritten, &path, message);
        } else if !self.options.exact && !matches!(node.kind, NodeKind::Symlink(_)) {
            let message = "devices, pipes and sockets are restored with exact only";
            self.report.issue(IssueKind::NotRestored, &path, message);
        } else {
            self.write_other(folder, &node, &path);
        }
        self.report.control.add_entry();
        Ok(())
    }

    fn write_other(&self, folder: &Arc<Folder>, node: &Node, path: &[u8]) {
        match self.make_other(folder, node) {
            Ok(failures) => {
                self.report.metadata(path, failures);
                self.report.other();
            }
            Err(errno) => self.report.not_written(path, errno),
        }
    }

    /// Make a link or a special file; returns what of its metadata could not be set.
    fn make_other(&self, folder: &Arc<Folder>, node: &Node) -> IoResult<Vec<String>> {
        let temporary = Temporary::new(folder, self.names, &node.name);
        let mode = Mode::RUSR | Mode::WUSR;
        let make =
            |kind, device| temporary.make(|| mknodat(folder, temporary.name(), kind, mode, device));
        match &node.kind {
            // A NUL cannot be passed to the system and is refused here.
            NodeKind::Symlink(target) => {
                temporary.make(|| symlinkat(target.as_slice(), folder, temporary.name()))?;
            }
            NodeKind::BlockDevice(device) => make(FileType::BlockDevice, *device)?,
            NodeKind::CharacterDevice(device) => make(FileType::CharacterDevice, *device)?,
            NodeKind::Fifo => make(FileType::Fifo, 0)?,
            NodeKind::Socket => make(FileType::Socket, 0)?,
            NodeKind::File(_) | NodeKind::Folder(_) | NodeKind::Unknown(_) => {}
        }
        let is_link = matches!(node.kind, NodeKind::Symlink(_));
        let entry = Anchored::new(folder, temporary.name(), is_link)?;
        let failures = apply(&Subject::Named(entry), &node.metadata, self.options.exact);
        temporary.place()?;
        Ok(failures)
    }
}

/// Whether `node` in `folder` would claim the target.
fn is_claim(folder: &Folder, node: &Node) -> bool {
    let is_file = matches!(node.kind, NodeKind::File(_));
    is_file && folder.is_target() && claimed_snapshot(&node.name).is_some()
}
