//! What lies in the folders of a local repository.

use std::{
    fs::{self, DirEntry},
    io,
    path::Path,
};

use crate::{
    error::{Error, Result},
    object::{ObjectId, ObjectKind},
};

/// Give `take` each entry in the folder of `kind`, with its id if it has the name of an object
/// and lies where that belongs.
pub fn each_entry(
    root: &Path,
    kind: ObjectKind,
    mut take: impl FnMut(Option<ObjectId>, &DirEntry) -> io::Result<()>,
) -> Result<()> {
    let folder = root.join(kind.folder());
    if kind != ObjectKind::Pack {
        return each_in(&folder, |entry| take(id_of(entry, ""), entry));
    }
    let mut prefixes = Vec::new();
    each_in(&folder, |entry| match entry.file_name().into_string() {
        Ok(name) if is_prefix(&name) => {
            prefixes.push(name);
            Ok(())
        }
        _ => take(None, entry),
    })?;
    prefixes.iter().try_for_each(|prefix| {
        each_in(&folder.join(prefix), |entry| take(id_of(entry, prefix), entry))
    })
}

/// Whether packs lie in a folder of this name.
fn is_prefix(name: &str) -> bool {
    name.len() == 2 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The id that an entry's name is, if it begins with `prefix`.
fn id_of(entry: &DirEntry, prefix: &str) -> Option<ObjectId> {
    let name = entry.file_name().into_string().ok()?;
    name.starts_with(prefix).then(|| name.parse().ok())?
}

/// Give `take` each entry of a folder.
pub fn each_in(folder: &Path, mut take: impl FnMut(&DirEntry) -> io::Result<()>) -> Result<()> {
    let failed = |error| Error::storage(format!("cannot list {}", folder.display()), error);
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let path = entry.path();
        take(&entry)
            .map_err(|error| Error::storage(format!("cannot look at {}", path.display()), error))?;
    }
    Ok(())
}
