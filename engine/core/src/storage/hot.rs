//! Hot: a cache of the metadata, always rewritable, and never believed.
//!
//! It holds nothing that cold does not name, and every byte read from it is checked against the
//! object's name. What is wrong is set aside and taken from cold anew.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use serde_json::Value;

use super::{
    AppendStorage, ReadStorage,
    local::{LocalDirectory, Maintain},
    tiered::Listing,
};
use crate::{
    error::{Error, ErrorKind, Result},
    format::{
        config::{Config, LARGEST_CONFIG_BYTES},
        reader::check_size,
        seal::Seal,
    },
    issue::{IssueKind, Issues},
    object::{Object, ObjectId, ObjectKind},
    workers::lock,
};

/// What hot holds all of that cold has.
pub const ALIGNED_KINDS: [ObjectKind; 2] = [ObjectKind::Snapshot, ObjectKind::Index];

/// The cache of one repository.
pub struct Hot {
    storage: LocalDirectory<Maintain>,
    /// Learns what was mended and what could not be kept; neither fails a call.
    issues: Arc<Issues>,
    /// What was found out about packs in this process; hashing one takes a while.
    packs: Mutex<HashMap<ObjectId, PackState>>,
}

/// What is known of a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PackState {
    /// Hot holds it, and it is right.
    Held,
    /// Hot does not hold it.
    Lacking,
    /// Hot could not store it.
    Refused,
}

/// What lies in hot under an object's name.
#[derive(Debug, PartialEq, Eq)]
pub enum Cached {
    /// The object.
    Right(Bytes),
    /// Other bytes.
    Wrong,
    /// Nothing.
    Missing,
}

/// An object as `storage` has it; [`ErrorKind::Damaged`] where that is not what its name says.
pub fn read_right(storage: &dyn ReadStorage, object: &Object) -> Result<Bytes> {
    // It was listed a moment ago: somebody with delete rights is at work.
    let gone = || Error::new(ErrorKind::Storage, format!("{object} went away"));
    let content = storage.read(object)?.ok_or_else(gone)?;
    match object.is_named_rightly(&content) {
        true => Ok(content),
        false => Err(Error::new(ErrorKind::Damaged, "its SHA-256 is not its name")),
    }
}

impl Hot {
    /// The cache in `storage`, used as it is.
    pub fn new(storage: LocalDirectory<Maintain>, issues: Arc<Issues>) -> Self {
        Self { storage, issues, packs: Mutex::default() }
    }

    /// Bring snapshots, index and config in line with cold: what cold does not name is set aside,
    /// what is missing or of another size is filled. `listings` are those of cold, of
    /// [`ALIGNED_KINDS`]. Fails where hot cannot be used at all.
    pub fn align(
        &self,
        cold: &dyn ReadStorage,
        listings: &[(ObjectKind, Listing)],
        seal: &Seal,
        config: &[u8],
    ) -> Result<()> {
        self.storage.create_folders()?;
        if let Err(error) = self.storage.remove_leftovers() {
            self.issues.add(IssueKind::HotIncomplete, "", error.chain());
        }
        let mut foreign = self.foreign(ObjectKind::Key, &HashMap::new())?;
        let mut missing = Vec::new();
        for (kind, listing) in listings {
            let kind = *kind;
            let mut named: HashMap<ObjectId, u64> = listing.iter().copied().collect();
            // Junk of any size may lie in cold; whoever lists it says so.
            named.retain(|_, size| check_size(kind, *size).is_ok());
            foreign.extend(self.foreign(kind, &named)?);
            let cached: HashMap<ObjectId, u64> = self.storage.list(kind)?.into_iter().collect();
            named.retain(|id, size| cached.get(id) != Some(size));
            missing.extend(named.into_keys().map(|id| Object::Hashed(kind, id)));
        }
        self.storage.set_aside(&foreign)?;
        let config_was_filled = self.mend_config(seal, config)?;
        let filled = self.fill(cold, &missing) + usize::from(config_was_filled);
        self.tell_mended(foreign.len(), filled);
        Ok(())
    }

    /// Set aside the packs that are not among those of cold, or are of another size.
    pub fn align_packs(&self, cold: &HashMap<ObjectId, u64>) {
        let aligned = self.foreign(ObjectKind::Pack, cold).and_then(|foreign| {
            self.storage.set_aside(&foreign)?;
            self.tell_mended(foreign.len(), 0);
            Ok(())
        });
        if let Err(error) = aligned {
            self.issues.add(IssueKind::HotIncomplete, "", error.chain());
        }
    }

    /// What lies there under the object's name.
    pub fn look(&self, object: &Object) -> Cached {
        match self.storage.read(object) {
            Ok(Some(content)) if object.is_named_rightly(&content) => Cached::Right(content),
            Ok(None) => Cached::Missing,
            Ok(Some(_)) | Err(_) => Cached::Wrong,
        }
    }

    /// The object if hot has it whole and right; what is wrong is set aside.
    pub fn read(&self, object: &Object) -> Option<Bytes> {
        match self.look(object) {
            Cached::Right(content) => return Some(content),
            Cached::Missing => {}
            Cached::Wrong => match self.storage.set_aside(&[*object]) {
                Ok(()) => {
                    let message = "the metadata cache held other bytes; they were set aside";
                    self.issues.add(IssueKind::HotMended, object.path(), message);
                }
                Err(error) => self.tell_incomplete(object, &error),
            },
        }
        None
    }

