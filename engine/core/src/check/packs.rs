//! What every pack says of itself, and every byte of those that are read in full.

use std::sync::MutexGuard;

use sha2::{Digest, Sha256};

use super::{Check, Claims, Pack};
use crate::{
    error::{Error, ErrorKind, Result},
    format::{
        blob::{Blob, Location, MOST_DATA_BYTES},
        pack::PackHeader,
        reader::Reader,
    },
    object::{Object, ObjectId},
    storage::ReadStorage,
    workers::{for_each, lock},
};

/// Bytes of a pack that are read at once, few enough to stay in the processor's cache while they
/// are hashed and opened; a single blob may be longer.
const MOST_RUN_BYTES: u64 = 1 << 20;

/// A longer header is held one at a time: it takes five times as much. Packs of ours have shorter
/// ones.
const LARGE_HEADER_BYTES: u64 = 1 << 20;

/// Packs that are looked at at a time. Each may hold a blob of 8 MiB sealed and plain, beside
/// the index.
const READERS: usize = 4;

/// A pack that is being read from its first byte to its last.
struct Pass<'a> {
    storage: &'a dyn ReadStorage,
    object: Object,
    hasher: Sha256,
    /// Where it has come to.
    place_bytes: u64,
}

impl Check<'_> {
    /// Compare every one of `packs` with the index, and read in full those that are to be.
    pub(super) fn read_packs(&self, reader: &Reader, packs: Vec<Pack>) -> Result<()> {
        for_each(READERS, packs, |pack| {
            self.control.check()?;
            let looked_at = match (pack.reads_data, pack.claim.blobs) {
                (true, _) => self.pack(reader, &pack),
                (false, 0) => Ok(()),
                (false, _) => self.header(reader, &pack),
            };
            looked_at.or_else(|error| self.note(pack.object(), error))
        })
    }

    fn header(&self, reader: &Reader, pack: &Pack) -> Result<()> {
        let (header, _turn) = self.read_header(reader, pack);
        let header = header?;
        self.add_bytes(pack.size_bytes - header.start_bytes);
        self.compare(&header, pack.claim)
    }

    /// The header, and the turn that is to be kept as long as a large one.
    fn read_header(
        &self,
        reader: &Reader,
        pack: &Pack,
    ) -> (Result<PackHeader>, Option<MutexGuard<'_, ()>>) {
        let (storage, seal) = (reader.storage(), reader.seal());
        let mut turn = None;
        let header = PackHeader::read(storage, seal, pack.id, pack.size_bytes, |header_bytes| {
            turn = (header_bytes > LARGE_HEADER_BYTES).then(|| lock(&self.large));
        });
        (header, turn)
    }

    fn pack(&self, reader: &Reader, pack: &Pack) -> Result<()> {
        let (header, turn) = self.read_header(reader, pack);
        let mut pass = Pass::new(reader.storage(), pack.object());
        let blobs = match &header {
            Ok(header) => self.pack_blobs(reader, &mut pass, header, turn.is_some())?,
            Err(_) => Ok(()),
        };
        self.pass_to_end(&mut pass, pack.size_bytes)?;
        if !pass.is_named_rightly(pack.id) {
            return Err(explain(blobs.err().or(header.err())));
        }
        blobs?;
        self.compare(&header?, pack.claim)
    }

    /// Open every blob that the header lists. The inner result is the first that is damaged: the
    /// pass goes on to the end, so that the pack's name is checked as well.
    fn pack_blobs(
        &self,
        reader: &Reader,
        pass: &mut Pass<'_>,
        header: &PackHeader,
        has_turn: bool,
    ) -> Result<Result<()>> {
        let mut result = Ok(());
        let mut rest = header.blobs.as_slice();
        while let Some((blob, first)) = rest.first() {
            if first.length_bytes as usize > blob.most_sealed_bytes() {
                let message = format!("blob {} takes {} bytes", blob.id, first.length_bytes);
                return Ok(Err(Error::new(ErrorKind::Damaged, message)));
            }
            let (run, after) = rest.split_at(run_length(first, rest));
            // One at a time, whatever the number of threads.
            let needs_turn = !has_turn && run.iter().any(is_large);
            let _turn = needs_turn.then(|| lock(&self.large));
            let start_bytes = pass.place_bytes;
            let end_bytes = run.last().map_or(start_bytes, |(_, last)| last.end_bytes());
            let mut bytes = Vec::from(self.pass_to(pass, end_bytes)?);
            for (blob, location) in run {
                result = result.and(verify(reader, *blob, location, start_bytes, &mut bytes));
            }
            rest = after;
        }
        Ok(result)
    }

    fn pass_to_end(&self, pass: &mut Pass<'_>, size_bytes: u64) -> Result<()> {
        while pass.place_bytes < size_bytes {
            self.pass_to(pass, size_bytes.min(pass.place_bytes + MOST_RUN_BYTES))?;
        }
        Ok(())
    }

    fn pass_to(&self, pass: &mut Pass<'_>, end_bytes: u64) -> Result<bytes::Bytes> {
        self.control.check()?;
        let bytes = pass.read_to(end_bytes)?;
        self.add_bytes(bytes.len() as u64);
        Ok(bytes)
    }

    /// The index must say of the pack what the pack says of itself. A pack that no index lists is
    /// no damage: a run that was killed leaves such.
    fn compare(&self, header: &PackHeader, claim: Claims) -> Result<()> {
        let index = self.blobs.index();
        let is_listed = |(blob, location): &&(Blob, Location)| {
            index.locations(*blob).any(|listed| listed == *location)
        };
        let agreed = header.blobs.iter().filter(is_listed).count() as u64;
        if claim.blobs == 0 || agreed == claim.blobs && agreed == header.blobs.len() as u64 {
            return Ok(());
        }
        let message = format!(
            "the index lists {} blobs in it, its header {}, and {agreed} agree",
            claim.blobs,
            header.blobs.len()
        );
        Err(Error::new(ErrorKind::Damaged, message))
    }
}

