//! Cold that lost something, or that somebody changed: told, and made up for by the next run.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use unstoppable_engine_core::{
    backup::BackupSummary,
    format::seal::Seal,
    issue::IssueKind,
    object::{ObjectId, ObjectKind},
};

use super::scene::{Scene, content, noise, restored_by, settle, told};

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
    let mut waiting = vec![scene.cold().join(kind.folder())];
    let mut found = Vec::new();
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let is_folder = entry.file_type().unwrap().is_dir();
            if is_folder { &mut waiting } else { &mut found }.push(entry.path());
        }
    }
    found
}

/// The next run says what is not right, its own snapshot is whole, and the run after it only
/// mentions what stays in cold for ever.
fn the_next_run_makes_up_for_it(scene: &mut Scene) {
    let summary = next(scene);
    assert!(summary.issues.problem_count > 0, "it must be told");
    assert_eq!(summary.tags, [""; 0], "nothing is wrong with what was read");
    is_whole(scene, &summary);

    let later = next(scene);
    assert_eq!(later.issues.problem_count, 0, "{:?}", later.issues);
    is_whole(scene, &later);
}

/// A run a minute later.
fn next(scene: &mut Scene) -> BackupSummary {
    scene.options.started_at_seconds += 60;
    scene.try_run(&Arc::default()).unwrap()
}

/// Cold alone restores what a run stored.
fn is_whole(scene: &Scene, summary: &BackupSummary) {
    let kinds = told(&summary.issues).into_iter().map(|(kind, _)| kind);
    let mut problems = kinds.filter(|kind| !kind.is_note());
    assert!(problems.all(|kind| kind == IssueKind::Damaged), "{:?}", summary.issues);
    let (restored, _) = restored_by(&scene.open().unwrap().cold_reader(), summary.snapshot_id);
    assert!(restored == content(&scene.source), "what is stored is not whole");
}

/// What an index object lists that went away is stored anew, folders that did not change too.
fn lost_index_is_made_up_for(lose: impl Fn(&Path)) {
    let mut scene = Scene::new();
    for path in ["a/b/deep", "a/file", "c/file"] {
        scene.write(path, &noise(path.len() as u64, 50_000));
    }
    settle();
    scene.run();
    let first = objects(&scene, ObjectKind::Index);
    scene.write("top", b"changed");
    settle();
    scene.run();
    first.iter().for_each(|index| lose(index));
    fs::remove_dir_all(scene.hot()).unwrap();

    the_next_run_makes_up_for_it(&mut scene);
}

#[test]
fn a_lost_index_object_costs_no_later_snapshot_its_unchanged_folders() {
    lost_index_is_made_up_for(|index| fs::remove_file(index).unwrap());
}

#[test]
fn a_damaged_index_object_costs_no_later_snapshot_its_unchanged_folders() {
    lost_index_is_made_up_for(|index| {
        flip(index, 40);
    });
}

/// Damage one byte.
fn flip(path: &Path, place: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[place] ^= 1;
    fs::write(path, bytes).unwrap();
}

/// The packs of trees: those that hot holds.
fn tree_packs(scene: &Scene) -> Vec<PathBuf> {
    let packs = objects(scene, ObjectKind::Pack).into_iter();
    packs
        .filter(|pack| scene.hot().join(pack.strip_prefix(scene.cold()).unwrap()).exists())
        .collect()
}

#[test]
fn folders_whose_trees_are_damaged_are_stored_anew_though_they_did_not_change() {
    for (place, has_hot) in [(20, true), (20, false)] {
        let mut scene = stored();
        settle();
        scene.write("folder/inner/file", b"content");
        scene.run();
        tree_packs(&scene).iter().for_each(|pack| flip(pack, place));
        fs::remove_dir_all(scene.hot()).unwrap();
        if !has_hot {
            scene.places.hot = None;
        }

        let summary = next(&mut scene);

        let told = told(&summary.issues);
        let damaged = told.iter().filter(|(kind, _)| *kind == IssueKind::Damaged);
        assert!(damaged.clone().count() > 0, "{told:?}");
        // The pack, and the snapshot whose root it holds.
        assert!(damaged.clone().all(|(_, path)| !path.starts_with("index/")), "{told:?}");
        is_whole(&scene, &summary);
    }
}

