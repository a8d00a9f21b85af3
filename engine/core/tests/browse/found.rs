//! Versions of paths are found, and what a restore would write is counted.

use std::{fs, os::unix::fs::symlink, process::Command};

use unstoppable_engine_core::{
    browse::{SearchOptions, search},
    control::Control,
    error::ErrorKind,
    issue::{IssueKind, Issues},
    object::{ObjectId, ObjectKind},
    restore::{RestoreOptions, plan},
};

use crate::{
    common::{Fixture, folder, told},
    scene::found,
};

#[test]
fn each_version_of_a_path_is_found_once_in_the_first_snapshot_that_holds_it() {
    let fixture = Fixture::new();
    let same = fixture.file("same.txt", b"same");
    let inner = fixture.put_tree(&fixture.file("deep.txt", b"deep"));
    let old =
        fixture.forge(&[same.clone(), fixture.file("new.txt", b"1"), folder("d", inner)].join(","));
    let more =
        fixture.put_tree(&[fixture.file("deep.txt", b"deep"), fixture.file("x", b"")].join(","));
    let new = fixture.forge(&[same, fixture.file("new.txt", b"22"), folder("d", more)].join(","));

    let (told, issues) = found(&fixture, "*.txt", &[new, old]);
    let expected = [(new, "new.txt"), (new, "same.txt"), (new, "d/deep.txt"), (old, "new.txt")];
    assert_eq!(told, expected.map(|(id, path)| (id, path.to_owned())));
    assert_eq!(issues.kept, []);
    assert_eq!(found(&fixture, "d", &[new, old]).0, [(new, "d".to_owned())]);
    assert_eq!(found(&fixture, "d/*.txt", &[old]).0, [(old, "d/deep.txt".to_owned())]);
}

#[test]
fn a_snapshot_that_cannot_be_searched_hides_no_other() {
    let fixture = Fixture::new();
    let empty = fixture.put_tree("");
    let foreign = fixture.put_json(
        ObjectKind::Snapshot,
        &format!(r#"{{"time":"2026-11-24T00:00:00Z","tree":"{empty}","paths":["/bob/www"]}}"#),
    );
    let good = fixture.forge(&fixture.file("a", b"a"));
    let (told, issues) = found(&fixture, "a", &[ObjectId([5; 32]), foreign, good]);
    assert_eq!(told, [(good, "a".to_owned())]);
    assert_eq!(issues.problem_count, 2);
    let options = SearchOptions { pattern: "{a".to_owned(), snapshots: vec![], most_entries: 1 };
    let issues = Issues::default();
    let error = search(&fixture.reader(), &options, &issues, &Control::default(), |_, _, _| Ok(()));
    assert_eq!(error.unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[test]
fn a_plan_counts_what_a_restore_writes() {
    let fixture = Fixture::new();
    let source = tempfile::tempdir().unwrap();
    fs::create_dir(source.path().join("folder")).unwrap();
    fs::write(source.path().join("folder/a"), [1; 5000]).unwrap();
    fs::hard_link(source.path().join("folder/a"), source.path().join("again")).unwrap();
    symlink("a", source.path().join("link")).unwrap();
    Command::new("mkfifo").arg(source.path().join("pipe")).status().unwrap();
    let snapshot = fixture.backup(source.path());
    let planned = |options: &RestoreOptions| {
        plan(&fixture.reader(), snapshot, options, &Control::default()).unwrap()
    };

    let all = planned(&RestoreOptions::default());
    let restored = fixture.restore(snapshot, &tempfile::tempdir().unwrap().path().join("t"));

    let counted = (restored.files, restored.folders, restored.others, restored.bytes_written);
    assert_eq!((all.files, all.folders, all.others, all.bytes_total), counted);
    assert_eq!(told(&all.issues), [(IssueKind::NotRestored, "pipe".to_owned())]);
    let exact = planned(&RestoreOptions { exact: true, ..RestoreOptions::default() });
    assert_eq!((exact.others, exact.issues.note_count), (2, 0));
    let path = b"folder/a".to_vec();
    let one = planned(&RestoreOptions { path, ..RestoreOptions::default() });
    assert_eq!((one.files, one.folders, one.bytes_total), (1, 0, 5000));
}
