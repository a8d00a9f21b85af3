//! Encryption and authentication of objects and blobs: AES-256-CTR with Poly1305-AES.
//!
//! Sealed bytes are a 16-byte nonce, the ciphertext, and a 16-byte MAC.

use std::io::Read;

use aes256ctr_poly1305aes::{
    Aes256CtrPoly1305Aes, Key, Nonce, Tag,
    aead::{Aead, AeadInPlace},
};

use crate::{
    error::{Error, ErrorKind, Result},
    key::RepositoryKey,
};

/// Bytes that sealing adds: nonce and MAC.
pub const OVERHEAD_BYTES: usize = 32;
const NONCE_BYTES: usize = 16;
const TAG_BYTES: usize = 16;
/// First byte of a compressed unpacked object; `{` or `[` begins one that is not compressed.
const COMPRESSED: u8 = 2;

/// Opens and seals bytes under one repository key.
#[derive(Clone)]
pub struct Seal {
    cipher: Aes256CtrPoly1305Aes,
}

impl Seal {
    /// The seal of `key`.
    pub fn new(key: &RepositoryKey) -> Self {
        Self { cipher: Aes256CtrPoly1305Aes::new(Key::from_slice(key.as_bytes())) }
    }

    /// The plaintext of `sealed`; [`ErrorKind::Damaged`] when the MAC is not the key's.
    pub fn open(&self, sealed: &[u8]) -> Result<Vec<u8>> {
        let (nonce, body) = sealed
            .split_at_checked(NONCE_BYTES)
            .ok_or_else(|| damaged("too short to be sealed"))?;
        self.cipher
            .decrypt(Nonce::from_slice(nonce), body)
            .map_err(|_| damaged("its MAC is not this key's"))
    }

    /// [`Self::open`] where the bytes lie; they are no longer sealed afterwards.
    pub fn open_in_place<'a>(&self, sealed: &'a mut [u8]) -> Result<&'a [u8]> {
        let too_short = || damaged("too short to be sealed");
        let (nonce, body) = sealed.split_at_mut_checked(NONCE_BYTES).ok_or_else(too_short)?;
        let plain_bytes = body.len().checked_sub(TAG_BYTES).ok_or_else(too_short)?;
        let (body, tag) = body.split_at_mut_checked(plain_bytes).ok_or_else(too_short)?;
        self.cipher
            .decrypt_in_place_detached(Nonce::from_slice(nonce), b"", body, Tag::from_slice(tag))
            .map_err(|_| damaged("its MAC is not this key's"))?;
        Ok(body)
    }

    /// `plain` sealed under a fresh random nonce.
    pub fn seal(&self, plain: &[u8]) -> Result<Vec<u8>> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(|error| {
            Error::caused_by(ErrorKind::Internal, "the system gives no random bytes", error)
        })?;
        let body = self
            .cipher
            .encrypt(Nonce::from_slice(&nonce), plain)
            .map_err(|_| Error::new(ErrorKind::Internal, "cannot encrypt"))?;
        Ok([nonce.as_slice(), &body].concat())
    }

    /// The JSON of an unpacked object (config, snapshot, index), decompressed if it is
    /// compressed, never more than `limit_bytes`.
    pub fn open_json(&self, sealed: &[u8], limit_bytes: usize) -> Result<Vec<u8>> {
        let plain = self.open(sealed)?;
        match plain.split_first() {
            Some((b'{' | b'[', _)) => Ok(plain),
            Some((&COMPRESSED, body)) => decompress(body, limit_bytes),
            _ => Err(damaged("neither JSON nor compressed JSON")),
        }
    }
}

/// Decompress at most `limit_bytes`; more is damage, not memory.
pub fn decompress(compressed: &[u8], limit_bytes: usize) -> Result<Vec<u8>> {
    let decoder = zstd::stream::read::Decoder::with_buffer(compressed)
        .map_err(|error| caused("cannot be decompressed", error))?;
    let mut plain = Vec::new();
    decoder
        .take(limit_bytes as u64 + 1)
        .read_to_end(&mut plain)
        .map_err(|error| caused("cannot be decompressed", error))?;
    if plain.len() > limit_bytes {
        return Err(damaged(&format!("decompresses to more than {limit_bytes} bytes")));
    }
    Ok(plain)
}

fn damaged(message: &str) -> Error {
    Error::new(ErrorKind::Damaged, message)
}

fn caused(message: &str, error: std::io::Error) -> Error {
    Error::caused_by(ErrorKind::Damaged, message, error)
}
