//! A row of the table: one hostile repository, and what must happen in each of its cells.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs,
    os::unix::ffi::OsStrExt,
    path::{Component, Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use unstoppable_engine_core::{
    backup::BackupSummary,
    browse::{ListOptions, list},
    check::{check, part::Part},
    control::Control,
    error::{ErrorKind, Result},
    format::reader::Reader,
    issue::{Collected, IssueKind, Issues},
    key::RepositoryKey,
    object::ObjectId,
    restore::{RestoreOptions, restore},
};

use crate::{
    cell::cell,
    common::Fixture,
    scene::{Scene, content, noise, restored_by},
};

/// One hostile repository. Kinds are those of all issues that are told.
pub struct Row {
    /// The path of the test that it is.
    pub name: &'static str,
    /// Writes it into a repository with one good run behind it; returns the snapshots forged.
    pub forge: fn(&Fixture) -> Vec<ObjectId>,
    /// Of restoring the forged snapshots; None where that is refused.
    pub restore: Option<&'static [IssueKind]>,
    /// Of a check of every byte.
    pub check: &'static [IssueKind],
    /// Of the next run, and of one after the forged snapshots that has lost its hot: it takes
    /// them on trust.
    pub backup: [&'static [IssueKind]; 2],
}

/// Tells a process to forge into this folder, which holds the key and takes what was forged.
const FORGE_INTO: &str = "UNSTOPPABLE_TEST_FORGE_INTO";
const KEY: &str = "key";
const FORGED: &str = "forged";

/// Memory is measured for the whole process, so that rows take their turns.
static TURN: Mutex<()> = Mutex::new(());

impl Row {
    /// Go through all cells.
    pub fn contain(&self) {
        if let Some(folder) = std::env::var_os(FORGE_INTO) {
            return self.forge_into(Path::new(&folder));
        }
        let _turn: MutexGuard<'_, ()> = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let mut scene = stored();
        let good = scene.run().snapshot_id;
        let stored = content(&scene.source);
        let forged = forge_apart(self.name, &scene);

        let told = cell(&self.of("restore"), || restored(&scene, &forged));
        assert_eq!(told, self.restore.map(kinds_of), "{}: restore", self.name);
        let (restored, _) =
            cell(&self.of("restore of the good"), || restored_by(&reader(&scene), good));
        assert!(restored == stored, "{}: a good snapshot is not whole", self.name);
        cell(&self.of("ls"), || listed(&scene, &forged));
        let listed = cell(&self.of("ls of the good"), || paths(&reader(&scene), good).unwrap());
        assert_eq!(listed, stored.keys().cloned().collect(), "{}: ls of the good", self.name);
        let told = cell(&self.of("check"), || checked(&scene));
        assert_eq!(kinds(&told), kinds_of(self.check), "{}: check", self.name);

        for (expected, situation) in self.backup.iter().zip(["backup", "backup without hot"]) {
            scene.options.started_at_seconds += 60;
            scene.write("folder/changed", situation.as_bytes());
            scene.write("changed", situation.as_bytes());
            let summary = cell(&self.of(situation), || scene.try_run(&Arc::default()).unwrap());
            let mut found = kinds(&summary.issues);
            // Without hot it is filled, which is told where no ten thousand problems are.
            found.remove(IssueKind::HotMended.as_str());
            assert_eq!(
                found,
                kinds_of(expected),
                "{}: {situation}: {:?}",
                self.name,
                summary.issues.kept
            );
            self.is_good(&scene, &summary);
            fs::remove_dir_all(scene.hot()).unwrap();
        }
    }

    fn forge_into(&self, folder: &Path) {
        let key = RepositoryKey::from_bytes(&fs::read(folder.join(KEY)).unwrap()).unwrap();
        fs::remove_file(folder.join(KEY)).unwrap();
        let fixture = Fixture::load(&key, folder);
        let forged: Vec<_> = (self.forge)(&fixture).iter().map(ToString::to_string).collect();
        fixture.save(folder);
        fs::write(folder.join(FORGED), forged.join("\n")).unwrap();
    }

    fn of(&self, what: &str) -> String {
        format!("{}: {what}", self.name)
    }

    /// What a run stored is whole: restored, and checked.
    fn is_good(&self, scene: &Scene, summary: &BackupSummary) {
        let (restored, _) = restored_by(&reader(scene), summary.snapshot_id);
        assert!(restored == content(&scene.source), "{}: the run's is not whole", self.name);
        let name = format!("snapshots/{}", summary.snapshot_id).into_bytes();
        let told = checked(scene);
        assert!(told.kept.iter().all(|issue| issue.path != name), "{}: {told:?}", self.name);
    }
}

/// Run this test in a process of its own, which forges and does nothing else: what it takes for
/// that must not be mistaken for what the cells take. Returns the snapshots.
fn forge_apart(test: &str, scene: &Scene) -> Vec<ObjectId> {
    let cold = scene.cold();
    fs::write(cold.join(KEY), scene.key.as_bytes()).unwrap();
    let done = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test])
        .env(FORGE_INTO, cold)
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
    let forged = fs::read_to_string(cold.join(FORGED)).unwrap();
    fs::remove_file(cold.join(FORGED)).unwrap();
    forged.lines().map(|id| id.parse().unwrap()).collect()
}

