//! What earlier snapshots hold, for a source that decides itself what did not change.
//!
//! The archiver takes the content of a file from an earlier snapshot where size, mtime and ctime
//! are the same. So whoever wants that tells it the times that stand there.

use std::{collections::BTreeMap, os::unix::ffi::OsStrExt, sync::Arc};

use rustic_core::{IndexedIdsStatus, Repository, TreeId, repofile::Node};

use crate::birth::Birth;

/// A snapshot that a run builds on.
#[derive(Debug, Clone, Copy)]
pub struct Root {
    /// The tree of the whole snapshot.
    pub tree: TreeId,
    /// When it was taken, in seconds since 1970.
    pub taken_at_seconds: i64,
    /// Whether its source was listed to its end: what it lacks was not there then.
    pub is_whole: bool,
}

/// The trees of earlier snapshots.
pub struct Earlier {
    repository: Arc<Repository<IndexedIdsStatus>>,
    roots: Vec<Root>,
    birth: Birth,
}

/// A folder in each of the snapshots that have it, newest first.
#[derive(Default)]
pub struct Folder(Vec<Version>);

/// A folder in one snapshot.
struct Version {
    taken_at_seconds: i64,
    is_whole: bool,
    nodes: BTreeMap<Vec<u8>, Node>,
}

impl Earlier {
    /// What `roots`, newest first, hold of the source of `birth`; nothing is read yet.
    pub fn new(
        repository: Arc<Repository<IndexedIdsStatus>>,
        roots: Vec<Root>,
        birth: Birth,
    ) -> Self {
        Self { repository, roots, birth }
    }

    /// The source's own folder. A tree that cannot be read is told by the repository; here it is
    /// as if it were not there.
    pub fn root(&self) -> Folder {
        let versions = self.roots.iter().filter_map(|root| self.version(root, root.tree));
        let customer = self.below(&Folder(versions.collect()), self.birth.customer().as_bytes());
        self.below(&customer, self.birth.resource().as_bytes())
    }

    /// A folder in another one.
    pub fn below(&self, folder: &Folder, name: &[u8]) -> Folder {
        let found = folder.0.iter().filter_map(|version| {
            let root = Root {
                tree: version.nodes.get(name)?.subtree?,
                taken_at_seconds: version.taken_at_seconds,
                is_whole: version.is_whole,
            };
            self.version(&root, root.tree)
        });
        Folder(found.collect())
    }

    fn version(&self, root: &Root, tree: TreeId) -> Option<Version> {
        let tree = self.repository.get_tree(&tree).ok()?;
        let named = tree.nodes.into_iter().map(|node| {
            // What is in a file nobody asks here, and it may be long.
            (node.name().as_bytes().to_vec(), Node { content: None, ..node })
        });
        let (taken_at_seconds, is_whole) = (root.taken_at_seconds, root.is_whole);
        Some(Version { taken_at_seconds, is_whole, nodes: named.collect() })
    }
}

impl Folder {
    /// Whether no snapshot has it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What the snapshots say of a name, newest first.
    pub fn find<'folder>(
        &'folder self,
        name: &'folder [u8],
    ) -> impl Iterator<Item = &'folder Node> {
        self.0.iter().filter_map(move |version| version.nodes.get(name))
    }

    /// When the newest snapshot that has it was taken, in seconds since 1970.
    pub fn taken_at_seconds(&self) -> Option<i64> {
        self.0.first().map(|version| version.taken_at_seconds)
    }

    /// All that it held at last, by name. Snapshots whose source was not listed to its end know
    /// only a part, and those before them the rest.
    pub fn held(&self) -> Vec<&Node> {
        let mut held = BTreeMap::new();
        for version in &self.0 {
            for (name, node) in &version.nodes {
                held.entry(name).or_insert(node);
            }
            if version.is_whole {
                break;
            }
        }
        held.into_values().collect()
    }
}
