//! Cold with a cache of its metadata in front: snapshots, index and packs of trees.
//!
//! Cold is complete on its own and alone decides what exists: listings and `config` come from
//! there. Hot is a local cache that holds nothing cold does not name; every byte read from it is
//! checked against the object's name first, and what is missing or wrong is read from cold.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;

use super::{
    AppendStorage, MaintainStorage, ReadStorage,
    local::{LocalDirectory, Maintain},
};
use crate::{
    error::{Error, ErrorKind, Result},
    format::reader::check_size,
    issue::{IssueKind, Issues},
    object::{Object, ObjectId, ObjectKind},
};

/// Cold, and hot in front of it where there is one.
pub struct Tiered {
    cold: Arc<dyn ReadStorage>,
    hot: Option<Hot>,
    issues: Arc<Issues>,
}

struct Hot {
    storage: LocalDirectory<Maintain>,
    /// Packs that were hashed in this process: whether hot holds them and they are right.
    packs: Mutex<HashMap<ObjectId, bool>>,
}

impl Tiered {
    /// `issues` learns what the cache could not keep; that never fails a call.
    pub fn new(
        cold: Arc<dyn ReadStorage>,
        hot: Option<LocalDirectory<Maintain>>,
        issues: Arc<Issues>,
    ) -> Self {
        let hot = hot.map(|storage| Hot { storage, packs: Mutex::default() });
        Self { cold, hot, issues }
    }

    /// The authority.
    pub fn cold(&self) -> &Arc<dyn ReadStorage> {
        &self.cold
    }

    /// What this machine knows to be its own, as hot holds it; None without hot.
    pub fn read_known(&self) -> Result<Option<Bytes>> {
        self.hot.as_ref().map_or(Ok(None), |hot| hot.storage.read(&Object::Known))
    }

    /// Whether there is a place to remember what is known.
    pub fn has_hot(&self) -> bool {
        self.hot.is_some()
    }

    /// Replace what [`Self::read_known`] returns.
    pub fn keep_known(&self, content: Bytes) -> Result<()> {
        self.hot.as_ref().map_or(Ok(()), |hot| hot.storage.replace(&Object::Known, content))
    }

    /// A part of a pack of trees; the pack is taken into hot when it is not there yet.
    pub fn read_tree_range(
        &self,
        object: &Object,
        offset_bytes: u64,
        length_bytes: usize,
    ) -> Result<Bytes> {
        if let Some(hot) = &self.hot
            && !hot.holds(object)
            && let Some(content) = self.cold.read(object)?
            && object.is_named_rightly(&content)
        {
            self.keep(object, &[content]);
        }
        self.read_range(object, offset_bytes, length_bytes)
    }

    /// Keep an object that is in cold already; failing to is told, never an error.
    pub fn keep(&self, object: &Object, content: &[Bytes]) {
        let Some(hot) = &self.hot else { return };
        match hot.keep(object, content) {
            Ok(()) => hot.remember(object, true),
            Err(error) => {
                let message = format!("the metadata cache does not hold it: {}", error.chain());
                self.issues.add(IssueKind::HotIncomplete, object.path(), message);
            }
        }
    }
}

impl Hot {
    /// Whether hot has the pack and its bytes are right; hashed once per process.
    fn holds(&self, object: &Object) -> bool {
        let Object::Hashed(ObjectKind::Pack, id) = object else {
            return false;
        };
        let known = self.packs.lock().unwrap_or_else(PoisonError::into_inner).get(id).copied();
        known.unwrap_or_else(|| {
            let is_right = self.read(object).is_some();
            self.remember(object, is_right);
            is_right
        })
    }

    /// The object if hot has it whole and right.
    fn read(&self, object: &Object) -> Option<Bytes> {
        let content = self.storage.read(object).ok().flatten()?;
        object.is_named_rightly(&content).then_some(content)
    }

    /// Store `content`, whatever stands in its place: hot is only a cache.
    fn keep(&self, object: &Object, content: &[Bytes]) -> Result<()> {
        match self.storage.create(object, content) {
            Err(error) if error.kind() == ErrorKind::Damaged => {
                self.storage.remove(object)?;
                self.storage.create(object, content)
            }
            other => other,
        }
    }

    fn remember(&self, object: &Object, is_right: bool) {
        if let Object::Hashed(ObjectKind::Pack, id) = object {
            self.packs.lock().unwrap_or_else(PoisonError::into_inner).insert(*id, is_right);
        }
    }
}

impl ReadStorage for Tiered {
    fn location(&self) -> String {
        self.cold.location()
    }

    fn list(&self, kind: ObjectKind) -> Result<Vec<(ObjectId, u64)>> {
        self.cold.list(kind)
    }

    fn read(&self, object: &Object) -> Result<Option<Bytes>> {
        // Config and birth are not named by their hash, so only cold can be believed.
        if matches!(object, Object::Hashed(..))
            && let Some(content) = self.hot.as_ref().and_then(|hot| hot.read(object))
        {
            return Ok(Some(content));
        }
        self.cold.read(object)
    }

    fn read_range(&self, object: &Object, offset_bytes: u64, length_bytes: usize) -> Result<Bytes> {
        if let Some(hot) = &self.hot
            && hot.holds(object)
            && let Ok(content) = hot.storage.read_range(object, offset_bytes, length_bytes)
        {
            return Ok(content);
        }
        self.cold.read_range(object, offset_bytes, length_bytes)
    }

    fn size(&self, object: &Object) -> Result<Option<u64>> {
        self.cold.size(object)
    }
}

