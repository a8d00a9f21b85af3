//! The index as a run goes by it: without objects that are not right, and without packs that are
//! damaged. Anybody who can write to cold can put junk there for ever; it must not stop a backup.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use rustic_core::repofile::IndexFile;

use super::sound;
use crate::{
    control::Control,
    distrust::Distrust,
    error::{Error, ErrorKind, Result},
    format::{
        blob::BlobKind,
        index::{IndexObject, ListedPack},
        reader::{check_size, open_json},
        seal::Seal,
    },
    known::Known,
    object::{Object, ObjectId, ObjectKind},
    storage::{ReadStorage, tiered::Tiered},
    workers::{for_each, lock},
};

/// Threads that read what an unknown index lists; each holds one blob.
const VERIFIERS: usize = 2;

/// The part of the index that can be believed.
pub struct BelievedIndex {
    tiered: Arc<Tiered>,
    seal: Seal,
    known: Arc<Known>,
    distrust: Arc<Distrust>,
    control: Arc<Control>,
    /// Damage seldom comes alone: once some was met, all trees are looked at.
    is_thorough: bool,
    found: Mutex<Found>,
}

/// What the last listing showed.
#[derive(Default)]
struct Found {
    /// Every tree that is listed in a pack that can be used.
    trees: HashSet<ObjectId>,
    /// Index objects that name packs which cannot be used as well.
    mixed: HashSet<ObjectId>,
}

impl BelievedIndex {
    /// Nothing is believed before the index was listed.
    pub fn new(
        tiered: Arc<Tiered>,
        seal: Seal,
        known: Arc<Known>,
        distrust: Arc<Distrust>,
        control: Arc<Control>,
    ) -> Self {
        let is_thorough = distrust.count() > 0;
        Self { tiered, seal, known, distrust, control, is_thorough, found: Mutex::default() }
    }

    /// Whether the tree is stored, as far as the index says. The archiver takes a folder that did
    /// not change for stored when an earlier snapshot names its tree, and does not ask the index.
    pub fn lists_tree(&self, id: ObjectId) -> bool {
        lock(&self.found).trees.contains(&id)
    }

    /// The index objects that can be believed, with their sizes in bytes; the others are told.
    pub fn list(&self) -> Result<Vec<(ObjectId, u64)>> {
        // Before the packs: what another run writes meanwhile must not name packs not listed yet.
        let listed = self.tiered.list(ObjectKind::Index)?;
        let packs = self.tiered.list(ObjectKind::Pack)?.into_iter().collect();
        self.tiered.align_packs(&packs);
        let mut sound = Vec::new();
        for (id, size_bytes) in listed {
            self.control.check()?;
            match self.examine(id, size_bytes, &packs) {
                Ok(()) => sound.push((id, size_bytes)),
                Err(error) if error.kind() == ErrorKind::Cancelled => return Err(error),
                Err(error) => self.distrust.add(&Object::Hashed(ObjectKind::Index, id), &error),
            }
        }
        self.known.learn(&sound)?;
        Ok(sound)
    }

    /// The sealed bytes of a listed index object, without packs that cannot be used.
    pub fn read(&self, id: ObjectId) -> Result<Bytes> {
        let content = self.content(id)?;
        if !lock(&self.found).mixed.contains(&id) {
            return Ok(content);
        }
        let json = open_json(ObjectKind::Index, id, content.len() as u64, &content, &self.seal)?;
        let unread = |error| Error::caused_by(ErrorKind::Damaged, "cannot be read", error);
        let mut index: IndexFile = serde_json::from_slice(&json).map_err(unread)?;
        index.packs.retain(|pack| {
            let id = pack.id.to_hex().as_str().parse();
            id.is_ok_and(|id| !self.distrust.holds(id))
        });
        Ok(self.seal.seal(&serde_json::to_vec(&index).map_err(unread)?)?.into())
    }

    fn content(&self, id: ObjectId) -> Result<Bytes> {
        let missing = || Error::new(ErrorKind::Damaged, "listed, but not there");
        self.tiered.read(&Object::Hashed(ObjectKind::Index, id))?.ok_or_else(missing)
    }

    /// Fail unless the index object is what it claims to be. Packs that it names and that are not
    /// whole in cold are done without: their blobs are stored anew.
    fn examine(&self, id: ObjectId, size_bytes: u64, packs: &HashMap<ObjectId, u64>) -> Result<()> {
        check_size(ObjectKind::Index, size_bytes)?;
        let content = self.content(id)?;
        let json = open_json(ObjectKind::Index, id, size_bytes, &content, &self.seal)?;
        // What this machine wrote the archiver can read: half of the work of opening is saved.
        let index = match self.known.is_own(id) {
            true => IndexObject::parse(&json, content.len())?,
            false => sound::index(&json, content.len())?,
        };
        for pack in index.packs() {
            match self.examine_pack(&pack, packs) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::Cancelled => return Err(error),
                // What nobody wrote who is known must not fill memory with names of packs.
                Err(error) if !self.known.holds(id) => return Err(error),
                Err(error) => {
                    self.distrust.add(&Object::Hashed(ObjectKind::Pack, pack.id), &error);
                    lock(&self.found).mixed.insert(id);
                }
            }
        }
        if !self.known.holds(id) {
            self.verify(&index)?;
        }
        let is_usable = |pack| !self.distrust.holds(pack);
        let trees =
            index.claims().filter(|(blob, at)| blob.kind == BlobKind::Tree && is_usable(at.pack));
        lock(&self.found).trees.extend(trees.map(|(blob, _)| blob.id));
        Ok(())
    }

    /// Fail with [`ErrorKind::Damaged`] unless the pack can be used, as far as is looked.
    fn examine_pack(&self, pack: &ListedPack, packs: &HashMap<ObjectId, u64>) -> Result<()> {
        let is_distrusted = self.distrust.holds(pack.id);
        let message = match packs.get(&pack.id) {
            None => "the index names it, but it is missing",
            Some(size) if *size < pack.least_bytes => "it is shorter than the index says",
            Some(_) if is_distrusted => "its bytes are damaged",
            Some(_) if self.is_thorough && pack.holds_trees => {
                self.control.check()?;
                return self.tiered.verify_tree_pack(&Object::Hashed(ObjectKind::Pack, pack.id));
            }
            Some(_) => return Ok(()),
        };
        Err(Error::new(ErrorKind::Damaged, message))
    }

    /// Read every blob that an index lists which this machine does not know.
    fn verify(&self, index: &IndexObject) -> Result<()> {
        let cold = self.tiered.cold().as_ref();
        for_each(VERIFIERS, index.claims().collect(), |(blob, location)| {
            self.control.check()?;
            blob.read(cold, &self.seal, &location).map(drop)
        })
    }
}
