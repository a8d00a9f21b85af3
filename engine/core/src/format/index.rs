//! The index: which blob lies where, in as little memory as three million blobs allow.

use std::collections::HashMap;

use super::{
    blob::{Blob, BlobKind, Location},
    index_object::IndexObject,
    reader::LARGEST_INDEX_BYTES,
};
use crate::object::ObjectId;

/// One bucket for each first byte of an id, so that memory grows in small steps.
const BUCKETS: usize = 256;
/// Marks trees in [`Entry::pack_and_kind`].
const TREE: u32 = 1 << 31;
/// As index objects of restic and rustic are; fewer can hardly name a blob and its place.
const LIKELY_STORED_BYTES_PER_BLOB: u64 = 40;
/// A listing can tell any sizes.
const MOST_EXPECTED_BLOBS: usize = 16 << 20;

/// Where every blob lies. All claims are kept: one of them may lie, and the others not.
#[derive(Debug)]
pub struct Index {
    packs: Vec<ObjectId>,
    /// By first byte of the id; sorted.
    buckets: Vec<Vec<Entry>>,
}

/// 48 bytes for each claim; ordered by id first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    id: [u8; 32],
    pack_and_kind: u32,
    offset_bytes: u32,
    length_bytes: u32,
    /// 0 when it is not compressed.
    decompressed_bytes: u32,
}

/// Knows where blobs lie.
pub trait Places {
    /// All places that are said to hold `blob`.
    fn places(&self, blob: Blob) -> impl Iterator<Item = Location>;
}

impl Places for Index {
    fn places(&self, blob: Blob) -> impl Iterator<Item = Location> {
        self.locations(blob)
    }
}

/// Collects index objects; then it becomes the index.
#[derive(Debug)]
pub struct IndexBuilder {
    numbers: HashMap<ObjectId, u32>,
    index: Index,
    /// Which buckets are in order.
    sorted: Vec<bool>,
}

impl Default for IndexBuilder {
    fn default() -> Self {
        let index = Index { packs: Vec::new(), buckets: vec![Vec::new(); BUCKETS] };
        Self { numbers: HashMap::new(), index, sorted: vec![true; BUCKETS] }
    }
}

impl IndexBuilder {
    /// A builder with room for what `objects`, listed with their sizes in bytes, are likely to
    /// say. Room that is not used takes no memory; buckets that grow leave holes in it.
    pub fn expecting(objects: &[(ObjectId, u64)]) -> Self {
        let stored_bytes: u64 =
            objects.iter().map(|(_, size)| *size.min(&LARGEST_INDEX_BYTES)).sum();
        let likely = usize::try_from(stored_bytes / LIKELY_STORED_BYTES_PER_BLOB);
        let each = likely.unwrap_or(usize::MAX).min(MOST_EXPECTED_BLOBS) / BUCKETS;
        let mut builder = Self::default();
        builder.index.buckets.iter_mut().for_each(|bucket| bucket.reserve_exact(each + each / 32));
        builder
    }

    /// Take over what one object says.
    pub fn add(&mut self, object: &IndexObject) {
        self.add_wanted(object, |_| true);
    }

    /// Take over what one object says about the blobs that are wanted.
    pub fn add_wanted(&mut self, object: &IndexObject, is_wanted: impl Fn(Blob) -> bool) {
        for (pack, claims) in object.all_packs() {
            for (blob, location) in claims.filter(|(blob, _)| is_wanted(*blob)) {
                let number = self.number(pack);
                self.add_entry(Entry::new(number, blob, &location));
            }
        }
    }

    /// All places known so far that are said to hold `blob`.
    pub fn locations(&mut self, blob: Blob) -> Vec<Location> {
        let place = usize::from(blob.id.0[0]);
        if let Some((bucket, is_sorted)) =
            self.index.buckets.get_mut(place).zip(self.sorted.get_mut(place))
            && !std::mem::replace(is_sorted, true)
        {
            bucket.sort_unstable();
            bucket.dedup();
        }
        self.index.locations(blob).collect()
    }

    /// The index: sorted, and what several objects say alike kept once.
    pub fn build(mut self) -> Index {
        for bucket in &mut self.index.buckets {
            bucket.sort_unstable();
            bucket.dedup();
        }
        self.index
    }

    fn number(&mut self, pack: ObjectId) -> u32 {
        let packs = &mut self.index.packs;
        *self.numbers.entry(pack).or_insert_with(|| {
            packs.push(pack);
            // 2^31 packs would be 32 PiB, and their numbers alone 70 GB.
            u32::try_from(packs.len() - 1).unwrap_or_default()
        })
    }

