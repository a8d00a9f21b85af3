//! What is compressed, or decompressed, from one end to the other.

use std::{
    cell::RefCell,
    io::{self, Read, Write},
};

use zstd_safe::get_frame_content_size;

use crate::bulk::{self, Decompressor};

/// A piece that says that it is longer is decompressed a part at a time: so much, and no more, is
/// believed before anything was seen.
const MOST_BELIEVED_BYTES: usize = 16 * 1024 * 1024;

thread_local! {
    static DECOMPRESSOR: RefCell<Decompressor<'static>> = RefCell::default();
}

/// A piece, compressed; level 0 is the usual one.
pub fn encode_all(plain: &[u8], level: i32) -> io::Result<Vec<u8>> {
    bulk::compress(plain, level)
}

/// Append a piece to `destination`, compressed.
pub fn copy_encode<W: Write>(plain: &[u8], mut destination: W, level: i32) -> io::Result<()> {
    destination.write_all(&encode_all(plain, level)?)
}

/// All pieces that stand in a row, decompressed.
pub fn decode_all(compressed: &[u8]) -> io::Result<Vec<u8>> {
    if let Some(plain) = at_once(compressed) {
        return Ok(plain);
    }
    // Several pieces in a row, one that lies, or one that is damaged: it is told here.
    let mut plain = Vec::new();
    read::Decoder::with_buffer(compressed)?.read_to_end(&mut plain)?;
    Ok(plain)
}

/// None where it is not one piece that tells its length, and that is not long.
fn at_once(compressed: &[u8]) -> Option<Vec<u8>> {
    let length = get_frame_content_size(compressed).ok().flatten()?;
    let length = usize::try_from(length).ok().filter(|length| *length <= MOST_BELIEVED_BYTES)?;
    DECOMPRESSOR.with_borrow_mut(|kept| kept.decompress(compressed, length)).ok()
}

/// Reading what is decompressed on the way.
pub mod read {
    use std::io::{self, BufRead, ErrorKind, Read};

    use zstd_safe::{DCtx, InBuffer, OutBuffer};

    use crate::told;

    /// Reads the pieces that stand in a row in what it is given, to its end.
    pub struct Decoder<'a, R> {
        compressed: R,
        context: DCtx<'a>,
        is_between_pieces: bool,
    }

    impl<R: BufRead> Decoder<'_, R> {
        /// One that reads from `compressed`.
        pub fn with_buffer(compressed: R) -> io::Result<Self> {
            let context = DCtx::try_create().ok_or(ErrorKind::OutOfMemory)?;
            Ok(Self { compressed, context, is_between_pieces: false })
        }
    }

    impl<R: BufRead> Read for Decoder<'_, R> {
        fn read(&mut self, plain: &mut [u8]) -> io::Result<usize> {
            if plain.is_empty() {
                return Ok(0);
            }
            loop {
                let compressed = self.compressed.fill_buf()?;
                let is_end = compressed.is_empty();
                if is_end && self.is_between_pieces {
                    return Ok(0);
                }
                let (mut input, mut output) =
                    (InBuffer::around(compressed), OutBuffer::around(&mut *plain));
                // It has something to give, even where nothing is left to take.
                let hint = self.context.decompress_stream(&mut output, &mut input).map_err(told)?;
                let (taken, given) = (input.pos(), output.pos());
                self.compressed.consume(taken);
                self.is_between_pieces = hint == 0;
                if given > 0 {
                    return Ok(given);
                }
                if is_end && !self.is_between_pieces {
                    return Err(io::Error::new(ErrorKind::UnexpectedEof, "incomplete frame"));
                }
            }
        }
    }
}
