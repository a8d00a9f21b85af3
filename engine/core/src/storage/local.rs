//! A repository in a local directory.
//!
//! An object is written to a file without a name, synced, and given its name in one step that
//! refuses to replace anything; then its folder is synced. A crash leaves the object whole or
//! leaves nothing. Where the file system has no files without a name (NFS, some FUSE), the file
//! has a temporary name that no listing shows.

use std::{
    fs::{self, DirEntry, File},
    io::{self, Read},
    marker::PhantomData,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use rustix::fs::OFlags;

use super::{
    AppendStorage, LARGEST_OBJECT_BYTES, MaintainStorage, ReadStorage,
    entries::{each_entry, each_in},
    files::{self, make_chain, make_folder, read_at, sync_folder},
    is_same,
};
use crate::{
    error::{Error, ErrorKind, Result},
    object::{Object, ObjectId, ObjectKind},
};

/// Enough for somebody to see what happened.
const MOST_ASIDE_BYTES: u64 = 256 * 1024 * 1024;
/// The least that a file takes on disk.
const BLOCK_BYTES: u64 = 4096;

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
        // A pipe in its place would be waited for without end.
        let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
        match File::options().read(true).custom_flags(flags).open(self.path(object)) {
            Ok(file) => match file.metadata() {
                Ok(found) if found.is_file() => Ok(Some(file)),
                Ok(_) => Err(Error::new(ErrorKind::Damaged, format!("{object} is no file"))),
                Err(error) => Err(self.failed("read", object, error)),
            },
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
        let mut found = Vec::new();
        each_entry(&self.root, kind, |id, entry| {
            let Some(id) = id else { return Ok(()) };
            let metadata = entry.metadata()?;
            if metadata.is_file() {
                found.push((id, metadata.len()));
            }
            Ok(())
        })?;
        Ok(found)
    }

    fn strays(&self, kind: ObjectKind, most: usize) -> Result<Vec<String>> {
        let mut found = Vec::new();
        each_entry(&self.root, kind, |id, entry| {
            let is_object = id.is_some() && entry.file_type()?.is_file();
            if !is_object && found.len() < most && !files::is_being_written(entry) {
                let path = entry.path();
                let below = path.strip_prefix(&self.root).unwrap_or(&path);
                found.push(below.to_string_lossy().into_owned());
            }
            Ok(())
        })?;
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

impl<Mode: MayAppend> LocalDirectory<Mode> {
    fn accept_same(&self, object: &Object, content: &[Bytes]) -> Result<()> {
        let existing = self.read(object)?.unwrap_or_default();
        if is_same(&existing, content.iter().cloned()) {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Damaged,
            format!("{} exists with other bytes", self.path(object).display()),
        ))
    }
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
        match files::create(&self.path(object), content) {
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
        files::replace(&path, &[content]).map_err(|error| self.failed("write", object, error))
    }

    /// Remove the files that a run which was cut off was writing to, once they are old enough
    /// for nobody to be writing to them any more.
    pub fn remove_leftovers(&self) -> Result<()> {
        let remove = |entry: &DirEntry| {
            let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
            if !is_file || !files::is_temporary(entry) || files::is_being_written(entry) {
                return Ok(());
            }
            fs::remove_file(entry.path()).or_else(|error| match error.kind() {
                io::ErrorKind::NotFound => Ok(()),
                _ => Err(error),
            })
        };
        each_in(&self.root, remove)?;
        ObjectKind::ALL
            .into_iter()
            .try_for_each(|kind| each_entry(&self.root, kind, |_, entry| remove(entry)))
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
    use std::time::{Duration, SystemTime};

    use super::*;

    /// A repository with a file of each of these names, some written long ago.
    fn with_files(names: &[(&str, bool)]) -> (tempfile::TempDir, LocalDirectory<Maintain>) {
        let folder = tempfile::tempdir().unwrap();
        let storage = LocalDirectory::<Maintain>::new(folder.path());
        storage.create_folders().unwrap();
        for (name, is_old) in names {
            let file = File::create(folder.path().join(name)).unwrap();
            if *is_old {
                file.set_modified(SystemTime::now() - Duration::from_hours(25)).unwrap();
            }
        }
        (folder, storage)
    }

    #[test]
    fn what_is_no_object_is_told_unless_somebody_may_be_writing_it() {
        let id = "ab".repeat(32);
        let [object, elsewhere, young, old] = [
            format!("data/ab/{id}"),
            format!("data/cd/{id}"),
            format!("index/{id}.tmp-0123456789abcdef"),
            format!("data/ab/{id}.tmp-0123456789abcdef"),
        ];
        let names = [&object, &elsewhere, "data/ab/notanid", "data/foo", "index/a.tmp", &young];
        let mut files: Vec<_> = names.map(|name| (name, false)).into();
        files.extend([(object.as_str(), true), (&old, true)]);
        let (folder, storage) = with_files(&files);
        std::os::unix::fs::symlink("/", folder.path().join("index").join(&id)).unwrap();

        let mut found = Vec::new();
        for kind in ObjectKind::ALL {
            found.extend(storage.strays(kind, 100).unwrap());
        }

        found.sort();
        let link = format!("index/{id}");
        let mut strays = [&elsewhere, "data/ab/notanid", "data/foo", "index/a.tmp", &old, &link];
        strays.sort_unstable();
        assert_eq!(found, strays);
        assert_eq!(storage.list(ObjectKind::Pack).unwrap().len(), 1);
        assert_eq!(storage.list(ObjectKind::Index).unwrap(), []);
    }

    #[test]
    fn what_a_run_that_was_cut_off_was_writing_is_removed_after_a_day() {
        let id = "ab".repeat(32);
        let temporary = |name: &str| format!("{name}.tmp-0123456789abcdef");
        let left = [temporary("known"), temporary(&format!("data/ab/{id}"))];
        let kept = ["known", "known.tmp-old", "data/ab/notanid", &temporary("new")];
        let mut files: Vec<_> = left.iter().map(|name| (name.as_str(), true)).collect();
        files.extend(kept.map(|name| (name, name != temporary("new"))));
        let (folder, storage) = with_files(&files);

        storage.remove_leftovers().unwrap();

        assert!(left.iter().all(|name| !folder.path().join(name).exists()));
        assert!(kept.iter().all(|name| folder.path().join(name).exists()));
    }

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
}
