//! A repository in a local directory.
//!
//! An object is written to a file without a name, synced, and given its name in one step that
//! refuses to replace anything; then its folder is synced. A crash leaves the object whole or
//! leaves nothing. Where the file system has no files without a name (NFS, some FUSE), the file
//! has a temporary name that no listing shows.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Read, Write},
    marker::PhantomData,
    os::{
        fd::{AsFd, AsRawFd},
        unix::fs::{DirBuilderExt, OpenOptionsExt},
    },
    path::{Path, PathBuf},
};

use bytes::Bytes;
use rustix::{
    fs::{AtFlags, CWD, OFlags, RenameFlags},
    io::Errno,
};

use super::{AppendStorage, MaintainStorage, ReadStorage};
use crate::{
    error::{Error, ErrorKind, Result},
    object::{Object, ObjectId, ObjectKind},
};

/// The largest object that is read whole; packs stay far below it.
const LARGEST_OBJECT_BYTES: u64 = 512 * 1024 * 1024;
/// Enough for somebody to see what happened.
const MOST_ASIDE_BYTES: u64 = 256 * 1024 * 1024;
/// The least that a file takes on disk.
const BLOCK_BYTES: u64 = 4096;
const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: rustix::fs::Mode = rustix::fs::Mode::from_raw_mode(0o600);
const WRITE_BUFFER_BYTES: usize = 1024 * 1024;

/// A repository in a directory; `Mode` says what may be done with it.
#[derive(Debug, Clone)]
pub struct LocalDirectory<Mode> {
    root: PathBuf,
    mode: PhantomData<Mode>,
}

/// May read.
#[derive(Debug, Clone, Copy)]
pub struct ReadOnly;
/// May read and add.
#[derive(Debug, Clone, Copy)]
pub struct Append;
/// May read, add and remove.
#[derive(Debug, Clone, Copy)]
pub struct Maintain;

/// The modes that may add.
pub trait MayAppend: Send + Sync {}
impl MayAppend for Append {}
impl MayAppend for Maintain {}

impl<Mode> LocalDirectory<Mode> {
    /// The repository whose `config` lies, or will lie, directly in `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), mode: PhantomData }
    }

    /// The repository's folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn path(&self, object: &Object) -> PathBuf {
        self.root.join(object.path())
    }

    fn failed(&self, doing: &str, object: &Object, error: io::Error) -> Error {
        let place = self.path(object);
        Error::storage(format!("cannot {doing} {}", place.display()), error)
    }

    fn open(&self, object: &Object) -> Result<Option<File>> {
        match File::open(self.path(object)) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.failed("read", object, error)),
        }
    }
}

impl<Mode: Send + Sync> ReadStorage for LocalDirectory<Mode> {
    fn location(&self) -> String {
        self.root.display().to_string()
    }

    fn list(&self, kind: ObjectKind) -> Result<Vec<(ObjectId, u64)>> {
        let folder = self.root.join(kind.folder());
        let mut found = Vec::new();
        if kind == ObjectKind::Pack {
            for (name, path) in entries(&folder)? {
                if name.len() == 2 && name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                    list_folder(&path, &name, &mut found)?;
                }
            }
        } else {
            list_folder(&folder, "", &mut found)?;
        }
        Ok(found)
    }

    fn read(&self, object: &Object) -> Result<Option<Bytes>> {
        let Some(file) = self.open(object)? else {
            return Ok(None);
        };
        let mut content = Vec::new();
        file.take(LARGEST_OBJECT_BYTES + 1)
            .read_to_end(&mut content)
            .map_err(|error| self.failed("read", object, error))?;
        if content.len() as u64 > LARGEST_OBJECT_BYTES {
            return Err(Error::new(
                ErrorKind::Damaged,
                format!("{object} is larger than {LARGEST_OBJECT_BYTES} bytes"),
            ));
        }
        Ok(Some(content.into()))
    }

    fn read_range(&self, object: &Object, offset_bytes: u64, length_bytes: usize) -> Result<Bytes> {
        let file = self
            .open(object)?
            .ok_or_else(|| self.failed("read", object, io::Error::from(io::ErrorKind::NotFound)))?;
        let missing = |error| self.failed("read", object, error);
        // Asked for before memory is: a lying index must not make us reserve gigabytes.
        let size = file.metadata().map_err(missing)?.len();
        if offset_bytes.checked_add(length_bytes as u64).is_none_or(|end| end > size) {
            return Err(self.failed("read", object, io::ErrorKind::UnexpectedEof.into()));
        }
        let content = read_at(&file, offset_bytes, length_bytes);
        content.map(Bytes::from).map_err(|errno| missing(errno.into()))
    }

    fn size(&self, object: &Object) -> Result<Option<u64>> {
        match fs::metadata(self.path(object)) {
            Ok(metadata) => Ok(Some(metadata.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.failed("look at", object, error)),
        }
    }
}

