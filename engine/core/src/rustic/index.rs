//! The index as a run goes by it: without objects that are not right, and without packs that are
//! damaged. Anybody who can write to cold can put junk there for ever; it must not stop a backup.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use rustic_core::{Id, repofile::IndexFile};

use super::sound;
use crate::{
    control::Control,
    distrust::Distrust,
    error::{Error, ErrorKind, Result},
    format::{
        blob::BlobKind,
        damaged,
        index_object::{IndexObject, ListedPack},
        pack::MOST_HEADER_BYTES,
        reader::{check_size, open_json},
        seal::Seal,
    },
    issue::KEPT_ISSUES,
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

/// What the listing showed.
#[derive(Default)]
struct Found {
    /// Every tree that is listed and can be used.
    trees: HashSet<ObjectId>,
    /// Trees that are beyond what is read back.
    too_large: HashSet<ObjectId>,
    /// Index objects that name what cannot be used as well.
    partly_usable: HashSet<ObjectId>,
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
        self.known.learn(&sound);
        Ok(sound)
    }

    /// The sealed bytes of a listed index object, without what cannot be used.
    pub fn read(&self, id: ObjectId) -> Result<Bytes> {
        let content = self.content(id)?;
        let found = lock(&self.found);
        if !found.partly_usable.contains(&id) {
            return Ok(content);
        }
        let json = open_json(ObjectKind::Index, id, content.len() as u64, &content, &self.seal)?;
        let unread = |error| Error::caused_by(ErrorKind::Damaged, "cannot be read", error);
        let mut index: IndexFile = serde_json::from_slice(&json).map_err(unread)?;
        index.packs.retain(|pack| id_of(&pack.id).is_ok_and(|id| !self.distrust.holds(id)));
        for pack in &mut index.packs {
            pack.blobs
                .retain(|blob| id_of(&blob.id).is_ok_and(|id| !found.too_large.contains(&id)));
        }
        Ok(self.seal.seal(&serde_json::to_vec(&index).map_err(unread)?)?.into())
    }

    fn content(&self, id: ObjectId) -> Result<Bytes> {
        let missing = || damaged("listed, but not there");
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
        let is_believed = self.known.holds(id);
        if !is_believed && self.known.is_damaged(id) {
            return Err(damaged("what it lists was found damaged"));
        }
        for pack in index.packs() {
            match self.examine_pack(&pack, packs, is_believed) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::Cancelled => return Err(error),
                // Memory must not be filled with the names of packs that somebody made up.
                Err(error) if !is_believed || self.distrust.count() >= KEPT_ISSUES => {
                    return Err(error);
                }
                Err(error) => {
                    self.distrust.add(&Object::Hashed(ObjectKind::Pack, pack.id), &error);
                    lock(&self.found).partly_usable.insert(id);
                }
            }
        }
        if !is_believed {
            self.verify(&index)?;
            self.known.add(id);
        }
        self.note_trees(id, &index);
        Ok(())
    }

    /// Fail unless the pack can be used, as far as is looked.
    fn examine_pack(
        &self,
        pack: &ListedPack,
        packs: &HashMap<ObjectId, u64>,
        is_believed: bool,
    ) -> Result<()> {
        let most_bytes = pack.least_bytes + MOST_HEADER_BYTES;
        let is_doubted = self.is_thorough || self.known.is_damaged(pack.id);
        match packs.get(&pack.id) {
            None => Err(damaged("the index names it, but it is missing")),
            Some(size) if *size < pack.least_bytes => {
                Err(damaged("it is shorter than the index says"))
            }
            Some(size) if pack.holds_trees && *size > most_bytes => {
                Err(damaged("it is longer than the index says"))
            }
            Some(_) if self.distrust.holds(pack.id) => Err(damaged("it cannot be used")),
            Some(_) if pack.holds_trees && is_believed && is_doubted => {
                self.control.check()?;
                self.tiered.verify_tree_pack(&Object::Hashed(ObjectKind::Pack, pack.id))
            }
            Some(_) => Ok(()),
        }
    }

    /// A tree that is too large to be read back is as if it were not listed: each run that needs
    /// it stores it again, and says so.
    fn note_trees(&self, id: ObjectId, index: &IndexObject) {
        let mut found = lock(&self.found);
        for (blob, at) in index.claims().filter(|(blob, _)| blob.kind == BlobKind::Tree) {
            if blob.check_claim(&at).and(blob.plain_bytes(&at)).is_err() {
                found.too_large.insert(blob.id);
                found.partly_usable.insert(id);
            } else if !self.distrust.holds(at.pack) {
                found.trees.insert(blob.id);
            }
        }
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

fn id_of(id: &Id) -> Result<ObjectId> {
    id.to_hex().as_str().parse()
}
