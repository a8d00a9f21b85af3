//! Reads a repository that may be damaged or hostile: what cannot be trusted is left out and named.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use super::{
    blob::{Blob, BlobKind, Location},
    config::Config,
    damaged,
    index::{Index, IndexBuilder, IndexObject},
    plain_limit_bytes,
    seal::Seal,
    snapshot::Snapshot,
    tree::Tree,
    window::Windows,
};
use crate::{
    error::{Error, ErrorKind, Result},
    issue::{Issue, IssueKind},
    key::RepositoryKey,
    object::{Object, ObjectId, ObjectKind},
    storage::ReadStorage,
    workers::{WORKERS, for_each, lock},
};

/// An index object is up to 10 MB of JSON and as much again when parsed: fewer at a time.
const INDEX_WORKERS: usize = 2;

/// Reads one repository.
#[derive(Clone)]
pub struct Reader {
    storage: Arc<dyn ReadStorage>,
    seal: Seal,
}

impl Reader {
    /// A reader of the repository in `storage`; nothing is read yet.
    pub fn new(storage: Arc<dyn ReadStorage>, key: &RepositoryKey) -> Self {
        Self { storage, seal: Seal::new(key) }
    }

    /// The storage it reads.
    pub fn storage(&self) -> &dyn ReadStorage {
        self.storage.as_ref()
    }

    /// The seal that opens the repository.
    pub fn seal(&self) -> &Seal {
        &self.seal
    }

    /// The repository's config; [`ErrorKind::NoRepository`] where there is none and
    /// [`ErrorKind::WrongKey`] when the key does not open it.
    pub fn config(&self) -> Result<Config> {
        let sealed = self.storage.read(&Object::Config)?.ok_or_else(|| {
            let place = self.storage.location();
            Error::new(ErrorKind::NoRepository, format!("there is no repository at {place}"))
        })?;
        Config::open(&sealed, &self.seal)
    }

    /// All snapshots, oldest first, and an issue for each object that is not one.
    pub fn snapshots(&self) -> Result<(Vec<Snapshot>, Vec<Issue>)> {
        let snapshots = Mutex::new(Vec::new());
        let issues = self.for_each_object(ObjectKind::Snapshot, WORKERS, |id, json, _| {
            let snapshot = Snapshot::parse(id, json)?;
            lock(&snapshots).push(snapshot);
            Ok(())
        })?;
        let mut snapshots = snapshots.into_inner().unwrap_or_else(PoisonError::into_inner);
        snapshots.sort_by_key(Snapshot::order);
        Ok((snapshots, issues))
    }

    /// The snapshot named `id`; [`ErrorKind::InvalidInput`] when there is none.
    pub fn snapshot(&self, id: ObjectId) -> Result<Snapshot> {
        let object = Object::Hashed(ObjectKind::Snapshot, id);
        if self.storage.size(&object)?.is_none() {
            let message = format!("there is no snapshot {id}");
            return Err(Error::new(ErrorKind::InvalidInput, message));
        }
        let (json, _) = self.open_json(&object)?;
        Snapshot::parse(id, &json)
    }

    /// The whole index, and an issue for each index object that cannot be trusted.
    pub fn index(&self) -> Result<(Index, Vec<Issue>)> {
        let builder = Mutex::new(IndexBuilder::default());
        let issues =
            self.for_each_object(ObjectKind::Index, INDEX_WORKERS, |_, json, stored_bytes| {
                let object = IndexObject::parse(json, stored_bytes)?;
                lock(&builder).add(&object);
                Ok(())
            })?;
        let builder = builder.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok((builder.build(), issues))
    }

