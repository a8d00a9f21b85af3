//! Check: everything that a restore will need is there and is what its name says.
//!
//! Always the structure: every snapshot, index object and tree is read and verified, every piece
//! of content is listed in a pack that is there and long enough, and every pack says of itself
//! what the index says of it. With data, every byte of the packs of one part as well.

pub mod part;

mod harm;
mod packs;
mod trees;

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use crate::{
    control::Control,
    error::{Error, ErrorKind, Result},
    format::{
        blob::BlobKind,
        index::Index,
        reader::{BlobReader, Reader, damage},
        snapshot::Snapshot,
    },
    issue::{Collected, Issue, IssueKind, Issues, KEPT_ISSUES},
    object::{Object, ObjectId, ObjectKind},
    workers::lock,
};

use self::part::Part;

/// What a check read and found.
#[derive(Debug, Clone)]
pub struct CheckSummary {
    /// Snapshots that can be trusted.
    pub snapshots: u64,
    /// Objects that were looked at: snapshots, index objects and packs.
    pub objects: u64,
    /// Bytes that were read and verified.
    pub bytes_read: u64,
    /// Every object that is damaged or cannot be read, then every snapshot that is harmed by that,
    /// then what is wrong in trees, each with the first snapshot that was seen to need it, then
    /// notes about what is no object. `path` is the name of the object or snapshot.
    pub issues: Collected,
}

/// What the index says about one pack.
#[derive(Debug, Default, Clone, Copy)]
struct Claims {
    blobs: u64,
    end_bytes: u64,
}

/// A pack that is there.
#[derive(Debug, Clone, Copy)]
struct Pack {
    id: ObjectId,
    size_bytes: u64,
    claim: Claims,
    /// Every byte of it is read, and not its header alone.
    reads_data: bool,
}

impl Pack {
    fn object(&self) -> Object {
        Object::Hashed(ObjectKind::Pack, self.id)
    }

    fn bytes_to_read(&self) -> u64 {
        match (self.reads_data, self.claim.blobs) {
            (true, _) => self.size_bytes,
            // No index lists it: a run that was killed left it, nobody needs it.
            (false, 0) => 0,
            (false, _) => self.size_bytes.saturating_sub(self.claim.end_bytes),
        }
    }
}

/// A check that is running.
struct Check<'a> {
    blobs: BlobReader<'a>,
    control: &'a Control,
    issues: Issues,
    /// Snapshots that cannot be restored whole.
    harmed: Issues,
    /// What is wrong in trees; told last, so that it crowds out neither objects nor snapshots.
    details: Issues,
    /// Packs in which something is wrong.
    suspects: Mutex<HashSet<ObjectId>>,
    bytes_read: AtomicU64,
    /// Held while a large blob is read.
    large: Mutex<()>,
}

/// Check the whole repository, and every byte of the packs of `part`.
///
/// Fails only when storage cannot be listed or the check is cancelled; damage, and objects that
/// cannot be read, are in the summary.
pub fn check(reader: &Reader, part: Option<Part>, control: &Control) -> Result<CheckSummary> {
    let (snapshots, snapshot_issues) = reader.snapshots()?;
    control.check()?;
    let (index, index_issues) = reader.index()?;
    let check = Check::new(reader, &index, control);
    for issue in snapshot_issues.into_iter().chain(index_issues) {
        check.issues.push(issue);
    }
    let small_objects = check.small_objects(reader)?;
    let listed = reader.storage().list(ObjectKind::Pack)?;
    let pack_count = listed.len() as u64;
    let packs = check.packs(listed, part);
    check.announce_total(&packs);
    check.trees(&snapshots)?;
    check.read_packs(reader, packs)?;
    check.name_harmed(&snapshots)?;
    check.strays(reader);
    Ok(CheckSummary {
        snapshots: snapshots.len() as u64,
        objects: small_objects + pack_count,
        bytes_read: check.bytes_read.into_inner(),
        issues: check.issues.followed_by(check.harmed).followed_by(check.details).into_collected(),
    })
}