    /// A part of a pack that hot holds.
    pub fn read_range(&self, object: &Object, offset_bytes: u64, length: usize) -> Option<Bytes> {
        if !self.holds(object) {
            return None;
        }
        self.storage.read_range(object, offset_bytes, length).ok()
    }

    /// Whether hot has the pack and its bytes are right; hashed once per process.
    pub fn holds(&self, object: &Object) -> bool {
        self.state(object) == Some(PackState::Held)
    }

    /// Whether the pack belongs into hot and is not there. False where it was tried before: one
    /// that cannot be stored must not be read from cold for every part of it.
    pub fn lacks(&self, object: &Object) -> bool {
        self.state(object) == Some(PackState::Lacking)
    }

    fn state(&self, object: &Object) -> Option<PackState> {
        let Object::Hashed(ObjectKind::Pack, id) = object else { return None };
        let known = lock(&self.packs).get(id).copied();
        Some(known.unwrap_or_else(|| {
            let is_right = self.read(object).is_some();
            let state = if is_right { PackState::Held } else { PackState::Lacking };
            self.remember(object, state);
            state
        }))
    }

    /// Keep an object that is in cold; failing to is told, never an error.
    pub fn keep(&self, object: &Object, content: &[Bytes]) {
        match self.store(object, content) {
            Ok(()) => self.remember(object, PackState::Held),
            Err(error) => {
                self.remember(object, PackState::Refused);
                self.tell_incomplete(object, &error);
            }
        }
    }

    /// Store an object of cold, whatever stands in its place.
    pub fn store(&self, object: &Object, content: &[Bytes]) -> Result<()> {
        match self.storage.create(object, content) {
            Err(error) if error.kind() == ErrorKind::Damaged => {
                self.storage.set_aside(&[*object])?;
                self.storage.create(object, content)
            }
            other => other,
        }
    }

    /// Objects of `kind` in hot that are not among `named`, or are of another size.
    pub fn foreign(&self, kind: ObjectKind, named: &HashMap<ObjectId, u64>) -> Result<Vec<Object>> {
        let cached = self.storage.list(kind)?.into_iter();
        let foreign = cached.filter(|(id, size)| named.get(id) != Some(size));
        Ok(foreign.map(|(id, _)| Object::Hashed(kind, id)).collect())
    }

    /// Make hot's config what stock rustic expects of a hot repository; we ourselves never read
    /// it. Returns whether there was something to do.
    pub fn mend_config(&self, seal: &Seal, cold_config: &[u8]) -> Result<bool> {
        let Some(config) = self.wrong_config(seal, cold_config)? else { return Ok(false) };
        if self.storage.size(&Object::Config)?.is_some() {
            self.storage.set_aside(&[Object::Config])?;
        }
        let sealed = seal.seal(config.to_string().as_bytes())?;
        self.storage.create(&Object::Config, &[sealed.into()])?;
        Ok(true)
    }

    /// The config that hot should have, or None where it has that.
    pub fn wrong_config(&self, seal: &Seal, cold_config: &[u8]) -> Result<Option<Value>> {
        let mut config = Config::open_json(cold_config, seal)?;
        if let Some(fields) = config.as_object_mut() {
            fields.insert("is_hot".to_owned(), true.into());
        }
        let size = self.storage.size(&Object::Config)?;
        if size.is_none_or(|size| size > LARGEST_CONFIG_BYTES as u64) {
            return Ok(Some(config));
        }
        let cached = self.storage.read(&Object::Config)?.unwrap_or_default();
        let is_right = Config::open_json(&cached, seal).is_ok_and(|cached| cached == config);
        Ok((!is_right).then_some(config))
    }

    /// Copy objects from cold; returns how many were stored. The first that hot cannot hold is
    /// told for all. What is wrong in cold is not to be hidden by a good copy, and whoever reads
    /// it reports it.
    fn fill(&self, cold: &dyn ReadStorage, missing: &[Object]) -> usize {
        let mut filled = 0;
        let mut first_failure = None;
        for object in missing {
            match read_right(cold, object).and_then(|content| self.store(object, &[content])) {
                Ok(()) => filled += 1,
                Err(error) if error.kind() == ErrorKind::Damaged => {}
                Err(error) => first_failure = first_failure.or(Some((object, error))),
            }
        }
        if let Some((object, error)) = first_failure {
            self.tell_incomplete(object, &error);
        }
        filled
    }

    fn remember(&self, object: &Object, state: PackState) {
        if let Object::Hashed(ObjectKind::Pack, id) = object {
            lock(&self.packs).insert(*id, state);
        }
    }

    fn tell_mended(&self, set_aside: usize, filled: usize) {
        if set_aside + filled > 0 {
            let message = format!(
                "the metadata cache was not what cold says: {set_aside} objects set aside, \
                 {filled} filled from cold"
            );
            self.issues.add(IssueKind::HotMended, "", message);
        }
    }

    fn tell_incomplete(&self, object: &Object, error: &Error) {
        let message = format!("the metadata cache does not hold it: {}", error.chain());
        self.issues.add(IssueKind::HotIncomplete, object.path(), message);
    }
}