/// Bring hot in line with cold before it is used: what cold does not name goes to `aside`, what
/// is missing among snapshots and index is copied. Packs are taken over when they are first read.
pub fn align_hot(
    cold: &dyn ReadStorage,
    hot: &LocalDirectory<Maintain>,
    issues: &Issues,
) -> Result<()> {
    hot.create_folders()?;
    for kind in [ObjectKind::Snapshot, ObjectKind::Index] {
        let named: HashMap<ObjectId, u64> = cold.list(kind)?.into_iter().collect();
        let cached: HashMap<ObjectId, u64> = hot.list(kind)?.into_iter().collect();
        for id in cached.keys().filter(|id| !named.contains_key(id)) {
            hot.set_aside(&Object::Hashed(kind, *id))?;
        }
        for (id, size) in named {
            // Junk of any size may lie in cold; whoever lists it says so.
            let is_usable = check_size(kind, size).is_ok();
            if is_usable && cached.get(&id) != Some(&size) {
                copy_to_hot(cold, hot, &Object::Hashed(kind, id), issues)?;
            }
        }
    }
    Ok(())
}

fn copy_to_hot(
    cold: &dyn ReadStorage,
    hot: &LocalDirectory<Maintain>,
    object: &Object,
    issues: &Issues,
) -> Result<()> {
    let Some(content) = cold.read(object)? else {
        // Listed a moment ago: somebody with delete rights is at work.
        return Err(Error::new(
            ErrorKind::Storage,
            format!("{object} went away while it was read"),
        ));
    };
    // What is wrong in cold is not to be hidden by a good copy; whoever reads it reports it.
    let is_right = object.is_named_rightly(&content);
    let kept = hot
        .remove(object)
        .and_then(|()| if is_right { hot.create(object, &[content]) } else { Ok(()) });
    if let Err(error) = kept {
        issues.add(IssueKind::HotIncomplete, object.path(), error.chain());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::local::Append;

    struct Scene {
        folder: tempfile::TempDir,
        cold: LocalDirectory<Append>,
        hot: LocalDirectory<Maintain>,
        issues: Arc<Issues>,
    }

    impl Scene {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let cold = LocalDirectory::new(folder.path().join("cold"));
            let hot = LocalDirectory::new(folder.path().join("hot"));
            cold.create_folders().unwrap();
            hot.create_folders().unwrap();
            Self { folder, cold, hot, issues: Arc::default() }
        }

        fn tiered(&self) -> Tiered {
            let hot = Some(self.hot.clone());
            Tiered::new(Arc::new(self.cold.clone()), hot, self.issues.clone())
        }

        fn poison(&self, object: &Object, content: &[u8]) {
            std::fs::write(self.folder.path().join("hot").join(object.path()), content).unwrap();
        }
    }

    fn object(kind: ObjectKind, content: &[u8]) -> Object {
        Object::Hashed(kind, ObjectId::of(content))
    }

    #[test]
    fn poisoned_hot_is_not_believed() {
        let scene = Scene::new();
        let snapshot = object(ObjectKind::Snapshot, b"alice");
        let pack = object(ObjectKind::Pack, b"a pack");
        scene.cold.create(&snapshot, &[Bytes::from_static(b"alice")]).unwrap();
        scene.cold.create(&pack, &[Bytes::from_static(b"a pack")]).unwrap();
        scene.poison(&snapshot, b"mallo");
        scene.poison(&pack, b"poison");

        let tiered = scene.tiered();

        assert_eq!(tiered.read(&snapshot).unwrap().unwrap(), "alice");
        assert_eq!(tiered.read_range(&pack, 2, 4).unwrap(), "pack");
        assert_eq!(tiered.read_tree_range(&pack, 2, 4).unwrap(), "pack");
        assert_eq!(scene.hot.read(&pack).unwrap().unwrap(), "a pack", "and mended");
    }

    #[test]
    fn a_pack_of_trees_is_kept_when_it_is_first_read() {
        let scene = Scene::new();
        let pack = object(ObjectKind::Pack, b"a pack");
        scene.cold.create(&pack, &[Bytes::from_static(b"a pack")]).unwrap();

        scene.tiered().read_tree_range(&pack, 0, 6).unwrap();

        assert_eq!(scene.hot.read(&pack).unwrap().unwrap(), "a pack");
    }

    #[test]
    fn what_cold_does_not_name_is_set_aside_and_what_is_missing_is_copied() {
        let scene = Scene::new();
        let known = object(ObjectKind::Index, b"known");
        let foreign = object(ObjectKind::Snapshot, b"foreign");
        scene.cold.create(&known, &[Bytes::from_static(b"known")]).unwrap();
        scene.hot.create(&foreign, &[Bytes::from_static(b"foreign")]).unwrap();

        align_hot(&scene.cold, &scene.hot, &scene.issues).unwrap();

        assert_eq!(scene.hot.read(&known).unwrap().unwrap(), "known");
        assert_eq!(scene.hot.read(&foreign).unwrap(), None);
        let aside = scene.folder.path().join("hot/aside");
        assert_eq!(std::fs::read_dir(aside).unwrap().count(), 1);
    }

    #[test]
    fn config_is_never_read_from_hot() {
        let scene = Scene::new();
        scene.cold.create(&Object::Config, &[Bytes::from_static(b"cold")]).unwrap();
        scene.poison(&Object::Config, b"hot");

        assert_eq!(scene.tiered().read(&Object::Config).unwrap().unwrap(), "cold");
    }
}