/// Exactly `length_bytes` of a file, or [`Errno::NODATA`] when it is shorter; into memory that is
/// not filled with zeros first, which would take as long as to read.
pub(crate) fn read_at(
    file: impl AsFd,
    offset_bytes: u64,
    length_bytes: usize,
) -> rustix::io::Result<Vec<u8>> {
    let mut content = Vec::with_capacity(length_bytes);
    while content.len() < length_bytes {
        let next = offset_bytes + content.len() as u64;
        if rustix::io::pread(&file, rustix::buffer::spare_capacity(&mut content), next)? == 0 {
            return Err(Errno::NODATA);
        }
    }
    // There may be more room than was asked for.
    content.truncate(length_bytes);
    Ok(content)
}

/// Names (UTF-8 only; others are no ids) and paths in a folder.
fn entries(folder: &Path) -> Result<Vec<(String, PathBuf)>> {
    let failed = |error| Error::storage(format!("cannot list {}", folder.display()), error);
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if let Ok(name) = entry.file_name().into_string() {
            found.push((name, entry.path()));
        }
    }
    Ok(found)
}

fn list_folder(folder: &Path, prefix: &str, found: &mut Vec<(ObjectId, u64)>) -> Result<()> {
    for (name, path) in entries(folder)? {
        let Ok(id) = name.parse::<ObjectId>() else {
            continue;
        };
        if !name.starts_with(prefix) {
            continue;
        }
        match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_file() => found.push((id, metadata.len())),
            Ok(_) => {}
            Err(error) => {
                return Err(Error::storage(format!("cannot look at {}", path.display()), error));
            }
        }
    }
    Ok(())
}

impl<Mode: MayAppend> LocalDirectory<Mode> {
    /// Write, sync, name, sync: whole or not at all.
    fn write(path: &Path, content: &[Bytes]) -> io::Result<()> {
        let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
        let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
        match rustix::fs::open(folder, flags, FILE_MODE) {
            Ok(descriptor) => {
                let file = File::from(descriptor);
                write_synced(&file, content)?;
                // Naming a file by its descriptor needs a privilege; by its /proc link it doesn't.
                let unnamed = format!("/proc/self/fd/{}", file.as_raw_fd());
                rustix::fs::linkat(CWD, unnamed, CWD, path, AtFlags::SYMLINK_FOLLOW)?;
            }
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => write_named(path, content)?,
            Err(error) => return Err(error.into()),
        }
        sync_folder(folder)
    }

    fn accept_same(&self, object: &Object, content: &[Bytes]) -> Result<()> {
        let existing = self.read(object)?.unwrap_or_default();
        let mut rest: &[u8] = &existing;
        let is_same = content.iter().all(|part| match rest.strip_prefix(part.as_ref()) {
            Some(after) => {
                rest = after;
                true
            }
            None => false,
        });
        if is_same && rest.is_empty() {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Damaged,
            format!("{} exists with other bytes", self.path(object).display()),
        ))
    }
}

fn write_synced(file: &File, content: &[Bytes]) -> io::Result<()> {
    let mut writer = BufWriter::with_capacity(WRITE_BUFFER_BYTES, file);
    for part in content {
        writer.write_all(part)?;
    }
    writer.flush()?;
    drop(writer);
    file.sync_all()
}

fn make_folder(path: &Path) -> io::Result<()> {
    match fs::DirBuilder::new().mode(FOLDER_MODE).create(path) {
        Err(_) if path.is_dir() => Ok(()),
        made => made,
    }
}

/// Make a folder and what is missing above it; each must survive a crash as its content does.
fn make_chain(path: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = path
        .ancestors()
        .take_while(|above| !above.as_os_str().is_empty() && !above.is_dir())
        .collect();
    for folder in missing.into_iter().rev() {
        make_folder(folder)?;
        folder.parent().filter(|above| above.is_dir()).map_or(Ok(()), sync_folder)?;
    }
    Ok(())
}

/// For file systems without unnamed files: a temporary name, then a rename that replaces nothing.
fn write_named(path: &Path, content: &[Bytes]) -> io::Result<()> {
    write_and_name(path, content, |temporary| name_once(temporary, path))
}

