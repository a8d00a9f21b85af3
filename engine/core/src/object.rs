//! Names of the objects in a repository.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, de};
use sha2::{Digest, Sha256};

use crate::error::{Error, ErrorKind};

/// SHA-256 of an object's bytes (objects) or of its plaintext (blobs); 64 hex digits as text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(into = "String")]
pub struct ObjectId(pub [u8; 32]);

impl ObjectId {
    /// The id that `content` must have.
    pub fn of(content: &[u8]) -> Self {
        Self(Sha256::digest(content).into())
    }

    /// The id that the concatenation of `parts` must have.
    pub fn of_parts<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut hasher = Sha256::new();
        parts.into_iter().for_each(|part| hasher.update(part));
        Self(hasher.finalize().into())
    }

    /// The 64 hex digits.
    pub fn to_hex(self) -> String {
        hex::encode(self.0)
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.to_hex())
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl FromStr for ObjectId {
    type Err = Error;

    /// Read exactly 64 lower-case hex digits.
    fn from_str(text: &str) -> Result<Self, Error> {
        let refuse = || {
            Error::new(
                ErrorKind::InvalidInput,
                format!("{text:?} is not an object id: expected 64 lower-case hex digits"),
            )
        };
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(refuse());
        }
        let mut id = [0; 32];
        hex::decode_to_slice(text, &mut id).map_err(|_| refuse())?;
        Ok(Self(id))
    }
}

impl<'de> Deserialize<'de> for ObjectId {
    /// Straight from the text: an index names millions, and none has to become a string first.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(HexDigits)
    }
}

struct HexDigits;

impl de::Visitor<'_> for HexDigits {
    type Value = ObjectId;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("64 lower-case hex digits")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<ObjectId, E> {
        text.parse().map_err(E::custom)
    }
}

impl From<ObjectId> for String {
    fn from(id: ObjectId) -> Self {
        id.to_hex()
    }
}

/// The folders of a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ObjectKind {
    /// Wrapped keys; stays empty for ever.
    Key,
    /// Snapshots.
    Snapshot,
    /// Index files.
    Index,
    /// Packs of blobs.
    Pack,
}

impl ObjectKind {
    /// All kinds whose objects are named by their SHA-256.
    pub const ALL: [Self; 4] = [Self::Key, Self::Snapshot, Self::Index, Self::Pack];

    /// The folder's name.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Key => "keys",
            Self::Snapshot => "snapshots",
            Self::Index => "index",
            Self::Pack => "data",
        }
    }
}

/// The name of one object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Object {
    /// `config`: the repository's id and chunker polynomial, encrypted; not named by its hash.
    Config,
    /// `unstoppable.json`: the birth certificate, in clear text; not named by its hash.
    Birth,
    /// `known`: in hot alone, what this machine wrote itself; sealed, not named by its hash.
    Known,
    /// An object named by the SHA-256 of its bytes.
    Hashed(ObjectKind, ObjectId),
}

impl Object {
    /// The path below the repository's root, as on disk and in S3: `data/0f/0fa3…`.
    pub fn path(&self) -> String {
        match self {
            Self::Config => "config".to_owned(),
            Self::Birth => "unstoppable.json".to_owned(),
            Self::Known => "known".to_owned(),
            Self::Hashed(ObjectKind::Pack, id) => {
                let hex = id.to_hex();
                format!("data/{}/{hex}", hex.get(..2).unwrap_or_default())
            }
            Self::Hashed(kind, id) => format!("{}/{id}", kind.folder()),
        }
    }

    /// Whether the object is named by the SHA-256 of its bytes.
    pub fn is_hashed(&self) -> bool {
        matches!(self, Self::Hashed(..))
    }

    /// True unless the object is named by a hash that differs from the bytes' own.
    pub fn is_named_rightly(&self, content: &[u8]) -> bool {
        match self {
            Self::Hashed(_, id) => *id == ObjectId::of(content),
            Self::Config | Self::Birth | Self::Known => true,
        }
    }
}

impl fmt::Display for Object {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.path())
    }
}
