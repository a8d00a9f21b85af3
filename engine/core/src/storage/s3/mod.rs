//! A repository in a bucket of an S3-compatible server.
//!
//! Objects are created and never overwritten, by the server's own condition where it knows it.
//! There is no request that deletes: not even a mode for it.
//!
//! ```compile_fail,E0277
//! use unstoppable_engine_core::storage::{MaintainStorage, s3::{Append, S3}};
//! fn remover(_: &impl MaintainStorage) {}
//! fn refused(cold: S3<Append>) { remover(&cold); }
//! ```

mod address;
mod body;
mod fault;
mod pause;
mod transport;

use std::{
    collections::HashMap,
    io,
    marker::PhantomData,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
};

use bytes::Bytes;
use http::StatusCode;
use opendal::{Buffer, Operator};
use tokio::{
    runtime::{Builder, Runtime},
    time::timeout,
};

pub use self::address::{Limits, S3Address};
use self::{
    fault::Fault,
    transport::{MOST_BYTES, Transport},
};
pub use super::local::{Append, ReadOnly};
use super::{
    AppendStorage, LARGEST_OBJECT_BYTES, ReadStorage, is_same, local::MayAppend, too_large,
};
use crate::{
    control::Control,
    error::{Error, ErrorKind, Result},
    object::{Object, ObjectId, ObjectKind},
    workers::{WORKERS, map_each},
};

/// More objects than this are no repository of ours, and their names would fill the memory.
const MOST_OBJECTS: usize = 20_000_000;
/// What a server tells in one answer.
const OBJECTS_OF_A_PAGE: usize = 1000;
/// Threads for the network alone; the work is done by those that wait for it.
const NETWORK_THREADS: usize = 2;

/// A connection to where one repository lies.
#[derive(Clone)]
pub struct Connection {
    operator: Operator,
    transport: Transport,
    address: S3Address,
    limits: Limits,
    /// The server does not know the condition that keeps an object from being overwritten.
    lacks_conditions: Arc<AtomicBool>,
    /// How many packs the last listing of them had.
    pack_count: Arc<AtomicUsize>,
}

/// A repository in a bucket; `Mode` says what may be done with it.
#[derive(Clone)]
pub struct S3<Mode> {
    connection: Connection,
    mode: PhantomData<Mode>,
}

/// All connections share the threads; a process that makes backups to a folder has none.
fn runtime() -> Result<&'static Runtime> {
    static RUNTIME: OnceLock<io::Result<Runtime>> = OnceLock::new();
    let made = RUNTIME.get_or_init(|| {
        Builder::new_multi_thread().worker_threads(NETWORK_THREADS).enable_all().build()
    });
    made.as_ref().map_err(|error| {
        Error::new(ErrorKind::Storage, format!("cannot start threads for the network: {error}"))
    })
}

impl Connection {
    /// Get ready to reach `address`; nothing is sent yet.
    pub fn new(address: &S3Address, limits: Limits) -> Result<Self> {
        let transport = Transport::new(address, limits)?;
        Ok(Self {
            operator: address.operator(transport.clone())?,
            transport,
            address: address.clone(),
            limits,
            lacks_conditions: Arc::default(),
            pack_count: Arc::new(AtomicUsize::new(MOST_OBJECTS)),
        })
    }

    /// The repository there, to do what `Mode` says.
    pub fn open<Mode>(&self) -> S3<Mode> {
        S3 { connection: self.clone(), mode: PhantomData }
    }

    fn failed(&self, doing: &str, what: impl std::fmt::Display, error: opendal::Error) -> Error {
        let message = format!("cannot {doing} {what} in {}", self.address);
        match fault_of(&error) {
            Some(Fault::Refused(refusal)) if refusal.is_denial() => {
                Error::new(ErrorKind::Denied, format!("{message}: {refusal}"))
            }
            Some(fault) => Error::new(ErrorKind::Storage, format!("{message}: {fault}")),
            None => Error::caused_by(ErrorKind::Storage, message, error),
        }
    }

    /// Give `take` each path below `folder`, or that begins with it where it has no slash at its
    /// end, with its size; the listing fails as a whole.
    fn each(
        &self,
        folder: &str,
        is_recursive: bool,
        take: impl FnMut(&str, u64) -> Result<()>,
    ) -> Result<()> {
        runtime()?.block_on(self.each_listed(folder, is_recursive, take))
    }

