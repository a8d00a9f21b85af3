//! Bytes: packs, blobs, what is sealed, what is compressed.

use bytes::Bytes;
use unstoppable_engine_core::{
    error::Result,
    format::{
        blob::{Blob, BlobKind, Location, MOST_DATA_BYTES},
        pack::PackHeader,
        seal::{self, Seal},
    },
    object::{Object, ObjectId, ObjectKind},
    storage::ReadStorage,
};

const LIMIT_BYTES: usize = 1 << 20;
const PACK: ObjectId = ObjectId([7; 32]);

/// One pack, whatever it is asked for.
struct OnePack(Bytes);

impl ReadStorage for OnePack {
    fn location(&self) -> String {
        "memory".to_owned()
    }

    fn list(&self, _: ObjectKind) -> Result<Vec<(ObjectId, u64)>> {
        Ok(vec![(PACK, self.0.len() as u64)])
    }

    fn read(&self, _: &Object) -> Result<Option<Bytes>> {
        Ok(Some(self.0.clone()))
    }

    fn read_range(&self, _: &Object, offset_bytes: u64, length_bytes: usize) -> Result<Bytes> {
        let start = usize::try_from(offset_bytes).unwrap_or(usize::MAX);
        let range = start..start.saturating_add(length_bytes);
        assert!(range.end <= self.0.len(), "{range:?} of a pack of {} bytes", self.0.len());
        Ok(self.0.slice(range))
    }

    fn size(&self, _: &Object) -> Result<Option<u64>> {
        Ok(Some(self.0.len() as u64))
    }
}

/// A header's blobs fill the pack without a gap, and written again they are the header.
/// The input is the length of the blobs, two bytes, and the header.
pub fn pack(data: &[u8]) {
    see_pack_is_bounded(data);
    let Some((length, header)) = data.split_first_chunk() else { return };
    let start_bytes = u16::from_le_bytes(*length);
    let parsed = PackHeader::parse(header, PACK, start_bytes.into()).ok();
    let Some((seal, sealed)) = crate::sealed(header) else { return };
    let length = u32::try_from(sealed.len()).unwrap_or(u32::MAX).to_le_bytes();
    let pack = [vec![0; start_bytes.into()], sealed, length.to_vec()].concat();
    let size_bytes = pack.len() as u64;
    let read = PackHeader::read(&OnePack(pack.into()), &seal, PACK, size_bytes, drop).ok();
    assert_eq!(parsed, read);
    let Some(parsed) = parsed else { return };
    let mut end_bytes = 0;
    for (_, location) in &parsed.blobs {
        assert_eq!(u64::from(location.offset_bytes), end_bytes);
        end_bytes = location.end_bytes();
    }
    assert_eq!(end_bytes, u64::from(start_bytes));
    let written: Vec<u8> = parsed.blobs.iter().flat_map(written).collect();
    assert_eq!(written, header);
}

/// What lies where a pack should be is never read beyond its end.
fn see_pack_is_bounded(data: &[u8]) {
    let storage = OnePack(Bytes::copy_from_slice(data));
    let Some(seal) = crate::seal() else { return };
    let read = PackHeader::read(&storage, &seal, PACK, data.len() as u64, drop);
    assert!(read.is_err(), "a header that nobody sealed");
}

fn written((blob, location): &(Blob, Location)) -> Vec<u8> {
    let kind = u8::from(blob.kind == BlobKind::Tree);
    let lengths = [Some(location.length_bytes), location.decompressed_bytes];
    let mark = kind | if location.decompressed_bytes.is_some() { 2 } else { 0 };
    let mut written = vec![mark];
    written.extend(lengths.into_iter().flatten().flat_map(u32::to_le_bytes));
    written.extend(blob.id.0);
    written
}

