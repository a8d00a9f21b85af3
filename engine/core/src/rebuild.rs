//! Making hot anew: all metadata of cold, verified, and nothing else.

use std::{
    collections::{HashMap, HashSet},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    control::Control,
    error::Result,
    format::{
        blob::BlobKind,
        index::Index,
        reader::{check_size, damage},
        seal::Seal,
    },
    issue::{Collected, Issue, IssueKind, Issues},
    object::{Object, ObjectId, ObjectKind},
    process,
    repository::{Repository, refuse_repository},
    storage::{
        AppendStorage, ReadStorage,
        hot::{Cached, Hot, read_right},
        local::{LocalDirectory, Maintain},
    },
    workers::{for_each, lock},
};

/// A whole pack is held in memory by each.
const THREADS: usize = 2;

/// What was done, or in a rehearsal would be done, to hot.
#[derive(Debug, Default, Clone)]
pub struct HotSummary {
    /// Objects that were there and right.
    pub kept: u64,
    /// Objects that were taken from cold.
    pub filled: u64,
    /// Their bytes.
    pub filled_bytes: u64,
    /// Objects that were wrong, or do not belong into hot.
    pub set_aside: u64,
    /// Objects of cold that are damaged or cannot be read.
    pub issues: Collected,
}

/// The cache that is being made anew.
struct Rebuild<'a> {
    cold: &'a dyn ReadStorage,
    storage: LocalDirectory<Maintain>,
    hot: Hot,
    is_rehearsal: bool,
    control: &'a Control,
    issues: Issues,
    summary: Mutex<HotSummary>,
}

impl Repository {
    /// Make the cache in `hot` what it should be: config, snapshots, index and the packs of
    /// trees, each verified against its name; what else lies there is set aside. A rehearsal
    /// reads and verifies the same, and writes nothing.
    pub fn rebuild_hot(
        &self,
        hot: &Path,
        is_rehearsal: bool,
        control: &Control,
    ) -> Result<HotSummary> {
        process::check()?;
        let storage = LocalDirectory::<Maintain>::new(hot);
        refuse_repository(&storage)?;
        let (index, issues) = self.cold_reader().index()?;
        let rebuild = Rebuild {
            cold: self.tiered.cold().as_ref(),
            hot: Hot::new(storage.clone(), Arc::default()),
            storage,
            is_rehearsal,
            control,
            issues: Issues::default(),
            summary: Mutex::default(),
        };
        issues.into_iter().for_each(|issue| rebuild.issues.push(issue));
        let wanted = rebuild.wanted(&index)?;
        drop(index);
        rebuild.run(wanted, &Seal::new(&self.key), &self.config)
    }
}

impl Rebuild<'_> {
    /// What belongs into hot, with sizes in bytes, by kind.
    fn wanted(&self, index: &Index) -> Result<Vec<(ObjectKind, HashMap<ObjectId, u64>)>> {
        let trees = index.all().filter(|(blob, _)| blob.kind == BlobKind::Tree);
        let mut tree_packs: HashSet<ObjectId> = trees.map(|(_, location)| location.pack).collect();
        let mut wanted = vec![(ObjectKind::Key, HashMap::new())];
        for kind in [ObjectKind::Snapshot, ObjectKind::Index, ObjectKind::Pack] {
            let mut named: HashMap<_, _> = self.cold.list(kind)?.into_iter().collect();
            named.retain(|id, size| {
                let belongs = kind != ObjectKind::Pack || tree_packs.remove(id);
                belongs && check_size(kind, *size).is_ok()
            });
            wanted.push((kind, named));
        }
        for missing in tree_packs {
            let path = Object::Hashed(ObjectKind::Pack, missing).path();
            let message = "the index lists trees in it, but it is missing";
            self.issues.push(Issue::new(IssueKind::Damaged, path, message));
        }
        Ok(wanted)
    }

    fn run(
        self,
        wanted: Vec<(ObjectKind, HashMap<ObjectId, u64>)>,
        seal: &Seal,
        config: &[u8],
    ) -> Result<HotSummary> {
        if !self.is_rehearsal {
            self.storage.create_folders()?;
            self.storage.remove_leftovers()?;
        }
        for (kind, named) in &wanted {
            self.set_foreign_aside(*kind, named)?;
        }
        self.config(seal, config)?;
        let of_kind = |(kind, named): (ObjectKind, HashMap<_, _>)| {
            named.into_iter().map(move |(id, size)| (Object::Hashed(kind, id), size))
        };
        let objects: Vec<_> = wanted.into_iter().flat_map(of_kind).collect();
        self.control.set_total(objects.iter().map(|(_, size)| size).sum(), objects.len() as u64);
        for_each(THREADS, objects, |(object, size_bytes)| self.object(object, size_bytes))?;
        let summary = self.summary.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(HotSummary { issues: self.issues.collected(), ..summary })
    }

    fn set_foreign_aside(&self, kind: ObjectKind, named: &HashMap<ObjectId, u64>) -> Result<()> {
        if self.is_rehearsal && !self.storage.root().join(kind.folder()).is_dir() {
            return Ok(());
        }
        self.set_aside(&self.hot.foreign(kind, named)?)
    }

    fn set_aside(&self, objects: &[Object]) -> Result<()> {
        lock(&self.summary).set_aside += objects.len() as u64;
        match self.is_rehearsal {
            true => Ok(()),
            false => self.storage.set_aside(objects),
        }
    }

    fn config(&self, seal: &Seal, config: &[u8]) -> Result<()> {
        if self.hot.wrong_config(seal, config)?.is_none() {
            lock(&self.summary).kept += 1;
            return Ok(());
        }
        if self.storage.size(&Object::Config)?.is_some() {
            self.set_aside(&[Object::Config])?;
        }
        lock(&self.summary).filled += 1;
        if !self.is_rehearsal {
            self.hot.mend_config(seal, config)?;
        }
        Ok(())
    }

    fn object(&self, object: Object, size_bytes: u64) -> Result<()> {
        self.control.check()?;
        match self.hot.look(&object) {
            Cached::Right(_) => lock(&self.summary).kept += 1,
            Cached::Missing => self.fill(&object, size_bytes)?,
            Cached::Wrong => {
                self.set_aside(&[object])?;
                self.fill(&object, size_bytes)?;
            }
        }
        self.control.add_bytes(size_bytes);
        self.control.add_entry();
        Ok(())
    }

    /// Take an object from cold. One that cold has not right becomes an issue; hot that cannot be
    /// written is an error. A rehearsal reads it as well, so that it finds what is damaged.
    fn fill(&self, object: &Object, size_bytes: u64) -> Result<()> {
        let content = match read_right(self.cold, object) {
            Ok(content) => content,
            Err(error) => {
                self.issues.push(damage(object, error)?);
                return Ok(());
            }
        };
        if !self.is_rehearsal {
            self.hot.store(object, &[content])?;
        }
        let mut summary = lock(&self.summary);
        summary.filled += 1;
        summary.filled_bytes += size_bytes;
        Ok(())
    }
}
