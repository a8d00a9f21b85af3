//! Blobs: pieces of content and trees, where they lie, and what makes one trustworthy.

use std::{
    cell::RefCell,
    io::{self, Read},
};

use sha2::{Digest, Sha256};
use zstd::{bulk::Decompressor, stream::read::Decoder};

use super::{
    MOST_PLAIN_BYTES, damaged,
    nodes::tree_limit_bytes,
    seal::{OVERHEAD_BYTES, Seal},
};
use crate::{
    error::{Error, ErrorKind, Result},
    object::{Object, ObjectId, ObjectKind},
    storage::ReadStorage,
};

/// Plaintext of a piece of content; the chunker never makes more than 8 MiB.
pub const MOST_DATA_BYTES: usize = 16 << 20;

const READ_BYTES: usize = 128 << 10;

/// What a blob holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BlobKind {
    /// A piece of a file's content.
    Data,
    /// The entries of one folder.
    Tree,
}

/// A blob by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Blob {
    /// What it holds.
    pub kind: BlobKind,
    /// SHA-256 of its plaintext.
    pub id: ObjectId,
}

/// Where a blob lies; a claim until its bytes were verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location {
    /// The pack.
    pub pack: ObjectId,
    /// Where in the pack it begins.
    pub offset_bytes: u32,
    /// Its sealed length.
    pub length_bytes: u32,
    /// The length it decompresses to; None when it is not compressed.
    pub decompressed_bytes: Option<u32>,
}

impl Location {
    /// The pack as an object.
    pub fn object(&self) -> Object {
        Object::Hashed(ObjectKind::Pack, self.pack)
    }

    /// Where in the pack it ends.
    pub fn end_bytes(&self) -> u64 {
        u64::from(self.offset_bytes) + u64::from(self.length_bytes)
    }

    /// Length of the plaintext.
    pub fn plain_bytes(&self) -> u32 {
        let overhead = u32::try_from(OVERHEAD_BYTES).unwrap_or_default();
        self.decompressed_bytes.unwrap_or(self.length_bytes.saturating_sub(overhead))
    }
}

impl Blob {
    /// The verified plaintext of `sealed`, the bytes at `location`.
    pub fn open(&self, seal: &Seal, location: &Location, sealed: &[u8]) -> Result<Vec<u8>> {
        let plain_bytes = self.plain_bytes(location)?;
        let opened = seal.open(sealed)?;
        let plain = match location.decompressed_bytes {
            Some(_) => decompress(&opened, plain_bytes)?,
            None => opened,
        };
        self.compare(&plain, plain_bytes)?;
        Ok(plain)
    }

    /// Fails unless `sealed`, the bytes at `location`, hold the blob. Opens them where they lie,
    /// and nothing is allocated for what nobody wants to have.
    pub fn verify(&self, seal: &Seal, location: &Location, sealed: &mut [u8]) -> Result<()> {
        let plain_bytes = self.plain_bytes(location)?;
        let opened = seal.open_in_place(sealed)?;
        match location.decompressed_bytes {
            Some(_) => {
                with_decompressed(opened, plain_bytes, |plain| self.compare(plain, plain_bytes))
            }
            None => self.compare(opened, plain_bytes),
        }
    }

    /// What is sealed in `sealed`, the bytes at `location`, still compressed; its plaintext, which
    /// is verified, is never held.
    pub fn open_compressed(
        &self,
        seal: &Seal,
        location: &Location,
        sealed: &[u8],
    ) -> Result<Vec<u8>> {
        let plain_bytes = self.plain_bytes(location)?;
        let opened = seal.open(sealed)?;
        // One byte more tells what is longer than it says.
        let plain = decompressing(&opened)?.take(plain_bytes as u64 + 1);
        let is_right = digest(plain)? == (plain_bytes, self.id);
        self.confirm(is_right)?;
        Ok(opened)
    }

