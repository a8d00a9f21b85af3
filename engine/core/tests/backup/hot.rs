//! A cache that was lost, rolled back, swapped or poisoned: never believed, always mended.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use unstoppable_engine_core::{
    backup::BackupSummary,
    control::Control,
    issue::{Issue, IssueKind},
    rebuild::HotSummary,
    repository::{Expected, Mode, Places, Repository},
};

use super::scene::{Scene, content, noise, settle, told};

/// Two runs with folders in several trees, the second without a change.
fn stored() -> Scene {
    let mut scene = Scene::new();
    for number in 0..10 {
        scene.write(&format!("{}/{number}/file", number % 2), &noise(number, 2_000));
    }
    settle();
    scene.run();
    run_again(&mut scene);
    scene
}

/// The next run, a day later.
fn run_again(scene: &mut Scene) -> BackupSummary {
    scene.options.started_at_seconds += 86_400;
    scene.run()
}

/// Every file in a folder that has its like in cold, by its path below it.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let all = content(folder).into_iter().filter(|(below, _)| folder.join(below).is_file());
    all.map(|(below, (_, _, bytes))| (below, bytes))
        .filter(|(below, _)| !below.starts_with("aside") && !below.starts_with("known"))
        .collect()
}

fn metadata(scene: &Scene) -> BTreeMap<PathBuf, Vec<u8>> {
    files(scene.hot()).into_iter().filter(|(below, _)| below.components().count() > 1).collect()
}

/// A run that reads no file, stores a sound snapshot and tells of nothing but the cache.
fn run_unharmed(scene: &mut Scene) -> BackupSummary {
    let summary = run_again(scene);
    assert_eq!((summary.files_new, summary.files_changed, summary.bytes_read), (0, 0, 0));
    assert_eq!(summary.issues.problem_count, 0);
    assert_eq!(scene.restored(summary.snapshot_id), content(&scene.source));
    summary
}

fn kinds(summary: &BackupSummary) -> Vec<IssueKind> {
    told(&summary.issues).into_iter().map(|(kind, _)| kind).collect()
}

fn aside(scene: &Scene) -> usize {
    fs::read_dir(scene.hot().join("aside")).map_or(0, Iterator::count)
}

fn rebuild(scene: &Scene, is_rehearsal: bool) -> HotSummary {
    let places = Places { hot: None, ..scene.places.clone() };
    let expected = Expected { pins: Some(scene.pins.clone()), birth: None };
    let opened =
        Repository::open(&places, &scene.key, &expected, Mode::Read, &Arc::default()).unwrap();
    opened.rebuild_hot(scene.hot(), is_rehearsal, &Control::default()).unwrap()
}

#[test]
fn a_cache_that_is_in_line_is_never_told_of() {
    let mut scene = stored();

    assert_eq!(kinds(&run_unharmed(&mut scene)), []);
    assert_eq!(aside(&scene), 0);
}

#[test]
fn a_cache_that_lost_half_is_filled_and_that_is_told() {
    let mut scene = stored();
    for (below, _) in metadata(&scene).into_iter().step_by(2) {
        fs::remove_file(scene.hot().join(below)).unwrap();
    }

    assert_eq!(kinds(&run_unharmed(&mut scene)), [IssueKind::HotMended]);
    assert_eq!(kinds(&run_unharmed(&mut scene)), []);
}

#[test]
fn a_cache_of_yesterday_is_brought_up_to_today() {
    let mut scene = stored();
    let mut yesterday = files(scene.hot());
    yesterday.insert("known".into(), fs::read(scene.hot().join("known")).unwrap());
    scene.write("new/file", b"today's");
    settle();
    run_again(&mut scene);
    fs::remove_dir_all(scene.hot()).unwrap();
    for (below, bytes) in yesterday {
        fs::create_dir_all(scene.hot().join(&below).parent().unwrap()).unwrap();
        fs::write(scene.hot().join(below), bytes).unwrap();
    }

    // Today's snapshot is not known to be this machine's any more, so it is no parent.
    let summary = run_again(&mut scene);
    assert_eq!(kinds(&summary), [IssueKind::HotMended]);
    assert_eq!(scene.restored(summary.snapshot_id), content(&scene.source));
    assert_eq!(aside(&scene), 0);
    assert_eq!(kinds(&run_unharmed(&mut scene)), []);
}

#[test]
fn a_cache_of_another_repository_is_set_aside_whole() {
    let (mut scene, bobs) = (stored(), stored());
    let foreign = metadata(&bobs);
    fs::remove_dir_all(scene.hot()).unwrap();
    fs::rename(bobs.hot(), scene.hot()).unwrap();

    let summary = run_unharmed(&mut scene);

    assert_eq!(kinds(&summary), [IssueKind::HotMended; 3]);
    assert_eq!(aside(&scene), foreign.len() + 1, "all of it, and its config");
    assert!(foreign.keys().all(|below| !scene.hot().join(below).exists()));
}

