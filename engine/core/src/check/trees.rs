//! Every tree of every snapshot, each once.

use std::{collections::HashSet, sync::Mutex};

use super::{Check, object_of, packs::is_large};
use crate::{
    error::Result,
    format::{
        blob::{Blob, BlobKind},
        snapshot::Snapshot,
        tree::{Node, NodeKind, Tree},
    },
    issue::{Issue, IssueKind},
    object::{Object, ObjectId},
    workers::{WORKERS, for_each, lock},
};

/// A tree to look at.
struct Visit {
    tree: ObjectId,
    /// The first snapshot that needs it.
    snapshot: Object,
    /// That snapshot's run told of files that changed while they were read.
    is_partial: bool,
    path: Vec<u8>,
}

/// Trees that were seen, and those of them that are still to be looked at.
#[derive(Default)]
struct Seen {
    trees: HashSet<ObjectId>,
    next: Vec<Visit>,
}

impl Check<'_> {
    /// Look at every tree: level by level, so that several threads have work.
    pub(super) fn trees(&self, snapshots: &[Snapshot]) -> Result<()> {
        let seen = Mutex::new(Seen::default());
        for snapshot in snapshots {
            let visit = Visit {
                tree: snapshot.tree,
                snapshot: object_of(snapshot),
                is_partial: snapshot.is_partial(),
                path: Vec::new(),
            };
            self.see(&seen, visit);
        }
        loop {
            let visits = std::mem::take(&mut lock(&seen).next);
            if visits.is_empty() {
                return Ok(());
            }
            for_each(WORKERS, visits, |visit| self.visit(&seen, &visit))?;
        }
    }

    /// Keep a tree for the next level, unless it was seen. One that is not in the index is never
    /// kept, so that what is kept is bounded by what is stored.
    fn see(&self, seen: &Mutex<Seen>, visit: Visit) {
        if !self.lists_tree(visit.tree) {
            let message = format!("tree {} is not in the index", visit.tree);
            return self.harmed(&visit, &visit.path, &message);
        }
        let mut seen = lock(seen);
        if seen.trees.insert(visit.tree) {
            seen.next.push(visit);
        }
    }

    /// Whether the index lists the tree `id`.
    pub(super) fn lists_tree(&self, id: ObjectId) -> bool {
        self.blobs.index().locations(Blob { kind: BlobKind::Tree, id }).next().is_some()
    }

    fn visit(&self, seen: &Mutex<Seen>, visit: &Visit) -> Result<()> {
        self.control.check()?;
        let blob = Blob { kind: BlobKind::Tree, id: visit.tree };
        let place = self.blobs.index().locations(blob).next();
        // One at a time until it was looked at, whatever the number of threads.
        let is_large = place.as_ref().is_some_and(|location| is_large(&(blob, *location)));
        let _turn = is_large.then(|| lock(&self.large));
        let tree = match self.blobs.tree(visit.tree) {
            Ok(tree) => tree,
            Err(error) => {
                let object = place.map_or(visit.snapshot, |location| location.object());
                return self.note(object, error);
            }
        };
        self.add_bytes(place.map_or(0, |location| location.length_bytes.into()));
        self.control.add_entry();
        self.look_at(seen, visit, tree);
        Ok(())
    }

    fn look_at(&self, seen: &Mutex<Seen>, visit: &Visit, tree: Tree) {
        for refused in tree.refused {
            self.harmed(visit, &join(&visit.path, &refused.name), refused.reason);
        }
        for node in tree.nodes {
            let path = join(&visit.path, &node.name);
            match &node.kind {
                NodeKind::File(content) => {
                    if let Some(message) = self.flaw(&node, content, visit.is_partial) {
                        self.harmed(visit, &path, &message);
                    }
                }
                NodeKind::Folder(Some(tree)) => {
                    self.see(seen, Visit { tree: *tree, path, ..*visit });
                }
                NodeKind::Folder(None) => self.harmed(visit, &path, "the folder has no tree"),
                _ => {}
            }
        }
    }

    /// What is wrong with a file: all pieces must be listed, and be as long together as the file;
    /// it may have shrunk where the run said so.
    pub(super) fn flaw(
        &self,
        node: &Node,
        content: &[ObjectId],
        is_partial: bool,
    ) -> Option<String> {
        let mut size_bytes = 0;
        for id in content {
            let Some(piece_bytes) = self.blobs.plain_bytes(Blob { kind: BlobKind::Data, id: *id })
            else {
                return Some(format!("blob {id} is not in the index"));
            };
            size_bytes += u64::from(piece_bytes);
        }
        let expected_bytes = node.metadata.size_bytes;
        (size_bytes != expected_bytes && !is_partial)
            .then(|| format!("holds {size_bytes} bytes instead of {expected_bytes}"))
    }

    /// Tell what is wrong in the tree of a visit, once for all snapshots that need it.
    fn harmed(&self, visit: &Visit, path: &[u8], message: &str) {
        let path = String::from_utf8_lossy(path);
        let message = format!("{path:?}: {message}");
        self.details.push(Issue::new(IssueKind::Damaged, visit.snapshot.path(), message));
    }
}

/// The path of `name` in `folder`.
pub(super) fn join(folder: &[u8], name: &[u8]) -> Vec<u8> {
    [folder, b"/", name].concat()
}
