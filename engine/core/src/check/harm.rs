//! Which snapshots a damage harms: every one that needs what is damaged, not only the first.
//!
//! Looked for only where something was found, because each tree is read once more for it, or
//! twice where it holds folders.

use std::collections::{HashMap, HashSet};

use super::{Check, object_of, trees::join};
use crate::{
    error::{ErrorKind, Result},
    format::{
        blob::{Blob, BlobKind},
        snapshot::Snapshot,
        tree::{Node, NodeKind, Tree},
    },
    issue::IssueKind,
    object::ObjectId,
    workers::lock,
};

/// Verdicts on content that are remembered at a time, so that memory stays bounded where every
/// pack is damaged.
const MOST_VERDICTS: usize = 500_000;
/// Folders that wait to be looked at; an id takes 32 bytes.
const MOST_WAITING: usize = 2_000_000;
/// Longer names and paths exist in no file system; these are an example for somebody to read.
const MOST_NAME_BYTES: usize = 255;
const MOST_PATH_BYTES: usize = 4096;

/// What of a tree cannot be restored.
struct Harm {
    /// Paths of files and folders; a tree that stands in many places counts in each.
    paths: u64,
    /// The name of one of them, or of a folder that leads to it and that folder's tree; None
    /// where the tree itself is what cannot be read.
    example: Option<(Vec<u8>, Option<ObjectId>)>,
}

/// Looks for what of snapshots cannot be restored.
struct Search<'a> {
    check: &'a Check<'a>,
    /// Packs in which something is wrong: content that lies nowhere else is read to see whether
    /// it is harmed.
    suspects: &'a HashSet<ObjectId>,
    /// The length of files says nothing in snapshots whose run told that some changed.
    is_partial: bool,
    /// Every tree that was looked at.
    trees: HashMap<ObjectId, Option<Box<Harm>>>,
    /// Whether content in suspected packs is lost.
    lost: HashMap<ObjectId, bool>,
    /// What is [`IssueKind::Damaged`] for sure, or may only not be read just now.
    certainty: IssueKind,
}

impl Check<'_> {
    /// Name every one of `snapshots` that cannot be restored whole because of what was found.
    pub(super) fn harm(&self, snapshots: &[Snapshot]) -> Result<()> {
        let suspects = std::mem::take(&mut *lock(&self.suspects));
        if suspects.is_empty() && !self.details.has_problems() {
            return Ok(());
        }
        for is_partial in [false, true] {
            let (trees, lost) = (HashMap::new(), HashMap::new());
            let certainty = IssueKind::Damaged;
            let search =
                Search { check: self, suspects: &suspects, is_partial, trees, lost, certainty };
            let alike = snapshots.iter().filter(|snapshot| snapshot.is_partial() == is_partial);
            search.name_harmed(alike)?;
        }
        Ok(())
    }
}

