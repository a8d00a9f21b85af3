//! Our own reader of the repository format: authenticated, bounded, and every failure a value.

mod base64;
pub mod blob;
pub mod config;
pub mod growing;
pub mod index;
pub mod index_object;
pub mod name;
pub(crate) mod nodes;
pub mod pack;
pub mod reader;
pub mod seal;
pub mod snapshot;
pub mod tree;
mod window;

use serde::Deserialize;

use crate::error::{Error, ErrorKind, Result};

/// Plaintext that a small stored object may grow to, whatever its ratio.
const FREE_PLAIN_BYTES: usize = 4 << 20;
/// An index never compresses better than this: its ids are as good as random. Trees may, which is
/// why [`nodes`] has a limit of its own. What claims more was made to fill memory.
const MOST_PLAIN_PER_STORED_BYTE: usize = 64;
/// No metadata of any size grows beyond this: a folder of about 2,500,000 files.
const MOST_PLAIN_BYTES: usize = 1 << 30;

/// Bytes that JSON of `stored_bytes` may decompress to; more is damage.
/// In proportion to what is stored, so that a bomb costs its maker as much as its reader.
pub(crate) fn plain_limit_bytes(stored_bytes: usize) -> usize {
    stored_bytes
        .saturating_mul(MOST_PLAIN_PER_STORED_BYTE)
        .saturating_add(FREE_PLAIN_BYTES)
        .min(MOST_PLAIN_BYTES)
}

pub(crate) fn damaged(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Damaged, message)
}

/// Read JSON that must be an object; to serde the fields of a struct may stand in a list as well.
fn parse_object<'a, T: Deserialize<'a>>(json: &'a [u8], what: &str) -> Result<T> {
    if json.first() != Some(&b'{') {
        return Err(damaged(what));
    }
    serde_json::from_slice(json).map_err(|error| Error::caused_by(ErrorKind::Damaged, what, error))
}
