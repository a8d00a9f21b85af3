//! Which bucket a repository lies in, and how to get there.

use std::{fmt, fs, path::PathBuf, time::Duration};

use opendal::{HttpTransporter, OperationContext, Operator, services::S3 as Service};
use zeroize::Zeroizing;

use super::transport::Transport;
use crate::error::{Error, ErrorKind, Result};

/// A repository's place in a bucket, and the credential to use there.
#[derive(Clone)]
pub struct S3Address {
    /// `https://host[:port]`.
    pub endpoint: String,
    /// What requests are signed for.
    pub region: String,
    /// The bucket's name.
    pub bucket: String,
    /// Where in it the repository's `config` lies; without a slash at either end.
    pub prefix: String,
    /// The name of the credential; no secret.
    pub access_key_id: String,
    /// The credential.
    pub secret_access_key: Zeroizing<String>,
    /// The bucket is part of the host name, not of the path.
    pub is_virtual_host: bool,
    /// The certificates that are trusted instead of the system's, in a PEM file.
    pub ca_file: Option<PathBuf>,
}

/// How much is asked of the server, and how long it is waited for.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Requests at a time.
    pub connections: usize,
    /// Bytes per second in both directions together; None for as many as possible.
    pub bytes_per_second: Option<u64>,
    /// For a connection to stand.
    pub connect: Duration,
    /// Without a further byte of an answer that has begun.
    pub idle: Duration,
    /// For sending a request, and again for taking its answer, where the content takes no time.
    pub attempt: Duration,
    /// An attempt that moves its content more slowly is given up.
    pub slowest_bytes_per_second: u64,
    /// How long a request is tried again, counted from its beginning, or from that of the first
    /// of those that got no answer since the server gave its last.
    pub patience: Duration,
    /// The same before the server gave its first answer: most likely its address is wrong.
    pub first_patience: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 8,
            bytes_per_second: None,
            connect: Duration::from_secs(10),
            idle: Duration::from_secs(30),
            attempt: Duration::from_mins(1),
            slowest_bytes_per_second: 32 * 1024,
            patience: Duration::from_mins(5),
            first_patience: Duration::from_secs(15),
        }
    }
}

impl fmt::Debug for S3Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self} at {}", self.endpoint)
    }
}

impl fmt::Display for S3Address {
    /// `s3://bucket/prefix`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "s3://{}", self.bucket)?;
        match self.prefix.as_str() {
            "" => Ok(()),
            prefix => write!(formatter, "/{prefix}"),
        }
    }
}

impl S3Address {
    /// The service at this address, reached through `transport` alone.
    ///
    /// Nothing of the environment or of other programs' files is read: a credential or endpoint
    /// that lies about there is not meant.
    pub(super) fn operator(&self, transport: Transport) -> Result<Operator> {
        self.check()?;
        let mut service = Service::default()
            .endpoint(&self.endpoint)
            .region(&self.region)
            .bucket(&self.bucket)
            .root(&self.prefix)
            .access_key_id(&self.access_key_id)
            .secret_access_key(&self.secret_access_key)
            // Servers refuse an upload into a bucket with locks that carries no checksum.
            .checksum_algorithm("crc32c")
            .disable_config_load()
            .disable_ec2_metadata();
        if self.is_virtual_host {
            service = service.enable_virtual_host_style();
        }
        let operator = Operator::new(service).map_err(|error| {
            Error::caused_by(ErrorKind::InvalidInput, format!("{self:?} cannot be used"), error)
        })?;
        let context = OperationContext::new().with_http_transport(HttpTransporter::new(transport));
        Ok(operator.with_context(context))
    }

    fn check(&self) -> Result<()> {
        let refused = |what: &str| {
            Err(Error::new(ErrorKind::InvalidInput, format!("{self:?} cannot be used: {what}")))
        };
        // An empty one would make the library look for another one elsewhere.
        if self.access_key_id.is_empty() || self.secret_access_key.is_empty() {
            return refused("its credential is empty");
        }
        // The library speaks another protocol to such buckets.
        if self.bucket.is_empty() || self.bucket.ends_with("--x-s3") {
            return refused("a directory bucket cannot be locked");
        }
        let mut parts = self.prefix.split('/');
        match !self.prefix.is_empty() && parts.any(|part| matches!(part, "" | "." | "..")) {
            true => refused("its prefix has an empty part"),
            false => Ok(()),
        }
    }

    /// The certificates of the file, as they stand there.
    pub(super) fn certificates(&self) -> Result<Option<Vec<u8>>> {
        let Some(path) = &self.ca_file else { return Ok(None) };
        let failed = |error| Error::storage(format!("cannot read {}", path.display()), error);
        fs::read(path).map(Some).map_err(failed)
    }
}
