//! zstd for many small pieces: each thread keeps its compressor and its decompressor.
//!
//! It takes the place of the crate of this name, and has as much of its interface as is used: where
//! that takes anything that can be read, this takes what is in memory, and makes no copy of it.
//! `rustic_core` compresses each blob, and decompresses it again to see that it is right, with
//! `encode_all` and `decode_all`. That crate makes tables of a megabyte for each call, and does not
//! tell zstd how long the piece is, which took a third of a backup of small files
//! (docs/benchmarks.md). What is written here tells its length, as restic's does, and reads the
//! same.

use std::{io, ops::RangeInclusive};

use zstd_safe::{CompressionLevel, ErrorCode, get_error_name, max_c_level, min_c_level};

pub mod bulk;
pub mod stream;

pub use stream::{decode_all, encode_all};
pub use zstd_safe;

/// The levels that there are; 0 is the usual one.
pub fn compression_level_range() -> RangeInclusive<CompressionLevel> {
    min_c_level()..=max_c_level()
}

fn told(code: ErrorCode) -> io::Error {
    io::Error::other(get_error_name(code))
}

#[cfg(test)]
mod tests;
