//! The folder that is restored into: everything happens beneath its handle, one name at a time.
//!
//! A name is one component without a slash (the tree reader sees to that), it is only ever
//! resolved relative to the handle of a folder that was opened without following links, and so
//! nothing in a snapshot, nor anyone who changes the target meanwhile, leads out of it.

use std::{
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    os::unix::fs::DirBuilderExt,
    path::Path,
    sync::Arc,
};

use rustix::{
    fs::{
        AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat, fstat, linkat, mkdirat, openat, renameat,
        statat, unlinkat,
    },
    io::{Errno, Result as IoResult},
    process::{Resource, geteuid, getrlimit, setrlimit},
};

use crate::{
    error::{Error, ErrorKind, Result},
    object::ObjectId,
};

/// How names of what is not complete begin.
const TEMPORARY: &str = ".unstoppable-";
/// How folders are opened: never through a link.
const FOLDER: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// An open folder beneath the target, or the target itself.
#[derive(Debug)]
pub struct Folder {
    handle: OwnedFd,
    /// None for the target. A chain instead of a path, because paths of deep trees add up.
    parent: Option<(Arc<Folder>, Vec<u8>)>,
    /// Made by this restore: nothing stands in it that is not this restore's own.
    is_new: bool,
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
        path.parent().map_or(Ok(()), std::fs::create_dir_all).map_err(cannot)?;
        // Until it gets its mode at the end, what is restored is nobody else's business.
        match std::fs::DirBuilder::new().mode(0o700).create(path) {
            Err(_) if path.is_dir() => {}
            made => made.map_err(cannot)?,
        }
        // The caller's own path may hold links.
        let flags = FOLDER.difference(OFlags::NOFOLLOW);
        let opened = openat(CWD, path, flags, Mode::empty())
            .and_then(|handle| is_empty(&handle).map(|is_new| (handle, is_new)));
        let (handle, is_new) = opened.map_err(|errno| cannot(errno.into()))?;
        Ok(Arc::new(Self { handle, parent: None, is_new }))
    }

    /// Whether it was empty when it was opened.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// The folder `name` in this one, made where it is missing. What else has that name goes:
    /// a link there must not be followed.
    pub fn child(self: &Arc<Self>, name: &[u8]) -> IoResult<Arc<Self>> {
        match mkdirat(&self.handle, name, Mode::RWXU) {
            Ok(()) => return self.open(name, true),
            Err(Errno::EXIST) => {}
            Err(errno) => return Err(errno),
        }
        match self.open(name, false) {
            Err(Errno::LOOP | Errno::NOTDIR) => {
                unlinkat(&self.handle, name, AtFlags::empty())?;
                mkdirat(&self.handle, name, Mode::RWXU)?;
                self.open(name, true)
            }
            // An earlier restore, cut off, gave it the mode of the snapshot.
            Err(Errno::ACCESS) => {
                self.allow_entry(name)?;
                self.open(name, false)
            }
            Ok(folder) => {
                folder.allow_writing()?;
                Ok(folder)
            }
            failed => failed,
        }
    }

    /// The folder `name` in this one.
    fn open(self: &Arc<Self>, name: &[u8], is_new: bool) -> IoResult<Arc<Self>> {
        let handle = openat(&self.handle, name, FOLDER, Mode::empty())?;
        Ok(Arc::new(Self { handle, parent: Some((Arc::clone(self), name.to_vec())), is_new }))
    }

    /// The folder `name` in this one, to pass through: that needs no right to list it.
    fn pass(self: &Arc<Self>, name: &[u8]) -> IoResult<Arc<Self>> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let handle = openat(&self.handle, name, flags, Mode::empty())?;
        let parent = Some((Arc::clone(self), name.to_vec()));
        Ok(Arc::new(Self { handle, parent, is_new: false }))
    }

    /// Let the owner into a folder that stands here, until it gets its mode at the end.
    fn allow_entry(&self, name: &[u8]) -> IoResult<()> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let anchor = openat(&self.handle, name, flags, Mode::empty())?;
        rustix::fs::chmod(format!("/proc/self/fd/{}", anchor.as_raw_fd()), Mode::RWXU)
    }

    fn allow_writing(&self) -> IoResult<()> {
        let found = fstat(&self.handle)?;
        let is_ours = found.st_uid == geteuid().as_raw();
        match Mode::from_raw_mode(found.st_mode) {
            mode if is_ours && !mode.contains(Mode::RWXU) => {
                rustix::fs::fchmod(&self.handle, (mode & Mode::from_raw_mode(0o7777)) | Mode::RWXU)
            }
            _ => Ok(()),
        }
    }

    /// The regular file `name` in this one, opened without waiting for anything, and what is
    /// known about it; None where something else or nothing can be opened.
    pub fn regular_file(&self, name: &[u8], access: OFlags) -> Option<(OwnedFd, Stat)> {
        let flags = access | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let handle = openat(&self.handle, name, flags, Mode::empty()).ok()?;
        let found = fstat(&handle).ok()?;
        let is_file = FileType::from_raw_mode(found.st_mode) == FileType::RegularFile;
        is_file.then_some((handle, found))
    }

    /// Whether `name` here and `other_name` in `other` are one file.
    pub fn is_same_file(&self, name: &[u8], other: &Self, other_name: &[u8]) -> bool {
        let identity = |folder: &Self, name: &[u8]| {
            let found = statat(&folder.handle, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
            Some((found.st_dev, found.st_ino))
        };
        let here = identity(self, name);
        here.is_some() && here == identity(other, other_name)
    }

    /// The folder at `names` below this one.
    pub fn descend<'a>(
        self: &Arc<Self>,
        names: impl IntoIterator<Item = &'a [u8]>,
    ) -> IoResult<Arc<Self>> {
        names.into_iter().try_fold(Arc::clone(self), |folder, name| folder.pass(name))
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

fn is_empty(folder: &OwnedFd) -> IoResult<bool> {
    for entry in Dir::read_from(folder)? {
        if !matches!(entry?.file_name().to_bytes(), b"." | b"..") {
            return Ok(false);
        }
    }
    Ok(true)
}

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
        let (handle, found) = self.folder.regular_file(self.name.as_bytes(), OFlags::RDWR)?;
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
        renameat(&self.folder, self.name.as_str(), &self.folder, self.final_name.as_slice())?;
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

    #[test]
    fn a_file_as_target_is_refused() {
        let inside = tempfile::NamedTempFile::new().unwrap();
        let error = Folder::target(inside.path()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
}
