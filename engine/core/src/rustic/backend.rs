//! Our storage as `rustic_core` sees it: one repository, without keys, that never deletes.
//!
//! Three things happen here that `rustic_core` does not know of: hot is written behind cold;
//! objects that are not what their name and MAC say are hidden from listings; and the snapshot
//! that the archiver saves on its own is swallowed, because we judge the run first.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use bytes::Bytes;
use rustic_core::{BytesList, FileType, Id, ReadBackend, RusticError, RusticResult, WriteBackend};

use super::{errors::into_rustic, index::BelievedIndex, sound};
use crate::{
    control::Control,
    distrust::Distrust,
    error::{Error, ErrorKind, Result},
    format::{pack::PackHeader, seal::Seal},
    issue::{IssueKind, Issues},
    known::Known,
    object::{Object, ObjectId, ObjectKind},
    source::tracked::Ledger,
    storage::{AppendStorage, ReadStorage, tiered::Tiered, uploads::Uploads},
    workers::{catching, lock},
};

/// What a backend is made of.
pub struct Parts {
    /// Cold, and hot in front of it.
    pub tiered: Arc<Tiered>,
    /// Cold, to add to.
    pub append: Arc<dyn AppendStorage>,
    /// The repository's key.
    pub seal: Seal,
    /// The bytes whose pin was checked; they are never read again.
    pub config: Bytes,
    /// What this machine wrote itself.
    pub known: Arc<Known>,
    /// What the run goes without.
    pub distrust: Arc<Distrust>,
    /// Every object that this run has written, with its size in bytes.
    pub written: Arc<Mutex<Vec<(Object, u64)>>>,
    /// Learns what is not right in the repository.
    pub issues: Arc<Issues>,
    /// Learns what of the source was stored, but cannot be read back.
    pub ledger: Arc<Ledger>,
    /// Ends the reading of the source when something cannot be written.
    pub control: Arc<Control>,
}

/// What a backup needs of storage.
pub struct Backend {
    parts: Parts,
    index: BelievedIndex,
    holds_snapshots: AtomicBool,
    /// The first write or listing that failed.
    failure: Arc<Mutex<Option<Error>>>,
    uploads: Uploads,
}

impl Backend {
    /// A backend that holds snapshots back.
    pub fn new(parts: Parts) -> Self {
        let index = BelievedIndex::new(
            parts.tiered.clone(),
            parts.seal.clone(),
            parts.known.clone(),
            parts.distrust.clone(),
            parts.control.clone(),
        );
        let uploads = Uploads::new(parts.append.writers());
        let holds_snapshots = AtomicBool::new(true);
        Self { parts, index, holds_snapshots, failure: Arc::default(), uploads }
    }

    /// From now on snapshots are written: the run was judged.
    pub fn release_snapshots(&self) {
        self.holds_snapshots.store(false, Relaxed);
    }

    /// Whether the index lists the tree.
    pub fn lists_tree(&self, id: ObjectId) -> bool {
        self.index.lists_tree(id)
    }

    /// The first write or listing that failed. `rustic_core` only logs some of them and goes on.
    pub fn take_failure(&self) -> Option<Error> {
        self.uploads.drain();
        lock(&self.failure).take()
    }

    /// Keep the error that ends the run, and say it in the archiver's words.
    fn fail(&self, error: Error) -> Box<RusticError> {
        let told = into_rustic(&error);
        lock(&self.failure).get_or_insert(error);
        // The archiver would read the whole rest of the source before it says so.
        self.parts.control.give_up();
        told
    }

    fn write(&self, object: Object, is_metadata: bool, content: BytesList) -> Result<()> {
        let is_pack = matches!(object, Object::Hashed(ObjectKind::Pack, _));
        if !is_pack {
            // An index names packs and a snapshot needs them: they must be there before it.
            self.uploads.drain();
        }
        if let Some(failure) = &*lock(&self.failure) {
            return Err(Error::new(failure.kind(), format!("an earlier write failed: {failure}")));
        }
        let size = content.size() as u64;
        let parts = content.into_vec();
        if let Object::Hashed(ObjectKind::Index | ObjectKind::Snapshot, id) = object {
            self.parts.known.add(id);
        }
        if let Object::Hashed(ObjectKind::Pack, id) = object
            && is_metadata
        {
            self.tell_unreadable(id, &parts)?;
        }
        let (append, tiered) = (self.parts.append.clone(), self.parts.tiered.clone());
        let written = self.parts.written.clone();
        let write = move || {
            // Cold first: hot must hold nothing that cold does not name.
            append.create(&object, &parts)?;
            if is_metadata {
                tiered.keep(&object, &parts);
            }
            lock(&written).push((object, size));
            Ok(())
        };
        if !is_pack {
            return write();
        }
        let (failure, control) = (self.failure.clone(), self.parts.control.clone());
        self.uploads.start(size, write, move |ended| {
            if let Err(error) = ended {
                lock(&failure).get_or_insert(error);
                control.give_up();
            }
        });
        Ok(())
    }

    /// No run may say that it succeeded when it stored what our own reader would refuse.
    fn tell_unreadable(&self, pack: ObjectId, parts: &[Bytes]) -> Result<()> {
        for (blob, location) in PackHeader::of(parts, &self.parts.seal, pack)?.blobs {
            let refused = blob.check_claim(&location).and(blob.plain_bytes(&location)).err();
            if let Some(error) = refused {
                let path = Object::Hashed(ObjectKind::Pack, pack).path();
                let message = format!(
                    "a folder holds too much metadata to be read back, spread its files over more folders: {error}"
                );
                self.parts.ledger.issues.add(IssueKind::Unreadable, path, message);
            }
        }
        Ok(())
    }

