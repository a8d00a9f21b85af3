//! The folder that the stories back up.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering::Relaxed},
    thread,
    time::Duration,
};

use rustic_core::{ReadSource, ReadSourceEntry, ReadSourceOpen, repofile::Node};
use tempfile::TempDir;
use unstoppable_engine_core::{
    birth::Birth,
    control::Control,
    error::Error,
    issue::{Issue, IssueKind},
    source::{
        Source,
        directory::{DirectoryOptions, DirectorySource},
        file::LocalFile,
        tracked::{Ledger, Tracked, TrackedFile},
    },
};

pub const SNAPSHOT_PATH: &str = "/acme/www";

pub type Entry = ReadSourceEntry<TrackedFile<LocalFile>>;

/// A folder to back up, with everything a run hands to its source.
pub struct Site {
    pub folder: TempDir,
    pub options: DirectoryOptions,
    pub ledger: Arc<Ledger>,
    pub control: Arc<Control>,
}

impl Site {
    pub fn new(paths: &[&str]) -> Self {
        let site = Self {
            folder: tempfile::tempdir().unwrap(),
            options: DirectoryOptions::default(),
            ledger: Arc::default(),
            control: Arc::default(),
        };
        for path in paths {
            site.write(path, path.as_bytes());
        }
        site
    }

    pub fn path(&self, below: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(below)
    }

    /// Write a file, or make a folder if `below` ends in a slash.
    pub fn write(&self, below: &str, content: &[u8]) {
        let path = self.path(below);
        if below.ends_with('/') {
            fs::create_dir_all(path).unwrap();
        } else {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
    }

    pub fn try_open(&self) -> Result<DirectorySource, Error> {
        self.try_open_at(self.folder.path())
    }

    pub fn try_open_at(&self, path: &Path) -> Result<DirectorySource, Error> {
        DirectorySource::open(path, "www", &self.options, self.control.clone())
    }

    /// Bytes and entries that a look at the source shows.
    pub fn scan(&self) -> (u64, u64) {
        self.try_open().unwrap().scan().unwrap().run();
        let control = &self.control;
        (control.bytes_total.load(Relaxed), control.entries_total.load(Relaxed))
    }

    pub fn open(&self) -> Tracked<DirectorySource> {
        self.track(self.try_open().unwrap())
    }

    pub fn track<S: Source>(&self, source: S) -> Tracked<S> {
        let birth = Birth::new("acme", "www", 1).unwrap();
        Tracked::new(source, &birth, self.ledger.clone(), self.control.clone())
    }

    pub fn list(&self) -> Vec<Entry> {
        self.open().entries().map(Result::unwrap).collect()
    }

    /// Everything below the root by its path relative to it, in the order in which it came.
    pub fn listed(&self) -> Vec<String> {
        let below = |entry: &Entry| {
            let path = entry.path.strip_prefix(SNAPSHOT_PATH).ok()?;
            let path = path.to_str().unwrap();
            (!path.is_empty()).then(|| path.to_owned())
        };
        self.list().iter().filter_map(below).collect()
    }

    pub fn nodes(&self) -> BTreeMap<PathBuf, Node> {
        let pair = |entry: Entry| (entry.path, entry.node);
        self.list().into_iter().map(pair).collect()
    }

    pub fn node(&self, below: &str) -> Node {
        let path = Path::new(SNAPSHOT_PATH).join(below);
        self.nodes().remove(&path).unwrap()
    }

    /// The file at `below` as it was listed, not opened yet.
    pub fn handle(&self, below: &str) -> TrackedFile<LocalFile> {
        let path = Path::new(SNAPSHOT_PATH).join(below);
        let mut entries = self.list().into_iter();
        let entry = entries.find(|entry| entry.path == path).unwrap();
        entry.open.unwrap()
    }

    pub fn issues(&self) -> Vec<(IssueKind, String)> {
        let kept = self.ledger.issues.collected().kept;
        let pair = |issue: Issue| (issue.kind, String::from_utf8(issue.path).unwrap());
        kept.into_iter().map(pair).collect()
    }

    pub fn only_issue(&self) -> (IssueKind, String) {
        let issues = self.issues();
        assert_eq!(issues.len(), 1, "{issues:?}");
        issues[0].clone()
    }

    pub fn left_out(&self) -> u64 {
        self.ledger.files_left_out.load(Relaxed)
    }
}

pub fn issue(kind: IssueKind, path: &str) -> (IssueKind, String) {
    (kind, path.to_owned())
}

pub fn read_all(handle: impl ReadSourceOpen) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    let mut reader = handle.open().map_err(|error| io::Error::other(error.to_string()))?;
    reader.read_to_end(&mut content)?;
    Ok(content)
}

/// Long enough for every file system here to give the next change another time.
pub fn next_tick() {
    thread::sleep(Duration::from_millis(20));
}