/// Write a file beside `path`, which `name` gives its name; it is removed where that fails.
fn write_and_name(
    path: &Path,
    content: &[Bytes],
    name: impl FnOnce(&Path) -> io::Result<()>,
) -> io::Result<()> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let temporary = path.with_extension(format!("tmp-{}", hex::encode(random)));
    let written = File::options()
        .write(true)
        .create_new(true)
        .mode(FILE_MODE.bits())
        .open(&temporary)
        .and_then(|file| write_synced(&file, content))
        .and_then(|()| name(&temporary));
    if written.is_err() {
        // Best effort: the name is no id, so that no reader ever sees the file.
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn name_once(temporary: &Path, path: &Path) -> io::Result<()> {
    match rustix::fs::renameat_with(CWD, temporary, CWD, path, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS) => {
            fs::hard_link(temporary, path)?;
            fs::remove_file(temporary)
        }
        renamed => Ok(renamed?),
    }
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

impl<Mode: MayAppend> AppendStorage for LocalDirectory<Mode> {
    fn create_folders(&self) -> Result<()> {
        let root = &self.root;
        let failed = |error| Error::storage(format!("cannot create {}", root.display()), error);
        make_chain(root).map_err(failed)?;
        for kind in ObjectKind::ALL {
            make_folder(&root.join(kind.folder())).map_err(failed)?;
        }
        let packs = root.join(ObjectKind::Pack.folder());
        for prefix in 0..=u8::MAX {
            make_folder(&packs.join(format!("{prefix:02x}"))).map_err(failed)?;
        }
        [packs.as_path(), root].into_iter().try_for_each(sync_folder).map_err(failed)
    }

    fn create(&self, object: &Object, content: &[Bytes]) -> Result<()> {
        match Self::write(&self.path(object), content) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.accept_same(object, content)
            }
            Err(error) => Err(self.failed("write", object, error)),
        }
    }
}

impl MaintainStorage for LocalDirectory<Maintain> {
    fn remove(&self, object: &Object) -> Result<()> {
        let path = self.path(object);
        match fs::remove_file(&path) {
            Ok(()) => path.parent().map_or(Ok(()), sync_folder),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
        .map_err(|error| self.failed("remove", object, error))
    }
}

impl LocalDirectory<Maintain> {
    /// Put `content` in the place of what the object is, whole or not at all.
    pub fn replace(&self, object: &Object, content: Bytes) -> Result<()> {
        let path = self.path(object);
        write_and_name(&path, &[content], |temporary| fs::rename(temporary, &path))
            .and_then(|()| path.parent().map_or(Ok(()), sync_folder))
            .map_err(|error| self.failed("write", object, error))
    }

    /// Move objects that do not belong here into the folder `aside`, under their names, for
    /// somebody to look at. When that is full they are removed, so that it never fills the disk.
    pub fn set_aside(&self, objects: &[Object]) -> Result<()> {
        if objects.is_empty() {
            return Ok(());
        }
        let aside = self.root.join("aside");
        let mut held_bytes = make_folder(&aside)
            .and_then(|()| held_bytes(&aside))
            .map_err(|error| Error::storage(format!("cannot use {}", aside.display()), error))?;
        for object in objects {
            held_bytes += self.size(object)?.unwrap_or_default().max(BLOCK_BYTES);
            if held_bytes > MOST_ASIDE_BYTES {
                self.remove(object)?;
                continue;
            }
            match fs::rename(self.path(object), aside.join(object.path().replace('/', "-"))) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(self.failed("set aside", object, error));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// What the files in a folder take on disk, about.
fn held_bytes(folder: &Path) -> io::Result<u64> {
    let sizes = fs::read_dir(folder)?.map(|entry| Ok(entry?.metadata()?.len().max(BLOCK_BYTES)));
    sizes.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_aside_is_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let hot = LocalDirectory::<Maintain>::new(folder.path());
        hot.create_folders().unwrap();
        let object = |byte: u8| Object::Hashed(ObjectKind::Pack, ObjectId([byte; 32]));
        for byte in 0..4 {
            let file = File::create(hot.path(&object(byte))).unwrap();
            file.set_len(100 << 20).unwrap();
        }

        hot.set_aside(&[0, 1, 2].map(object)).unwrap();
        hot.set_aside(&[3, 4].map(object)).unwrap();

        assert_eq!(fs::read_dir(folder.path().join("aside")).unwrap().count(), 2);
        assert_eq!(hot.list(ObjectKind::Pack).unwrap(), []);
    }

    #[test]
    fn without_unnamed_files_a_temporary_name_serves_and_replaces_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("object");

        write_named(&path, &[Bytes::from_static(b"alice")]).unwrap();
        let again = write_named(&path, &[Bytes::from_static(b"mallory")]).unwrap_err();

        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"alice");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
