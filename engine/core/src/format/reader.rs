//! Reads a repository that may be damaged or hostile: what cannot be trusted is left out and named.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use super::{
    blob::{Blob, BlobKind, Location, decompressing},
    damaged,
    index::{Index, IndexBuilder, Places},
    index_object::IndexObject,
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
pub const INDEX_WORKERS: usize = 2;
/// Content of this length is read with its neighbours, which are likely to be wanted next.
const SMALL_BYTES: u32 = 64 << 10;
/// A snapshot takes a few hundred bytes, and a path more for each of its folders.
pub const LARGEST_SNAPSHOT_BYTES: u64 = 1 << 20;
/// What a snapshot may grow to when it is decompressed: all of them are held in memory.
const FREE_SNAPSHOT_BYTES: usize = 4 << 10;
const MOST_SNAPSHOT_RATIO: usize = 16;
/// An index object of restic and rustic lists 50,000 blobs: 10 MB, a third of that compressed.
pub const LARGEST_INDEX_BYTES: u64 = 16 << 20;
/// A larger tree, a folder of about 10,000 files, is read alone.
const LARGE_TREE_BYTES: u32 = 4 << 20;
const MOST_INDEX_PLAIN_BYTES: usize = 64 << 20;

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

    /// All snapshots, oldest first, and an issue for each object that is not one or cannot be read.
    pub fn snapshots(&self) -> Result<(Vec<Snapshot>, Vec<Issue>)> {
        let snapshots = Mutex::new(Vec::new());
        let objects = self.storage.list(ObjectKind::Snapshot)?;
        let issues = for_each_object(ObjectKind::Snapshot, objects, WORKERS, |id, size_bytes| {
            let snapshot = self.open_snapshot(id, size_bytes)?;
            lock(&snapshots).push(snapshot);
            Ok(())
        })?;
        let mut snapshots = snapshots.into_inner().unwrap_or_else(PoisonError::into_inner);
        snapshots.sort_by(|one, other| one.order().cmp(&other.order()));
        Ok((snapshots, issues))
    }

    /// The snapshot named `id`; [`ErrorKind::InvalidInput`] when there is none.
    pub fn snapshot(&self, id: ObjectId) -> Result<Snapshot> {
        Snapshot::parse(id, &self.snapshot_json(id)?)
    }

    /// The whole index, and an issue for each index object that cannot be used.
    pub fn index(&self) -> Result<(Index, Vec<Issue>)> {
        let objects = self.storage.list(ObjectKind::Index)?;
        let builder = Mutex::new(IndexBuilder::expecting(&objects));
        let issues =
            for_each_object(ObjectKind::Index, objects, INDEX_WORKERS, |id, size_bytes| {
                let object = self.index_object(id, size_bytes)?;
                lock(&builder).add(&object);
                Ok(())
            })?;
        let builder = builder.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok((builder.build(), issues))
    }

    /// The index object `id`, which is listed with `size_bytes`.
    pub fn index_object(&self, id: ObjectId, size_bytes: u64) -> Result<IndexObject> {
        let content = self.read(ObjectKind::Index, id, size_bytes)?;
        open_index(id, size_bytes, &content, &self.seal)
    }

    /// The JSON of the snapshot named `id`.
    pub fn snapshot_json(&self, id: ObjectId) -> Result<Vec<u8>> {
        let object = Object::Hashed(ObjectKind::Snapshot, id);
        let content = self.storage.read_at_most(&object, LARGEST_SNAPSHOT_BYTES)?;
        let content = content.ok_or_else(|| {
            Error::new(ErrorKind::InvalidInput, format!("there is no snapshot {id}"))
        })?;
        open_json(ObjectKind::Snapshot, id, content.len() as u64, &content, &self.seal)
    }

    fn open_snapshot(&self, id: ObjectId, size_bytes: u64) -> Result<Snapshot> {
        let content = self.read(ObjectKind::Snapshot, id, size_bytes)?;
        open_snapshot(id, size_bytes, &content, &self.seal)
    }

    /// The content of an object, unless its listed size is beyond reason.
    fn read(&self, kind: ObjectKind, id: ObjectId, size_bytes: u64) -> Result<Bytes> {
        check_size(kind, size_bytes)?;
        let content = self.storage.read(&Object::Hashed(kind, id))?;
        content.ok_or_else(|| damaged("listed, but not there"))
    }
}

