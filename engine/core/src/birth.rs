//! Who a repository was made for: birth names, `unstoppable.json`, and pins.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, ErrorKind, Result},
    key::RepositoryKey,
    object::ObjectId,
};

/// Version of `unstoppable.json`.
pub const FORMAT_VERSION: u32 = 1;
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

/// The content of `unstoppable.json`: written once beside `config`, in clear text, no secret.
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

    /// The bytes of `unstoppable.json`.
    pub fn to_json(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(|error| {
            Error::caused_by(ErrorKind::Internal, "cannot write unstoppable.json", error)
        })
    }

    /// Read `unstoppable.json`; refuses other format versions and unusable names.
    pub fn from_json(bytes: &[u8]) -> Result<(Self, Birth)> {
        let certificate: Self = serde_json::from_slice(bytes).map_err(|error| {
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