    fn list(&self, file_type: FileType) -> Result<Vec<(ObjectId, u64)>> {
        match kind_of(file_type) {
            None => Ok(vec![(ObjectId([0; 32]), self.parts.config.len() as u64)]),
            // Never asked for: the repository is opened by its raw key, parents by their names.
            Some(ObjectKind::Key | ObjectKind::Snapshot) => Ok(Vec::new()),
            Some(ObjectKind::Index) => self.index.list(),
            Some(ObjectKind::Pack) => self.parts.tiered.list(ObjectKind::Pack),
        }
    }

    /// The sealed bytes of a tree, once what they hold was found harmless and complete.
    fn read_tree(&self, object: &Object, offset_bytes: u64, length_bytes: usize) -> Result<Bytes> {
        let sealed = self.tree_bytes(object, offset_bytes, length_bytes)?;
        let opened = self.parts.seal.open(&sealed).inspect_err(|error| {
            self.parts.distrust.add(object, error);
        })?;
        // A tree beyond the limits is in a new snapshot as well if its folder did not change.
        let folders = sound::check_tree(opened, sealed.len())
            .inspect_err(|error| tell_unusable(&self.parts.ledger.issues, object, error))?;
        if let Some(folder) = folders.into_iter().find(|id| !self.index.lists_tree(*id)) {
            let message = format!("the index lacks its folder {folder}");
            let error = Error::new(ErrorKind::Damaged, message);
            tell_unusable(&self.parts.issues, object, &error);
            return Err(error);
        }
        Ok(sealed)
    }

    /// A pack that cannot be read is done without: a folder that did not change is the same tree,
    /// and as long as the index lists it, it is not stored again.
    fn tree_bytes(&self, object: &Object, offset_bytes: u64, length_bytes: usize) -> Result<Bytes> {
        if let Object::Hashed(_, id) = object
            && self.parts.distrust.holds(*id)
        {
            return Err(Error::new(ErrorKind::Damaged, format!("{object} is done without")));
        }
        let sealed = self.parts.tiered.read_tree_range(object, offset_bytes, length_bytes);
        sealed.inspect_err(|error| self.parts.distrust.add(object, error))
    }

    fn read_whole(&self, object: &Object) -> Result<Bytes> {
        if *object == Object::Config {
            return Ok(self.parts.config.clone());
        }
        if let Object::Hashed(ObjectKind::Index, id) = object {
            return self.index.read(*id);
        }
        let missing = || Error::new(ErrorKind::Damaged, format!("{object} is missing"));
        self.parts.tiered.read(object)?.ok_or_else(missing)
    }
}

fn tell_unusable(issues: &Issues, object: &Object, error: &Error) {
    let message = format!(
        "a folder of an earlier snapshot cannot be used, its files were read anew: {}",
        error.chain()
    );
    issues.add(IssueKind::Damaged, object.path(), message);
}

fn kind_of(file_type: FileType) -> Option<ObjectKind> {
    match file_type {
        FileType::Config => None,
        FileType::Key => Some(ObjectKind::Key),
        FileType::Snapshot => Some(ObjectKind::Snapshot),
        FileType::Index => Some(ObjectKind::Index),
        FileType::Pack => Some(ObjectKind::Pack),
    }
}

/// The name of the object that `rustic_core` calls by type and id.
pub fn object_of(file_type: FileType, id: &Id) -> Result<Object> {
    match kind_of(file_type) {
        None => Ok(Object::Config),
        Some(kind) => Ok(Object::Hashed(kind, id.to_hex().as_str().parse()?)),
    }
}

impl ReadBackend for Backend {
    fn location(&self) -> String {
        self.parts.tiered.location()
    }

    fn list_with_size(&self, file_type: FileType) -> RusticResult<Vec<(Id, u32)>> {
        let listed = self.list(file_type).map_err(|error| self.fail(error))?;
        // A pack is at most 4 GiB in the format; what claims more is refused when it is read.
        Ok(listed
            .into_iter()
            .map(|(id, size)| (Id::new(id.0), u32::try_from(size).unwrap_or(u32::MAX)))
            .collect())
    }

    fn read_full(&self, file_type: FileType, id: &Id) -> RusticResult<Bytes> {
        object_of(file_type, id)
            .and_then(|object| self.read_whole(&object))
            .map_err(|error| into_rustic(&error))
    }

    fn read_partial(
        &self,
        file_type: FileType,
        id: &Id,
        cacheable: bool,
        offset: u32,
        length: u32,
    ) -> RusticResult<Bytes> {
        let (offset, length) = (u64::from(offset), length as usize);
        object_of(file_type, id)
            .and_then(|object| match cacheable {
                true => self.read_tree(&object, offset, length),
                false => self.parts.tiered.read_range(&object, offset, length),
            })
            .map_err(|error| into_rustic(&error))
    }

    fn warmup_path(&self, _file_type: FileType, id: &Id) -> String {
        id.to_hex().to_string()
    }
}

impl WriteBackend for Backend {
    fn write_bytes(
        &self,
        file_type: FileType,
        id: &Id,
        cacheable: bool,
        content: BytesList,
    ) -> RusticResult<()> {
        if file_type == FileType::Snapshot && self.holds_snapshots.load(Relaxed) {
            return Ok(());
        }
        let is_metadata = cacheable || matches!(file_type, FileType::Snapshot | FileType::Index);
        object_of(file_type, id)
            .and_then(|object| catching(|| self.write(object, is_metadata, content)))
            .map_err(|error| self.fail(error))
    }

    fn remove(&self, file_type: FileType, id: &Id, _cacheable: bool) -> RusticResult<()> {
        let message = format!("nothing is ever removed by a backup, not even {file_type} {id}");
        Err(into_rustic(&Error::new(ErrorKind::Internal, message)))
    }
}