#[test]
fn damage_that_was_made_up_for_is_only_mentioned_from_then_on() {
    let mut scene = stored();
    scene.write("folder/inner/file", b"content");
    scene.write("other/file", b"content");
    settle();
    scene.run();
    scene.write("other/file", b"changed");
    settle();
    scene.run();
    let packs = tree_packs(&scene);
    packs.iter().for_each(|pack| flip(pack, 20));
    fs::remove_dir_all(scene.hot()).unwrap();
    settle();
    the_next_run_makes_up_for_it(&mut scene);

    let later = next(&mut scene);

    let told = told(&later.issues);
    assert_eq!(told.len(), packs.len(), "{told:?}");
    assert!(told.iter().all(|(kind, _)| *kind == IssueKind::IgnoredObject), "{told:?}");
    assert_eq!(later.files_unchanged, later.files_total, "parents are of use again");
    assert!(!scene.found().is_empty(), "check goes on telling it");
}

#[test]
fn a_lost_pack_makes_the_run_look_at_all_trees() {
    let mut scene = stored();
    scene.write("other/file", b"content");
    settle();
    scene.run();
    let trees = tree_packs(&scene);
    let lost = objects(&scene, ObjectKind::Pack).into_iter().find(|pack| !trees.contains(pack));
    fs::remove_file(lost.unwrap()).unwrap();
    trees.iter().for_each(|pack| flip(pack, 20));
    fs::remove_dir_all(scene.hot()).unwrap();

    the_next_run_makes_up_for_it(&mut scene);
}

#[test]
fn a_lost_pack_that_comes_back_is_used_again() {
    let mut scene = stored();
    let packs = objects(&scene, ObjectKind::Pack);
    let kept: Vec<_> = packs.iter().map(|pack| fs::read(pack).unwrap()).collect();
    packs.iter().for_each(|pack| fs::remove_file(pack).unwrap());
    the_next_run_makes_up_for_it(&mut scene);
    for (pack, bytes) in packs.iter().zip(kept) {
        fs::write(pack, bytes).unwrap();
    }

    let summary = next(&mut scene);

    assert_eq!(told(&summary.issues), []);
}

#[test]
fn a_source_that_lost_most_is_noticed_though_what_is_known_was_set_back() {
    let mut scene = Scene::new();
    let at_creation = fs::read(scene.hot().join("known")).unwrap();
    (0..20).for_each(|number| scene.write(&format!("{number}"), b"x"));
    scene.run();
    fs::write(scene.hot().join("known"), at_creation).unwrap();
    (1..20).for_each(|number| fs::remove_file(scene.source.join(format!("{number}"))).unwrap());

    let summary = next(&mut scene);

    assert_eq!(summary.tags, ["partial"]);
    let kinds: Vec<_> = told(&summary.issues).into_iter().map(|(kind, _)| kind).collect();
    assert!(kinds.contains(&IssueKind::SourceShrank), "{kinds:?}");
}

#[test]
fn a_pack_that_is_missing_is_noticed_and_its_blobs_are_stored_anew() {
    let mut scene = stored();
    for pack in objects(&scene, ObjectKind::Pack) {
        fs::remove_file(pack).unwrap();
    }

    the_next_run_makes_up_for_it(&mut scene);
}

#[test]
fn a_pack_that_is_cut_short_is_noticed_and_its_blobs_are_stored_anew() {
    let mut scene = stored();
    for pack in objects(&scene, ObjectKind::Pack) {
        fs::File::options().write(true).open(pack).unwrap().set_len(100).unwrap();
    }

    the_next_run_makes_up_for_it(&mut scene);
}

#[test]
fn an_index_that_only_hot_still_holds_whole_is_not_taken_for_good() {
    let mut scene = stored();
    for index in objects(&scene, ObjectKind::Index) {
        fs::File::options().write(true).open(index).unwrap().set_len(100).unwrap();
    }

    the_next_run_makes_up_for_it(&mut scene);
}

#[test]
fn an_index_sealed_with_the_key_that_is_none_stops_no_run() {
    let mut scene = stored();
    for json in ["[]", r#"{"packs":5}"#] {
        let sealed = Seal::new(&scene.key).seal(json.as_bytes()).unwrap();
        let path = scene.cold().join("index").join(ObjectId::of(&sealed).to_hex());
        fs::write(&path, &sealed).unwrap();

        the_next_run_makes_up_for_it(&mut scene);
        fs::remove_file(path).unwrap();
    }
}

#[test]
fn junk_of_any_size_is_not_read() {
    let mut scene = stored();
    let path = scene.cold().join("index").join("a".repeat(64));
    fs::File::create(path).unwrap().set_len(1 << 40).unwrap();

    the_next_run_makes_up_for_it(&mut scene);
}

#[test]
fn snapshots_from_a_wrong_clock_are_no_parents_once_there_are_others() {
    let mut scene = stored();
    settle();
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