#[test]
fn wrong_bytes_under_right_names_and_sizes_are_set_aside_and_mended() {
    let mut scene = stored();
    let sound = files(scene.hot());
    for (below, bytes) in &sound {
        fs::write(scene.hot().join(below), vec![7; bytes.len()]).unwrap();
    }
    fs::write(scene.hot().join("known"), b"nothing").unwrap();

    let summary = run_unharmed(&mut scene);

    let mended = kinds(&summary);
    assert!(mended.len() > 3 && mended.iter().all(|kind| *kind == IssueKind::HotMended));
    // A pack of trees that no run needs is mended when one does, or by a rebuild.
    rebuild(&scene, false);
    let after = files(scene.hot());
    for (below, bytes) in sound.iter().filter(|(below, _)| below.components().count() > 1) {
        assert_eq!(after.get(below), Some(bytes), "{}", below.display());
    }
}

#[test]
fn packs_that_cold_does_not_name_are_set_aside() {
    let mut scene = stored();
    fs::write(scene.hot().join(format!("data/aa/{}", "a".repeat(64))), b"mallory's").unwrap();

    assert_eq!(kinds(&run_unharmed(&mut scene)), [IssueKind::HotMended]);
    assert_eq!(aside(&scene), 1);
}

#[test]
fn a_rebuilt_cache_leaves_a_backup_nothing_to_read_from_cold() {
    let mut scene = stored();
    fs::remove_dir_all(scene.hot()).unwrap();

    let rehearsed = rebuild(&scene, true);
    assert!(!scene.hot().exists());
    let rebuilt = rebuild(&scene, false);

    assert_eq!(rehearsed.filled, rebuilt.filled);
    assert_eq!((rebuilt.kept, rebuilt.set_aside, rebuilt.issues.problem_count), (0, 0, 0));
    // What lies in cold can still be listed, but not read.
    for (below, bytes) in files(scene.cold()) {
        if below.components().count() > 1 {
            fs::write(scene.cold().join(below), vec![0; bytes.len()]).unwrap();
        }
    }
    scene.options.started_at_seconds += 86_400;
    let summary = scene.try_run(&Arc::default()).unwrap();
    assert_eq!((summary.files_new, summary.files_changed, summary.bytes_read), (0, 0, 0));
    assert_eq!(kinds(&summary), [IssueKind::HotMended], "cold was taken on trust");
}

#[test]
fn a_rebuild_keeps_what_is_right_and_sets_the_rest_aside() {
    let scene = stored();
    let sound = files(scene.hot());
    let wrong = metadata(&scene).into_iter().step_by(3).collect::<Vec<_>>();
    for (below, bytes) in &wrong {
        fs::write(scene.hot().join(below), vec![7; bytes.len()]).unwrap();
    }
    fs::write(scene.hot().join(format!("keys/{}", "b".repeat(64))), b"mallory's").unwrap();

    let rehearsed = rebuild(&scene, true);
    let rebuilt = rebuild(&scene, false);

    for told in [&rehearsed, &rebuilt] {
        let expected = ((sound.len() - wrong.len()) as u64, wrong.len() as u64);
        assert_eq!((told.kept, told.filled), expected);
        assert_eq!(told.set_aside, wrong.len() as u64 + 1);
    }
    assert_eq!(files(scene.hot()), sound);
    assert_eq!(rebuild(&scene, false).kept, sound.len() as u64);
}

#[test]
fn a_rebuild_tells_what_is_damaged_in_cold_and_goes_on() {
    let scene = stored();
    let snapshots = files(&scene.cold().join("snapshots"));
    let (damaged, bytes) = snapshots.first_key_value().unwrap();
    fs::write(scene.cold().join("snapshots").join(damaged), vec![7; bytes.len()]).unwrap();
    fs::remove_dir_all(scene.hot()).unwrap();

    let rehearsed = rebuild(&scene, true);
    let rebuilt = rebuild(&scene, false);

    let expected = (IssueKind::Damaged, format!("snapshots/{}", damaged.display()));
    assert_eq!(told(&rebuilt.issues), [expected]);
    assert_eq!(told(&rehearsed.issues), told(&rebuilt.issues));
    assert_eq!(rehearsed.filled, rebuilt.filled);
    assert!(!scene.hot().join("snapshots").join(damaged).exists());
    assert!(rebuilt.filled > 3);
}

#[test]
fn only_what_was_stored_is_called_filled() {
    let mut scene = stored();
    let snapshots = files(&scene.cold().join("snapshots"));
    let (damaged, bytes) = snapshots.first_key_value().unwrap();
    fs::write(scene.cold().join("snapshots").join(damaged), vec![7; bytes.len()]).unwrap();
    fs::remove_dir_all(scene.hot().join("snapshots")).unwrap();
    scene.options.started_at_seconds += 86_400;

    let summary = scene.try_run(&Arc::default()).unwrap();

    let is_mended = |issue: &&Issue| issue.kind == IssueKind::HotMended;
    let mended = summary.issues.kept.iter().find(is_mended).unwrap();
    assert!(mended.message.ends_with(" 1 filled from cold"), "{}", mended.message);
}

#[test]
fn without_any_cache_cold_restores_all() {
    let mut scene = stored();
    let snapshot = run_again(&mut scene).snapshot_id;
    fs::remove_dir_all(scene.hot()).unwrap();
    scene.places.hot = None;

    assert_eq!(scene.restored(snapshot), content(&scene.source));
}
