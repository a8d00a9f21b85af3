//! A look at a source by one connection, for whoever wants to know what is there.

use std::sync::Arc;

use super::{FtpsPlace, enter, failed, unavailable};
use crate::{
    control::Control,
    error::{Error, Result},
    ftps::{Class, Connection, Facts, Fault, listing::Listing, path::join, reply::shown, see_pin},
};

/// One connection to a source.
pub struct Visit {
    connection: Connection,
    root: Vec<u8>,
}

impl Visit {
    /// Log in and go into the folder.
    pub fn open(place: &FtpsPlace, control: &Arc<Control>) -> Result<Self> {
        let (connection, root, _) =
            enter(place, control).map_err(|fault| unavailable(place, &fault))?;
        Ok(Self { connection, root })
    }

    /// From now on `control` says when to stop.
    pub fn attend(&mut self, control: &Arc<Control>) {
        self.connection.attend(control);
    }

    /// What the server is like, as far as it was seen.
    pub fn facts(&self) -> Facts {
        self.connection.facts()
    }

    /// What a folder holds; paths are relative to the source.
    pub fn list(&mut self, path: &[u8]) -> Result<Listing> {
        let listed = self.connection.list_with_details(&join(&self.root, path));
        listed.map_err(|fault| told("list", path, &fault))
    }

    /// The content of a file of at most so many bytes.
    pub fn read(&mut self, path: &[u8], most_bytes: usize) -> Result<Vec<u8>> {
        let mut content = Vec::new();
        let read = self.connection.retrieve(&join(&self.root, path), false, &mut |bytes| {
            content.extend_from_slice(bytes);
            match content.len() > most_bytes {
                true => {
                    let message = format!("it has more than {most_bytes} bytes");
                    Err(Fault::new(Class::Integrity, message))
                }
                false => Ok(()),
            }
        });
        read.map_err(|fault| told("read", path, &fault))?;
        Ok(content)
    }
}

fn told(doing: &str, path: &[u8], fault: &Fault) -> Error {
    let place = if path.is_empty() { "the folder".to_owned() } else { shown(path) };
    failed(fault, format!("cannot {doing} {place}: {}", fault.message))
}

/// The SHA-256 of the public key that a server shows to anybody; nothing is said to it.
pub fn pin(place: &FtpsPlace, control: &Arc<Control>) -> Result<[u8; 32]> {
    let seen = place
        .server
        .locate()
        .and_then(|address| see_pin(&place.server, address, &place.limits, control));
    seen.map_err(|fault| unavailable(place, &fault))
}
