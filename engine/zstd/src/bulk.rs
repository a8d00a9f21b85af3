//! Pieces that are in memory as a whole.

use std::{cell::RefCell, io};

use zstd_safe::{CCtx, DCtx, WriteBuf, compress_bound};

use crate::told;

thread_local! {
    static COMPRESSOR: RefCell<CCtx<'static>> = RefCell::default();
}

/// A piece, compressed; level 0 is the usual one.
pub fn compress(plain: &[u8], level: i32) -> io::Result<Vec<u8>> {
    let mut compressed = Vec::with_capacity(compress_bound(plain.len()));
    COMPRESSOR
        .with_borrow_mut(|kept| kept.compress(&mut compressed, plain, level))
        .map_err(told)?;
    Ok(compressed)
}

/// Decompresses one piece after another.
#[derive(Default)]
pub struct Decompressor<'a>(DCtx<'a>);

impl Decompressor<'_> {
    /// A piece that is not longer than `most_bytes`, decompressed.
    pub fn decompress(&mut self, compressed: &[u8], most_bytes: usize) -> io::Result<Vec<u8>> {
        let mut plain = Vec::with_capacity(most_bytes);
        self.decompress_to_buffer(compressed, &mut plain)?;
        Ok(plain)
    }

    /// Decompress a piece into room that is there; returns its length.
    pub fn decompress_to_buffer<Room: WriteBuf + ?Sized>(
        &mut self,
        compressed: &[u8],
        room: &mut Room,
    ) -> io::Result<usize> {
        self.0.decompress(room, compressed).map_err(told)
    }
}