/// Nothing opens that was not sealed; what was sealed opens as it was; what a small object
/// decompresses to stays within its limit.
pub fn sealed(data: &[u8]) {
    let Some((seal, sealed)) = crate::sealed(data) else { return };
    assert!(seal.open(data).is_err(), "opened what nobody sealed");
    assert!(seal.open_in_place(&mut data.to_vec()).is_err(), "opened what nobody sealed");
    assert_eq!(seal.open(&sealed).ok().as_deref(), Some(data));
    assert_eq!(seal.open_in_place(&mut sealed.clone()).ok(), Some(data));
    if let Ok(json) = seal.open_json(&sealed, LIMIT_BYTES) {
        assert!(json.len() <= LIMIT_BYTES.max(data.len()), "{} bytes", json.len());
    }
}

fn see_that_what_was_compressed_opens(seal: &Seal, plain: &[u8]) {
    let compressed = zstd::bulk::compress(plain, 0).unwrap_or_default();
    let Ok(sealed) = seal.seal(&compressed) else { return };
    let [length_bytes, plain_bytes] =
        [&sealed, plain].map(|bytes| u32::try_from(bytes.len()).unwrap_or(u32::MAX));
    let decompressed_bytes = Some(plain_bytes);
    let location = Location { pack: PACK, offset_bytes: 0, length_bytes, decompressed_bytes };
    let blob = Blob { kind: BlobKind::Data, id: ObjectId::of(plain) };
    assert_eq!(blob.open(seal, &location, &sealed).ok().as_deref(), Some(plain));
}

/// Decompression stops at its limit.
pub fn decompress(data: &[u8]) {
    let plain = seal::decompress(data, LIMIT_BYTES);
    for limit_bytes in [0, 1, 1000] {
        match seal::decompress(data, limit_bytes) {
            Ok(less) => assert!(less.len() <= limit_bytes && plain.as_ref().ok() == Some(&less)),
            Err(_) => assert!(plain.as_ref().map_or(0, Vec::len) != 0 || plain.is_err()),
        }
    }
}

/// What was compressed opens when its id and its length are right, and never with another length,
/// whatever the compressed bytes claim of themselves; verified where it lies it is the same. The input is
/// the claimed length, four bytes, and the compressed bytes.
pub fn blob(data: &[u8]) {
    let Some((claim, compressed)) = data.split_first_chunk() else { return };
    let Some((seal, sealed)) = crate::sealed(compressed) else { return };
    let open = |id, decompressed_bytes| {
        let length_bytes = u32::try_from(sealed.len()).unwrap_or(u32::MAX);
        let location = Location { pack: PACK, offset_bytes: 0, length_bytes, decompressed_bytes };
        let blob = Blob { kind: BlobKind::Data, id };
        let opened = blob.open(&seal, &location, &sealed);
        let verified = blob.verify(&seal, &location, &mut sealed.clone());
        assert_eq!(opened.is_ok(), verified.is_ok(), "opened and verified differ");
        opened
    };
    let claim = u32::from_le_bytes(*claim);
    assert!(open(PACK, Some(claim)).is_err(), "opened under a wrong id");
    assert_eq!(open(ObjectId::of(compressed), None).ok().as_deref(), Some(compressed));
    see_that_what_was_compressed_opens(&seal, compressed);
    let plain = seal::decompress(compressed, LIMIT_BYTES);
    let Ok(plain) = plain else { return };
    let id = ObjectId::of(&plain);
    let length = u32::try_from(plain.len()).unwrap_or(u32::MAX);
    if let Ok(opened) = open(id, Some(length)) {
        // Otherwise zstd refuses at once what piece by piece it tolerates: empty compressed blocks.
        assert_eq!(opened, plain);
    }
    for wrong in [length + 1, length.saturating_sub(1), claim] {
        assert!(wrong == length || open(id, Some(wrong)).is_err(), "opened with {wrong} bytes");
    }
    let most_bytes = u32::try_from(MOST_DATA_BYTES).unwrap_or(u32::MAX);
    assert!(open(id, Some(most_bytes + 1)).is_err(), "more than a piece may hold");
}
