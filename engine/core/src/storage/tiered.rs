//! Cold with a cache of its metadata in front: snapshots, index and packs of trees.
//!
//! Cold is complete on its own and alone decides what exists: listings and `config` come from
//! there. Hot is a local cache that holds nothing cold does not name; every byte read from it is
//! checked against the object's name first, and what is missing or wrong is read from cold.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use bytes::Bytes;

use super::{ReadStorage, hot::Hot};
use crate::{
    error::{Error, ErrorKind, Result},
    object::{Object, ObjectId, ObjectKind},
    workers::lock,
};

/// Cold, and hot in front of it where there is one.
pub struct Tiered {
    cold: Arc<dyn ReadStorage>,
    hot: Option<Hot>,
    /// This credential may not read packs; asking for each of them would take a while.
    may_not_read_packs: AtomicBool,
    /// Listings that were made a moment ago, each used once more.
    listed: Mutex<Vec<(ObjectKind, Listing)>>,
}

/// Objects with their sizes in bytes.
pub type Listing = Vec<(ObjectId, u64)>;

impl Tiered {
    /// Cold with `hot` in front.
    pub fn new(cold: Arc<dyn ReadStorage>, hot: Option<Hot>) -> Self {
        Self { cold, hot, may_not_read_packs: AtomicBool::default(), listed: Mutex::default() }
    }

    /// Let each of these listings of cold, made a moment ago, stand for the next one of its kind.
    #[must_use]
    pub fn with_listings(mut self, listed: Vec<(ObjectKind, Listing)>) -> Self {
        self.listed = Mutex::new(listed);
        self
    }

    /// The authority.
    pub fn cold(&self) -> &Arc<dyn ReadStorage> {
        &self.cold
    }

    /// A part of a pack of trees; the pack is taken into hot when it is not there yet. Then all of
    /// it is seen, and it fails with [`ErrorKind::Damaged`] unless all of it is right.
    pub fn read_tree_range(
        &self,
        object: &Object,
        offset_bytes: u64,
        length_bytes: usize,
    ) -> Result<Bytes> {
        if self.hot.as_ref().is_some_and(|hot| hot.lacks(object)) {
            self.take_tree_pack(object)?;
        }
        self.read_range(object, offset_bytes, length_bytes)
    }

    /// Read a pack of trees from cold into hot; [`ErrorKind::Damaged`] unless all of it is right.
    fn take_tree_pack(&self, object: &Object) -> Result<()> {
        let missing = || Error::new(ErrorKind::Damaged, "it went away");
        if self.may_not_read_packs.load(Relaxed) {
            return Err(Error::new(ErrorKind::Denied, format!("{object} may not be read")));
        }
        let content = self.cold.read(object).inspect_err(|error| {
            self.may_not_read_packs.fetch_or(error.kind() == ErrorKind::Denied, Relaxed);
        })?;
        let content = content.ok_or_else(missing)?;
        if !object.is_named_rightly(&content) {
            return Err(Error::new(ErrorKind::Damaged, "its SHA-256 is not its name"));
        }
        self.keep(object, &[content]);
        Ok(())
    }

    /// Fail with [`ErrorKind::Damaged`] unless hot or cold holds the pack of trees as it was.
    pub fn verify_tree_pack(&self, object: &Object) -> Result<()> {
        match self.hot.as_ref().is_some_and(|hot| hot.holds(object)) {
            true => Ok(()),
            false => self.take_tree_pack(object),
        }
    }

    /// Keep an object that is in cold already; failing to is told, never an error.
    pub fn keep(&self, object: &Object, content: &[Bytes]) {
        if let Some(hot) = &self.hot {
            hot.keep(object, content);
        }
    }

    /// Set aside what hot has of packs that are not among those of cold.
    pub fn align_packs(&self, cold: &HashMap<ObjectId, u64>) {
        if let Some(hot) = &self.hot {
            hot.align_packs(cold);
        }
    }
}

impl ReadStorage for Tiered {
    fn location(&self) -> String {
        self.cold.location()
    }

    fn list(&self, kind: ObjectKind) -> Result<Listing> {
        self.take_listing(kind).map_or_else(|| self.cold.list(kind), Ok)
    }