impl<'a> Check<'a> {
    fn new(reader: &'a Reader, index: &'a Index, control: &'a Control) -> Self {
        Self {
            blobs: BlobReader::new(reader, index),
            control,
            issues: Issues::default(),
            harmed: Issues::default(),
            details: Issues::default(),
            suspects: Mutex::default(),
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

    /// Look which snapshots are harmed. Who stops that is still told what was found before.
    fn name_harmed(&self, snapshots: &[Snapshot]) -> Result<()> {
        match self.harm(snapshots) {
            Err(error) if error.kind() == ErrorKind::Cancelled && self.issues.has_problems() => {
                let message = "stopped before all snapshots were looked at: others may be harmed";
                self.harmed.add(IssueKind::Unreadable, "", message);
                Ok(())
            }
            done => done,
        }
    }

    /// Tell what lies in the repository's folders and is no part of it, last: it harms nothing.
    fn strays(&self, reader: &Reader) {
        for kind in ObjectKind::ALL {
            let strays = reader.storage().strays(kind, KEPT_ISSUES).unwrap_or_else(|error| {
                self.details.add(IssueKind::Unreadable, kind.folder(), error.chain());
                Vec::new()
            });
            for path in strays {
                let message = "it is no object: its name is no id, or belongs elsewhere";
                self.details.add(IssueKind::IgnoredObject, path, message);
            }
        }
    }

    /// The packs of `listed`, with what the index says of each; those that are missing or too
    /// short are damage and need no second look.
    fn packs(&self, listed: Vec<(ObjectId, u64)>, part: Option<Part>) -> Vec<Pack> {
        let mut claims = HashMap::<_, Claims>::new();
        for (_, location) in self.blobs.index().all() {
            let claim = claims.entry(location.pack).or_default();
            claim.blobs += 1;
            claim.end_bytes = claim.end_bytes.max(location.end_bytes());
        }
        let mut packs = Vec::with_capacity(listed.len());
        for (id, size_bytes) in listed {
            let claim = claims.remove(&id).unwrap_or_default();
            let reads_data = part.is_some_and(|part| part.holds(id));
            let pack = Pack { id, size_bytes, claim, reads_data };
            if size_bytes < claim.end_bytes {
                self.damaged(pack.object(), "shorter than the index says");
                continue;
            }
            packs.push(pack);
        }
        for missing in claims.into_keys() {
            let object = Object::Hashed(ObjectKind::Pack, missing);
            self.damaged(object, "the index lists it, but it is missing");
        }
        packs
    }

    /// Say how much there is to read. Trees are counted once for each place that holds them, so
    /// that a repository without damage comes to exactly that.
    fn announce_total(&self, packs: &[Pack]) {
        let trees = self.blobs.index().all().filter(|(blob, _)| blob.kind == BlobKind::Tree);
        let tree_bytes: u64 = trees.map(|(_, location)| u64::from(location.length_bytes)).sum();
        let pack_bytes: u64 = packs.iter().map(Pack::bytes_to_read).sum();
        let read_bytes = self.bytes_read.load(Relaxed);
        self.control.set_total(read_bytes + tree_bytes + pack_bytes, 0);
    }

    fn damaged(&self, object: Object, message: impl Into<String>) {
        self.tell(object, Issue::new(IssueKind::Damaged, object.path(), message));
    }

    /// Note `error` when `object` is damaged or cannot be read; any other error is returned.
    fn note(&self, object: Object, error: Error) -> Result<()> {
        self.tell(object, damage(&object, error)?);
        Ok(())
    }

    fn tell(&self, object: Object, issue: Issue) {
        if let Object::Hashed(ObjectKind::Pack, id) = object {
            lock(&self.suspects).insert(id);
        }
        self.issues.push(issue);
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
