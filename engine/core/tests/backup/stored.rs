//! What a run stores, and what it need not read again.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    sync::Arc,
};

use unstoppable_engine_core::{
    error::ErrorKind,
    issue::IssueKind,
    repository::{Expected, Mode, Repository},
};

use super::scene::{STARTED_AT_SECONDS, Scene, content, noise, settle, told};

#[test]
fn what_is_stored_comes_back_as_it_was() {
    let scene = Scene::new();
    scene.write("index.html", b"<h1>acme</h1>");
    scene.write("empty", b"");
    scene.write("img/large", &noise(1, 3_000_000));
    scene.write("caf\u{e9} \"\\/x", b"a name with everything");
    fs::create_dir(scene.source.join("nothing in here")).unwrap();
    symlink("../index.html", scene.source.join("img/link")).unwrap();
    fs::set_permissions(scene.source.join("empty"), PermissionsExt::from_mode(0o640)).unwrap();

    let summary = scene.run();

    assert_eq!(told(&summary.issues), []);
    assert_eq!(summary.tags, [""; 0]);
    assert_eq!((summary.files_total, summary.files_new), (5, 5));
    assert_eq!((summary.bytes_total, summary.bytes_read), (3_000_035, 3_000_035));
    assert!(summary.bytes_added > 3_000_000);
    assert_eq!(scene.restored(summary.snapshot_id), content(&scene.source));
}

#[test]
fn a_folder_whose_tree_compresses_to_next_to_nothing_comes_back() {
    let scene = Scene::new();
    scene.write_with_attribute("folder", 6_000);

    let summary = scene.run();

    assert_eq!(told(&summary.issues), []);
    assert_eq!(scene.restored(summary.snapshot_id), content(&scene.source));
}

#[test]
fn the_second_run_reads_only_what_changed() {
    let scene = Scene::new();
    scene.write("large", &noise(1, 3_000_000));
    scene.write("folder/small", b"before");
    settle();
    let first = scene.run();
    scene.write("folder/small", b"after that");

    let second = scene.run();

    assert_eq!(second.bytes_read, 10);
    assert_eq!((second.files_total, second.files_changed, second.files_unchanged), (2, 1, 1));
    assert!(second.bytes_added < 10_000, "{}", second.bytes_added);
    assert_eq!(scene.restored(second.snapshot_id), content(&scene.source));
    assert_eq!(scene.restored(first.snapshot_id)[Path::new("folder/small")].2, b"before");
}

#[test]
fn a_snapshot_says_whose_it_is_and_which_run_wrote_it() {
    let mut scene = Scene::new();
    scene.write("file", b"12345");
    let first = scene.run().snapshot_id;
    scene.options.run_id = "2026-11-24T00:00:00Z-7f".to_owned();

    let id = scene.run().snapshot_id;

    let snapshot = scene.snapshot(id);
    assert_eq!((&*snapshot.hostname, &*snapshot.label), ("acme", "www"));
    assert_eq!(snapshot.paths, ["/acme/www"]);
    assert_eq!(snapshot.command, "2026-11-24T00:00:00Z-7f");
    assert_eq!((snapshot.time_seconds, snapshot.time_nanoseconds), (STARTED_AT_SECONDS, 0));
    assert_eq!(snapshot.tags, [""; 0]);
    assert_eq!(snapshot.parents, [first]);
    assert_eq!((snapshot.files_total, snapshot.bytes_total), (Some(1), Some(5)));
    assert!(snapshot.program.starts_with("unstoppable "));
}

#[test]
fn excluded_paths_and_our_own_folders_are_not_stored() {
    let mut scene = Scene::new();
    scene.write("file", b"kept");
    scene.write("cache/x", b"left out");
    scene.write("state/journal", b"our own");
    scene.options.exclude = vec!["/cache".to_owned()];
    scene.options.own_folders = vec![scene.source.join("state")];

    let summary = scene.run();

    assert_eq!(told(&summary.issues), [(IssueKind::OwnFiles, "state".to_owned())]);
    assert_eq!(summary.tags, [""; 0], "a note makes no run partial");
    let stored: Vec<_> = scene.restored(summary.snapshot_id).into_keys().collect();
    assert_eq!(stored, ["", "file"].map(Path::new));
}

#[test]
fn a_run_needs_the_pinned_key_and_the_right_to_add() {
    let scene = Scene::new();
    let other = Scene::new();
    let expected = Expected { pins: Some(scene.pins.clone()), birth: None };
    let open = |key, mode| Repository::open(&scene.places, key, &expected, mode, &Arc::default());

    assert_eq!(open(&other.key, Mode::Append).err().unwrap().kind(), ErrorKind::WrongKey);
    let reader = open(&scene.key, Mode::Read).unwrap();
    let refused = reader.backup(&scene.options, &Arc::default()).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidInput);
    assert_eq!(scene.snapshot_count(), 0);
}
