//! The source under the real archiver.

use std::{
    fs,
    path::PathBuf,
    sync::{Arc, atomic::Ordering::Relaxed},
    thread,
    time::Duration,
};

use rustic_core::{
    BackupOptions, ConfigOptions, Credentials, KeyOptions, Repository, RepositoryBackends,
    RepositoryOptions,
    repofile::{MasterKey, SnapshotFile},
};

use super::{
    memory::Memory,
    site::{SNAPSHOT_PATH, Site},
};

struct Run {
    memory: Memory,
    key: MasterKey,
}

impl Run {
    fn repository(&self) -> Repository<()> {
        let backends = RepositoryBackends::new(Arc::new(self.memory.clone()), None);
        let mut options = RepositoryOptions::default();
        options.no_cache = true;
        Repository::new(&options, &backends).unwrap()
    }

    fn new() -> Self {
        let (memory, key) = (Memory::default(), MasterKey::new());
        let run = Self { memory, key };
        let credentials = Credentials::Masterkey(run.key.clone());
        let (key, config) = (KeyOptions::default(), ConfigOptions::default());
        run.repository().init(&credentials, &key, &config).unwrap();
        run
    }

    fn backup(&self, site: &mut Site) -> SnapshotFile {
        site.ledger = Arc::default();
        let credentials = Credentials::Masterkey(self.key.clone());
        let repository = self.repository().open(&credentials).unwrap();
        let repository = repository.to_indexed_ids().unwrap();
        let (options, root) = (BackupOptions::default(), PathBuf::from(SNAPSHOT_PATH));
        let snapshot = SnapshotFile::default();
        repository.archive(&options, &site.open(), snapshot, &[root]).unwrap()
    }
}

#[test]
fn the_second_run_opens_only_what_changed() {
    let mut site = Site::new(&["b/z", "b/a/x", "b.txt", "b-c", "a", "a b", "é", "B/\\", "B/\""]);
    let run = Run::new();
    // Files changed just now are read again on purpose.
    thread::sleep(Duration::from_millis(2_050));
    run.backup(&mut site);
    assert_eq!(site.ledger.bytes_read.load(Relaxed), 28);

    let unchanged = run.backup(&mut site);
    assert_eq!(site.ledger.bytes_read.load(Relaxed), 0);
    assert_eq!(unchanged.summary.unwrap().files_unmodified, 9);
    assert!(site.issues().is_empty());

    fs::write(site.path("b/z"), "B/Z").unwrap();
    let changed = run.backup(&mut site);
    assert_eq!(site.ledger.bytes_read.load(Relaxed), 3);
    assert_ne!(changed.tree, unchanged.tree);
}

#[test]
fn the_ledger_knows_how_many_files_the_archiver_has_stored() {
    let mut site = Site::new(&["a", "b", "folder/c"]);
    std::os::unix::fs::symlink("a", site.path("link")).unwrap();

    let snapshot = Run::new().backup(&mut site);

    let emitted = site.ledger.files_emitted.load(Relaxed);
    let summary = snapshot.summary.unwrap();
    assert_eq!(summary.total_files_processed, emitted - site.left_out());
    assert_eq!(summary.total_bytes_processed, site.ledger.bytes_read.load(Relaxed));
}
