//! A credential that may write, and read all but packs: what it lost of hot it makes up for once.

use std::{fs, path::PathBuf, sync::Arc, thread, time::Duration};

use bytes::Bytes;

use super::{BackupOptions, BackupSummary};
use crate::{
    birth::Birth,
    control::Control,
    error::{Error, ErrorKind, Result},
    issue::IssueKind,
    key::{RepositoryKey, RootSecret},
    object::{Object, ObjectId, ObjectKind},
    repository::{Expected, Mode, Places, Repository, create},
    restore::{RestoreOptions, restore},
    storage::{
        AppendStorage, ReadStorage,
        hot::Hot,
        local::{Append, LocalDirectory},
        tiered::Tiered,
    },
};

const STARTED_AT_SECONDS: i64 = 1_795_521_600;

/// Cold as the strict writer sees it.
struct Strict(LocalDirectory<Append>);

fn may_read(object: &Object) -> Result<()> {
    match object {
        Object::Hashed(ObjectKind::Pack, _) => {
            Err(Error::new(ErrorKind::Denied, format!("cannot read {object}: 403 AccessDenied")))
        }
        _ => Ok(()),
    }
}

impl ReadStorage for Strict {
    fn location(&self) -> String {
        self.0.location()
    }

    fn list(&self, kind: ObjectKind) -> Result<Vec<(ObjectId, u64)>> {
        self.0.list(kind)
    }

    fn read(&self, object: &Object) -> Result<Option<Bytes>> {
        may_read(object).and_then(|()| self.0.read(object))
    }

    fn read_range(&self, object: &Object, offset_bytes: u64, length_bytes: usize) -> Result<Bytes> {
        may_read(object).and_then(|()| self.0.read_range(object, offset_bytes, length_bytes))
    }

    fn size(&self, object: &Object) -> Result<Option<u64>> {
        self.0.size(object)
    }
}

impl AppendStorage for Strict {
    fn create_folders(&self) -> Result<()> {
        self.0.create_folders()
    }

    fn create(&self, object: &Object, content: &[Bytes]) -> Result<()> {
        self.0.create(object, content)
    }

    fn writers(&self) -> usize {
        4
    }
}

struct Scene {
    folder: tempfile::TempDir,
    key: RepositoryKey,
    control: Arc<Control>,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let birth = Birth::new("acme", "www", 1).unwrap();
        let key = RootSecret::generate().unwrap().repository_key(&birth).unwrap();
        let scene = Self { folder, key, control: Arc::default() };
        create(&scene.places(), &scene.key, &birth, STARTED_AT_SECONDS, &scene.control).unwrap();
        for number in 0..50_u32 {
            let folder = scene.path(&format!("source/{}", number % 5));
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join(number.to_string()), number.to_le_bytes().repeat(999)).unwrap();
        }
        // What changed just before it was listed is read again the next time.
        thread::sleep(Duration::from_millis(2100));
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn places(&self) -> Places {
        Places { cold: self.path("cold").into(), hot: Some(self.path("hot")) }
    }

    fn open(&self) -> Repository {
        let expected = Expected::default();
        Repository::open(&self.places(), &self.key, &expected, Mode::Append, &self.control).unwrap()
    }

    fn run(&self, number: i64) -> BackupSummary {
        let mut repository = self.open();
        let strict = Arc::new(Strict(LocalDirectory::new(self.path("cold"))));
        let hot = Hot::new(LocalDirectory::new(self.path("hot")), repository.issues.clone());
        repository.tiered = Arc::new(Tiered::new(strict.clone(), Some(hot)));
        repository.append = Some(strict);
        let options = BackupOptions {
            source: self.path("source").into(),
            run_id: format!("run-{number}"),
            started_at_seconds: STARTED_AT_SECONDS + number,
            exclude: Vec::new(),
            own_folders: Vec::new(),
            one_file_system: false,
            max_shrink_percent: Some(50),
        };
        repository.backup(&options, &self.control).unwrap()
    }
}

fn told(summary: &BackupSummary) -> Vec<IssueKind> {
    summary.issues.kept.iter().map(|issue| issue.kind).collect()
}

#[test]
fn what_hot_lost_is_read_anew_once_and_told_until_hot_is_rebuilt() {
    let scene = Scene::new();
    let first = scene.run(1);
    assert_eq!((told(&first), first.files_new), (vec![], 50));
    let unchanged = scene.run(2);
    assert_eq!((told(&unchanged), unchanged.files_unchanged), (vec![], 50));

    fs::remove_dir_all(scene.path("hot")).unwrap();
    let lost = scene.run(3);
    let after = scene.run(4);
    let later = scene.run(5);

    assert!(told(&lost).contains(&IssueKind::HotIncomplete), "{:?}", lost.issues.kept);
    assert_eq!((lost.files_new, lost.issues.problem_count), (50, 0));
    for summary in [&after, &later] {
        assert_eq!(told(summary), [IssueKind::HotIncomplete], "{:?}", summary.issues.kept);
        assert_eq!((summary.files_unchanged, summary.bytes_read), (50, 0));
        assert_eq!(summary.tags, [""; 0]);
    }
    let message = &later.issues.kept[0].message;
    assert!(message.contains("`unstoppable hot rebuild`"), "{message}");

    let opened = scene.open();
    opened.rebuild_hot(&scene.path("hot"), false, &scene.control).unwrap();
    let rebuilt = scene.run(6);
    assert_eq!((told(&rebuilt), rebuilt.files_unchanged), (vec![], 50));
    let back = scene.path("back");
    let reader = opened.cold_reader();
    restore(&reader, lost.snapshot_id, &back, &RestoreOptions::default(), &scene.control).unwrap();
    assert_eq!(fs::read(back.join("2/7")).unwrap(), 7_u32.to_le_bytes().repeat(999));
}