impl Search<'_> {
    fn name_harmed<'a>(mut self, snapshots: impl Iterator<Item = &'a Snapshot>) -> Result<()> {
        for snapshot in snapshots {
            self.look_below(snapshot.tree)?;
            if let Some(paths) = self.harmed_paths(snapshot.tree) {
                let told = self.sentence(snapshot.tree, paths);
                self.check.harmed.add(self.certainty, object_of(snapshot).path(), told);
            }
        }
        Ok(())
    }

    fn sentence(&self, root: ObjectId, paths: u64) -> String {
        let path = self.example(root);
        let path = String::from_utf8_lossy(&path);
        match paths {
            1 => format!("{path:?} cannot be restored whole"),
            _ => format!("{paths} paths in it cannot be restored whole, one is {path:?}"),
        }
    }

    /// Look at `root` and every tree below it that was not looked at: what is below a tree first.
    /// The stack holds what is still to be looked at beside the way down, never names, and of
    /// each tree only what the index lists; how much of that is capped.
    fn look_below(&mut self, root: ObjectId) -> Result<()> {
        let mut stack = vec![root];
        while let Some(id) = stack.last().copied() {
            if self.trees.contains_key(&id) {
                stack.pop();
                continue;
            }
            self.check.control.check()?;
            let Some(tree) = self.read(id)? else {
                self.trees.insert(id, Some(Box::new(Harm { paths: 1, example: None })));
                continue;
            };
            let waiting = self.waiting(&tree);
            if stack.len() + waiting.len() > MOST_WAITING {
                let message = format!("tree {id}: more folders wait below it than are looked at");
                self.check.details.add(IssueKind::Unreadable, "", message);
                self.trees.insert(id, None);
                continue;
            }
            if waiting.is_empty() {
                let harm = self.harm_of(&tree)?;
                self.trees.insert(id, harm.map(Box::new));
            }
            stack.extend(waiting);
        }
        Ok(())
    }

    /// None where it cannot be read.
    fn read(&mut self, id: ObjectId) -> Result<Option<Tree>> {
        let read = self.check.blobs.tree(id);
        self.or_none(read)
    }

    /// None for what is damaged or cannot be read; any other error is returned.
    fn or_none<T>(&mut self, read: Result<T>) -> Result<Option<T>> {
        match read {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.kind() == ErrorKind::Damaged => Ok(None),
            Err(error) if error.kind() == ErrorKind::Storage => {
                self.certainty = IssueKind::Unreadable;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The trees in `tree` that must be looked at before it.
    fn waiting(&self, tree: &Tree) -> Vec<ObjectId> {
        let folders = tree.nodes.iter().filter_map(|node| match &node.kind {
            NodeKind::Folder(folder) => *folder,
            _ => None,
        });
        let mut waiting: Vec<_> = folders
            .filter(|folder| !self.trees.contains_key(folder) && self.check.lists_tree(*folder))
            .collect();
        waiting.sort_unstable();
        waiting.dedup();
        waiting.shrink_to_fit();
        waiting
    }

    /// What is harmed in `tree`, all trees in which were looked at.
    fn harm_of(&mut self, tree: &Tree) -> Result<Option<Harm>> {
        let mut paths = tree.refused.len() as u64;
        let mut example = tree.refused.first().map(|refused| (cut(&refused.name), None));
        for node in &tree.nodes {
            let found = self.harmed_node(node)?;
            paths = paths.saturating_add(found);
            if found > 0 && example.is_none() {
                let folder = match node.kind {
                    NodeKind::Folder(folder) => folder,
                    _ => None,
                };
                example = Some((cut(&node.name), folder));
            }
        }
        Ok((paths > 0).then_some(Harm { paths, example }))
    }

    /// How many paths at `node` and below it are harmed.
    fn harmed_node(&mut self, node: &Node) -> Result<u64> {
        Ok(match &node.kind {
            NodeKind::File(content) => {
                let is_harmed = self.check.flaw(node, content, self.is_partial).is_some();
                u64::from(is_harmed || self.is_any_lost(content)?)
            }
            NodeKind::Folder(Some(folder)) if self.trees.contains_key(folder) => {
                self.harmed_paths(*folder).unwrap_or_default()
            }
            // It has no tree, or one that the index does not list.
            NodeKind::Folder(_) => 1,
            _ => 0,
        })
    }

    fn harmed_paths(&self, tree: ObjectId) -> Option<u64> {
        self.trees.get(&tree).and_then(Option::as_ref).map(|harm| harm.paths)
    }

    fn is_any_lost(&mut self, content: &[ObjectId]) -> Result<bool> {
        for id in content {
            if self.is_lost(*id)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn is_lost(&mut self, id: ObjectId) -> Result<bool> {
        let blob = Blob { kind: BlobKind::Data, id };
        let mut places = self.check.blobs.index().locations(blob);
        if self.suspects.is_empty() || places.any(|place| !self.suspects.contains(&place.pack)) {
            return Ok(false);
        }
        if let Some(is_lost) = self.lost.get(&id) {
            return Ok(*is_lost);
        }
        self.check.control.check()?;
        let read = self.check.blobs.read(blob);
        let is_lost = self.or_none(read)?.is_none();
        if self.lost.len() >= MOST_VERDICTS {
            self.lost.clear();
        }
        self.lost.insert(id, is_lost);
        Ok(is_lost)
    }

    /// The path of something harmed below `root`.
    fn example(&self, root: ObjectId) -> Vec<u8> {
        let mut path = Vec::new();
        let mut next = Some(root);
        while let Some(harm) = next.and_then(|tree| self.trees.get(&tree)?.as_ref())
            && let Some((name, folder)) = &harm.example
            && path.len() < MOST_PATH_BYTES
        {
            path = join(&path, name);
            next = *folder;
        }
        match path.is_empty() {
            true => b"/".to_vec(),
            false => path,
        }
    }
}

fn cut(name: &[u8]) -> Vec<u8> {
    name.get(..MOST_NAME_BYTES).unwrap_or(name).to_vec()
}
