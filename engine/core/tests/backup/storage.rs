//! Cold that holds junk, cannot be written or is full; hot that is broken or gone.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use unstoppable_engine_core::{
    error::ErrorKind,
    issue::IssueKind,
    object::{ObjectId, ObjectKind},
};

use super::scene::{Content, Scene, content, noise, settle, told};

#[test]
fn junk_in_cold_is_told_and_stops_no_run() {
    let scene = Scene::new();
    scene.write("file", b"x");
    scene.run();
    let junk = [ObjectKind::Index, ObjectKind::Snapshot].map(|kind| {
        let path = format!("{}/{}", kind.folder(), ObjectId::of(b"?").to_hex());
        fs::write(scene.cold().join(&path), "?").unwrap();
        path
    });

    let summary = scene.try_run(&Arc::default()).unwrap();

    let [index, snapshot] = junk.clone();
    let filled_hot = (IssueKind::HotMended, String::new());
    let expected = [(IssueKind::Damaged, index), (IssueKind::IgnoredObject, snapshot)];
    assert_eq!(told(&summary.issues), [&[filled_hot], expected.as_slice()].concat());
    assert_eq!(summary.tags, [""; 0]);
    assert_eq!(scene.found(), junk.clone().map(|path| (IssueKind::Damaged, path)));
    for path in junk {
        fs::remove_file(scene.cold().join(path)).unwrap();
    }
    assert_eq!(scene.found(), []);
    assert_eq!(scene.restored(summary.snapshot_id), content(&scene.source));
}

#[test]
fn cold_that_may_not_be_written_fails_the_run_and_stays_as_it_is() {
    let (scene, disk) = scene_on_disk("size=64m");
    scene.write("file", b"before");
    scene.run();
    scene.write("file", b"after");
    let before = content(scene.cold());

    disk.remount("ro");
    let failed = scene.try_run(&Arc::default()).unwrap_err();

    assert_eq!(failed.kind(), ErrorKind::Storage, "{failed}");
    assert_eq!(content(scene.cold()), before);
    disk.remount("rw");
    assert_eq!(scene.run().tags, [""; 0]);
}

#[test]
fn cold_without_room_fails_the_run_and_keeps_what_it_holds() {
    let (scene, disk) = scene_on_disk("size=3m");
    scene.write("small", b"fits");
    let small = scene.run();
    let before = content(scene.cold());
    scene.write("large", &noise(1, 8_000_000));

    let failed = scene.try_run(&Arc::default()).unwrap_err();

    assert_eq!(failed.kind(), ErrorKind::StorageFull, "{failed}");
    assert_eq!(scene.snapshot_count(), 1);
    assert_eq!(files_of(&before), kept(&before, scene.cold()));
    assert_eq!(scene.found(), []);
    assert_eq!(scene.restored(small.snapshot_id).len(), 2);

    disk.remount("size=64m");
    let summary = scene.run();
    assert_eq!(scene.restored(summary.snapshot_id), content(&scene.source));
}

#[test]
fn hot_that_cannot_be_used_is_told_and_stops_no_run() {
    let scene = Scene::new();
    scene.write("file", b"x");
    fs::remove_dir_all(scene.hot()).unwrap();
    fs::write(scene.hot(), "no folder").unwrap();

    let summary = scene.run();

    let paths = ["", "known"].map(str::to_owned);
    assert_eq!(told(&summary.issues), paths.map(|path| (IssueKind::HotIncomplete, path)));
    assert_eq!(summary.tags, [""; 0]);
    assert_eq!(scene.restored(summary.snapshot_id), content(&scene.source));
}

#[test]
fn hot_that_was_deleted_is_filled_again_and_no_file_is_read_for_it() {
    let scene = Scene::new();
    scene.write("folder/file", b"x");
    settle();
    scene.run();
    let before = files(scene.hot());
    fs::remove_dir_all(scene.hot()).unwrap();

    let summary = scene.run();

    assert_eq!((summary.bytes_read, summary.files_unchanged), (0, 1));
    let paths = ["", "known"].map(str::to_owned);
    assert_eq!(told(&summary.issues), paths.map(|path| (IssueKind::HotMended, path)));
    let after = files(scene.hot());
    let missing: Vec<_> = before.keys().filter(|path| !after.contains_key(*path)).collect();
    assert_eq!(missing, Vec::<&PathBuf>::new());
}

fn files(folder: &Path) -> Content {
    files_of(&content(folder))
}

/// Without folders, whose times change when something is added.
fn files_of(content: &Content) -> Content {
    let is_folder = |mode: u32| mode & 0o170_000 == 0o040_000;
    let files = content.iter().filter(|(_, (mode, ..))| !is_folder(*mode));
    files.map(|(path, entry)| (path.clone(), entry.clone())).collect()
}

/// What of `before` is in `folder` now, as it is now.
fn kept(before: &Content, folder: &Path) -> Content {
    files(folder).into_iter().filter(|(path, _)| before.contains_key(path)).collect()
}

/// A scene whose cold is a disk of its own, which goes before the scene's folder does.
fn scene_on_disk(options: &str) -> (Scene, Disk) {
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::new(folder.path().join("cold"), options);
    (Scene::in_folder(folder), disk)
}

/// A small file system of its own; needs root, as the machines that run the tests give.
struct Disk(PathBuf);

impl Disk {
    fn new(place: PathBuf, options: &str) -> Self {
        fs::create_dir(&place).unwrap();
        let disk = Self(place);
        disk.mount(&["-t", "tmpfs", "-o", options, "tmpfs"]);
        disk
    }

    fn remount(&self, options: &str) {
        self.mount(&["-o", &format!("remount,{options}")]);
    }

    fn mount(&self, arguments: &[&str]) {
        let status = Command::new("mount").args(arguments).arg(&self.0).status().unwrap();
        assert!(status.success(), "this test must be able to mount a tmpfs: run it as root");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a test that failed may still hold a file.
        let unmounted = Command::new("umount").arg("--lazy").arg(&self.0).status();
        if !unmounted.is_ok_and(|status| status.success()) {
            eprintln!("{} stays mounted", self.0.display());
        }
    }
}
