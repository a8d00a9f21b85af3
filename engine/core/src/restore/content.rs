//! Content: the pieces of many files, read in the order in which packs hold them.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

use super::{
    file::PendingFile,
    report::{Report, kind_of},
};
use crate::{
    error::{Error, Result},
    format::{
        blob::{Blob, Location},
        reader::BlobReader,
    },
    issue::IssueKind,
    workers::{WORKERS, for_each, lock},
};

/// Bytes of a pack that are read at once, at most; a single blob may be longer.
const MOST_RUN_BYTES: u64 = 4 << 20;
/// Bytes between two wanted blobs that are read along, because a second request takes longer.
const MOST_GAP_BYTES: u64 = 64 << 10;

/// A piece of a file.
#[derive(Debug, Clone, Copy)]
pub struct Piece {
    /// Its blob.
    pub blob: Blob,
    /// Where the blob is tried first.
    pub location: Location,
    /// The length it was planned with.
    pub plain_bytes: u32,
    /// Place of its file in [`Writer::files`].
    pub file: usize,
    /// Where in the file it begins.
    pub offset_bytes: u64,
}

/// Writes pieces to their files.
pub struct Writer<'a> {
    /// Reads what they hold.
    pub blobs: &'a BlobReader<'a>,
    /// The files.
    pub files: &'a [PendingFile],
    /// Takes progress, and tells when to stop.
    pub report: &'a Report<'a>,
}

