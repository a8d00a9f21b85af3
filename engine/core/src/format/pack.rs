//! Packs: blobs one after the other, then a sealed list of them, then that list's length.

use bytes::Bytes;

use super::{
    blob::{Blob, BlobKind, Location},
    damaged,
    seal::Seal,
};
use crate::{
    error::Result,
    object::{Object, ObjectId, ObjectKind},
    storage::ReadStorage,
};

/// Bytes of the length at the end.
pub const LENGTH_BYTES: u64 = 4;
/// A header may take no more: 400,000 blobs, where 32 MiB packs hold at most 10,000. restic neither
/// writes nor reads a longer one.
pub const MOST_HEADER_BYTES: u64 = 16 << 20;
/// A mark, a length and an id.
const LEAST_ENTRY_BYTES: usize = 37;

/// Read at once in the hope that the header is no longer: 1,600 blobs.
const GUESSED_TAIL_BYTES: u64 = 64 << 10;

/// What a pack says it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackHeader {
    /// Its blobs in order, without a gap.
    pub blobs: Vec<(Blob, Location)>,
    /// Where the blobs end and the sealed header begins.
    pub start_bytes: u64,
}

impl PackHeader {
    /// Read the header of a pack of `size_bytes`; `begin` learns its length before it is read.
    pub fn read(
        storage: &dyn ReadStorage,
        seal: &Seal,
        pack: ObjectId,
        size_bytes: u64,
        begin: impl FnOnce(u64),
    ) -> Result<Self> {
        let object = Object::Hashed(ObjectKind::Pack, pack);
        Self::find(seal, pack, size_bytes, begin, |length| {
            let offset_bytes = size_bytes - length as u64;
            storage.read_range(&object, offset_bytes, length)
        })
    }

    /// The header of a pack that consists of `parts`.
    pub fn of(parts: &[Bytes], seal: &Seal, pack: ObjectId) -> Result<Self> {
        let size_bytes = parts.iter().map(|part| part.len() as u64).sum();
        Self::find(seal, pack, size_bytes, drop, |length| Ok(tail_of(parts, length)))
    }

    /// Find the header in what `read_tail` gives: that many bytes, which are the last.
    fn find(
        seal: &Seal,
        pack: ObjectId,
        size_bytes: u64,
        begin: impl FnOnce(u64),
        read_tail: impl Fn(usize) -> Result<Bytes>,
    ) -> Result<Self> {
        let read_tail = |length_bytes: u64| {
            read_tail(usize::try_from(length_bytes.min(size_bytes)).unwrap_or(usize::MAX))
        };
        let tail = read_tail(GUESSED_TAIL_BYTES)?;
        let (_, length) = tail.split_last_chunk().ok_or_else(|| damaged("too short for a pack"))?;
        let header_bytes = u64::from(u32::from_le_bytes(*length));
        if header_bytes > MOST_HEADER_BYTES {
            return Err(damaged(format!("its header claims {header_bytes} bytes")));
        }
        begin(header_bytes);
        let tail_bytes = header_bytes + LENGTH_BYTES;
        let start_bytes = size_bytes
            .checked_sub(tail_bytes)
            .ok_or_else(|| damaged("too short for its header"))?;
        let tail = match usize::try_from(tail_bytes).unwrap_or(usize::MAX) {
            length if length <= tail.len() => tail.slice(tail.len() - length..),
            _ => read_tail(tail_bytes)?,
        };
        let (sealed, _) = tail.split_at(tail.len().saturating_sub(4));
        Self::parse(&seal.open(sealed)?, pack, start_bytes)
    }

    /// Read the opened header of a pack whose blobs take `start_bytes`.
    pub fn parse(header: &[u8], pack: ObjectId, start_bytes: u64) -> Result<Self> {
        let mut rest = header;
        // Exactly: growing would take half as much again.
        let mut blobs = Vec::with_capacity(header.len() / LEAST_ENTRY_BYTES);
        let mut offset_bytes = 0;
        while !rest.is_empty() {
            let (mut entry, after) =
                parse_entry(rest, pack).ok_or_else(|| damaged("broken header"))?;
            entry.1.offset_bytes = offset_bytes;
            offset_bytes = u32::try_from(entry.1.end_bytes())
                .map_err(|_| damaged("its blobs are longer than a pack can be"))?;
            blobs.push(entry);
            rest = after;
        }
        if u64::from(offset_bytes) != start_bytes {
            return Err(damaged("its header does not fit its blobs"));
        }
        Ok(Self { blobs, start_bytes })
    }
}

/// The last `length` bytes of `parts`.
fn tail_of(parts: &[Bytes], length: usize) -> Bytes {
    let mut missing = length;
    let mut tail = Vec::new();
    for part in parts.iter().rev() {
        let taken = part.len().min(missing);
        tail.push(part.slice(part.len() - taken..));
        missing -= taken;
    }
    tail.reverse();
    tail.concat().into()
}

/// One entry, its offset still 0, and what follows it.
fn parse_entry(header: &[u8], pack: ObjectId) -> Option<((Blob, Location), &[u8])> {
    let (mark, rest) = header.split_first()?;
    let kind = if mark & 1 == 0 { BlobKind::Data } else { BlobKind::Tree };
    let (length_bytes, rest) = parse_number(rest)?;
    let (decompressed_bytes, rest) = match mark {
        0 | 1 => (None, rest),
        2 | 3 => parse_number(rest).map(|(length, rest)| (Some(length), rest))?,
        _ => return None,
    };
    let (id, rest) = rest.split_first_chunk()?;
    let location = Location { pack, offset_bytes: 0, length_bytes, decompressed_bytes };
    Some(((Blob { kind, id: ObjectId(*id) }, location), rest))
}

fn parse_number(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u32::from_le_bytes(*number), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACK: ObjectId = ObjectId([7; 32]);

    fn entry(mark: u8, lengths: &[u32], id: u8) -> Vec<u8> {
        let lengths = lengths.iter().flat_map(|length| length.to_le_bytes());
        [mark].into_iter().chain(lengths).chain([id; 32]).collect()
    }

    #[test]
    fn entries_follow_one_another() {
        let header = [entry(0, &[40], 1), entry(3, &[50, 90], 2)].concat();
        assert_eq!(header.len(), 37 + 41);
        let blobs = PackHeader::parse(&header, PACK, 90).unwrap().blobs;
        assert_eq!((blobs[0].0.kind, blobs[0].1.offset_bytes), (BlobKind::Data, 0));
        assert_eq!((blobs[1].0.kind, blobs[1].1.offset_bytes), (BlobKind::Tree, 40));
        assert_eq!((blobs[0].1.plain_bytes(), blobs[1].1.plain_bytes()), (8, 90));
    }

    #[test]
    fn headers_that_do_not_fit_are_damage() {
        let header = entry(0, &[40], 1);
        assert!(PackHeader::parse(&header, PACK, 41).is_err());
        assert!(PackHeader::parse(&header[..36], PACK, 40).is_err());
        assert!(PackHeader::parse(&entry(4, &[40], 1), PACK, 40).is_err());
        let huge = [entry(0, &[u32::MAX], 1), entry(0, &[u32::MAX], 2)].concat();
        assert!(PackHeader::parse(&huge, PACK, 2 * u64::from(u32::MAX)).is_err());
    }
}