    async fn each_listed(
        &self,
        folder: &str,
        is_recursive: bool,
        mut take: impl FnMut(&str, u64) -> Result<()>,
    ) -> Result<()> {
        let failed = |error| self.failed("list", folder, error);
        let broken = |what: &str| {
            let message = format!("cannot list {folder} in {}: {what}", self.address);
            Err(Error::new(ErrorKind::Storage, message))
        };
        let lister = self.operator.lister_with(folder).recursive(is_recursive);
        let mut lister = lister.await.map_err(failed)?;
        let mut last = String::new();
        // Pages without a name come one after the other where a server means no good.
        let longest = self.limits.patience + self.limits.attempt;
        loop {
            let next = timeout(longest, futures_util::TryStreamExt::try_next(&mut lister));
            let Ok(next) = next.await else { return broken("it does not come to an end") };
            let Some(entry) = next.map_err(failed)? else { return Ok(()) };
            let path = entry.path();
            if entry.metadata().is_dir() {
                continue;
            }
            // Names come in order. One that comes again would come again without end.
            if path <= last.as_str() {
                return broken("its names do not come in order");
            }
            take(path, entry.metadata().content_length())?;
            path.clone_into(&mut last);
        }
    }
}

/// What really happened, where the transport said it.
fn fault_of(error: &opendal::Error) -> Option<&Fault> {
    std::error::Error::source(error)?.downcast_ref()
}

fn is_missing(error: &opendal::Error) -> bool {
    matches!(fault_of(error), Some(Fault::Refused(refusal)) if refusal.is_missing_object())
}

fn has_status(error: &opendal::Error, status: StatusCode) -> bool {
    matches!(fault_of(error), Some(Fault::Refused(refusal)) if refusal.status == status)
}

/// The id that a path below a repository is the right place of.
fn id_at(kind: ObjectKind, path: &str) -> Option<ObjectId> {
    let id = path.rsplit('/').next()?.parse().ok()?;
    (Object::Hashed(kind, id).path() == path).then_some(id)
}

fn folder_of(kind: ObjectKind) -> (String, bool) {
    (format!("{}/", kind.folder()), kind == ObjectKind::Pack)
}

impl<Mode: Send + Sync> ReadStorage for S3<Mode> {
    fn location(&self) -> String {
        self.connection.address.to_string()
    }

    fn list(&self, kind: ObjectKind) -> Result<Vec<(ObjectId, u64)>> {
        let (folder, is_recursive) = folder_of(kind);
        let mut found = Vec::new();
        self.connection.each(&folder, is_recursive, |path, size_bytes| {
            if found.len() == MOST_OBJECTS {
                let message = format!("{folder} holds more than {MOST_OBJECTS} objects");
                return Err(Error::new(ErrorKind::Damaged, message));
            }
            found.extend(id_at(kind, path).map(|id| (id, size_bytes)));
            Ok(())
        })?;
        if kind == ObjectKind::Pack {
            self.connection.pack_count.store(found.len(), Relaxed);
        }
        Ok(found)
    }

    fn strays(&self, kind: ObjectKind, most: usize) -> Result<Vec<String>> {
        let (folder, _) = folder_of(kind);
        let mut found = Vec::new();
        self.connection.each(&folder, true, |path, _| {
            if id_at(kind, path).is_none() && found.len() < most {
                found.push(path.to_owned());
            }
            Ok(())
        })?;
        Ok(found)
    }

    fn read(&self, object: &Object) -> Result<Option<Bytes>> {
        self.read_at_most(object, LARGEST_OBJECT_BYTES)
    }

