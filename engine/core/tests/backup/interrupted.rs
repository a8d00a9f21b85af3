//! Runs that do not come to their end.

use std::{fs, sync::Arc};

use unstoppable_engine_core::{control::Control, error::ErrorKind, issue::IssueKind};

use super::scene::{Scene, content, noise, settle, told};

const FILES: u64 = 400;
const FILE_BYTES: u64 = 200_000;
const SOME_BYTES: u64 = 8_000_000;

/// More than can be stored before somebody notices that [`SOME_BYTES`] of it are.
fn large() -> Scene {
    let scene = Scene::new();
    let length = usize::try_from(FILE_BYTES).unwrap();
    for number in 0..FILES {
        let folder = number % 7;
        scene.write(&format!("{folder}/{number}"), &noise(number, length));
    }
    settle();
    scene
}

#[test]
fn what_was_stored_before_a_cancel_is_not_read_again() {
    let scene = large();

    let cut = scene.run_and(SOME_BYTES, Control::cancel);

    assert_eq!(cut.tags, ["incomplete"]);
    assert_eq!(told(&cut.issues), []);
    assert!((1..FILES).contains(&cut.files_total), "{}", cut.files_total);
    assert_eq!(cut.bytes_total, cut.files_total * FILE_BYTES);

    let whole = scene.run();

    assert_eq!(whole.tags, [""; 0]);
    assert_eq!((whole.files_total, whole.files_unchanged), (FILES, cut.files_total));
    assert_eq!(whole.bytes_read, FILES * FILE_BYTES - cut.bytes_total);
    assert_eq!(scene.restored(whole.snapshot_id), content(&scene.source));
    assert_eq!(scene.run().bytes_read, 0);
}

#[test]
fn runs_that_are_cut_again_and_again_come_to_an_end() {
    let scene = large();
    let mut read = 0;

    for _ in 0..3 {
        // Bytes of files that need not be read count as done, too.
        let cut = scene.run_and(read + SOME_BYTES, Control::cancel);
        assert_eq!(cut.tags, ["incomplete"]);
        read = cut.bytes_total;
    }
    let last = scene.run();

    assert_eq!(last.tags, [""; 0]);
    assert_eq!(last.bytes_read, FILES * FILE_BYTES - read);
}

#[test]
fn a_run_cancelled_before_it_began_stores_nothing() {
    let scene = Scene::new();
    scene.write("file", b"x");
    let before = content(scene.cold());
    let control = Arc::<Control>::default();
    control.cancel();

    let cancelled = scene.try_run(&control).unwrap_err();

    assert_eq!(cancelled.kind(), ErrorKind::Cancelled);
    assert_eq!(content(scene.cold()), before);
}

#[test]
fn a_source_that_goes_away_while_it_is_read_is_never_whole() {
    let scene = large();

    let cut = scene.run_and(SOME_BYTES, |_| {
        // Its own folder first and in one step: the run may end before all that it holds is gone.
        let gone = scene.source.with_extension("gone");
        fs::rename(&scene.source, &gone).unwrap();
        fs::remove_dir_all(gone).unwrap();
    });

    assert!(cut.tags.contains(&"incomplete".to_owned()), "{:?}", cut.tags);
    let told = told(&cut.issues);
    assert!(told.contains(&(IssueKind::Listing, String::new())), "{told:?}");
    assert_eq!(cut.files_total, scene.snapshot(cut.snapshot_id).files_total.unwrap());
}
