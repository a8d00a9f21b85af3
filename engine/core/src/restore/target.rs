//! The folder that is restored into: everything happens beneath its handle, one name at a time.
//!
//! A name is one component without a slash (the tree reader sees to that), it is only ever
//! resolved relative to the handle of a folder that was opened without following links, and so
//! nothing in a snapshot, nor anyone who changes the target meanwhile, leads out of it.

use std::{
    collections::HashSet,
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    os::unix::fs::DirBuilderExt,
    path::Path,
    sync::{Arc, Mutex},
};

use rustix::{
    fs::{
        AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat, fstat, mkdirat, openat, statat, unlinkat,
    },
    io::{Errno, Result as IoResult},
    process::{Resource, geteuid, getrlimit, setrlimit},
};

use crate::{
    error::{Error, ErrorKind, Result},
    workers::lock,
};

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
    /// Devices and inodes of what this restore put here: file systems that are mounted in one
    /// folder may have the same numbers.
    settled: Mutex<HashSet<(u64, u64)>>,
}

impl Folder {
    fn new(handle: OwnedFd, parent: Option<(Arc<Self>, Vec<u8>)>, is_new: bool) -> Arc<Self> {
        Arc::new(Self { handle, parent, is_new, settled: Mutex::default() })
    }

    /// Open `path`, the target; it is made where it is missing, parents included.
    pub fn target(path: &Path) -> Result<Arc<Self>> {
        let cannot = |error: io::Error| {
            let message = format!("cannot restore into {}", path.display());
            match error.kind() {
                io::ErrorKind::StorageFull => Error::storage(message, error),
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
        Ok(Self::new(handle, None, is_new))
    }

    /// Whether it is the target itself.
    pub fn is_target(&self) -> bool {
        self.parent.is_none()
    }

    /// Whether it was empty when it was opened.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// Put something here as `name`, or leave what has that name. [`Errno::EXIST`] where this
    /// restore put it there, under a name that is the same to the file system: `a` after `A`.
    pub fn settle<T>(&self, name: &[u8], put: impl FnOnce() -> IoResult<T>) -> IoResult<T> {
        let find = || statat(&self.handle, name, AtFlags::SYMLINK_NOFOLLOW);
        let mut settled = lock(&self.settled);
        let is_taken = |found: Stat| {
            // Of several names of one file none is another.
            let is_folder = FileType::from_raw_mode(found.st_mode) == FileType::Directory;
            let is_alone = is_folder || found.st_nlink == 1;
            self.is_new || is_alone && settled.contains(&(found.st_dev, found.st_ino))
        };
        if find().is_ok_and(is_taken) {
            return Err(Errno::EXIST);
        }
        let put = put()?;
        if !self.is_new {
            let found = find()?;
            settled.insert((found.st_dev, found.st_ino));
        }
        Ok(put)
    }

    /// Make the folder `name` in this one where it is missing; whether it was. What else has that
    /// name goes: a link there must not be followed.
    pub fn make_child(&self, name: &[u8]) -> IoResult<bool> {
        self.settle(name, || match mkdirat(&self.handle, name, Mode::RWXU) {
            Err(Errno::EXIST) if self.is_folder(name)? => Ok(false),
            Err(Errno::EXIST) => {
                unlinkat(&self.handle, name, AtFlags::empty())?;
                mkdirat(&self.handle, name, Mode::RWXU).map(|()| true)
            }
            made => made.map(|()| true),
        })
    }

    fn is_folder(&self, name: &[u8]) -> IoResult<bool> {
        let found = statat(&self.handle, name, AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(FileType::from_raw_mode(found.st_mode) == FileType::Directory)
    }

    /// The folder `name` in this one, which [`Self::make_child`] made: then it `is_new`, or found.
    pub fn child(self: &Arc<Self>, name: &[u8], is_new: bool) -> IoResult<Arc<Self>> {
        match self.open(name, is_new) {
            // An earlier restore, cut off, gave it the mode of the snapshot.
            Err(Errno::ACCESS) if !is_new => {
                self.allow_entry(name)?;
                self.open(name, is_new)
            }
            Ok(folder) if !is_new => {
                folder.allow_writing()?;
                Ok(folder)
            }
            opened => opened,
        }
    }

    /// The folder `name` in this one.
    fn open(self: &Arc<Self>, name: &[u8], is_new: bool) -> IoResult<Arc<Self>> {
        let handle = openat(&self.handle, name, FOLDER, Mode::empty())?;
        Ok(Self::new(handle, Some((Arc::clone(self), name.to_vec())), is_new))
    }

    /// The folder `name` in this one, to pass through: that needs no right to list it.
    fn pass(self: &Arc<Self>, name: &[u8]) -> IoResult<Arc<Self>> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let handle = openat(&self.handle, name, flags, Mode::empty())?;
        Ok(Self::new(handle, Some((Arc::clone(self), name.to_vec())), false))
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
    /// known about it; None for anything else of that name.
    pub fn regular_file(&self, name: &[u8], access: OFlags) -> IoResult<Option<(OwnedFd, Stat)>> {
        let flags = access | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let handle = openat(&self.handle, name, flags, Mode::RUSR | Mode::WUSR)?;
        let found = fstat(&handle)?;
        let is_file = FileType::from_raw_mode(found.st_mode) == FileType::RegularFile;
        Ok(is_file.then_some((handle, found)))
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

/// `errno` of what was to get its name, as it is told.
pub fn explain(errno: Errno) -> io::Error {
    match errno {
        Errno::EXIST => io::Error::other("to this file system another entry has the same name"),
        errno => errno.into(),
    }
}

fn is_empty(folder: &OwnedFd) -> IoResult<bool> {
    for entry in Dir::read_from(folder)? {
        if !matches!(entry?.file_name().to_bytes(), b"." | b"..") {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::{
        super::temporary::{Temporary, TemporaryNames},
        *,
    };
    use crate::object::ObjectId;

    fn child(folder: &Arc<Folder>, name: &[u8]) -> IoResult<Arc<Folder>> {
        folder.child(name, folder.make_child(name)?)
    }

    #[test]
    fn a_link_in_the_place_of_a_folder_is_replaced_not_followed() {
        let outside = tempfile::tempdir().unwrap();
        let inside = tempfile::tempdir().unwrap();
        symlink(outside.path(), inside.path().join("a")).unwrap();
        let target = Folder::target(inside.path()).unwrap();
        let child = child(&child(&target, b"a").unwrap(), b"b").unwrap();
        assert_eq!(child.path_of(b"c"), b"a/b/c");
        assert!(inside.path().join("a/b").is_dir());
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
    }

    /// As on a file system that does not tell `a` from `A`.
    #[test]
    fn what_a_restore_put_there_is_not_replaced_by_the_same_restore() {
        for is_new in [true, false] {
            let inside = tempfile::tempdir().unwrap();
            for name in ["a", "kept", "replaced"].iter().filter(|_| !is_new) {
                fs::write(inside.path().join(name), "old").unwrap();
            }
            let target = Folder::target(inside.path()).unwrap();
            let names = TemporaryNames::new(ObjectId([7; 32]));
            let put = |name: &[u8]| {
                let temporary = Temporary::new(&target, &names, name);
                temporary.create_file().and_then(|_| temporary.place())
            };
            assert_eq!(put(b"a"), Ok(()));
            assert_eq!(put(b"a"), Err(Errno::EXIST));
            assert_eq!(target.make_child(b"a"), Err(Errno::EXIST));
            assert_eq!(target.make_child(b"folder"), Ok(true));
            assert_eq!(target.make_child(b"folder"), Err(Errno::EXIST));
            if !is_new {
                assert_eq!(target.settle(b"kept", || Ok(())), Ok(()));
                assert_eq!(put(b"kept"), Err(Errno::EXIST));
                assert_eq!(put(b"replaced"), Ok(()));
                assert_eq!(target.settle(b"replaced", || Ok(())), Err(Errno::EXIST));
            }
        }
    }

    #[test]
    fn a_file_as_target_is_refused() {
        let inside = tempfile::NamedTempFile::new().unwrap();
        let error = Folder::target(inside.path()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
}
