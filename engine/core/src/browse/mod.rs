//! Browse: what a snapshot holds, told entry by entry, and content given out as it is read.
//!
//! Only the folders on the way down are held, so that memory does not grow with the snapshot, and
//! the first entries are told before the whole index was read. What is damaged or must not be
//! used is an issue and stops nothing.

mod ahead;
mod dump;
mod list;
mod search;
mod tar;
mod walk;

pub use self::{
    dump::dump,
    list::{ListOptions, list},
    search::{SearchOptions, search},
    walk::{Step, Walk},
};

use crate::{
    error::{Error, ErrorKind, Result},
    format::{
        blob::{Blob, BlobKind},
        growing::GrowingIndex,
        index::Places,
        reader::BlobReader,
        snapshot::Snapshot,
        tree::{Metadata, Node, NodeKind},
    },
    issue::Issue,
};

/// Entries that are looked at before a snapshot is taken for a trap: a tree that links to itself
/// by ten names has 10^60 paths. Ten times what large servers hold.
pub const MOST_ENTRIES: u64 = 1_000_000_000;
/// Folders inside one another. Paths longer than 4096 bytes can hardly be used, so that real
/// trees stay far below; a restore holds one handle for each.
pub const MOST_LEVELS: usize = 2048;
/// What folders that wait for their turn may take in memory: about 800,000 of them.
pub const MOST_WAITING_BYTES: usize = 256 << 20;

/// The node at `path` below the source's folder, which is where the snapshot says that it is. One
/// that another program made of several folders has no such folder, but the tree over them all.
pub fn find<I: Places>(
    blobs: &BlobReader<'_, I>,
    snapshot: &Snapshot,
    path: &[u8],
) -> Result<Node> {
    let source = match snapshot.paths.as_slice() {
        [only] => only.as_bytes(),
        _ => &[],
    };
    let mut node = Node {
        name: Vec::new(),
        kind: NodeKind::Folder(Some(snapshot.tree)),
        metadata: Metadata::default(),
    };
    for name in names(source).chain(names(path)) {
        node = find_child(blobs, &node, name)?;
    }
    Ok(node)
}

/// What is not in the index may stand in a part of it that cannot be used: say so.
pub fn explain(error: Error, index_issues: &[Issue]) -> Error {
    match index_issues.first() {
        Some(first) if error.kind() == ErrorKind::Damaged => {
            let object = String::from_utf8_lossy(&first.path);
            let count = index_issues.len();
            let message = format!(
                "{} ({count} index objects cannot be used, {object} among them: {})",
                error.chain(),
                first.message
            );
            Error::new(ErrorKind::Damaged, message)
        }
        _ => error,
    }
}

/// The same while the index grows; waits for all of it only when something is missing.
fn find_explained(
    blobs: &BlobReader<'_, GrowingIndex<'_>>,
    snapshot: &Snapshot,
    path: &[u8],
) -> Result<Node> {
    find(blobs, snapshot, path).or_else(|error| match error.kind() {
        ErrorKind::Damaged => Err(explain(error, &blobs.index().complete()?)),
        _ => Err(error),
    })
}

/// The names that `path` consists of.
fn names(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/').filter(|name| !name.is_empty())
}

/// `path` as entries are named: without a slash at either end, or two in its middle.
pub fn normal(path: &[u8]) -> Vec<u8> {
    names(path).collect::<Vec<_>>().join(&b'/')
}

fn find_child<I: Places>(blobs: &BlobReader<'_, I>, folder: &Node, name: &[u8]) -> Result<Node> {
    let tree = match folder.kind {
        NodeKind::Folder(Some(tree)) => blobs.tree(tree)?,
        _ => return Err(not_found(name)),
    };
    tree.nodes.into_iter().find(|node| node.name == name).ok_or_else(|| not_found(name))
}

fn not_found(name: &[u8]) -> Error {
    let name = String::from_utf8_lossy(name);
    Error::new(ErrorKind::InvalidInput, format!("the snapshot holds no {name:?} there"))
}

/// All that finding and walking needs of an index.
fn is_tree(blob: Blob) -> bool {
    blob.kind == BlobKind::Tree
}
