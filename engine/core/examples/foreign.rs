//! Reads a repository of another program as ours are read: checks all data, then restores the
//! newest snapshot.
//!
//! usage: `cargo run --release --example foreign -- COLD KEY TARGET`
//!
//! KEY is the master key, 128 hex digits: encrypt, mac k, mac r. The tests with the peers call it.
//! Prints a line for each issue; fails when nothing could be restored.

use std::{env, path::Path, sync::Arc};

use unstoppable_engine_core::{
    check::{check, part::Part},
    control::Control,
    error::{Error, ErrorKind, Result},
    format::reader::Reader,
    issue::Collected,
    key::RepositoryKey,
    restore::{RestoreOptions, restore},
    storage::local::{LocalDirectory, ReadOnly},
};

fn tell(issues: &Collected) {
    for issue in &issues.kept {
        println!("{:?} {}: {}", issue.kind, String::from_utf8_lossy(&issue.path), issue.message);
    }
}

fn main() -> Result<()> {
    let arguments: Vec<_> = env::args().collect();
    let refuse = |what: &str| Error::new(ErrorKind::InvalidInput, what);
    let [_, cold, key, target] = arguments.as_slice() else {
        return Err(refuse("foreign COLD KEY TARGET"));
    };
    let key = hex::decode(key).map_err(|_| refuse("the key is not hex"))?;
    let storage = Arc::new(LocalDirectory::<ReadOnly>::new(cold));
    let reader = Reader::new(storage, &RepositoryKey::from_bytes(&key)?);
    let control = Control::default();
    tell(&check(&reader, Some(Part::ALL), &control)?.issues);
    let newest = reader.snapshots()?.0.pop().ok_or_else(|| refuse("there is no snapshot"))?;
    let options = RestoreOptions { exact: true, ..RestoreOptions::default() };
    tell(&restore(&reader, newest.id, Path::new(target), &options, &control)?.issues);
    Ok(())
}
