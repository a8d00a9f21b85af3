//! Our storage as `rustic_core` sees it: one repository, without keys, that never deletes.
//!
//! Three things happen here that `rustic_core` does not know of: hot is written behind cold;
//! objects that are not what their name and MAC say are hidden from listings; and the snapshot
//! that the archiver saves on its own is swallowed, because we judge the run first.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use bytes::Bytes;
use rustic_core::{BytesList, FileType, Id, ReadBackend, RusticResult, WriteBackend};

use super::errors::into_rustic;
use crate::{
    error::{Error, ErrorKind, Result},
    format::seal::Seal,
    issue::{IssueKind, Issues},
    object::{Object, ObjectId, ObjectKind},
    storage::{AppendStorage, ReadStorage, tiered::Tiered},
};

/// The most that an index file or a snapshot may decompress to.
const LARGEST_JSON_BYTES: usize = 256 * 1024 * 1024;

/// What a backup needs of storage.
pub struct Backend {
    tiered: Arc<Tiered>,
    append: Arc<dyn AppendStorage>,
    seal: Seal,
    config: Bytes,
    issues: Arc<Issues>,
    holds_snapshots: AtomicBool,
    record: Mutex<Record>,
}

/// What was written, and the first thing that could not be.
#[derive(Debug, Default)]
struct Record {
    written: Vec<(Object, u64)>,
    failure: Option<Error>,
}

impl Backend {
    /// `config` are the bytes whose pin was checked; they are never read again.
    pub fn new(
        tiered: Arc<Tiered>,
        append: Arc<dyn AppendStorage>,
        seal: Seal,
        config: Bytes,
        issues: Arc<Issues>,
    ) -> Self {
        let holds_snapshots = AtomicBool::new(true);
        Self { tiered, append, seal, config, issues, holds_snapshots, record: Mutex::default() }
    }

    /// From now on snapshots are written: the run was judged.
    pub fn release_snapshots(&self) {
        self.holds_snapshots.store(false, Relaxed);
    }

    /// The first failed write. `rustic_core` only logs some of them and goes on.
    pub fn take_failure(&self) -> Option<Error> {
        self.record().failure.take()
    }

    /// Every object written so far, with its size in bytes.
    pub fn written(&self) -> Vec<(Object, u64)> {
        self.record().written.clone()
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, object: Object, is_metadata: bool, content: BytesList) -> Result<()> {
        if let Some(failure) = &self.record().failure {
            return Err(Error::new(failure.kind(), format!("an earlier write failed: {failure}")));
        }
        let size = content.size() as u64;
        let parts = content.into_vec();
        // Cold first: hot must hold nothing that cold does not name.
        self.append.create(&object, &parts)?;
        if is_metadata {
            self.tiered.keep(&object, &parts);
        }
        self.record().written.push((object, size));
        Ok(())
    }

    /// Leave out what is not what its name and MAC say. Anybody who can write to cold can put
    /// junk there for ever; it must not stop a backup.
    fn hide_damaged(
        &self,
        kind: ObjectKind,
        listed: Vec<(ObjectId, u64)>,
    ) -> Result<Vec<(ObjectId, u64)>> {
        let mut good = Vec::with_capacity(listed.len());
        for (id, size) in listed {
            let object = Object::Hashed(kind, id);
            match self.is_sound(&object)? {
                Ok(()) => good.push((id, size)),
                Err(reason) => {
                    self.issues.add(IssueKind::IgnoredObject, object.path(), reason.chain());
                }
            }
        }
        Ok(good)
    }

    /// Outer error: storage failed. Inner error: the object is not to be used.
    fn is_sound(&self, object: &Object) -> Result<Result<()>> {
        let Some(content) = self.tiered.read(object)? else {
            return Ok(Err(Error::new(ErrorKind::Damaged, "it went away while it was read")));
        };
        if !object.is_named_rightly(&content) {
            return Ok(Err(Error::new(ErrorKind::Damaged, "its name is not its SHA-256")));
        }
        let json = self.seal.open_json(&content, LARGEST_JSON_BYTES);
        Ok(json.and_then(|json| {
            serde_json::from_slice::<serde::de::IgnoredAny>(&json)
                .map(|_| ())
                .map_err(|error| Error::caused_by(ErrorKind::Damaged, "it is no JSON", error))
        }))
    }

    fn list_sound(&self, file_type: FileType) -> Result<Vec<(ObjectId, u64)>> {
        match kind_of(file_type) {
            None => Ok(vec![(ObjectId([0; 32]), self.config.len() as u64)]),
            // Never asked for: the repository is opened by its raw key.
            Some(ObjectKind::Key) => Ok(Vec::new()),
            Some(kind @ (ObjectKind::Snapshot | ObjectKind::Index)) => {
                self.hide_damaged(kind, self.tiered.list(kind)?)
            }
            Some(kind @ ObjectKind::Pack) => self.tiered.list(kind),
        }
    }

    fn read_whole(&self, object: &Object) -> Result<Bytes> {
        if *object == Object::Config {
            return Ok(self.config.clone());
        }
        let missing = || Error::new(ErrorKind::Damaged, format!("{object} is missing"));
        self.tiered.read(object)?.ok_or_else(missing)
    }
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
        self.tiered.location()
    }

    fn list_with_size(&self, file_type: FileType) -> RusticResult<Vec<(Id, u32)>> {
        let listed = self.list_sound(file_type).map_err(|error| into_rustic(&error))?;
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
                true => self.tiered.read_tree_range(&object, offset, length),
                false => self.tiered.read_range(&object, offset, length),
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
            .and_then(|object| self.write(object, is_metadata, content))
            .map_err(|error| {
                let told = into_rustic(&error);
                self.record().failure.get_or_insert(error);
                told
            })
    }

    fn remove(&self, file_type: FileType, id: &Id, _cacheable: bool) -> RusticResult<()> {
        let message = format!("nothing is ever removed by a backup, not even {file_type} {id}");
        Err(into_rustic(&Error::new(ErrorKind::Internal, message)))
    }
}