/// Give every one of `objects` to `take` with its listed size; one that is damaged or cannot be
/// read becomes an issue and stops nothing.
fn for_each_object(
    kind: ObjectKind,
    objects: Vec<(ObjectId, u64)>,
    threads: usize,
    take: impl Fn(ObjectId, u64) -> Result<()> + Sync,
) -> Result<Vec<Issue>> {
    let issues = Mutex::new(Vec::new());
    for_each(threads, objects, |(id, size_bytes)| {
        if let Err(error) = take(id, size_bytes) {
            lock(&issues).push(damage(&Object::Hashed(kind, id), error)?);
        }
        Ok(())
    })?;
    let mut issues = issues.into_inner().unwrap_or_else(PoisonError::into_inner);
    issues.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(issues)
}

/// The most bytes that an object of `kind` may have; a larger one is junk and must not be read.
pub fn largest_bytes(kind: ObjectKind) -> u64 {
    match kind {
        ObjectKind::Snapshot => LARGEST_SNAPSHOT_BYTES,
        ObjectKind::Index => LARGEST_INDEX_BYTES,
        // Places in a pack have 32 bits; keys are never read.
        ObjectKind::Pack | ObjectKind::Key => u32::MAX.into(),
    }
}

/// Fails when an object of `kind` is listed with more bytes than it may have; ask before reading.
pub fn check_size(kind: ObjectKind, size_bytes: u64) -> Result<()> {
    let largest_bytes = largest_bytes(kind);
    if size_bytes > largest_bytes {
        return Err(damaged(format!(
            "takes {size_bytes} bytes; more than {largest_bytes} is junk"
        )));
    }
    Ok(())
}

/// The snapshot that `content` is, if it is what name, listed size and MAC say.
pub fn open_snapshot(
    id: ObjectId,
    size_bytes: u64,
    content: &[u8],
    seal: &Seal,
) -> Result<Snapshot> {
    Snapshot::parse(id, &open_json(ObjectKind::Snapshot, id, size_bytes, content, seal)?)
}

/// The index object that `content` is, if it is what name, listed size and MAC say.
pub fn open_index(
    id: ObjectId,
    size_bytes: u64,
    content: &[u8],
    seal: &Seal,
) -> Result<IndexObject> {
    let json = open_json(ObjectKind::Index, id, size_bytes, content, seal)?;
    IndexObject::parse(&json, content.len())
}

/// The JSON that is sealed in `content`, if name, listed size and MAC are right.
pub fn open_json(
    kind: ObjectKind,
    id: ObjectId,
    size_bytes: u64,
    content: &[u8],
    seal: &Seal,
) -> Result<Vec<u8>> {
    check_size(kind, size_bytes)?;
    if content.len() as u64 != size_bytes {
        return Err(damaged(format!("listed with {size_bytes} bytes, holds {}", content.len())));
    }
    if ObjectId::of(content) != id {
        return Err(damaged("its SHA-256 is not its name"));
    }
    seal.open_json(content, json_limit_bytes(kind, content.len()))
}

fn json_limit_bytes(kind: ObjectKind, stored_bytes: usize) -> usize {
    match kind {
        ObjectKind::Snapshot => FREE_SNAPSHOT_BYTES + MOST_SNAPSHOT_RATIO * stored_bytes,
        _ => plain_limit_bytes(stored_bytes).min(MOST_INDEX_PLAIN_BYTES),
    }
}

