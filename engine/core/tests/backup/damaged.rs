//! Cold that lost something, or that somebody changed: told, and made up for by the next run.

use std::{fs, path::PathBuf, sync::Arc};

use unstoppable_engine_core::{
    format::seal::Seal,
    issue::IssueKind,
    object::{ObjectId, ObjectKind},
};

use super::scene::{Scene, content, noise, restored_by, told};

/// A scene with one run behind it.
fn stored() -> Scene {
    let scene = Scene::new();
    for number in 0..20 {
        scene.write(&format!("folder/{number}"), &noise(number, 50_000));
    }
    scene.run();
    scene
}

fn objects(scene: &Scene, kind: ObjectKind) -> Vec<PathBuf> {
    let mut waiting = vec![scene.places.cold.join(kind.folder())];
    let mut found = Vec::new();
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let is_folder = entry.file_type().unwrap().is_dir();
            if is_folder { &mut waiting } else { &mut found }.push(entry.path());
        }
    }
    found
}

/// The next run says that an index is not right, and its own snapshot is whole.
fn the_next_run_makes_up_for_it(scene: &Scene) {
    let summary = scene.try_run(&Arc::default()).unwrap();

    let kinds = told(&summary.issues).into_iter().map(|(kind, _)| kind);
    assert_eq!(kinds.filter(|kind| !kind.is_note()).collect::<Vec<_>>(), [IssueKind::Damaged]);
    assert_eq!(summary.tags, [""; 0], "nothing is wrong with what was read");
    let cold_alone = scene.open().unwrap().cold_reader();
    let (restored, issues) = restored_by(&cold_alone, summary.snapshot_id);
    assert_eq!(restored, content(&scene.source));
    assert!(issues.iter().all(|(_, path)| path.starts_with("index/")), "{issues:?}");
}

#[test]
fn a_pack_that_is_missing_is_noticed_and_its_blobs_are_stored_anew() {
    let scene = stored();
    for pack in objects(&scene, ObjectKind::Pack) {
        fs::remove_file(pack).unwrap();
    }

    the_next_run_makes_up_for_it(&scene);
}

#[test]
fn a_pack_that_is_cut_short_is_noticed_and_its_blobs_are_stored_anew() {
    let scene = stored();
    for pack in objects(&scene, ObjectKind::Pack) {
        fs::File::options().write(true).open(pack).unwrap().set_len(100).unwrap();
    }

    the_next_run_makes_up_for_it(&scene);
}

#[test]
fn an_index_that_only_hot_still_holds_whole_is_not_taken_for_good() {
    let scene = stored();
    for index in objects(&scene, ObjectKind::Index) {
        fs::File::options().write(true).open(index).unwrap().set_len(100).unwrap();
    }

    the_next_run_makes_up_for_it(&scene);
}

#[test]
fn an_index_sealed_with_the_key_that_is_none_stops_no_run() {
    let scene = stored();
    for json in ["[]", r#"{"packs":5}"#] {
        let sealed = Seal::new(&scene.key).seal(json.as_bytes()).unwrap();
        let path = scene.places.cold.join("index").join(ObjectId::of(&sealed).to_hex());
        fs::write(&path, &sealed).unwrap();

        the_next_run_makes_up_for_it(&scene);
        fs::remove_file(path).unwrap();
    }
}

#[test]
fn junk_of_any_size_is_not_read() {
    let scene = stored();
    let path = scene.places.cold.join("index").join("a".repeat(64));
    fs::File::create(path).unwrap().set_len(1 << 40).unwrap();

    the_next_run_makes_up_for_it(&scene);
}

#[test]
fn snapshots_from_a_wrong_clock_are_no_parents_once_there_are_others() {
    let mut scene = stored();
    super::scene::settle();
    let right = scene.options.started_at_seconds;
    scene.options.started_at_seconds = right + 315_360_000;
    scene.run();
    scene.options.started_at_seconds = right + 60;
    scene.write("new", b"x");

    scene.run();
    scene.options.started_at_seconds = right + 120;
    let summary = scene.run();

    assert_eq!(scene.snapshot(summary.snapshot_id).parents.len(), 1);
    assert_ne!(summary.files_unchanged, 0);
}
