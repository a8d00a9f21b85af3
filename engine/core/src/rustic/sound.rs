//! What `rustic_core` may be shown. It decompresses without a limit, takes a folder's tree for
//! granted and stops at the first object that it cannot read; whoever holds the key can write
//! all of that.

use std::borrow::Cow;

use rustic_core::repofile::{IndexFile, SnapshotFile};
use serde::{
    Deserialize,
    de::{DeserializeOwned, IgnoredAny},
};

use crate::{
    error::{Error, ErrorKind, Result},
    format::{
        damaged,
        index_object::IndexObject,
        nodes::{Attributes, each_node, tree_limit_bytes},
        seal::decompress,
    },
    object::ObjectId,
};

/// How compressed bytes begin; JSON never does.
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// The index object that `json` is to us and to `rustic_core`.
pub fn index(json: &[u8], stored_bytes: usize) -> Result<IndexObject> {
    let object = IndexObject::parse(json, stored_bytes)?;
    taken::<IndexFile>(json)?;
    if object.is_mixed() {
        // To `rustic_core` all blobs of a pack are what the first one is.
        return Err(damaged("lists content and trees in one pack"));
    }
    Ok(object)
}

/// Fail with [`ErrorKind::Damaged`] unless `json` is a snapshot to `rustic_core` as well: it would
/// silently go without any of its parents.
pub fn check_snapshot(json: &[u8]) -> Result<()> {
    taken::<SnapshotFile>(json)
}

fn taken<T: DeserializeOwned>(json: &[u8]) -> Result<()> {
    serde_json::from_slice::<T>(json)
        .map(drop)
        .map_err(|error| Error::caused_by(ErrorKind::Damaged, "the archiver cannot read it", error))
}

/// The trees of the folders in the tree `opened`, which takes `stored_bytes` in storage; fails
/// with [`ErrorKind::Damaged`] unless it is one that harms nobody.
pub fn check_tree(opened: Vec<u8>, stored_bytes: usize) -> Result<Vec<ObjectId>> {
    let plain = match opened.starts_with(&ZSTD_MAGIC) {
        true => decompress(&opened, tree_limit_bytes(stored_bytes))?,
        false => opened,
    };
    let mut subtrees = Vec::new();
    each_node(&plain, stored_bytes, |entry: Entry<'_>| {
        if entry.lacks_tree() {
            return Err(damaged("a folder in it has no tree"));
        }
        subtrees.extend(entry.subtree);
        Ok(entry.extended_attributes.map_or(0, |list| list.0.len()))
    })?;
    Ok(subtrees)
}

/// As much of a node as can do harm: reading it in full would double the work of every run.
#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(default)]
    subtree: Option<ObjectId>,
    #[serde(default)]
    extended_attributes: Option<Attributes<IgnoredAny>>,
}

impl Entry<'_> {
    fn lacks_tree(&self) -> bool {
        self.kind == "dir" && self.subtree.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(plain: &[u8]) -> Result<Vec<ObjectId>> {
        check_tree(plain.to_vec(), plain.len())
    }

    #[test]
    fn a_tree_passes_compressed_or_not() {
        let tree = format!(
            r#"{{"nodes":[{{"name":"a","type":"dir","subtree":"{}"}},{{"name":"b","type":"?"}}]}}"#,
            ObjectId([1; 32])
        );
        checked(tree.as_bytes()).unwrap();
        checked(&zstd::bulk::compress(tree.as_bytes(), 0).unwrap()).unwrap();
        checked(br#"{"nodes":null}"#).unwrap();
    }

    #[test]
    fn folders_without_a_tree_bombs_and_other_bytes_are_refused() {
        let bomb = zstd::bulk::compress(&vec![b' '; 65 << 20], 19).unwrap();
        let lacking = r#"{"nodes":[{"name":"a","type":"dir"}]}"#;
        let null = r#"{"nodes":[{"name":"a","type":"dir","subtree":null}]}"#;
        for plain in [bomb.as_slice(), lacking.as_bytes(), null.as_bytes(), b"[[", b"", &ZSTD_MAGIC]
        {
            assert_eq!(checked(plain).unwrap_err().kind(), ErrorKind::Damaged);
        }
    }

    #[test]
    fn an_index_must_be_one_to_both_of_us() {
        let id = ObjectId([1; 32]);
        let pack = |blobs: &[&str], rest: &str| {
            let blob =
                |kind: &&str| format!(r#"{{"id":"{id}","type":"{kind}","offset":0,"length":40}}"#);
            let blobs: Vec<_> = blobs.iter().map(blob).collect();
            format!(r#"{{"packs":[{{"id":"{id}","blobs":[{}]{rest}}}]}}"#, blobs.join(","))
        };
        let parse = |json: &str| index(json.as_bytes(), 1000);
        assert!(parse(&pack(&["tree", "tree"], "")).is_ok());
        assert!(parse(&pack(&["tree", "data"], "")).is_err());
        assert!(parse(&pack(&["data"], r#","time":"yesterday""#)).is_err());
    }
}
