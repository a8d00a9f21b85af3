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
    object::{Object, ObjectId, ObjectKind},
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
    cold: Arc<dyn ReadStorage>,
    seal: Seal,
    issues: Arc<Issues>,
    names: Mutex<Names>,
}

struct Names {
    /// Where they are kept. None: there is no hot, or it cannot be used.
    place: Option<LocalDirectory<Maintain>>,
    /// None: everything is believed.
    believed: Option<BTreeSet<ObjectId>>,
    /// Index objects and packs that were told as damaged, and are done without since.
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
    pub fn load(
        cold: Arc<dyn ReadStorage>,
        place: Option<LocalDirectory<Maintain>>,
        seal: Seal,
        issues: Arc<Issues>,
    ) -> Self {
        let read = place.as_ref().map_or(Ok(None), |place| read(place, &seal));
        let (place, saved) = match read {
            Ok(saved) => (place, saved),
            Err(error) => {
                let is_mended = error.kind() == ErrorKind::Damaged;
                tell_unknown(&issues, is_mended, &error);
                (place.filter(|_| is_mended), None)
            }
        };
        let (believed, damaged) =
            saved.map_or((None, BTreeSet::new()), |saved| (Some(saved.objects), saved.damaged));
        Self { cold, seal, issues, names: Mutex::new(Names { place, believed, damaged }) }
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

    /// From now on these objects are known to be damaged.
    pub fn add_damaged(&self, ids: impl Iterator<Item = ObjectId>) {
        self.change(|names| extend(&mut names.damaged, ids));
    }

    /// From now on these index objects are known. Where nothing was, the snapshots in cold are
    /// as well: all that is sound is taken on trust, once.
    pub fn learn(&self, indexes: &[(ObjectId, u64)]) -> Result<()> {
        let (has_place, knows_nothing) = {
            let names = lock(&self.names);
            (names.place.is_some(), names.believed.is_none())
        };
        if !has_place {
            return Ok(());
        }
        let snapshots = match knows_nothing {
            true => self.cold.list(ObjectKind::Snapshot)?,
            false => Vec::new(),
        };
        let learnt = indexes.iter().chain(&snapshots).map(|(id, _)| *id);
        self.change(|names| {
            let is_first = names.believed.is_none();
            extend(names.believed.get_or_insert_default(), learnt) || is_first
        });
        Ok(())
    }

    /// Change what is known, and keep it where `change` says that it did.
    fn change(&self, change: impl FnOnce(&mut Names) -> bool) {
        let mut names = lock(&self.names);
        let is_changed = change(&mut names);
        let Names { place: Some(place), believed: Some(believed), damaged } = &*names else {
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

/// Returns whether there was something new among `ids`.
fn extend(set: &mut BTreeSet<ObjectId>, ids: impl Iterator<Item = ObjectId>) -> bool {
    let before = set.len();
    set.extend(ids);
    set.len() > before
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

fn read(place: &LocalDirectory<Maintain>, seal: &Seal) -> Result<Option<Saved>> {
    let Some(content) = place.read(&Object::Known)? else { return Ok(None) };
    let json = seal.open_json(&content, LARGEST_KNOWN_BYTES)?;
    let saved: Saved = serde_json::from_slice(&json)
        .map_err(|error| Error::caused_by(ErrorKind::Damaged, "cannot be read", error))?;
    match saved.version {
        VERSION => Ok(Some(saved)),
        other => Err(Error::new(ErrorKind::Damaged, format!("has the unknown version {other}"))),
    }
}