/// The issue about an object that is damaged or cannot be read; any other error is returned.
pub fn damage(object: &Object, error: Error) -> Result<Issue> {
    let kind = match error.kind() {
        ErrorKind::Damaged => IssueKind::Damaged,
        ErrorKind::Storage => IssueKind::Unreadable,
        _ => return Err(error),
    };
    Ok(Issue::new(kind, object.path(), error.chain()))
}

/// Reads blobs and trees by their ids.
pub struct BlobReader<'a, I = Index> {
    reader: &'a Reader,
    index: &'a I,
    windows: Windows,
    large: Mutex<()>,
}

impl<'a, I: Places> BlobReader<'a, I> {
    /// Reads from `reader` what `index` lists.
    pub fn new(reader: &'a Reader, index: &'a I) -> Self {
        Self { reader, index, windows: Windows::default(), large: Mutex::default() }
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
    pub fn index(&self) -> &'a I {
        self.index
    }

    /// The verified plaintext of `blob`, from the first of its places that holds it.
    pub fn read(&self, blob: Blob) -> Result<Vec<u8>> {
        self.read_first(blob, |location| self.read_at(blob, location))
    }

    /// The tree named `id`.
    pub fn tree(&self, id: ObjectId) -> Result<Tree> {
        let blob = Blob { kind: BlobKind::Tree, id };
        // Large ones are held one at a time, whatever the number of threads.
        let (stored, location, _turn) = self.read_first(blob, |location| {
            let is_large = is_large_tree(location);
            let turn = is_large.then(|| lock(&self.large));
            let stored = match location.decompressed_bytes {
                Some(_) if is_large => self.read_compressed(blob, location)?,
                _ => self.read_at(blob, location)?,
            };
            Ok((stored, *location, turn))
        })?;
        let stored_bytes = location.length_bytes as usize;
        match location.decompressed_bytes {
            Some(plain_bytes) if is_large_tree(&location) => decompressing(&stored)
                .and_then(|json| Tree::read(json, plain_bytes as usize, stored_bytes)),
            _ => Tree::parse(&stored, stored_bytes),
        }
        .map_err(|error| Error::caused_by(ErrorKind::Damaged, format!("tree {id}"), error))
    }

    /// What `read` makes of the first place of `blob` where it does not fail. Places are asked
    /// for one by one: an index that grows waits for all of itself before it tells the last.
    fn read_first<T>(&self, blob: Blob, read: impl Fn(&Location) -> Result<T>) -> Result<T> {
        let mut first_error = None;
        for location in self.index.places(blob) {
            match read(&location) {
                Ok(found) => return Ok(found),
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        Err(first_error.unwrap_or_else(|| damaged(format!("blob {} is not in the index", blob.id))))
    }

    /// The length of `blob`, or None when it is not listed.
    /// Where claims differ the blob is read: only then its true length is known.
    pub fn plain_bytes(&self, blob: Blob) -> Option<u32> {
        let mut lengths = self.index.places(blob).map(|location| location.plain_bytes());
        let first = lengths.next()?;
        if lengths.all(|length| length == first) {
            return Some(first);
        }
        let read = self.read(blob).ok().and_then(|plain| u32::try_from(plain.len()).ok());
        Some(read.unwrap_or(first))
    }

    /// As JSON a folder of many files takes several times what its entries do.
    fn read_compressed(&self, blob: Blob, location: &Location) -> Result<Vec<u8>> {
        blob.check_claim(location)?;
        let sealed = self.windows.read(self.reader.storage(), location)?;
        blob.open_compressed(self.reader.seal(), location, &sealed)
    }

    fn read_at(&self, blob: Blob, location: &Location) -> Result<Vec<u8>> {
        let (storage, seal) = (self.reader.storage(), self.reader.seal());
        if blob.kind == BlobKind::Data && location.length_bytes > SMALL_BYTES {
            return blob.read(storage, seal, location);
        }
        blob.check_claim(location)?;
        blob.open(seal, location, &self.windows.read(storage, location)?)
    }
}

fn is_large_tree(location: &Location) -> bool {
    location.length_bytes.max(location.plain_bytes()) > LARGE_TREE_BYTES
}
