//! What this machine wrote itself, or has read in full.
//!
//! Whoever holds the key can write an index that names junk as the place of content that is not
//! stored yet, or a snapshot that says of a file what it never held. To look at, they are like
//! ours, and a run that believes them stores nothing and says that it did. So a run goes by what
//! it knows: its own index objects and snapshots, and index objects of which every blob was read.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, ErrorKind, Result},
    format::seal::Seal,
    issue::{IssueKind, Issues},
    object::{Object, ObjectId, ObjectKind},
    storage::{ReadStorage, tiered::Tiered},
    workers::lock,
};

/// A few hundred thousand runs.
const LARGEST_KNOWN_BYTES: usize = 64 << 20;
const VERSION: u32 = 1;

/// The ids of what is known, kept in hot. Without hot, and where hot was lost, nothing is known
/// about what cold holds, and it is believed.
pub struct Known {
    tiered: Arc<Tiered>,
    seal: Seal,
    issues: Arc<Issues>,
    /// None: everything is believed.
    objects: Mutex<Option<BTreeSet<ObjectId>>>,
}

#[derive(Serialize, Deserialize)]
struct Saved {
    version: u32,
    objects: BTreeSet<ObjectId>,
}

impl Known {
    /// What hot says is known.
    pub fn load(tiered: Arc<Tiered>, seal: Seal, issues: Arc<Issues>) -> Self {
        let objects = read(&tiered, &seal).unwrap_or_else(|error| {
            let message = format!(
                "what this machine wrote is not known any more, cold is taken on trust once: {}",
                error.chain()
            );
            issues.add(IssueKind::HotMended, Object::Known.path(), message);
            None
        });
        Self { tiered, seal, issues, objects: Mutex::new(objects) }
    }

    /// True when the object was looked at in full before.
    pub fn is_own(&self, id: ObjectId) -> bool {
        lock(&self.objects).as_ref().is_some_and(|objects| objects.contains(&id))
    }

    /// True when a run may go by the object.
    pub fn holds(&self, id: ObjectId) -> bool {
        lock(&self.objects).as_ref().is_none_or(|objects| objects.contains(&id))
    }

    /// From now on the object is known. Said before it is written, because then nothing of ours
    /// is ever unknown; its name is its hash, so nobody else can write another one by that name.
    pub fn add(&self, id: ObjectId) {
        let mut objects = lock(&self.objects);
        if let Some(objects) = objects.as_mut().filter(|objects| !objects.contains(&id)) {
            objects.insert(id);
            self.save(objects);
        }
    }

    /// From now on these index objects are known. Where nothing was, the snapshots in cold are
    /// as well: all that is sound is taken on trust, once.
    pub fn learn(&self, indexes: impl IntoIterator<Item = ObjectId>) -> Result<()> {
        if !self.tiered.has_hot() {
            return Ok(());
        }
        let mut objects = lock(&self.objects);
        let before = objects.as_ref().map(BTreeSet::len);
        let known = objects.get_or_insert_default();
        known.extend(indexes);
        if before.is_none() {
            let snapshots = self.tiered.list(ObjectKind::Snapshot)?;
            known.extend(snapshots.into_iter().map(|(id, _)| id));
        }
        if before != Some(known.len()) {
            self.save(known);
        }
        Ok(())
    }

    fn save(&self, objects: &BTreeSet<ObjectId>) {
        let kept =
            sealed(&self.seal, objects).and_then(|content| self.tiered.keep_known(content.into()));
        if let Err(error) = kept {
            self.issues.add(IssueKind::HotIncomplete, Object::Known.path(), error.chain());
        }
    }
}

/// The object `known` of a machine that knows `objects`.
pub fn sealed(seal: &Seal, objects: &BTreeSet<ObjectId>) -> Result<Vec<u8>> {
    let saved = Saved { version: VERSION, objects: objects.clone() };
    let json = serde_json::to_vec(&saved).map_err(|error| {
        Error::caused_by(ErrorKind::Internal, "cannot write known objects as JSON", error)
    })?;
    seal.seal(&json)
}

fn read(tiered: &Tiered, seal: &Seal) -> Result<Option<BTreeSet<ObjectId>>> {
    let Some(content) = tiered.read_known()? else { return Ok(None) };
    let json = seal.open_json(&content, LARGEST_KNOWN_BYTES)?;
    let saved: Saved = serde_json::from_slice(&json)
        .map_err(|error| Error::caused_by(ErrorKind::Damaged, "cannot be read", error))?;
    match saved.version {
        VERSION => Ok(Some(saved.objects)),
        other => Err(Error::new(ErrorKind::Damaged, format!("has the unknown version {other}"))),
    }
}