    /// What `location` says of the length of the plaintext, if that is within reason.
    pub fn plain_bytes(&self, location: &Location) -> Result<usize> {
        let plain_bytes = location.plain_bytes() as usize;
        if plain_bytes > self.limit_bytes(location) {
            return Err(damaged(format!("blob {} claims to hold {plain_bytes} bytes", self.id)));
        }
        Ok(plain_bytes)
    }

    fn compare(&self, plain: &[u8], plain_bytes: usize) -> Result<()> {
        self.confirm(plain.len() == plain_bytes && ObjectId::of(plain) == self.id)
    }

    fn confirm(&self, is_right: bool) -> Result<()> {
        match is_right {
            true => Ok(()),
            false => Err(damaged(format!("blob {} holds other bytes", self.id))),
        }
    }

    /// The verified plaintext, read from `location` in `storage`.
    pub fn read(
        &self,
        storage: &dyn ReadStorage,
        seal: &Seal,
        location: &Location,
    ) -> Result<Vec<u8>> {
        self.check_claim(location)?;
        let (offset_bytes, length) = (location.offset_bytes.into(), location.length_bytes as usize);
        let sealed = storage.read_range(&location.object(), offset_bytes, length)?;
        self.open(seal, location, &sealed)
    }

    /// Ask before the bytes are fetched: a claim must not decide how much memory is taken.
    pub fn check_claim(&self, location: &Location) -> Result<()> {
        if location.length_bytes as usize > self.most_sealed_bytes() {
            let (id, length) = (self.id, location.length_bytes);
            return Err(damaged(format!("blob {id} claims {length} bytes")));
        }
        Ok(())
    }

    /// The longest that it can be when sealed: what is compressed may grow by a little.
    pub fn most_sealed_bytes(&self) -> usize {
        let plain_bytes = match self.kind {
            BlobKind::Data => MOST_DATA_BYTES,
            BlobKind::Tree => MOST_PLAIN_BYTES,
        };
        plain_bytes + plain_bytes / 128 + 1024
    }

    /// The most plaintext that a location may claim.
    pub fn limit_bytes(&self, location: &Location) -> usize {
        match self.kind {
            BlobKind::Data => MOST_DATA_BYTES,
            BlobKind::Tree => tree_limit_bytes(location.length_bytes as usize),
        }
    }
}

