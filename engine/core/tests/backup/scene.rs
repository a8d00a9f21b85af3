//! Acme's web server: a folder, a repository for it, and runs between them.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering::Relaxed},
    thread,
    time::Duration,
};

use rustix::fs::{XattrFlags, setxattr};
use tempfile::TempDir;
use unstoppable_engine_core::{
    backup::{BackupOptions, BackupSummary},
    birth::{Birth, Pins},
    check::{check, part::Part},
    control::Control,
    error::Result,
    format::{reader::Reader, snapshot::Snapshot},
    issue::{Collected, IssueKind},
    key::{RepositoryKey, RootSecret},
    object::ObjectId,
    repository::{Expected, Mode, Places, Repository, create},
    restore::{RestoreOptions, restore},
};

pub const STARTED_AT_SECONDS: i64 = 1_795_521_600;

pub struct Scene {
    _folder: TempDir,
    pub source: PathBuf,
    cold: PathBuf,
    pub places: Places,
    pub key: RepositoryKey,
    pub pins: Pins,
    pub options: BackupOptions,
}

/// What a folder holds: kind and mode, time, and content of every path.
pub type Content = BTreeMap<PathBuf, (u32, i64, Vec<u8>)>;

impl Scene {
    pub fn new() -> Self {
        Self::in_folder(tempfile::tempdir().unwrap())
    }

    /// A scene whose repository lies in `cold` of `folder`.
    pub fn in_folder(folder: TempDir) -> Self {
        let [source, cold, hot] =
            ["source", "cold/acme/www/g1", "hot"].map(|name| folder.path().join(name));
        fs::create_dir(&source).unwrap();
        let places = Places { cold: cold.clone().into(), hot: Some(hot) };
        let birth = Birth::new("acme", "www", 1).unwrap();
        let key = RootSecret::generate().unwrap().repository_key(&birth).unwrap();
        let pins = create(&places, &key, &birth, STARTED_AT_SECONDS, &Arc::default()).unwrap();
        let options = BackupOptions {
            source: source.clone().into(),
            run_id: "run-1".to_owned(),
            started_at_seconds: STARTED_AT_SECONDS,
            exclude: Vec::new(),
            own_folders: Vec::new(),
            one_file_system: false,
            max_shrink_percent: Some(50),
        };
        Self { _folder: folder, source, cold, places, key, pins, options }
    }

    pub fn hot(&self) -> &Path {
        self.places.hot.as_ref().unwrap()
    }

    pub fn write(&self, below: &str, content: &[u8]) {
        let path = self.source.join(below);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Files in one folder that all have the same attribute: its tree is long and compresses well.
    pub fn write_with_attribute(&self, folder: &str, files: usize) {
        let value = noise(7, 3_500);
        for number in 0..files {
            let below = format!("{folder}/{number}");
            self.write(&below, b"");
            let path = self.source.join(below);
            setxattr(path, "user.note", &value, XattrFlags::empty()).unwrap();
        }
    }

    pub fn open(&self) -> Result<Repository> {
        let expected = Expected { pins: Some(self.pins.clone()), birth: None };
        Repository::open(&self.places, &self.key, &expected, Mode::Append, &Arc::default())
    }

    pub fn try_run(&self, control: &Arc<Control>) -> Result<BackupSummary> {
        self.open()?.backup(&self.options, control)
    }

    /// The folder of its repository.
    pub fn cold(&self) -> &Path {
        &self.cold
    }

    /// A run that stores a snapshot, after which cold is sound.
    pub fn run(&self) -> BackupSummary {
        self.run_with(&Arc::default())
    }

    pub fn run_with(&self, control: &Arc<Control>) -> BackupSummary {
        let summary = self.try_run(control).unwrap();
        assert_eq!(self.found(), []);
        summary
    }

    /// A run during which `act` happens once `bytes` are done.
    pub fn run_and(&self, bytes: u64, act: impl FnOnce(&Control) + Send) -> BackupSummary {
        let control = Arc::<Control>::default();
        thread::scope(|scope| {
            scope.spawn(|| {
                while control.bytes_done.load(Relaxed) < bytes {
                    thread::sleep(Duration::from_millis(1));
                }
                act(&control);
            });
            self.run_with(&control)
        })
    }

    /// What a check of every byte finds in cold.
    pub fn found(&self) -> Vec<(IssueKind, String)> {
        let reader = self.open().unwrap().cold_reader();
        told(&check(&reader, Some(Part::ALL), &Control::default()).unwrap().issues)
    }

    pub fn snapshot(&self, id: ObjectId) -> Snapshot {
        self.open().unwrap().cold_reader().snapshot(id).unwrap()
    }

    pub fn snapshot_count(&self) -> usize {
        fs::read_dir(self.cold().join("snapshots")).unwrap().count()
    }

    pub fn restored(&self, id: ObjectId) -> Content {
        let (content, issues) = restored_by(&self.open().unwrap().reader(), id);
        assert_eq!(issues, []);
        content
    }
}

/// What a reader restores, and what it tells.
pub fn restored_by(reader: &Reader, id: ObjectId) -> (Content, Vec<(IssueKind, String)>) {
    let target = tempfile::tempdir().unwrap();
    let (options, control) = (RestoreOptions::default(), Control::default());
    let summary = restore(reader, id, target.path(), &options, &control).unwrap();
    (content(target.path()), told(&summary.issues))
}

/// (kind, path) of all issues, in the order of their paths.
pub fn told(issues: &Collected) -> Vec<(IssueKind, String)> {
    let pair = |issue: &unstoppable_engine_core::issue::Issue| {
        (issue.kind, String::from_utf8_lossy(&issue.path).into_owned())
    };
    let mut told: Vec<_> = issues.kept.iter().map(pair).collect();
    told.sort_by(|one, other| one.1.cmp(&other.1));
    told
}

/// Everything in `folder`, the folder itself included.
pub fn content(folder: &Path) -> Content {
    let mut found = Content::new();
    let mut waiting = vec![PathBuf::new()];
    while let Some(below) = waiting.pop() {
        let path = folder.join(&below);
        let metadata = path.symlink_metadata().unwrap();
        let bytes = if metadata.is_dir() {
            let names = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().file_name());
            waiting.extend(names.map(|name| below.join(name)));
            Vec::new()
        } else if metadata.is_symlink() {
            fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes()
        } else {
            fs::read(&path).unwrap()
        };
        found.insert(below, (metadata.mode(), metadata.mtime(), bytes));
    }
    found
}

/// Bytes that neither compress nor repeat; other ones for every `seed`.
pub fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let mut bytes: Vec<u8> = std::iter::repeat_with(&mut next).take(length / 8).flatten().collect();
    bytes.resize(length, 0);
    bytes
}

/// Long enough for what was just written not to be read again on purpose.
pub fn settle() {
    thread::sleep(Duration::from_millis(2_050));
}