    fn read_at_most(&self, object: &Object, most_bytes: u64) -> Result<Option<Bytes>> {
        let path = object.path();
        let read = async { self.connection.operator.read(&path).await };
        match runtime()?.block_on(MOST_BYTES.scope(most_bytes, read)) {
            Ok(content) => Ok(Some(content.to_bytes())),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) if matches!(fault_of(&error), Some(Fault::TooLarge(_))) => {
                Err(too_large(object, most_bytes))
            }
            Err(error) => Err(self.connection.failed("read", object, error)),
        }
    }

    fn read_range(&self, object: &Object, offset_bytes: u64, length_bytes: usize) -> Result<Bytes> {
        let path = object.path();
        let wrong = |what| {
            let message = format!("cannot read {object} in {}: {what}", self.location());
            Error::new(ErrorKind::Storage, message)
        };
        let end_bytes = offset_bytes.checked_add(length_bytes as u64);
        let end_bytes = end_bytes.ok_or_else(|| wrong("no object is that long"))?;
        if length_bytes == 0 {
            return Ok(Bytes::new());
        }
        let range = offset_bytes..end_bytes;
        let read = async { self.connection.operator.read_with(&path).range(range).await };
        let content = runtime()?
            .block_on(read)
            .map_err(|error| self.connection.failed("read", object, error))?;
        match content.len() == length_bytes {
            true => Ok(content.to_bytes()),
            false => Err(wrong("it is shorter")),
        }
    }

    fn size(&self, object: &Object) -> Result<Option<u64>> {
        // A listing, because who writes may see that a pack is there, and not read it.
        let path = object.path();
        let mut found = None;
        self.connection.each(&path, false, |listed, size_bytes| {
            found = found.or((listed == path).then_some(size_bytes));
            Ok(())
        })?;
        Ok(found)
    }

    fn sizes(&self, kind: ObjectKind, ids: &[ObjectId]) -> Result<Vec<Option<u64>>> {
        // One page of a listing takes as long as looking for a few at the same time.
        let pages = 1 + self.connection.pack_count.load(Relaxed) / OBJECTS_OF_A_PAGE;
        if kind == ObjectKind::Pack && ids.len() > pages.saturating_mul(WORKERS) {
            let found: HashMap<_, _> = self.list(kind)?.into_iter().collect();
            return Ok(ids.iter().map(|id| found.get(id).copied()).collect());
        }
        map_each(WORKERS, ids.to_vec(), |id| self.size(&Object::Hashed(kind, id)))
    }

    fn attend(&self, control: &Arc<Control>) {
        self.connection.transport.attend(control);
    }
}

impl<Mode: MayAppend> S3<Mode> {
    /// Put an object; the inner result is what came of the request.
    fn put(
        &self,
        object: &Object,
        content: &Buffer,
        has_condition: bool,
    ) -> Result<opendal::Result<()>> {
        let (path, content) = (object.path(), content.clone());
        let operator = &self.connection.operator;
        let put = async { operator.write_with(&path, content).if_not_exists(has_condition).await };
        Ok(runtime()?.block_on(put).map(drop))
    }

    /// What has the name is the same: a request whose answer was lost, or somebody who wrote the
    /// same. Who may not read it sees its size; nobody can make other bytes of this name.
    fn accept_same(&self, object: &Object, content: &Buffer) -> Result<()> {
        let is_same = match self.read(object) {
            Ok(existing) => existing.is_some_and(|existing| is_same(&existing, content.clone())),
            Err(error) if error.kind() == ErrorKind::Denied && object.is_hashed() => {
                self.size(object)? == Some(content.len() as u64)
            }
            Err(error) => return Err(error),
        };
        if is_same {
            return Ok(());
        }
        let message = format!("{object} exists with other bytes in {}", self.location());
        Err(Error::new(ErrorKind::Damaged, message))
    }

    /// For a server that knows no condition: look first. Two that write at one moment make two
    /// versions, of which the first counts.
    fn create_after_looking(&self, object: &Object, content: &Buffer) -> Result<()> {
        if self.size(object)?.is_some() {
            return self.accept_same(object, content);
        }
        self.put(object, content, false)?
            .map_err(|error| self.connection.failed("write", object, error))
    }
}

impl<Mode: MayAppend> AppendStorage for S3<Mode> {
    fn create_folders(&self) -> Result<()> {
        Ok(()) // a bucket has none
    }

    fn create(&self, object: &Object, content: &[Bytes]) -> Result<()> {
        let content = Buffer::from(content.to_vec());
        if self.connection.lacks_conditions.load(Relaxed) {
            return self.create_after_looking(object, &content);
        }
        match self.put(object, &content, true)? {
            Ok(()) => Ok(()),
            Err(error) if has_status(&error, StatusCode::PRECONDITION_FAILED) => {
                self.accept_same(object, &content)
            }
            Err(error) if has_status(&error, StatusCode::NOT_IMPLEMENTED) => {
                self.connection.lacks_conditions.store(true, Relaxed);
                self.create_after_looking(object, &content)
            }
            Err(error) => Err(self.connection.failed("write", object, error)),
        }
    }

    fn writers(&self) -> usize {
        self.connection.limits.connections
    }
}