thread_local! {
    /// Making one takes longer than to decompress a small blob; the room beside it is for blobs
    /// that are only looked at.
    static DECOMPRESSOR: RefCell<(Decompressor<'static>, Vec<u8>)> = RefCell::default();
}

/// Faster than [`super::seal::decompress`], because the length is known; never more than it.
fn decompress(compressed: &[u8], plain_bytes: usize) -> Result<Vec<u8>> {
    DECOMPRESSOR
        .with_borrow_mut(|(decompressor, _)| decompressor.decompress(compressed, plain_bytes))
        .map_err(not_compressed)
}

/// What `compressed` decompresses to, as it is read.
pub fn decompressing(compressed: &[u8]) -> Result<impl Read> {
    Decoder::with_buffer(compressed).map_err(not_compressed)
}

/// The length of `plain` and the name that it must have.
fn digest(mut plain: impl Read) -> Result<(usize, ObjectId)> {
    let (mut hasher, mut length) = (Sha256::new(), 0);
    let mut room = vec![0; READ_BYTES];
    loop {
        match plain.read(&mut room).map_err(not_compressed)? {
            0 => return Ok((length, ObjectId(hasher.finalize().into()))),
            count => {
                hasher.update(room.get(..count).unwrap_or_default());
                length += count;
            }
        }
    }
}

fn with_decompressed(
    compressed: &[u8],
    plain_bytes: usize,
    look: impl FnOnce(&[u8]) -> Result<()>,
) -> Result<()> {
    DECOMPRESSOR.with_borrow_mut(|(decompressor, room)| {
        room.clear();
        room.reserve(plain_bytes);
        let looked = decompressor
            .decompress_to_buffer(compressed, room)
            .map_err(not_compressed)
            .and_then(|_| look(room));
        // A large tree must not leave its length to every thread that came upon one.
        room.clear();
        room.shrink_to(MOST_DATA_BYTES);
        looked
    })
}

fn not_compressed(error: io::Error) -> Error {
    Error::caused_by(ErrorKind::Damaged, "cannot be decompressed", error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::RepositoryKey;

    fn seal() -> Seal {
        let key = std::array::from_fn::<_, 64, _>(|place| {
            u8::try_from(place).unwrap().wrapping_mul(73) ^ 5
        });
        Seal::new(&RepositoryKey::from_bytes(&key).unwrap())
    }

    fn location(sealed: &[u8], decompressed_bytes: Option<u32>) -> Location {
        let length_bytes = u32::try_from(sealed.len()).unwrap();
        Location { pack: ObjectId([0; 32]), offset_bytes: 0, length_bytes, decompressed_bytes }
    }

    /// What opening says, which verifying must say as well.
    fn open(blob: Blob, location: &Location, sealed: &[u8]) -> Result<Vec<u8>> {
        let opened = blob.open(&seal(), location, sealed);
        let verified = blob.verify(&seal(), location, &mut sealed.to_vec());
        assert_eq!(opened.is_ok(), verified.is_ok());
        if location.decompressed_bytes.is_some() {
            let compressed = blob.open_compressed(&seal(), location, sealed);
            assert_eq!(opened.is_ok(), compressed.is_ok());
        }
        opened
    }

    fn data(plain: &[u8]) -> Blob {
        Blob { kind: BlobKind::Data, id: ObjectId::of(plain) }
    }

    #[test]
    fn what_the_archiver_compresses_tells_its_length() {
        // As the crate of ours does that takes the place of zstd's, and zstd's own does not.
        let compressed = zstd::stream::encode_all(&b"a blob"[..], 0).unwrap();

        let length = zstd::zstd_safe::get_frame_content_size(&compressed).unwrap();
        assert_eq!(length, Some(6));
    }

    #[test]
    fn a_blob_opens_compressed_or_not() {
        let plain = b"content".repeat(100);
        let sealed = seal().seal(&plain).unwrap();
        assert_eq!(open(data(&plain), &location(&sealed, None), &sealed).unwrap(), plain);
        let sealed = seal().seal(&zstd::bulk::compress(&plain, 0).unwrap()).unwrap();
        assert_eq!(open(data(&plain), &location(&sealed, Some(700)), &sealed).unwrap(), plain);
    }

    #[test]
    fn another_id_a_flipped_bit_or_a_wrong_length_is_damage() {
        let plain = b"content".repeat(100);
        let mut sealed = seal().seal(&zstd::bulk::compress(&plain, 0).unwrap()).unwrap();
        for length in [699, 701, 0] {
            assert!(open(data(&plain), &location(&sealed, Some(length)), &sealed).is_err());
        }
        assert!(open(data(b"other"), &location(&sealed, Some(700)), &sealed).is_err());
        sealed[20] ^= 1;
        assert!(open(data(&plain), &location(&sealed, Some(700)), &sealed).is_err());
    }

    #[test]
    fn a_bomb_is_refused_before_it_takes_memory() {
        let plain = vec![0; 65 << 20];
        let sealed = seal().seal(&zstd::bulk::compress(&plain, 19).unwrap()).unwrap();
        assert!(sealed.len() < 20_000);
        for kind in [BlobKind::Data, BlobKind::Tree] {
            let blob = Blob { kind, id: ObjectId::of(&plain) };
            for claimed_bytes in [65 << 20, u32::MAX, 1000] {
                let location = location(&sealed, Some(claimed_bytes));
                let error = open(blob, &location, &sealed).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Damaged);
            }
        }
    }
}
