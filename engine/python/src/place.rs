//! Where cold lies, and a source, as Python says it.

use std::{path::PathBuf, sync::Arc, time::Duration};

use pyo3::prelude::*;
use unstoppable_engine_core::{
    backup::SourcePlace,
    ftps::{Limits as FtpsLimits, Server, Trust},
    pace::Pace,
    source::ftps::{Bounds, FtpsPlace, USUAL_REREAD},
    storage::{
        cold::ColdPlace,
        s3::{Limits, S3Address},
    },
};

use crate::values::PathArgument;

/// A part of a bucket, and the credential to use there.
#[pyclass(module = "unstoppable_engine", frozen, from_py_object)]
#[derive(Clone)]
pub struct S3(Box<(S3Address, Limits)>);

#[pymethods]
impl S3 {
    /// A place; nothing is looked at yet.
    #[new]
    #[pyo3(signature = (
        access_key_id, secret_access_key, *, endpoint, region, bucket, prefix, virtual_host=false,
        ca_file=None, connections=None, bytes_per_second=None, patience_seconds=None
    ))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of the Python interface")]
    fn new(
        access_key_id: String,
        secret_access_key: String,
        endpoint: String,
        region: String,
        bucket: String,
        prefix: String,
        virtual_host: bool,
        ca_file: Option<PathBuf>,
        connections: Option<usize>,
        bytes_per_second: Option<u64>,
        patience_seconds: Option<u64>,
    ) -> Self {
        let usual = Limits::default();
        let address = S3Address {
            endpoint,
            region,
            bucket,
            prefix,
            access_key_id,
            secret_access_key: secret_access_key.into(),
            is_virtual_host: virtual_host,
            ca_file,
        };
        let limits = Limits {
            connections: connections.unwrap_or(usual.connections),
            bytes_per_second,
            patience: patience_seconds.map_or(usual.patience, Duration::from_secs),
            ..usual
        };
        Self(Box::new((address, limits)))
    }

    /// Without the credential.
    fn __repr__(&self) -> String {
        format!("S3({:?})", self.0.0)
    }
}

/// A directory, or a part of a bucket.
#[derive(FromPyObject)]
pub enum ColdArgument {
    Bucket(S3),
    Directory(PathBuf),
}

impl From<ColdArgument> for ColdPlace {
    fn from(argument: ColdArgument) -> Self {
        match argument {
            ColdArgument::Bucket(S3(place)) => Self::S3(Box::new(place.0), place.1),
            ColdArgument::Directory(path) => path.into(),
        }
    }
}

/// A folder of an FTPS server, and who one is there.
#[pyclass(module = "unstoppable_engine", frozen, from_py_object)]
#[derive(Clone)]
pub struct Ftps(Box<FtpsPlace>);

#[pymethods]
impl Ftps {
    /// A place; nothing is looked at yet.
    #[new]
    #[pyo3(signature = (
        host, path, *, user, password, port=21, authorities=None, pin=None, allow_private=false,
        connections=8, reread_seconds=None, connect_seconds=None, idle_seconds=None,
        patience_seconds=None, max_files=None, max_bytes=None, max_seconds=None,
        bytes_per_second=None
    ))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of the Python interface")]
    fn new(
        host: String,
        path: PathArgument,
        user: String,
        password: String,
        port: u16,
        authorities: Option<Vec<u8>>,
        pin: Option<[u8; 32]>,
        allow_private: bool,
        connections: usize,
        reread_seconds: Option<u64>,
        connect_seconds: Option<u64>,
        idle_seconds: Option<u64>,
        patience_seconds: Option<u64>,
        max_files: Option<u64>,
        max_bytes: Option<u64>,
        max_seconds: Option<u64>,
        bytes_per_second: Option<u64>,
    ) -> Self {
        let seconds = |given: Option<u64>, usual| given.map_or(usual, Duration::from_secs);
        let (usual, most) = (FtpsLimits::default(), Bounds::default());
        let limits = FtpsLimits {
            connect: seconds(connect_seconds, usual.connect),
            idle: seconds(idle_seconds, usual.idle),
            patience: seconds(patience_seconds, usual.patience),
            pace: Arc::new(Pace::new(bytes_per_second)),
            ..usual
        };
        let bounds = Bounds {
            files: max_files.unwrap_or(most.files),
            bytes: max_bytes.unwrap_or(most.bytes),
            run: seconds(max_seconds, most.run),
        };
        let trust = match (pin, authorities) {
            (Some(pin), _) => Trust::Pin(pin),
            (None, Some(content)) => Trust::Authorities(content),
            (None, None) => Trust::System,
        };
        let password = password.into();
        let server = Server { host, port, user, password, trust, allows_private: allow_private };
        let path = path.into_bytes();
        let reread = seconds(reread_seconds, USUAL_REREAD);
        let most_connections = connections;
        Self(Box::new(FtpsPlace { server, path, most_connections, reread, limits, bounds }))
    }

    /// Without the password.
    fn __repr__(&self) -> String {
        format!("Ftps({})", self.0.server)
    }
}

impl Ftps {
    /// What it stands for.
    pub fn place(&self) -> &FtpsPlace {
        &self.0
    }
}

/// A folder of this machine, or of a server.
#[derive(FromPyObject)]
pub enum SourceArgument {
    Server(Ftps),
    Directory(PathArgument),
}

impl From<SourceArgument> for SourcePlace {
    fn from(argument: SourceArgument) -> Self {
        match argument {
            SourceArgument::Server(Ftps(place)) => Self::Ftps(place),
            SourceArgument::Directory(path) => Self::Directory(crate::repository::path(path)),
        }
    }
}
