//! Secrets and keys: derivation, fingerprint, and the refusal of secrets nobody generated.

use std::{collections::HashSet, fmt};

use hkdf::Hkdf;
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::{
    birth::Birth,
    error::{Error, ErrorKind, Result},
    object::ObjectId,
};

/// Bytes of a customer's root secret.
pub const ROOT_SECRET_BYTES: usize = 32;
/// Bytes of a repository key: 32 encrypt, 16 mac k, 16 mac r.
pub const REPOSITORY_KEY_BYTES: usize = 64;

/// Fewer different bytes than this among 32 never happens to a generated secret (1 in 10^13).
const FEWEST_DIFFERENT_BYTES: usize = 16;

/// A customer's root secret, from which every repository key is derived.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct RootSecret([u8; ROOT_SECRET_BYTES]);

impl RootSecret {
    /// A new secret from the operating system's generator.
    pub fn generate() -> Result<Self> {
        let mut bytes = [0; ROOT_SECRET_BYTES];
        getrandom::fill(&mut bytes).map_err(|error| {
            Error::caused_by(ErrorKind::Internal, "the system gives no random bytes", error)
        })?;
        Ok(Self(bytes))
    }

    /// Take a secret of exactly 32 bytes; constants, repeats, sequences and text are refused.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        refuse_patterns(bytes, "root secret")?;
        bytes.try_into().map(Self).map_err(|_| wrong_length("root secret", ROOT_SECRET_BYTES))
    }

    /// The secret's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The repository key of `birth`: HKDF-SHA256 without salt,
    /// info `unstoppable/repository/v1/<customer>/<resource>/<generation>`.
    pub fn repository_key(&self, birth: &Birth) -> Result<RepositoryKey> {
        let mut key = [0; REPOSITORY_KEY_BYTES];
        let info = format!(
            "unstoppable/repository/v1/{}/{}/{}",
            birth.customer(),
            birth.resource(),
            birth.generation()
        );
        Hkdf::<Sha256>::new(None, &self.0)
            .expand(info.as_bytes(), &mut key)
            .map_err(|_| Error::new(ErrorKind::Internal, "HKDF refused to give 64 bytes"))?;
        Ok(RepositoryKey(key))
    }
}

impl fmt::Debug for RootSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("RootSecret(…)")
    }
}

/// The 64 bytes that encrypt and authenticate one repository.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct RepositoryKey([u8; REPOSITORY_KEY_BYTES]);

impl RepositoryKey {
    /// Take a key of exactly 64 bytes; patterns are refused as for the root secret.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let key: [u8; REPOSITORY_KEY_BYTES] =
            bytes.try_into().map_err(|_| wrong_length("repository key", REPOSITORY_KEY_BYTES))?;
        for half in bytes.chunks(ROOT_SECRET_BYTES) {
            refuse_patterns(half, "repository key")?;
        }
        Ok(Self(key))
    }

    /// The key's bytes: 32 encrypt, 16 mac k, 16 mac r.
    pub fn as_bytes(&self) -> &[u8; REPOSITORY_KEY_BYTES] {
        &self.0
    }

    /// SHA-256 of `unstoppable/key/v1`, NUL and the key with mac r clamped.
    pub fn fingerprint(&self) -> ObjectId {
        let digest = Sha256::new()
            .chain_update(b"unstoppable/key/v1\0")
            .chain_update(self.clamped().0)
            .finalize();
        ObjectId(digest.into())
    }

    /// The key with mac r clamped: 22 bits of r have no effect and tools print it either way, but
    /// both forms are one key.
    #[must_use]
    pub fn clamped(&self) -> Self {
        let mut clamped = self.clone();
        let r = &mut clamped.0[48..];
        for (place, byte) in r.iter_mut().enumerate() {
            match place {
                3 | 7 | 11 | 15 => *byte &= 0x0f,
                4 | 8 | 12 => *byte &= 0xfc,
                _ => {}
            }
        }
        clamped
    }
}

impl fmt::Debug for RepositoryKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "RepositoryKey({})", self.fingerprint())
    }
}

fn wrong_length(name: &str, expected: usize) -> Error {
    Error::new(
        ErrorKind::InvalidInput,
        format!("a {name} is {expected} bytes ({} hex digits)", expected * 2),
    )
}

/// Refuse what a person types instead of generating it. `secret` is 32 bytes (or of wrong length).
fn refuse_patterns(secret: &[u8], name: &str) -> Result<()> {
    let different = secret.iter().collect::<HashSet<_>>().len();
    let steps = secret.iter().zip(secret.iter().skip(1)).map(|(one, next)| next.wrapping_sub(*one));
    let is_sequence = steps.clone().zip(steps.skip(1)).all(|(one, next)| one == next);
    let is_text = secret.iter().all(|byte| (0x20..0x7f).contains(byte));
    if different < FEWEST_DIFFERENT_BYTES || is_sequence || is_text {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            format!("this {name} was not generated: it repeats, counts or is text"),
        ));
    }
    Ok(())
}
