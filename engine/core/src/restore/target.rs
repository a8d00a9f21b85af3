//! The folder that is restored into: everything happens beneath its handle, one name at a time.
//!
//! A name is one component without a slash (the tree reader sees to that), it is only ever
//! resolved relative to the handle of a folder that was opened without following links, and so
//! nothing in a snapshot, nor anyone who changes the target meanwhile, leads out of it.

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use rustix::{
    fs::{AtFlags, CWD, Mode, OFlags, linkat, mkdirat, openat, renameat, unlinkat},
    io::{Errno, Result as IoResult},
    process::{Resource, getrlimit, setrlimit},
};

use crate::error::{Error, ErrorKind, Result};

/// How folders are opened: never through a link.
const FOLDER: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// An open folder beneath the target, or the target itself.
#[derive(Debug)]
pub struct Folder {
    handle: OwnedFd,
    /// None for the target. A chain instead of a path, because paths of deep trees add up.
    parent: Option<(Arc<Folder>, Vec<u8>)>,
}

impl Folder {
    /// Open `path`, the target; it is made where it is missing, parents included.
    pub fn target(path: &Path) -> Result<Arc<Self>> {
        let cannot = |error: std::io::Error| {
            let message = format!("cannot restore into {}", path.display());
            match error.kind() {
                std::io::ErrorKind::StorageFull => Error::storage(message, error),
                _ => Error::caused_by(ErrorKind::InvalidInput, message, error),
            }
        };
        std::fs::create_dir_all(path).map_err(cannot)?;
        // The caller's own path may hold links.
        let flags = FOLDER.difference(OFlags::NOFOLLOW);
        let handle =
            openat(CWD, path, flags, Mode::empty()).map_err(|errno| cannot(errno.into()))?;
        Ok(Arc::new(Self { handle, parent: None }))
    }

    /// The folder `name` in this one, made where it is missing. What else has that name goes:
    /// a link there must not be followed.
    pub fn child(self: &Arc<Self>, name: &[u8]) -> IoResult<Arc<Self>> {
        match mkdirat(&self.handle, name, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(errno),
        }
        match self.existing(name) {
            Err(Errno::LOOP | Errno::NOTDIR) => {
                unlinkat(&self.handle, name, AtFlags::empty())?;
                mkdirat(&self.handle, name, Mode::RWXU)?;
                self.existing(name)
            }
            opened => opened,
        }
    }

    /// The folder `name` in this one.
    fn existing(self: &Arc<Self>, name: &[u8]) -> IoResult<Arc<Self>> {
        let handle = openat(&self.handle, name, FOLDER, Mode::empty())?;
        Ok(Arc::new(Self { handle, parent: Some((Arc::clone(self), name.to_vec())) }))
    }

    /// The folder at `names` below this one.
    pub fn descend<'a>(
        self: &Arc<Self>,
        names: impl IntoIterator<Item = &'a [u8]>,
    ) -> IoResult<Arc<Self>> {
        names.into_iter().try_fold(Arc::clone(self), |folder, name| folder.existing(name))
    }

    /// The path below the target; empty for the target.
    pub fn path(&self) -> Vec<u8> {
        let mut names = Vec::new();
        let mut folder = self;
        while let Some((parent, name)) = &folder.parent {
            names.push(name.as_slice());
            folder = parent;
        }
        names.reverse();
        names.join(&b'/')
    }

    /// The path of the entry `name` below the target.
    pub fn path_of(&self, name: &[u8]) -> Vec<u8> {
        let mut path = self.path();
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(name);
        path
    }
}

impl AsFd for Folder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.handle.as_fd()
    }
}

/// Allow this process as many handles as the system lets it have, as Go programs do: each level
/// of a deep tree and each file of a batch holds one. Where that fails, fewer must do, and what
/// cannot be opened is reported.
pub fn allow_many_handles() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit);
}

/// Names for what is not complete; nobody can guess them, so no snapshot can hold them.
#[derive(Debug)]
pub struct TemporaryNames {
    token: u64,
    next: AtomicU64,
}

impl TemporaryNames {
    /// Names of one restore.
    pub fn new() -> Result<Self> {
        let token = getrandom::u64().map_err(|error| {
            Error::caused_by(ErrorKind::Internal, "the system gives no random bytes", error)
        })?;
        Ok(Self { token, next: AtomicU64::new(0) })
    }

    fn next(&self) -> String {
        format!(".unstoppable-{:016x}-{}", self.token, self.next.fetch_add(1, Relaxed))
    }
}

/// An entry that is being made under a name of its own. It takes its real name, and the place of
/// what has that name, only when it is complete; dropped before, it is removed.
#[derive(Debug)]
pub struct Temporary {
    folder: Arc<Folder>,
    name: String,
    is_placed: bool,
}

impl Temporary {
    /// Reserve a name in `folder`; nothing is made yet.
    pub fn new(folder: &Arc<Folder>, names: &TemporaryNames) -> Self {
        Self { folder: Arc::clone(folder), name: names.next(), is_placed: false }
    }

    /// The folder it lies in.
    pub fn folder(&self) -> &Arc<Folder> {
        &self.folder
    }

    /// Its name while it is not complete.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Make it a regular file that only its owner may read.
    pub fn create_file(&self) -> IoResult<OwnedFd> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        openat(&self.folder, self.name.as_str(), flags, Mode::RUSR | Mode::WUSR)
    }

    /// Make it another name of `name` in `folder`.
    pub fn create_link(&self, folder: &Folder, name: &[u8]) -> IoResult<()> {
        linkat(folder, name, &self.folder, self.name.as_str(), AtFlags::empty())
    }

    /// Give it its name. A file or link that has it is replaced, a folder is an error.
    pub fn place(mut self, name: &[u8]) -> IoResult<()> {
        renameat(&self.folder, self.name.as_str(), &self.folder, name)?;
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
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn a_link_in_the_place_of_a_folder_is_replaced_not_followed() {
        let outside = tempfile::tempdir().unwrap();
        let inside = tempfile::tempdir().unwrap();
        symlink(outside.path(), inside.path().join("a")).unwrap();
        let target = Folder::target(inside.path()).unwrap();
        let child = target.child(b"a").unwrap().child(b"b").unwrap();
        assert_eq!(child.path_of(b"c"), b"a/b/c");
        assert!(inside.path().join("a/b").is_dir());
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_is_not_placed_is_removed_and_what_is_placed_replaces() {
        let inside = tempfile::tempdir().unwrap();
        fs::write(inside.path().join("a"), "old").unwrap();
        fs::hard_link(inside.path().join("a"), inside.path().join("other")).unwrap();
        let target = Folder::target(inside.path()).unwrap();
        let names = TemporaryNames::new().unwrap();
        let dropped = Temporary::new(&target, &names);
        drop(dropped.create_file().unwrap());
        drop(dropped);
        let placed = Temporary::new(&target, &names);
        drop(placed.create_file().unwrap());
        placed.place(b"a").unwrap();
        assert_eq!(fs::read(inside.path().join("a")).unwrap(), b"");
        assert_eq!(fs::read(inside.path().join("other")).unwrap(), b"old");
        assert_eq!(fs::read_dir(inside.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_file_as_target_is_refused() {
        let inside = tempfile::NamedTempFile::new().unwrap();
        let error = Folder::target(inside.path()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
}