    fn add_entry(&mut self, entry: Entry) {
        let place = usize::from(entry.id[0]);
        if let Some(bucket) = self.index.buckets.get_mut(place) {
            if bucket.len() == bucket.capacity() {
                // An eighth instead of the double: at three million blobs that saves 70 MB.
                bucket.reserve_exact(bucket.len() / 8 + 16);
            }
            bucket.push(entry);
        }
        if let Some(is_sorted) = self.sorted.get_mut(place) {
            *is_sorted = false;
        }
    }
}

impl Index {
    /// All places that are said to hold `blob`.
    pub fn locations(&self, blob: Blob) -> impl Iterator<Item = Location> {
        let bucket = self.buckets.get(usize::from(blob.id.0[0])).map_or(&[][..], Vec::as_slice);
        let first = bucket.partition_point(|entry| entry.id < blob.id.0);
        bucket
            .iter()
            .skip(first)
            .take_while(move |entry| entry.id == blob.id.0)
            .filter(move |entry| entry.kind() == blob.kind)
            .map(|entry| self.location(entry))
    }

    /// Every claim, in no order that matters.
    pub fn all(&self) -> impl Iterator<Item = (Blob, Location)> {
        self.buckets.iter().flatten().map(|entry| {
            (Blob { kind: entry.kind(), id: ObjectId(entry.id) }, self.location(entry))
        })
    }

    /// How many claims there are.
    pub fn len(&self) -> usize {
        self.buckets.iter().map(Vec::len).sum()
    }

    /// True when nothing is listed.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn location(&self, entry: &Entry) -> Location {
        let number = (entry.pack_and_kind & !TREE) as usize;
        entry.location(self.packs.get(number).copied().unwrap_or(ObjectId([0; 32])))
    }
}

impl Entry {
    fn new(pack_number: u32, blob: Blob, location: &Location) -> Self {
        let kind = match blob.kind {
            BlobKind::Data => 0,
            BlobKind::Tree => TREE,
        };
        Self {
            id: blob.id.0,
            pack_and_kind: pack_number | kind,
            offset_bytes: location.offset_bytes,
            length_bytes: location.length_bytes,
            decompressed_bytes: location.decompressed_bytes.unwrap_or_default(),
        }
    }

    fn location(&self, pack: ObjectId) -> Location {
        Location {
            pack,
            offset_bytes: self.offset_bytes,
            length_bytes: self.length_bytes,
            decompressed_bytes: (self.decompressed_bytes > 0).then_some(self.decompressed_bytes),
        }
    }

    fn kind(&self) -> BlobKind {
        if self.pack_and_kind & TREE == 0 { BlobKind::Data } else { BlobKind::Tree }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(byte: u8) -> ObjectId {
        ObjectId([byte; 32])
    }

    fn object(pack: u8, blob: u8, kind: &str, rest: &str) -> IndexObject {
        let json = format!(
            r#"{{"packs":[{{"id":"{}","blobs":[{{"id":"{}","type":"{kind}",{rest}}}]}}],"x":1}}"#,
            id(pack),
            id(blob)
        );
        IndexObject::parse(json.as_bytes(), json.len()).unwrap()
    }

    fn build(objects: &[IndexObject]) -> Index {
        let mut builder = IndexBuilder::default();
        for object in objects {
            builder.add(object);
        }
        builder.build()
    }

    #[test]
    fn an_entry_takes_48_bytes() {
        assert_eq!(size_of::<Entry>(), 48);
    }

    #[test]
    fn all_claims_are_kept_and_equal_ones_once() {
        let index = build(&[
            object(1, 9, "data", r#""offset":0,"length":40"#),
            object(2, 9, "data", r#""offset":5,"length":50,"uncompressed_length":90"#),
            object(1, 9, "data", r#""offset":0,"length":40"#),
        ]);
        let blob = Blob { kind: BlobKind::Data, id: id(9) };
        let locations: Vec<_> = index.locations(blob).collect();
        assert_eq!(index.len(), 2);
        assert_eq!((locations[0].pack, locations[0].plain_bytes()), (id(1), 8));
        assert_eq!((locations[1].pack, locations[1].plain_bytes()), (id(2), 90));
    }

    #[test]
    fn trees_and_data_are_not_mistaken() {
        let index = build(&[object(1, 9, "tree", r#""offset":0,"length":40"#)]);
        assert_eq!(index.locations(Blob { kind: BlobKind::Data, id: id(9) }).count(), 0);
        assert_eq!(index.locations(Blob { kind: BlobKind::Tree, id: id(9) }).count(), 1);
        assert_eq!(index.locations(Blob { kind: BlobKind::Tree, id: id(8) }).count(), 0);
    }
}
