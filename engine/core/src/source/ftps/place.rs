//! Where a source is, and what is read of it.

use std::net::IpAddr;

use ignore::gitignore::Gitignore;

use super::{bounds::Bounds, path_of};
use crate::ftps::{Limits, Server};

/// Where everything is, and who may do how much at a time.
pub struct Place {
    /// The server.
    pub server: Server,
    /// Where it was found to be.
    pub address: IpAddr,
    /// What it may take.
    pub limits: Limits,
    /// What is read of it.
    pub bounds: Bounds,
    /// The folder that is backed up, as the server calls it; without a slash at its end.
    pub root: Vec<u8>,
    /// Connections at most.
    pub most_connections: usize,
    /// What is left out; paths relative to the root, as in gitignore.
    pub exclude: Gitignore,
}

impl Place {
    /// Whether a path is left out; what lies in a folder that is, is not asked.
    pub fn leaves_out(&self, path: &[u8], is_folder: bool) -> bool {
        self.exclude.matched(path_of(path), is_folder).is_ignore()
    }
}
