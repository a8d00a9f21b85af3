//! Entries that are not complete: each has a name of its own until it is.

use std::{os::fd::OwnedFd, sync::Arc};

use rustix::{
    fs::{AtFlags, Mode, OFlags, Stat, linkat, openat, renameat, unlinkat},
    io::{Errno, Result as IoResult},
    process::geteuid,
};

use super::target::Folder;
use crate::object::ObjectId;

/// How names of what is not complete begin.
const TEMPORARY: &str = ".unstoppable-";

/// Names for what is not complete. They come from the snapshot's id, so that no snapshot can hold
/// them and a restore finds again what an earlier one of the same snapshot left.
#[derive(Debug)]
pub struct TemporaryNames {
    snapshot: ObjectId,
}

impl TemporaryNames {
    /// Names of restores of `snapshot`.
    pub fn new(snapshot: ObjectId) -> Self {
        Self { snapshot }
    }

    /// The name of what will be `name`: 128 bits of a hash, so that no two of a folder are alike.
    fn of(&self, name: &[u8]) -> String {
        let digest = ObjectId::of_parts([self.snapshot.0.as_slice(), name]).to_hex();
        format!("{TEMPORARY}{}", digest.get(..32).unwrap_or_default())
    }
}

/// An entry that is being made under a name of its own. It takes its real name, and the place of
/// what has that name, only when it is complete; dropped before, it is removed.
#[derive(Debug)]
pub struct Temporary {
    folder: Arc<Folder>,
    name: String,
    final_name: Vec<u8>,
    is_placed: bool,
}

impl Temporary {
    /// What will be `name` in `folder`; nothing is made yet.
    pub fn new(folder: &Arc<Folder>, names: &TemporaryNames, name: &[u8]) -> Self {
        let (temporary, final_name) = (names.of(name), name.to_vec());
        Self { folder: Arc::clone(folder), name: temporary, final_name, is_placed: false }
    }

    /// The folder it lies in.
    pub fn folder(&self) -> &Arc<Folder> {
        &self.folder
    }

    /// Its name while it is not complete.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name it will have.
    pub fn final_name(&self) -> &[u8] {
        &self.final_name
    }

    /// Its path below the target when it is complete.
    pub fn path(&self) -> Vec<u8> {
        self.folder.path_of(&self.final_name)
    }

    /// Make it, once: with `make`, after what an earlier restore may have left is removed.
    pub fn make<T>(&self, make: impl Fn() -> IoResult<T>) -> IoResult<T> {
        match make() {
            Err(Errno::EXIST) => {
                unlinkat(&self.folder, self.name.as_str(), AtFlags::empty())?;
                make()
            }
            done => done,
        }
    }

    /// Make it a regular file that only its owner may read.
    pub fn create_file(&self) -> IoResult<OwnedFd> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        self.make(|| openat(&self.folder, self.name.as_str(), flags, mode))
    }

    /// The file that an earlier restore, cut off, left under this name, and what is known about
    /// it; none that anybody else could have opened.
    pub fn reopen_file(&self) -> Option<(OwnedFd, Stat)> {
        let (handle, found) =
            self.folder.regular_file(self.name.as_bytes(), OFlags::RDWR).ok()??;
        let is_ours = found.st_uid == geteuid().as_raw()
            && found.st_nlink == 1
            && found.st_mode & 0o7777 == 0o600;
        is_ours.then_some((handle, found))
    }

    /// Make it another name of `name` in `folder`.
    pub fn create_link(&self, folder: &Folder, name: &[u8]) -> IoResult<()> {
        self.make(|| linkat(folder, name, &self.folder, self.name.as_str(), AtFlags::empty()))
    }

    /// Give it its name. A file or link that has it is replaced, a folder is an error.
    pub fn place(mut self) -> IoResult<()> {
        self.folder.settle(&self.final_name, || {
            renameat(&self.folder, self.name.as_str(), &self.folder, self.final_name.as_slice())
        })?;
        self.is_placed = true;
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.is_placed {
            // Often it was never made; and what cannot be removed has told why by its name.
            let _ = unlinkat(&self.folder, self.name.as_str(), AtFlags::empty());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_is_not_placed_is_removed_and_what_is_placed_replaces() {
        let inside = tempfile::tempdir().unwrap();
        fs::write(inside.path().join("a"), "old").unwrap();
        fs::hard_link(inside.path().join("a"), inside.path().join("other")).unwrap();
        let target = Folder::target(inside.path()).unwrap();
        let names = TemporaryNames::new(ObjectId([7; 32]));
        let dropped = Temporary::new(&target, &names, b"a");
        drop(dropped.create_file().unwrap());
        drop(dropped);
        let placed = Temporary::new(&target, &names, b"a");
        drop(placed.create_file().unwrap());
        placed.place().unwrap();
        assert_eq!(fs::read(inside.path().join("a")).unwrap(), b"");
        assert_eq!(fs::read(inside.path().join("other")).unwrap(), b"old");
        assert_eq!(fs::read_dir(inside.path()).unwrap().count(), 2);
    }
}
