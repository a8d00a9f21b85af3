//! Who a repository was made for: birth names, `unstoppable.json`, and pins.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::{
    error::{Error, ErrorKind, Result},
    key::RepositoryKey,
    object::ObjectId,
};

/// Version of `unstoppable.json`.
pub const FORMAT_VERSION: u32 = 1;
/// What is authenticated under a repository key begins with what it is.
const MAC_LABEL: &[u8] = b"unstoppable/birth/v1\0";
/// `unstoppable.json` ends with these, its MAC in hex digits between them.
const MAC_BEGIN: &str = ",\"mac\":\"";
const MAC_END: &str = "\"}";
const MAC_DIGITS: usize = 64;
/// The longest customer or resource name, in bytes.
const LONGEST_NAME: usize = 20;

/// Birth names and generation; they never follow a rename.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Birth {
    customer: String,
    resource: String,
    generation: u32,
}

impl Birth {
    /// Names must match `[a-z0-9]([a-z0-9-]{0,18}[a-z0-9])?`; the generation starts at 1.
    pub fn new(customer: &str, resource: &str, generation: u32) -> Result<Self> {
        check_name("customer", customer)?;
        check_name("resource", resource)?;
        if generation == 0 {
            return Err(Error::new(ErrorKind::InvalidInput, "generations start at 1, not 0"));
        }
        Ok(Self { customer: customer.to_owned(), resource: resource.to_owned(), generation })
    }

    /// The customer's name at birth.
    pub fn customer(&self) -> &str {
        &self.customer
    }

    /// The resource's name at birth.
    pub fn resource(&self) -> &str {
        &self.resource
    }

    /// The generation of the repository and its key, from 1.
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// The folder that every snapshot of the resource holds: `/<customer>/<resource>`.
    pub fn snapshot_path(&self) -> String {
        format!("/{}/{}", self.customer, self.resource)
    }
}

impl fmt::Display for Birth {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{} generation {}", self.customer, self.resource, self.generation)
    }
}

fn check_name(what: &str, name: &str) -> Result<()> {
    let is_inner = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-';
    let ends_well = !name.starts_with('-') && !name.ends_with('-');
    if !name.is_empty()
        && name.len() <= LONGEST_NAME
        && name.bytes().all(|b| is_inner(&b))
        && ends_well
    {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::InvalidInput,
        format!(
            "{what} name {name:?} cannot be used: 1 to {LONGEST_NAME} characters from a-z, 0-9 \
             and -, neither first nor last a -"
        ),
    ))
}

/// The content of `unstoppable.json`: written once beside `config`, in clear text, no secret, and
/// authenticated under the repository key to the last byte.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BirthCertificate {
    /// [`FORMAT_VERSION`].
    pub format_version: u32,
    /// The customer's name at birth.
    pub customer: String,
    /// The resource's name at birth.
    pub resource: String,
    /// The generation of the repository and its key, from 1.
    pub generation: u32,
    /// The repository id in its config.
    pub repository_id: ObjectId,
    /// When the repository was created, in seconds since 1970, UTC.
    pub created_at_seconds: i64,
}

impl BirthCertificate {
    /// The certificate of a repository that is being created.
    pub fn new(birth: &Birth, repository_id: ObjectId, created_at_seconds: i64) -> Self {
        Self {
            format_version: FORMAT_VERSION,
            customer: birth.customer.clone(),
            resource: birth.resource.clone(),
            generation: birth.generation,
            repository_id,
            created_at_seconds,
        }
    }

    /// The bytes of `unstoppable.json` of a repository with `key`.
    pub fn to_json(&self, key: &RepositoryKey) -> Result<Vec<u8>> {
        let json = serde_json::to_vec(self).map_err(|error| {
            Error::caused_by(ErrorKind::Internal, "cannot write unstoppable.json", error)
        })?;
        Self::authenticate(json, key)
    }

    /// A JSON object with its MAC as the last field.
    pub fn authenticate(mut json: Vec<u8>, key: &RepositoryKey) -> Result<Vec<u8>> {
        json.pop();
        let mac = hex::encode(mac_of(&json, key)?.finalize().into_bytes());
        json.extend([MAC_BEGIN, &mac, MAC_END].concat().bytes());
        Ok(json)
    }

    /// Read `unstoppable.json`; refuses a MAC that is not the key's, other format versions and
    /// unusable names.
    pub fn from_json(bytes: &[u8], key: &RepositoryKey) -> Result<(Self, Birth)> {
        let json = [authentic(bytes, key)?, b"}"].concat();
        let certificate: Self = serde_json::from_slice(&json).map_err(|error| {
            Error::caused_by(ErrorKind::Damaged, "unstoppable.json cannot be read", error)
        })?;
        if certificate.format_version != FORMAT_VERSION {
            return Err(Error::new(
                ErrorKind::Damaged,
                format!(
                    "unstoppable.json has format version {}, this program knows {FORMAT_VERSION}",
                    certificate.format_version
                ),
            ));
        }
        let birth =
            Birth::new(&certificate.customer, &certificate.resource, certificate.generation)?;
        Ok((certificate, birth))
    }
}

/// What stands before the MAC in `unstoppable.json`, if the MAC is the key's.
fn authentic<'a>(bytes: &'a [u8], key: &RepositoryKey) -> Result<&'a [u8]> {
    let refused = || Error::new(ErrorKind::Damaged, "its MAC is not this key's");
    let tail_bytes = MAC_BEGIN.len() + MAC_DIGITS + MAC_END.len();
    let place = bytes.len().checked_sub(tail_bytes).ok_or_else(refused)?;
    let (signed, tail) = bytes.split_at_checked(place).ok_or_else(refused)?;
    let digits = std::str::from_utf8(tail)
        .ok()
        .and_then(|tail| tail.strip_prefix(MAC_BEGIN)?.strip_suffix(MAC_END))
        .ok_or_else(refused)?;
    let mac: ObjectId = digits.parse().map_err(|_| refused())?;
    mac_of(signed, key)?.verify_slice(&mac.0).map_err(|_| refused())?;
    Ok(signed)
}

fn mac_of(signed: &[u8], key: &RepositoryKey) -> Result<Hmac<Sha256>> {
    let mac = Hmac::<Sha256>::new_from_slice(key.clamped().as_bytes()).map_err(|error| {
        Error::caused_by(ErrorKind::Internal, "HMAC refused the repository key", error)
    })?;
    Ok(mac.chain_update(MAC_LABEL).chain_update(signed))
}

/// Values of a repository that must never change; written when it is created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pins {
    /// The repository id in its config.
    pub repository_id: ObjectId,
    /// SHA-256 of the config object in cold, as it lies there.
    pub config_sha256: ObjectId,
    /// [`RepositoryKey::fingerprint`].
    pub key_fingerprint: ObjectId,
    /// The generation, from 1.
    pub generation: u32,
}

impl Pins {
    /// Refuse a key that is not the pinned one; nothing needs to be read for that.
    pub fn check_key(&self, key: &RepositoryKey) -> Result<()> {
        let fingerprint = key.fingerprint();
        if fingerprint == self.key_fingerprint {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::WrongKey,
            format!("the key {} is not the pinned key {}", fingerprint, self.key_fingerprint),
        ))
    }
}
