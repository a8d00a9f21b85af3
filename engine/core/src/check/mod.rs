//! Check: everything that a restore will need is there and is what its name says.
//!
//! By default the structure: every snapshot, index object and tree is read and verified, and
//! every piece of content is listed in a pack that is there and long enough. With all data, every
//! byte of every pack as well.

mod packs;
mod trees;

use std::{
    collections::HashMap,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use crate::{
    control::Control,
    error::{Error, Result},
    format::{
        index::Index,
        reader::{BlobReader, Reader, damage},
        snapshot::Snapshot,
    },
    issue::{Collected, Issue, IssueKind, Issues},
    object::{Object, ObjectId, ObjectKind},
};

/// What a check read and found.
#[derive(Debug, Clone)]
pub struct CheckSummary {
    /// Snapshots that can be trusted.
    pub snapshots: u64,
    /// Objects that were looked at: snapshots, index objects and packs.
    pub objects: u64,
    /// Bytes that were read and verified.
    pub bytes_read: u64,
    /// Every one is an object that is damaged or cannot be read: `path` is the object's name, or that of the snapshot it harms.
    pub issues: Collected,
}

/// What the index says about one pack.
#[derive(Debug, Default, Clone, Copy)]
struct Claims {
    blobs: u64,
    end_bytes: u64,
}

/// A check that is running.
struct Check<'a> {
    blobs: BlobReader<'a>,
    control: &'a Control,
    issues: Issues,
    bytes_read: AtomicU64,
    /// Held while a large blob is read.
    large: Mutex<()>,
}

/// Check the whole repository, with `read_data` every byte of every pack.
///
/// Fails only when storage cannot be listed or the check is cancelled; damage, and objects that
/// cannot be read, are in the summary.
pub fn check(reader: &Reader, read_data: bool, control: &Control) -> Result<CheckSummary> {
    let (snapshots, snapshot_issues) = reader.snapshots()?;
    control.check()?;
    let (index, index_issues) = reader.index()?;
    let check = Check::new(reader, &index, control);
    for issue in snapshot_issues.into_iter().chain(index_issues) {
        check.issues.push(issue);
    }
    let packs = reader.storage().list(ObjectKind::Pack)?;
    let small_objects = check.small_objects(reader)?;
    let claims = check.claims(&packs);
    check.trees(&snapshots)?;
    if read_data {
        check.packs(reader, &packs, &claims)?;
    }
    Ok(CheckSummary {
        snapshots: snapshots.len() as u64,
        objects: small_objects + packs.len() as u64,
        bytes_read: check.bytes_read.into_inner(),
        issues: check.issues.collected(),
    })
}

impl<'a> Check<'a> {
    fn new(reader: &'a Reader, index: &'a Index, control: &'a Control) -> Self {
        Self {
            blobs: BlobReader::new(reader, index),
            control,
            issues: Issues::default(),
            bytes_read: AtomicU64::new(0),
            large: Mutex::default(),
        }
    }

    /// Count snapshots and index objects, whose bytes were read; no key may lie there.
    fn small_objects(&self, reader: &Reader) -> Result<u64> {
        for (id, _) in reader.storage().list(ObjectKind::Key)? {
            let message = "a key lies here; this folder must stay empty";
            self.damaged(Object::Hashed(ObjectKind::Key, id), message);
        }
        let mut objects = reader.storage().list(ObjectKind::Snapshot)?;
        objects.extend(reader.storage().list(ObjectKind::Index)?);
        self.add_bytes(objects.iter().map(|(_, size_bytes)| size_bytes).sum());
        Ok(objects.len() as u64)
    }

    /// What the index says about each pack; those that are missing or too short are damage.
    fn claims(&self, packs: &[(ObjectId, u64)]) -> HashMap<ObjectId, Claims> {
        let mut claims = HashMap::<_, Claims>::new();
        for (_, location) in self.blobs.index().all() {
            let claim = claims.entry(location.pack).or_default();
            claim.blobs += 1;
            claim.end_bytes = claim.end_bytes.max(location.end_bytes());
        }
        let sizes: HashMap<_, _> = packs.iter().copied().collect();
        for (pack, claim) in &claims {
            let object = Object::Hashed(ObjectKind::Pack, *pack);
            match sizes.get(pack) {
                None => self.damaged(object, "the index lists it, but it is missing"),
                Some(size_bytes) if *size_bytes < claim.end_bytes => {
                    self.damaged(object, "shorter than the index says");
                }
                Some(_) => {}
            }
        }
        claims
    }

    fn damaged(&self, object: Object, message: impl Into<String>) {
        self.issues.push(Issue::new(IssueKind::Damaged, object.path(), message));
    }

    /// Note `error` when `object` is damaged or cannot be read; any other error is returned.
    fn note(&self, object: &Object, error: Error) -> Result<()> {
        self.issues.push(damage(object, error)?);
        Ok(())
    }

    fn add_bytes(&self, count: u64) {
        self.bytes_read.fetch_add(count, Relaxed);
        self.control.add_bytes(count);
    }
}

/// The object of a snapshot.
fn object_of(snapshot: &Snapshot) -> Object {
    Object::Hashed(ObjectKind::Snapshot, snapshot.id)
}
