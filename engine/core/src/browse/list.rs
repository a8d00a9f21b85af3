//! Everything below a path, in order.

use super::{
    MOST_ENTRIES, find_explained, is_tree,
    walk::{Step, Walk},
};
use crate::{
    control::Control,
    error::Result,
    format::{
        growing::GrowingIndex,
        reader::{BlobReader, Reader},
        tree::Node,
    },
    issue::Issues,
    object::ObjectId,
};

/// What to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListOptions {
    /// A path below the source's folder; empty for all of it.
    pub path: Vec<u8>,
    /// Entries beyond these are left out.
    pub most_entries: u64,
}

impl ListOptions {
    /// All below `path`.
    pub fn below(path: impl Into<Vec<u8>>) -> Self {
        Self { path: path.into(), most_entries: MOST_ENTRIES }
    }
}

/// Give the entry at a path of the snapshot `snapshot_id` and all below it to `take`.
///
/// Fails only where nothing can be told: no such snapshot or path, storage that cannot be listed,
/// `take` failing, or cancelled. Everything else is noted in `issues`.
pub fn list(
    reader: &Reader,
    snapshot_id: ObjectId,
    options: &ListOptions,
    issues: &Issues,
    control: &Control,
    mut take: impl FnMut(&[u8], Node) -> Result<()>,
) -> Result<()> {
    let snapshot = reader.snapshot(snapshot_id)?;
    GrowingIndex::with(reader, control, &is_tree, |index| {
        let blobs = BlobReader::new(reader, index);
        let node = find_explained(&blobs, &snapshot, &options.path)?;
        Walk::new(&blobs, control, issues, options.most_entries).run(
            &options.path,
            node,
            |path, node| take(path, node).map(|()| Step::Into),
        )?;
        index.complete()?.into_iter().for_each(|issue| issues.push(issue));
        Ok(())
    })
}
