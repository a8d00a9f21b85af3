//! What a fault means for a file, where the server can be asked about it.

use crate::ftps::{Class, Connection, Fault, path::split};

/// What a fault means for a file: one that is not given may have gone since it was listed.
pub fn explain(connection: &mut Connection, path: &[u8], fault: Fault) -> Fault {
    if fault.class != Class::Denied {
        return fault;
    }
    match is_gone(connection, path) {
        Ok(true) => Fault { class: Class::Vanished, ..fault },
        // The connection is of no use for what comes next.
        Err(other) if other.ends_connection() => other,
        _ => fault,
    }
}

/// Only a folder that can still be listed, and does not list it, says so.
fn is_gone(connection: &mut Connection, path: &[u8]) -> Result<bool, Fault> {
    // Of most files that are not given, the size still is, which costs less than a listing.
    if connection.sizes(&[path])?.iter().any(Option::is_some) {
        return Ok(false);
    }
    let (folder, name) = split(path);
    let listing = connection.list(folder)?;
    Ok(!listing.entries.iter().any(|entry| entry.name == name))
}

/// Of a file more came than was listed. That it grew is no fault; that its size is not what the
/// server says is one.
pub fn has_grown(connection: &mut Connection, path: &[u8], listed_bytes: u64) -> Result<(), Fault> {
    let now = connection.sizes(&[path])?.first().copied().flatten();
    let message = match now {
        Some(now) if now > listed_bytes => {
            let message = format!("it grew; its first {listed_bytes} bytes are stored");
            return Err(Fault::new(Class::Grown, message));
        }
        _ => format!("{listed_bytes} bytes were listed, more came"),
    };
    Err(Fault::new(Class::Changed, message))
}
