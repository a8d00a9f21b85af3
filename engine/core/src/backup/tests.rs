//! Storage that panics in the archiver's own threads, which no caller can stop or wait for.

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::Relaxed},
        mpsc,
    },
    thread,
    time::Duration,
};

use bytes::Bytes;

use super::{BackupOptions, BackupSummary};
use crate::{
    birth::Birth,
    error::{ErrorKind, Result},
    issue::IssueKind,
    key::{RepositoryKey, RootSecret},
    object::{Object, ObjectId, ObjectKind},
    repository::{Expected, Mode, Places, Repository, create},
    storage::{
        AppendStorage, ReadStorage,
        local::{Append, LocalDirectory},
        tiered::Tiered,
    },
};

const STARTED_AT_SECONDS: i64 = 1_795_521_600;

/// Panics whenever a pack is read, or written, while it is armed.
struct Trap {
    inner: LocalDirectory<Append>,
    reads: AtomicI64,
    writes: AtomicI64,
}

impl Trap {
    fn spring(armed: &AtomicI64, object: &Object) {
        let is_pack = matches!(object, Object::Hashed(ObjectKind::Pack, _));
        assert!(!is_pack || armed.fetch_sub(1, Relaxed) <= 0, "the trap closes");
    }
}

impl ReadStorage for Trap {
    fn location(&self) -> String {
        self.inner.location()
    }

    fn list(&self, kind: ObjectKind) -> Result<Vec<(ObjectId, u64)>> {
        self.inner.list(kind)
    }

    fn read(&self, object: &Object) -> Result<Option<Bytes>> {
        self.inner.read(object)
    }

    fn read_range(&self, object: &Object, offset_bytes: u64, length_bytes: usize) -> Result<Bytes> {
        Self::spring(&self.reads, object);
        self.inner.read_range(object, offset_bytes, length_bytes)
    }

    fn size(&self, object: &Object) -> Result<Option<u64>> {
        self.inner.size(object)
    }
}

impl AppendStorage for Trap {
    fn create_folders(&self) -> Result<()> {
        self.inner.create_folders()
    }

    fn create(&self, object: &Object, content: &[Bytes]) -> Result<()> {
        Self::spring(&self.writes, object);
        self.inner.create(object, content)
    }
}

struct Scene {
    folder: tempfile::TempDir,
    key: RepositoryKey,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let birth = Birth::new("acme", "www", 1).unwrap();
        let key = RootSecret::generate().unwrap().repository_key(&birth).unwrap();
        let scene = Self { folder, key };
        create(&scene.places(), &scene.key, &birth, STARTED_AT_SECONDS, &Arc::default()).unwrap();
        for number in 0..200 {
            scene.write(&format!("{number}"), number);
        }
        scene
    }

    fn places(&self) -> Places {
        Places { cold: self.path("cold").into(), hot: None }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, seed: u32) {
        let path = self.path("source").join(name);
        fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).unwrap();
        fs::write(path, seed.to_le_bytes().repeat(5000)).unwrap();
    }

    /// A run whose storage panics at the first `reads` and `writes` of packs; None when it hangs.
    fn run(&self, reads: i64, writes: i64) -> Option<Result<BackupSummary>> {
        let mut repository = Repository::open(
            &self.places(),
            &self.key,
            &Expected::default(),
            Mode::Append,
            &Arc::default(),
        )
        .unwrap();
        let trap = Arc::new(Trap {
            inner: LocalDirectory::new(self.path("cold")),
            reads: reads.into(),
            writes: writes.into(),
        });
        repository.tiered = Arc::new(Tiered::new(trap.clone(), None));
        repository.append = Some(trap);
        let options = BackupOptions {
            source: self.path("source").into(),
            run_id: "run".to_owned(),
            started_at_seconds: STARTED_AT_SECONDS,
            exclude: Vec::new(),
            own_folders: Vec::new(),
            one_file_system: false,
            max_shrink_percent: None,
        };
        let (done, result) = mpsc::channel();
        thread::spawn(move || {
            let _ = done.send(repository.backup(&options, &Arc::default()));
        });
        result.recv_timeout(Duration::from_mins(1)).ok()
    }
}

#[test]
fn a_panic_at_an_earlier_snapshot_is_made_up_for_by_reading_all_anew() {
    let scene = Scene::new();
    scene.run(0, 0).unwrap().unwrap();

    let summary = scene.run(1, 0).expect("it hangs").unwrap();

    assert_eq!((summary.files_new, summary.files_unchanged), (200, 0));
    let issue = &summary.issues.kept[0];
    assert_eq!((issue.kind, summary.issues.kept.len()), (IssueKind::Damaged, 1));
    assert!(issue.message.contains("the archiver panicked"), "{}", issue.message);
    assert_eq!(summary.tags, [""; 0]);
}

#[test]
fn a_panic_at_every_attempt_fails_the_run_with_a_sentence() {
    let scene = Scene::new();

    let error = scene.run(0, i64::MAX).expect("it hangs").unwrap_err();

    assert_eq!(error.kind(), ErrorKind::Internal);
    assert!(error.chain().contains("the archiver panicked"), "{}", error.chain());
    assert_eq!(fs::read_dir(scene.path("cold/snapshots")).unwrap().count(), 0);
    assert_eq!(scene.run(0, 0).unwrap().unwrap().issues.kept, []);
}