impl Writer<'_> {
    /// Write all `pieces`, which are in the order of their files; a file whose pieces do not all
    /// verify fails, the others go on.
    pub fn write(&self, pieces: Vec<Piece>) -> Result<()> {
        let mut pieces = self.without_right_ones(pieces)?;
        pieces.sort_unstable_by_key(|piece| (piece.location, piece.blob, piece.file));
        for_each(WORKERS, runs(&pieces), |run| self.write_run(run))
    }

    /// Leave out the pieces that an earlier restore wrote, or that stood there already.
    fn without_right_ones(&self, pieces: Vec<Piece>) -> Result<Vec<Piece>> {
        if !self.files.iter().any(PendingFile::may_hold_pieces) {
            return Ok(pieces);
        }
        let wanted = Mutex::new(Vec::new());
        let of_files = pieces.chunk_by(|one, other| one.file == other.file).collect();
        for_each(WORKERS, of_files, |of_file| {
            for piece in of_file {
                self.report.control.check()?;
                match self.file(piece) {
                    Some(file)
                        if file.may_hold_pieces() && file.holds(piece, self.report.control) =>
                    {
                        self.report.kept(piece.plain_bytes);
                    }
                    _ => lock(&wanted).push(*piece),
                }
            }
            Ok(())
        })?;
        Ok(wanted.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    fn write_run(&self, run: &[Piece]) -> Result<()> {
        let range = self.read_run(run);
        let start_bytes = run.first().map_or(0, |piece| piece.location.offset_bytes);
        for same in run.chunk_by(is_same_blob) {
            self.report.control.check()?;
            self.write_blob(same, start_bytes, range.as_ref());
        }
        Ok(())
    }

    /// The bytes from the first piece to the end of the last. None when they cannot be had in
    /// one read: then every blob is tried alone and in all its places.
    fn read_run(&self, run: &[Piece]) -> Option<Bytes> {
        let first = run.first()?;
        let start_bytes = u64::from(first.location.offset_bytes);
        let end_bytes = run.iter().map(|piece| piece.location.end_bytes()).max()?;
        let length = usize::try_from(end_bytes - start_bytes).ok()?;
        // A claim must not decide how much memory is taken.
        if length > first.blob.most_sealed_bytes() {
            return None;
        }
        self.blobs.storage().read_range(&first.location.object(), start_bytes, length).ok()
    }

    /// Write one blob to all the places that want it.
    fn write_blob(&self, same: &[Piece], start_bytes: u32, range: Option<&Bytes>) {
        let wanted = || same.iter().filter(|piece| self.file(piece).is_some());
        let Some(first) = wanted().next() else { return };
        let plain = range
            .and_then(|range| self.open(first, start_bytes, range))
            .map_or_else(|| self.blobs.read(first.blob), Ok);
        for piece in wanted() {
            self.write_piece(piece, &plain);
            self.report.control.add_bytes(piece.plain_bytes.into());
        }
    }

    fn open(&self, piece: &Piece, start_bytes: u32, range: &Bytes) -> Option<Vec<u8>> {
        let start = (piece.location.offset_bytes - start_bytes) as usize;
        let sealed = range.get(start..start + piece.location.length_bytes as usize)?;
        piece.blob.open(self.blobs.seal(), &piece.location, sealed).ok()
    }

    fn write_piece(&self, piece: &Piece, plain: &Result<Vec<u8>>) {
        let Some(file) = self.file(piece) else { return };
        match plain {
            Ok(plain) if plain.len() == piece.plain_bytes as usize => {
                file.write(piece.offset_bytes, plain);
            }
            Ok(_) => file.fail(IssueKind::Damaged, "the index says a wrong length"),
            Err(error) => file.fail(kind_of(error), Error::chain(error)),
        }
    }

    /// The piece's file, unless it was given up.
    fn file(&self, piece: &Piece) -> Option<&PendingFile> {
        self.files.get(piece.file).filter(|file| !file.is_failed())
    }
}

fn is_same_blob(one: &Piece, other: &Piece) -> bool {
    one.blob == other.blob && one.location == other.location
}

/// Cut sorted pieces into runs that are read at once.
fn runs(pieces: &[Piece]) -> Vec<&[Piece]> {
    let mut runs = Vec::new();
    let mut rest = pieces;
    while let Some(first) = rest.first() {
        let (run, after) = rest.split_at(run_length(&first.location, rest));
        runs.push(run);
        rest = after;
    }
    runs
}

/// How many of `pieces` are read together with the first, at `first`.
fn run_length(first: &Location, pieces: &[Piece]) -> usize {
    let mut end_bytes = first.end_bytes();
    pieces
        .iter()
        .take_while(|piece| {
            let next = &piece.location;
            let is_near = u64::from(next.offset_bytes) <= end_bytes + MOST_GAP_BYTES;
            // In another pack the next piece may well lie before the first.
            let run_bytes = next.end_bytes().saturating_sub(first.offset_bytes.into());
            end_bytes = end_bytes.max(next.end_bytes());
            next == first || next.pack == first.pack && is_near && run_bytes <= MOST_RUN_BYTES
        })
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{format::blob::BlobKind, object::ObjectId};

    fn piece(pack: u8, offset_bytes: u32, length_bytes: u32) -> Piece {
        let pack = ObjectId([pack; 32]);
        let location = Location { pack, offset_bytes, length_bytes, decompressed_bytes: None };
        let blob = Blob { kind: BlobKind::Data, id: ObjectId([9; 32]) };
        Piece { blob, location, plain_bytes: 0, file: 0, offset_bytes: 0 }
    }

    fn lengths(pieces: &[Piece]) -> Vec<usize> {
        runs(pieces).into_iter().map(<[Piece]>::len).collect()
    }

    #[test]
    fn neighbours_are_read_at_once() {
        let near = 100 + u32::try_from(MOST_GAP_BYTES).unwrap();
        assert_eq!(lengths(&[piece(1, 0, 100), piece(1, 100, 50), piece(1, 151, 9)]), [3]);
        assert_eq!(lengths(&[piece(1, 0, 100), piece(1, near, 50)]), [2]);
        assert_eq!(lengths(&[piece(1, 0, 100), piece(1, near + 1, 50)]), [1, 1]);
        assert_eq!(lengths(&[piece(1, 0, 100), piece(2, 100, 50)]), [1, 1]);
    }

    #[test]
    fn a_run_ends_at_its_limit_but_equal_places_stay_together() {
        let mib = 1 << 20;
        let pieces: Vec<_> = (0..6).map(|number| piece(1, number * mib, mib)).collect();
        assert_eq!(lengths(&pieces), [4, 2]);
        assert_eq!(lengths(&[piece(1, 0, 9 * mib), piece(1, 0, 9 * mib)]), [2]);
        assert_eq!(lengths(&[piece(1, 0, u32::MAX), piece(1, 5, u32::MAX)]), [1, 1]);
        assert_eq!(lengths(&[]), [0; 0]);
    }
}