    /// Give every object of `kind` to `take` as verified JSON with its stored length; what
    /// cannot be read or taken becomes an issue. Storage that fails is an error.
    fn for_each_object(
        &self,
        kind: ObjectKind,
        threads: usize,
        take: impl Fn(ObjectId, &[u8], usize) -> Result<()> + Sync,
    ) -> Result<Vec<Issue>> {
        let issues = Mutex::new(Vec::new());
        for_each(threads, self.storage.list(kind)?, |(id, _)| {
            let object = Object::Hashed(kind, id);
            let taken = self.open_json(&object).and_then(|(json, stored)| take(id, &json, stored));
            match taken {
                Err(error) if error.kind() == ErrorKind::Damaged => {
                    lock(&issues).push(damage(&object, &error));
                    Ok(())
                }
                other => other,
            }
        })?;
        let mut issues = issues.into_inner().unwrap_or_else(PoisonError::into_inner);
        issues.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(issues)
    }

    /// The JSON of `object`, its name and MAC verified, and the object's stored length.
    fn open_json(&self, object: &Object) -> Result<(Vec<u8>, usize)> {
        let sealed: Bytes =
            self.storage.read(object)?.ok_or_else(|| damaged("listed, but not there"))?;
        if !object.is_named_rightly(&sealed) {
            return Err(damaged("its SHA-256 is not its name"));
        }
        let json = self.seal.open_json(&sealed, plain_limit_bytes(sealed.len()))?;
        Ok((json, sealed.len()))
    }
}

/// An issue about a damaged object.
pub fn damage(object: &Object, error: &Error) -> Issue {
    Issue::new(IssueKind::Damaged, object.path(), error.chain())
}

/// Reads blobs and trees by their ids.
pub struct BlobReader<'a> {
    reader: &'a Reader,
    index: &'a Index,
    windows: Windows,
}

impl<'a> BlobReader<'a> {
    /// Reads from `reader` what `index` lists.
    pub fn new(reader: &'a Reader, index: &'a Index) -> Self {
        Self { reader, index, windows: Windows::default() }
    }

    /// The storage it reads.
    pub fn storage(&self) -> &'a dyn ReadStorage {
        self.reader.storage()
    }

    /// The seal that opens what it reads.
    pub fn seal(&self) -> &'a Seal {
        self.reader.seal()
    }

    /// The index it goes by.
    pub fn index(&self) -> &'a Index {
        self.index
    }

    /// The verified plaintext of `blob`, from the first of its places that holds it.
    pub fn read(&self, blob: Blob) -> Result<Vec<u8>> {
        let mut first_error = None;
        for location in self.index.locations(blob) {
            match self.read_at(blob, &location) {
                Ok(plain) => return Ok(plain),
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        Err(first_error.unwrap_or_else(|| damaged(format!("blob {} is not in the index", blob.id))))
    }

    /// The tree named `id`.
    pub fn tree(&self, id: ObjectId) -> Result<Tree> {
        let plain = self.read(Blob { kind: BlobKind::Tree, id })?;
        Tree::parse(&plain)
            .map_err(|error| Error::caused_by(ErrorKind::Damaged, format!("tree {id}"), error))
    }

    /// The length of `blob`, or None when it is not listed.
    /// Where claims differ the blob is read: only then its true length is known.
    pub fn plain_bytes(&self, blob: Blob) -> Option<u32> {
        let mut lengths = self.index.locations(blob).map(|location| location.plain_bytes());
        let first = lengths.next()?;
        if lengths.all(|length| length == first) {
            return Some(first);
        }
        let read = self.read(blob).ok().and_then(|plain| u32::try_from(plain.len()).ok());
        Some(read.unwrap_or(first))
    }

    fn read_at(&self, blob: Blob, location: &Location) -> Result<Vec<u8>> {
        // Before the bytes are fetched: a claim must not decide how much memory is taken.
        if location.length_bytes as usize > blob.most_sealed_bytes() {
            return Err(damaged(format!(
                "blob {} claims {} bytes",
                blob.id, location.length_bytes
            )));
        }
        let storage = self.reader.storage();
        let sealed = match blob.kind {
            BlobKind::Tree => self.windows.read(storage, location)?,
            BlobKind::Data => {
                let offset_bytes = u64::from(location.offset_bytes);
                storage.read_range(
                    &location.object(),
                    offset_bytes,
                    location.length_bytes as usize,
                )?
            }
        };
        blob.open(&self.reader.seal, location, &sealed)
    }
}
