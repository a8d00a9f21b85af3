//! A folder with all that is known of what lies in it.

use super::pool::join;
use crate::ftps::{
    Connection, Fault,
    listing::{Entry, Kind, Listing},
};

/// List a folder, and ask for what the listing does not tell of its files.
pub fn list(connection: &mut Connection, path: &[u8]) -> Result<Listing, Fault> {
    let mut listing = connection.list(path)?;
    let is_untold = |entry: &&mut Entry| {
        entry.kind == Kind::File && (entry.size_bytes.is_none() || entry.modified.is_none())
    };
    let mut untold: Vec<&mut Entry> = listing.entries.iter_mut().filter(is_untold).collect();
    let paths: Vec<Vec<u8>> = untold.iter().map(|entry| join(path, &entry.name)).collect();
    let paths: Vec<&[u8]> = paths.iter().map(Vec::as_slice).collect();
    let details = connection.details(&paths)?;
    for (entry, details) in untold.iter_mut().zip(details) {
        entry.modified = details.modified.or(entry.modified);
        entry.size_bytes = details.size_bytes.or(entry.size_bytes);
    }
    Ok(listing)
}

/// The folders in the one at `path`.
pub fn below(listing: &Listing, path: &[u8]) -> Vec<Vec<u8>> {
    let folders = listing.entries.iter().filter(|entry| entry.kind == Kind::Folder);
    folders.map(|entry| join(path, &entry.name)).collect()
}