/// Trees may be larger than any piece of content.
pub(super) fn is_large((_, location): &(Blob, Location)) -> bool {
    location.length_bytes.max(location.plain_bytes()) as usize > MOST_DATA_BYTES
}

impl<'a> Pass<'a> {
    fn new(storage: &'a dyn ReadStorage, object: Object) -> Self {
        Self { storage, object, hasher: Sha256::new(), place_bytes: 0 }
    }

    fn read_to(&mut self, end_bytes: u64) -> Result<bytes::Bytes> {
        let length = usize::try_from(end_bytes - self.place_bytes).unwrap_or(usize::MAX);
        let bytes = self.storage.read_range(&self.object, self.place_bytes, length)?;
        self.hasher.update(&bytes);
        self.place_bytes = end_bytes;
        Ok(bytes)
    }

    fn is_named_rightly(self: &mut Pass<'a>, id: ObjectId) -> bool {
        id.0 == <[u8; 32]>::from(self.hasher.finalize_reset())
    }
}

/// Say that the name is wrong, and what is wrong inside where that is known.
fn explain(cause: Option<Error>) -> Error {
    let message = "its SHA-256 is not its name";
    match cause {
        Some(cause) => Error::caused_by(ErrorKind::Damaged, message, cause),
        None => Error::new(ErrorKind::Damaged, message),
    }
}

/// Verify a blob in `bytes`, which begin at `start_bytes` of the pack.
fn verify(
    reader: &Reader,
    blob: Blob,
    location: &Location,
    start_bytes: u64,
    bytes: &mut [u8],
) -> Result<()> {
    let start =
        usize::try_from(u64::from(location.offset_bytes) - start_bytes).unwrap_or(usize::MAX);
    let end = start.saturating_add(location.length_bytes as usize);
    let sealed = bytes.get_mut(start..end).unwrap_or_default();
    blob.verify(reader.seal(), location, sealed)
        .map_err(|error| Error::caused_by(ErrorKind::Damaged, format!("blob {}", blob.id), error))
}

/// How many of `blobs` are read together with the first, at `first`.
fn run_length(first: &Location, blobs: &[(Blob, Location)]) -> usize {
    let start_bytes = u64::from(first.offset_bytes);
    let is_near = |location: &Location| location.end_bytes() - start_bytes <= MOST_RUN_BYTES;
    blobs.iter().take_while(|(_, location)| is_near(location)).count().max(1)
}
