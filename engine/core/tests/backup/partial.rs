//! Runs that store a snapshot and say what it lacks.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    sync::Arc,
};

use unstoppable_engine_core::{error::ErrorKind, issue::IssueKind};

use super::{
    mount::Mount,
    scene::{Scene, content, noise, settle, told},
};

#[test]
fn a_file_that_shrinks_while_it_is_read_is_stored_as_it_was_read() {
    let mut scene = Scene::new();
    let before = noise(1, 64 << 20);
    scene.write("whole", b"whole");
    scene.write("database", &before);
    let database = File::options().write(true).open(scene.source.join("database")).unwrap();

    let summary = scene.run_and(6, |_| database.set_len(1).unwrap());

    assert_eq!(told(&summary.issues), [(IssueKind::Shrunk, "database".to_owned())]);
    assert_eq!(summary.tags, ["partial"]);
    assert_eq!(scene.snapshot(summary.snapshot_id).tags, ["partial"]);
    let restored = scene.restored(summary.snapshot_id);
    let stored = &restored[Path::new("database")].2;
    assert!(stored.len() < before.len() && before.starts_with(stored), "{}", stored.len());

    scene.options.max_shrink_percent = None;
    let whole = scene.run();
    assert_eq!(whole.tags, [""; 0]);
    assert_eq!(scene.restored(whole.snapshot_id), content(&scene.source));
}

#[test]
fn an_empty_source_is_partial_even_the_first_time() {
    let scene = Scene::new();

    let summary = scene.run();

    assert_eq!(told(&summary.issues), [(IssueKind::EmptySource, String::new())]);
    assert_eq!(summary.tags, ["partial"]);
    assert_eq!(scene.restored(summary.snapshot_id).len(), 1);
}

#[test]
fn a_source_that_lost_most_of_its_files_or_bytes_is_partial_unless_that_is_accepted() {
    let mut scene = Scene::new();
    for number in 0..10 {
        scene.write(&format!("{number}"), &[number; 100]);
    }
    assert_eq!(scene.run().tags, [""; 0]);
    for number in 0..5 {
        fs::remove_file(scene.source.join(format!("{number}"))).unwrap();
    }
    assert_eq!(scene.run().tags, [""; 0], "half of it is within 50 %");
    for number in 5..7 {
        fs::remove_file(scene.source.join(format!("{number}"))).unwrap();
    }
    scene.options.max_shrink_percent = Some(30);

    // Every run is compared with the last complete one, not with the partial one before it.
    for _ in 0..2 {
        let summary = scene.run();
        let shrank = (IssueKind::SourceShrank, String::new());
        assert_eq!(told(&summary.issues), [shrank.clone(), shrank], "files and bytes");
        assert_eq!(summary.tags, ["partial"]);
        assert_eq!(summary.files_total, 3);
    }

    scene.options.max_shrink_percent = None;
    assert_eq!(scene.run().tags, [""; 0]);
}

#[test]
fn a_source_that_is_not_there_fails_the_run() {
    let scene = Scene::new();
    fs::remove_dir(&scene.source).unwrap();

    let refused = scene.try_run(&Arc::default()).unwrap_err();

    assert_eq!(refused.kind(), ErrorKind::SourceUnavailable);
    assert_eq!(scene.snapshot_count(), 0);
}

#[test]
fn a_file_system_that_is_lost_while_it_is_read_makes_the_run_partial() {
    let scene = Scene::new();
    let mount = Mount::at(&scene.source.join("mount"));
    for number in 0..400 {
        scene.write(&format!("mount/{number}"), &noise(number, 200_000));
    }

    let summary = scene.run_and(8_000_000, move |_| drop(mount));

    assert_eq!(summary.tags, ["partial"]);
    assert!((1..400).contains(&summary.files_total), "{}", summary.files_total);
    assert_eq!(summary.issues.problem_count, 400 - summary.files_total);
    assert!(summary.issues.kept.iter().all(|issue| issue.kind == IssueKind::Listing));
}

#[test]
fn files_that_only_say_that_they_are_empty_make_the_run_partial() {
    let mut scene = Scene::new();
    scene.options.source = PathBuf::from("/proc/sys/kernel/random").into();

    // What is left out is no part of the parent, so that every run tells it anew.
    for _ in 0..2 {
        let summary = scene.run();
        assert_eq!(summary.tags, ["partial"]);
        assert!(told(&summary.issues).contains(&(IssueKind::Unreadable, "boot_id".to_owned())));
    }
}

#[test]
fn a_folder_with_more_metadata_than_can_be_read_back_is_told() {
    let scene = Scene::new();
    scene.write_with_attribute("folder", 18_000);

    let summary = scene.try_run(&Arc::default()).unwrap();

    assert_eq!(summary.tags, ["partial"]);
    let [(kind, pack)] = told(&summary.issues).try_into().unwrap();
    assert_eq!(kind, IssueKind::Unreadable);
    assert!(scene.found().contains(&(IssueKind::Damaged, pack)));
    let message = &summary.issues.kept[0].message;
    assert!(message.contains("holds too much metadata to be read back"), "{message}");
}

#[test]
fn the_run_after_one_with_too_much_metadata_is_no_success() {
    let mut scene = Scene::new();
    scene.write_with_attribute("folder", 18_000);
    settle();
    scene.try_run(&Arc::default()).unwrap();
    // The second time as if the run had been killed just before its snapshot was written.
    for is_snapshot_lost in [false, true] {
        scene.options.started_at_seconds += 60;
        if is_snapshot_lost {
            let snapshots = scene.cold().join("snapshots");
            fs::read_dir(snapshots)
                .unwrap()
                .for_each(|one| fs::remove_file(one.unwrap().path()).unwrap());
        }

        let summary = scene.try_run(&Arc::default()).unwrap();

        assert_eq!(summary.tags, ["partial"]);
        let told = told(&summary.issues);
        assert!(told.iter().any(|(kind, _)| *kind == IssueKind::Unreadable), "{told:?}");
    }
}
