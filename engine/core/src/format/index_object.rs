//! One index object.

use serde::Deserialize;

use super::{
    blob::{Blob, BlobKind, Location},
    damaged, parse_object,
};
use crate::{error::Result, object::ObjectId};

/// An id is 32 bytes that cannot be compressed; an index object with more blobs or packs than one
/// for so many of its own bytes was made up to fill memory.
const FEWEST_STORED_BYTES_PER_ID: usize = 16;

/// One index object, read.
#[derive(Debug, Deserialize)]
pub struct IndexObject {
    packs: Vec<RawPack>,
    /// Packs that prune has marked; until they are removed their blobs can be read.
    #[serde(default)]
    packs_to_delete: Vec<RawPack>,
}

/// What an index object says of a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListedPack {
    /// Its name.
    pub id: ObjectId,
    /// How long it must be at least to hold what it is said to hold.
    pub least_bytes: u64,
    /// Whether a tree is said to lie in it.
    pub holds_trees: bool,
}

#[derive(Debug, Deserialize)]
struct RawPack {
    id: ObjectId,
    blobs: Vec<RawBlob>,
}

#[derive(Debug, Deserialize)]
struct RawBlob {
    id: ObjectId,
    #[serde(rename = "type")]
    kind: RawKind,
    offset: u32,
    length: u32,
    #[serde(default)]
    uncompressed_length: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawKind {
    Data,
    Tree,
}

impl IndexObject {
    /// Read the JSON of an index object that takes `stored_bytes` in storage.
    pub fn parse(json: &[u8], stored_bytes: usize) -> Result<Self> {
        let object: Self = parse_object(json, "not an index")?;
        let packs = || object.packs.iter().chain(&object.packs_to_delete);
        let counts = [packs().count(), packs().map(|pack| pack.blobs.len()).sum()];
        if counts.into_iter().any(|count| count > stored_bytes / FEWEST_STORED_BYTES_PER_ID) {
            let [packs, blobs] = counts;
            return Err(damaged(format!(
                "lists {blobs} blobs in {packs} packs in {stored_bytes} bytes"
            )));
        }
        Ok(object)
    }

    /// The packs in use that it names.
    pub fn packs(&self) -> impl Iterator<Item = ListedPack> {
        self.packs.iter().map(|pack| ListedPack {
            id: pack.id,
            least_bytes: pack.claims().map(|(_, at)| at.end_bytes()).max().unwrap_or_default(),
            holds_trees: pack.blobs.iter().any(|blob| blob.kind == RawKind::Tree),
        })
    }

    /// Every blob in the packs in use, and where it is said to lie.
    pub fn claims(&self) -> impl Iterator<Item = (Blob, Location)> {
        self.packs.iter().flat_map(RawPack::claims)
    }

    /// True when a pack in use is said to hold both content and trees, which none does.
    pub fn is_mixed(&self) -> bool {
        self.packs.iter().any(|pack| {
            let mut kinds = pack.blobs.iter().map(|blob| blob.kind);
            let first = kinds.next();
            kinds.any(|kind| Some(kind) != first)
        })
    }

    /// Every pack, and what is said to lie in it.
    pub fn all_packs(
        &self,
    ) -> impl Iterator<Item = (ObjectId, impl Iterator<Item = (Blob, Location)>)> {
        self.packs.iter().chain(&self.packs_to_delete).map(|pack| (pack.id, pack.claims()))
    }
}

impl RawPack {
    fn claims(&self) -> impl Iterator<Item = (Blob, Location)> {
        self.blobs.iter().map(|blob| (blob.blob(), blob.location(self.id)))
    }
}

impl RawBlob {
    fn blob(&self) -> Blob {
        let kind = match self.kind {
            RawKind::Data => BlobKind::Data,
            RawKind::Tree => BlobKind::Tree,
        };
        Blob { kind, id: self.id }
    }

    fn location(&self, pack: ObjectId) -> Location {
        Location {
            pack,
            offset_bytes: self.offset,
            length_bytes: self.length,
            decompressed_bytes: self.uncompressed_length.filter(|length| *length > 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(byte: u8) -> ObjectId {
        ObjectId([byte; 32])
    }

    #[test]
    fn each_pack_must_be_as_long_as_its_last_blob_ends() {
        let blobs = |offsets: &[u32]| {
            let blob = |offset: &u32| {
                format!(r#"{{"id":"{}","type":"data","offset":{offset},"length":40}}"#, id(9))
            };
            offsets.iter().map(blob).collect::<Vec<_>>().join(",")
        };
        let json = format!(
            r#"{{"packs":[{{"id":"{}","blobs":[{}]}},{{"id":"{}","blobs":[]}}]}}"#,
            id(1),
            blobs(&[0, u32::MAX, 50]),
            id(2)
        );
        let object = IndexObject::parse(json.as_bytes(), json.len()).unwrap();
        assert_eq!(
            object.packs().map(|pack| (pack.id, pack.least_bytes)).collect::<Vec<_>>(),
            [(id(1), u64::from(u32::MAX) + 40), (id(2), 0)]
        );
    }

    #[test]
    fn what_is_no_index_is_damage() {
        for json in ["[]", "[[]]", "{}", "5", r#"{"packs":5}"#, r#"{"packs":[{"id":"00"}]}"#] {
            assert!(IndexObject::parse(json.as_bytes(), json.len()).is_err(), "{json}");
        }
        assert!(IndexObject::parse(br#"{"packs":[]}"#, 20).is_ok());
    }

    #[test]
    fn more_blobs_than_bytes_can_name_are_refused() {
        let blob = format!(r#"{{"id":"{}","type":"data","offset":0,"length":40}}"#, id(1));
        let blobs = vec![blob; 1000].join(",");
        let json = format!(r#"{{"packs":[{{"id":"{}","blobs":[{blobs}]}}]}}"#, id(2));
        assert!(IndexObject::parse(json.as_bytes(), 1000).is_err());
        assert!(IndexObject::parse(json.as_bytes(), 40_000).is_ok());
    }

    #[test]
    fn more_packs_than_bytes_can_name_are_refused() {
        let packs = vec![format!(r#"{{"id":"{}","blobs":[]}}"#, id(1)); 1000].join(",");
        let json = format!(r#"{{"packs":[{packs}]}}"#);
        assert!(IndexObject::parse(json.as_bytes(), 15_999).is_err());
        assert!(IndexObject::parse(json.as_bytes(), 16_000).is_ok());
    }
}