/// A scene whose source holds something of everything.
fn stored() -> Scene {
    let scene = Scene::new();
    for number in 0..5 {
        scene.write(&format!("folder/{number}"), &noise(number, 20_000));
    }
    scene.write("folder/inner/file", b"content");
    scene.write("changed", b"before");
    std::os::unix::fs::symlink("folder/0", scene.source.join("link")).unwrap();
    scene
}

fn reader(scene: &Scene) -> Reader {
    scene.open().unwrap().cold_reader()
}

/// Restore all of `snapshots`; the kinds of what is told, None when each is refused.
fn restored(scene: &Scene, snapshots: &[ObjectId]) -> Option<BTreeSet<&'static str>> {
    let mut told = (!snapshots.is_empty()).then(BTreeSet::new);
    if snapshots.is_empty() {
        return Some(BTreeSet::new());
    }
    for id in snapshots {
        let outer = tempfile::tempdir().unwrap();
        let target = outer.path().join("target");
        let options = RestoreOptions { most_entries: 20_000, ..RestoreOptions::default() };
        let done = restore(&reader(scene), *id, &target, &options, &Control::default());
        let entries = fs::read_dir(outer.path()).unwrap();
        assert!(entries.map(|entry| entry.unwrap().file_name()).all(|name| name == "target"));
        match done {
            Ok(summary) => told.get_or_insert_default().extend(kinds(&summary.issues)),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
                told = None;
            }
        }
    }
    told
}

/// List all of `snapshots`; no name leads elsewhere.
fn listed(scene: &Scene, snapshots: &[ObjectId]) {
    for id in snapshots {
        match paths(&reader(scene), *id) {
            Ok(paths) => {
                let is_name = |part: Component<'_>| matches!(part, Component::Normal(_));
                assert!(paths.iter().all(|path| path.components().all(is_name)), "{paths:?}");
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::Damaged, "{error}"),
        }
    }
}

/// What a listing tells, at most 20,000 paths.
fn paths(reader: &Reader, snapshot: ObjectId) -> Result<BTreeSet<PathBuf>> {
    let options = ListOptions { most_entries: 20_000, ..ListOptions::below("") };
    let mut paths = BTreeSet::new();
    list(reader, snapshot, &options, &Issues::default(), &Control::default(), |path, _| {
        paths.insert(PathBuf::from(OsStr::from_bytes(path)));
        Ok(())
    })?;
    Ok(paths)
}

fn checked(scene: &Scene) -> Collected {
    check(&reader(scene), Some(Part::ALL), &Control::default()).unwrap().issues
}

fn kinds(issues: &Collected) -> BTreeSet<&'static str> {
    issues.kept.iter().map(|issue| issue.kind.as_str()).collect()
}

fn kinds_of(kinds: &[IssueKind]) -> BTreeSet<&'static str> {
    kinds.iter().map(|kind| kind.as_str()).collect()
}