    fn read(&self, object: &Object) -> Result<Option<Bytes>> {
        self.read_through(object, || self.cold.read(object))
    }

    fn read_at_most(&self, object: &Object, most_bytes: u64) -> Result<Option<Bytes>> {
        self.read_through(object, || self.cold.read_at_most(object, most_bytes))
    }

    fn read_range(&self, object: &Object, offset_bytes: u64, length_bytes: usize) -> Result<Bytes> {
        let cached =
            self.hot.as_ref().and_then(|hot| hot.read_range(object, offset_bytes, length_bytes));
        cached.map_or_else(|| self.cold.read_range(object, offset_bytes, length_bytes), Ok)
    }

    fn size(&self, object: &Object) -> Result<Option<u64>> {
        self.cold.size(object)
    }
}

impl Tiered {
    fn take_listing(&self, kind: ObjectKind) -> Option<Listing> {
        let mut listed = lock(&self.listed);
        let place = listed.iter().position(|(of, _)| *of == kind)?;
        Some(listed.swap_remove(place).1)
    }

    /// What hot holds of an object, or what `from_cold` reads, which hot then holds.
    fn read_through(
        &self,
        object: &Object,
        from_cold: impl FnOnce() -> Result<Option<Bytes>>,
    ) -> Result<Option<Bytes>> {
        // Config and birth are not named by their hash, so only cold can be believed.
        let hot = self.hot.as_ref().filter(|_| matches!(object, Object::Hashed(..)));
        if let Some(content) = hot.and_then(|hot| hot.read(object)) {
            return Ok(Some(content));
        }
        let content = from_cold()?;
        if let (Some(hot), Some(content)) = (hot, &content)
            && !matches!(object, Object::Hashed(ObjectKind::Pack, _))
            && object.is_named_rightly(content)
        {
            hot.keep(object, std::slice::from_ref(content));
        }
        Ok(content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        issue::{IssueKind, Issues},
        storage::{
            AppendStorage,
            local::{Append, LocalDirectory, Maintain},
        },
    };

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
            let hot = Hot::new(self.hot.clone(), self.issues.clone());
            Tiered::new(Arc::new(self.cold.clone()), Some(hot))
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
        assert_eq!(scene.hot.read(&snapshot).unwrap().unwrap(), "alice", "and mended");
        let told = scene.issues.collected();
        assert_eq!((told.note_count, told.problem_count), (2, 0));
        assert!(told.kept.iter().all(|issue| issue.kind == IssueKind::HotMended));
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
    fn a_pack_that_hot_cannot_hold_is_taken_from_cold_whole_but_once() {
        let scene = Scene::new();
        let pack = object(ObjectKind::Pack, b"a pack");
        scene.cold.create(&pack, &[Bytes::from_static(b"a pack")]).unwrap();
        std::fs::remove_dir_all(scene.hot.root().join("data")).unwrap();
        std::fs::write(scene.hot.root().join("data"), "no folder").unwrap();
        let tiered = scene.tiered();

        for _ in 0..3 {
            assert_eq!(tiered.read_tree_range(&pack, 2, 4).unwrap(), "pack");
        }

        let told = scene.issues.collected().kept;
        let refused = told.iter().filter(|issue| issue.kind == IssueKind::HotIncomplete);
        assert_eq!(refused.count(), 1 + 1, "could be neither set aside nor stored, once each");
    }

    #[test]
    fn a_pack_that_is_damaged_in_cold_is_not_used_at_all() {
        let scene = Scene::new();
        let pack = object(ObjectKind::Pack, b"a pack");
        scene.cold.create(&pack, &[Bytes::from_static(b"a pack")]).unwrap();
        std::fs::write(scene.folder.path().join("cold").join(pack.path()), b"a puck").unwrap();

        let error = scene.tiered().read_tree_range(&pack, 0, 1).unwrap_err();

        assert_eq!(error.kind(), ErrorKind::Damaged);
    }

    #[test]
    fn config_is_never_read_from_hot() {
        let scene = Scene::new();
        scene.cold.create(&Object::Config, &[Bytes::from_static(b"cold")]).unwrap();
        scene.poison(&Object::Config, b"hot");

        assert_eq!(scene.tiered().read(&Object::Config).unwrap().unwrap(), "cold");
    }
}
