//! What this machine wrote itself, or has read in full, and what it found damaged.
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
    object::{Object, ObjectId},
    storage::{
        ReadStorage,
        local::{LocalDirectory, Maintain},
    },
    workers::lock,
};

/// About a million names: a hundred years of hourly runs.
const LARGEST_KNOWN_BYTES: usize = 64 << 20;
const VERSION: u32 = 1;

/// What is known, kept in hot. Without hot, and where hot was lost, nothing is known about what
/// cold holds, and it is believed.
pub struct Known {
    seal: Seal,
    issues: Arc<Issues>,
    names: Mutex<Names>,
}

struct Names {
    /// Where they are kept. None: there is no hot, or it cannot be used.
    place: Option<LocalDirectory<Maintain>>,
    /// None: everything is believed.
    believed: Option<BTreeSet<ObjectId>>,
    /// Sound snapshots, seen while everything is believed.
    on_trust: Vec<ObjectId>,
    /// What was told as damaged by the last run, which did without it.
    damaged: BTreeSet<ObjectId>,
}

#[derive(Serialize, Deserialize)]
struct Saved {
    version: u32,
    objects: BTreeSet<ObjectId>,
    damaged: BTreeSet<ObjectId>,
}

impl Known {
    /// What is known as hot, at `place`, says.
    pub fn load(place: Option<LocalDirectory<Maintain>>, seal: Seal, issues: Arc<Issues>) -> Self {
        let read = place.as_ref().map(|place| read(place, &seal));
        let (place, saved) = match read {
            None => (None, None),
            Some(Ok(saved)) => (place, Some(saved)),
            Some(Err(error)) => {
                let is_mended = error.kind() == ErrorKind::Damaged;
                tell_unknown(&issues, is_mended, &error);
                (place.filter(|_| is_mended), None)
            }
        };
        let (believed, damaged) =
            saved.map_or((None, BTreeSet::new()), |saved| (Some(saved.objects), saved.damaged));
        let names = Names { place, believed, on_trust: Vec::new(), damaged };
        Self { seal, issues, names: Mutex::new(names) }
    }

    /// True when the object was looked at in full before.
    pub fn is_own(&self, id: ObjectId) -> bool {
        lock(&self.names).believed.as_ref().is_some_and(|objects| objects.contains(&id))
    }

    /// True when a run may go by the object.
    pub fn holds(&self, id: ObjectId) -> bool {
        lock(&self.names).believed.as_ref().is_none_or(|objects| objects.contains(&id))
    }

    /// True when an earlier run told the object as damaged and did without it.
    pub fn is_damaged(&self, id: ObjectId) -> bool {
        lock(&self.names).damaged.contains(&id)
    }

    /// From now on the object is known. Said before it is written, because then nothing of ours
    /// is ever unknown; its name is its hash, so nobody else can write another one by that name.
    pub fn add(&self, id: ObjectId) {
        self.change(|names| names.believed.as_mut().is_some_and(|objects| objects.insert(id)));
    }

    /// From now on these objects, and no others, are known to be damaged.
    pub fn set_damaged(&self, ids: impl Iterator<Item = ObjectId>) {
        self.change(|names| {
            let before = std::mem::replace(&mut names.damaged, ids.collect());
            names.damaged != before
        });
    }

    /// These sound snapshots lie in cold: where nothing is known, they are believed.
    pub fn see(&self, snapshots: impl Iterator<Item = ObjectId>) {
        let mut names = lock(&self.names);
        if names.believed.is_none() {
            names.on_trust = snapshots.collect();
        }
    }

    /// From now on these index objects are known. Where nothing was, the snapshots that were seen
    /// are as well: all that is sound is taken on trust, once.
    pub fn learn(&self, indexes: &[(ObjectId, u64)]) {
        self.change(|names| {
            if names.place.is_none() {
                return false;
            }
            let on_trust = std::mem::take(&mut names.on_trust);
            let is_first = names.believed.is_none();
            let believed = names.believed.get_or_insert_default();
            let before = believed.len();
            believed.extend(indexes.iter().map(|(id, _)| *id).chain(on_trust));
            is_first || believed.len() > before
        });
    }

    /// Change what is known, and keep it where `change` says that it did.
    fn change(&self, change: impl FnOnce(&mut Names) -> bool) {
        let mut names = lock(&self.names);
        let is_changed = change(&mut names);
        let Names { place: Some(place), believed: Some(believed), damaged, .. } = &*names else {
            return;
        };
        let keep = || place.replace(&Object::Known, sealed(&self.seal, believed, damaged)?.into());
        if is_changed && let Err(error) = keep() {
            let message =
                format!("what this run wrote is read again by the next: {}", error.chain());
            self.issues.add(IssueKind::HotIncomplete, Object::Known.path(), message);
            names.place = None;
        }
    }
}

fn tell_unknown(issues: &Issues, is_mended: bool, error: &Error) {
    let kind = if is_mended { IssueKind::HotMended } else { IssueKind::HotIncomplete };
    let reason = error.chain();
    let message =
        format!("what this machine wrote is not known, this run takes cold on trust: {reason}");
    issues.add(kind, Object::Known.path(), message);
}

/// The object `known` of a machine that knows `objects`, and of `damaged` that they are.
pub fn sealed(
    seal: &Seal,
    objects: &BTreeSet<ObjectId>,
    damaged: &BTreeSet<ObjectId>,
) -> Result<Vec<u8>> {
    let saved = Saved { version: VERSION, objects: objects.clone(), damaged: damaged.clone() };
    let json = serde_json::to_vec(&saved).map_err(|error| {
        Error::caused_by(ErrorKind::Internal, "cannot write known objects as JSON", error)
    })?;
    if json.len() > LARGEST_KNOWN_BYTES {
        let message = format!("{} objects are more than can be remembered", objects.len());
        return Err(Error::new(ErrorKind::Storage, message));
    }
    seal.seal(&json)
}

fn read(place: &LocalDirectory<Maintain>, seal: &Seal) -> Result<Saved> {
    let missing = || Error::new(ErrorKind::Damaged, "it is missing");
    let content = place.read(&Object::Known)?.ok_or_else(missing)?;
    let json = seal.open_json(&content, LARGEST_KNOWN_BYTES)?;
    let saved: Saved = serde_json::from_slice(&json)
        .map_err(|error| Error::caused_by(ErrorKind::Damaged, "cannot be read", error))?;
    match saved.version {
        VERSION => Ok(saved),
        other => Err(Error::new(ErrorKind::Damaged, format!("has the unknown version {other}"))),
    }
}
