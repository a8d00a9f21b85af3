//! Check finds and names every kind of damage.
#![allow(missing_docs, clippy::pedantic, clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use std::sync::atomic::Ordering::Relaxed;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use common::{FORGED_AT, Faulty, Fixture, folder, snapshot, told};
use unstoppable_engine_core::{
    check::{CheckSummary, check, part::Part},
    control::Control,
    error::ErrorKind,
    format::blob::{Blob, BlobKind},
    issue::{Issue, IssueKind},
    object::{ObjectId, ObjectKind},
};

fn fixture() -> Fixture {
    let source = tempfile::tempdir().unwrap();
    std::fs::create_dir(source.path().join("folder")).unwrap();
    std::fs::write(source.path().join("folder/a"), b"content of a".repeat(1000)).unwrap();
    std::fs::write(source.path().join("b"), b"content of b").unwrap();
    std::fs::write(source.path().join("empty"), b"").unwrap();
    let fixture = Fixture::new();
    fixture.backup(source.path());
    fixture
}

fn run(fixture: &Fixture, part: Option<Part>) -> CheckSummary {
    check(&fixture.reader(), part, &Control::default()).unwrap()
}

fn paths(summary: &CheckSummary) -> Vec<String> {
    assert!(summary.issues.kept.iter().all(|issue| issue.kind == IssueKind::Damaged));
    told(&summary.issues).into_iter().map(|(_, path)| path).collect()
}

#[test]
fn a_repository_of_rustic_is_sound() {
    let fixture = fixture();
    let structure = run_to_the_last_byte(&fixture, None);
    let all = run_to_the_last_byte(&fixture, Some(Part::ALL));
    assert_eq!(paths(&all), [""; 0]);
    assert_eq!((all.snapshots, all.objects), (1, 1 + 1 + 2));
    let stored = stored_bytes(&fixture);
    assert!(structure.bytes_read < all.bytes_read && stored < all.bytes_read);
}

#[test]
fn the_parts_together_read_every_byte() {
    let fixture = fixture();
    let structure = run(&fixture, None).bytes_read;
    let parts = (1..=7).map(|number| Part::new(number, 7).unwrap());
    let more: u64 =
        parts.map(|part| run_to_the_last_byte(&fixture, Some(part)).bytes_read - structure).sum();
    assert_eq!(structure + more, run(&fixture, Some(Part::ALL)).bytes_read);
}

#[test]
fn damage_in_data_is_found_when_its_part_is_read() {
    let fixture = Fixture::new();
    let snapshot = format!("snapshots/{}", fixture.forge(&fixture.file("a", b"content of a")));
    let is_data = |path: &&String| {
        fixture.memory.flip(path, 20);
        let structure = paths(&run(&fixture, None));
        fixture.memory.flip(path, 20);
        structure.is_empty()
    };
    let path = fixture.memory.paths("data").iter().find(is_data).unwrap().clone();
    let id: ObjectId = path.rsplit('/').next().unwrap().parse().unwrap();
    fixture.memory.flip(&path, 20);
    for part in (1..=5).map(|number| Part::new(number, 5).unwrap()) {
        let expected = if part.holds(id) { vec![path.clone(), snapshot.clone()] } else { vec![] };
        assert_eq!(paths(&run(&fixture, Some(part))), expected);
    }
}

/// Check and see that progress ended at what it had announced.
fn run_to_the_last_byte(fixture: &Fixture, part: Option<Part>) -> CheckSummary {
    let control = Control::default();
    let summary = check(&fixture.reader(), part, &control).unwrap();
    assert_eq!(control.bytes_done.load(Relaxed), control.bytes_total.load(Relaxed));
    assert_eq!(control.bytes_done.load(Relaxed), summary.bytes_read);
    summary
}

fn stored_bytes(fixture: &Fixture) -> u64 {
    let paths = fixture.memory.paths("data");
    paths.iter().map(|path| fixture.memory.get(path).unwrap().len() as u64).sum()
}

#[test]
fn a_flipped_byte_is_found_and_named_wherever_it_is() {
    for folder in ["snapshots", "index", "data"] {
        let sound = fixture();
        for path in sound.memory.paths(folder) {
            let length = sound.memory.get(&path).unwrap().len() as isize;
            for place in [0, 20, length / 2, length - 5, length - 1] {
                sound.memory.flip(&path, place);
                assert!(paths(&run(&sound, Some(Part::ALL))).contains(&path), "{path} {place}");
                sound.memory.flip(&path, place);
            }
        }
        assert_eq!(paths(&run(&sound, Some(Part::ALL))), [""; 0]);
    }
}

#[test]
fn objects_that_are_missing_or_too_many_are_named() {
    let fixture = fixture();
    fixture.put_object(ObjectKind::Key, b"{}".to_vec());
    for pack in fixture.memory.paths("data") {
        let content = fixture.memory.0.lock().unwrap().remove(&pack).unwrap();
        let found = paths(&run(&fixture, None));
        assert!(found.contains(&pack) && found.iter().any(|path| path.starts_with("keys/")));
        fixture.memory.put(&pack, content.slice(..40));
        assert!(paths(&run(&fixture, None)).contains(&pack));
        fixture.memory.put(&pack, content);
    }
}

#[test]
fn an_object_that_cannot_be_read_is_named_and_stops_nothing() {
    let fixture = fixture();
    for folder in ["snapshots", "index", "data"] {
        for path in fixture.memory.paths(folder) {
            let unreadable = vec![path.clone()];
            let (reader, _) = fixture.faulty_reader(Faulty { unreadable, ..Faulty::default() });
            let summary = check(&reader, Some(Part::ALL), &Control::default()).unwrap();
            let issue = |issue: &&Issue| issue.path == path.as_bytes();
            let issue = summary.issues.kept.iter().find(issue).unwrap();
            assert_eq!(issue.kind, IssueKind::Unreadable);
            assert!(issue.message.contains("a bad sector"), "{}", issue.message);
        }
    }
}

#[test]
fn trees_that_lack_something_name_their_snapshot() {
    let fixture = Fixture::new();
    let gone = "00".repeat(32);
    let nodes = [
        format!(r#"{{"name":"a","type":"file","size":1,"content":["{gone}"]}}"#),
        r#"{"name":"b","type":"file","size":1}"#.to_owned(),
        r#"{"name":"c","type":"dir"}"#.to_owned(),
        folder("d", gone.parse().unwrap()),
        r#"{"name":"../e","type":"fifo"}"#.to_owned(),
    ];
    let snapshot = fixture.forge(&nodes.join(","));
    let summary = run(&fixture, Some(Part::ALL));
    assert_eq!(paths(&summary), vec![format!("snapshots/{snapshot}"); 6]);
    let first = &summary.issues.kept[0].message;
    let whole = "5 paths in it cannot be restored whole, one is \"/acme/www/../e\"";
    assert_eq!(first, whole);
    for (place, name) in ["a", "b", "c", "d", "../e"].into_iter().enumerate() {
        let quoted = format!("\"/acme/www/{name}\"");
        assert!(summary.issues.kept.iter().any(|issue| issue.message.contains(&quoted)), "{place}");
    }
}

/// A snapshot of its own of three folders: one alone, one that others share, a sound one.
fn forge_sharing(fixture: &Fixture, own: &str, shared: ObjectId) -> String {
    let folders = [folder(own, fixture.put_tree(&fixture.file(own, own.as_bytes())))];
    let nodes = [folders.as_slice(), &[folder("shared", shared)]].concat().join(",");
    format!("snapshots/{}", fixture.forge(&nodes))
}

/// The messages of the issues about each path.
fn messages(summary: &CheckSummary, path: &str) -> Vec<String> {
    let about = summary.issues.kept.iter().filter(|issue| issue.path == path.as_bytes());
    about.map(|issue| issue.message.clone()).collect()
}

#[test]
fn every_snapshot_that_shares_a_damaged_tree_is_named_and_no_other() {
    let fixture = Fixture::new();
    let before = fixture.memory.paths("data");
    let shared = fixture.put_tree(&fixture.file("x", b"x"));
    let new = |path: &String| !before.contains(path);
    let reader = fixture.reader();
    let (index, _) = reader.index().unwrap();
    let tree = Blob { kind: BlobKind::Tree, id: shared };
    let pack = index.locations(tree).next().unwrap().object().path();
    assert!(new(&pack));
    let harmed = ["a", "b"].map(|own| forge_sharing(&fixture, own, shared));
    let sound = forge_sharing(&fixture, "c", fixture.put_tree(&fixture.file("y", b"y")));
    assert_eq!(paths(&run(&fixture, None)), [""; 0]);

    fixture.memory.flip(&pack, 3);
    let summary = run(&fixture, None);

    for path in harmed {
        assert_eq!(messages(&summary, &path), ["\"/acme/www/shared\" cannot be restored whole"]);
    }
    assert_eq!(messages(&summary, &sound), [""; 0]);
    assert_eq!(messages(&summary, &pack).len(), 1);
    assert_eq!(summary.issues.problem_count, 3);
}

#[test]
fn every_snapshot_that_shares_lost_content_is_named_however_it_was_lost() {
    let fixture = Fixture::new();
    let file = fixture.file("x", b"content of x");
    let id = ObjectId::of(b"content of x");
    let reader = fixture.reader();
    let (index, _) = reader.index().unwrap();
    let location = index.locations(Blob { kind: BlobKind::Data, id }).next().unwrap();
    let pack = location.object().path();
    let shared = fixture.put_tree(&[file.clone(), file.replace("\"x\"", "\"y\"")].join(","));
    let harmed = ["a", "b"].map(|own| forge_sharing(&fixture, own, shared));
    let sound = forge_sharing(&fixture, "c", fixture.put_tree(&fixture.file("y", b"y")));
    let content = fixture.memory.get(&pack).unwrap();
    let check = |part| {
        let summary = run(&fixture, part);
        for path in &harmed {
            let [message] = messages(&summary, path).try_into().unwrap();
            assert_eq!(
                message,
                "2 paths in it cannot be restored whole, one is \"/acme/www/shared/x\""
            );
        }
        assert_eq!(messages(&summary, &sound), [""; 0]);
        assert_eq!(summary.issues.problem_count, 3);
    };

    fixture.memory.flip(&pack, 3);
    check(Some(Part::ALL));
    fixture.memory.put(&pack, content.slice(..20));
    check(None);
    fixture.memory.0.lock().unwrap().remove(&pack);
    check(None);
    // Another place holds it: then nothing is lost but that pack.
    fixture.file("again", b"content of x");
    assert_eq!(paths(&run(&fixture, None)), [pack.as_str()]);
}

#[test]
fn a_pack_that_is_damaged_where_nobody_needs_it_harms_no_snapshot() {
    let fixture = Fixture::new();
    let file = fixture.file("x", b"content of x");
    let unused = fixture.put_blobs(&[("data", b"unused"), ("data", b"used")])[0];
    let used =
        file.replace(&ObjectId::of(b"content of x").to_hex(), &ObjectId::of(b"used").to_hex());
    fixture.forge(&used.replace("\"size\":12", "\"size\":4"));
    let reader = fixture.reader();
    let (index, _) = reader.index().unwrap();
    let blob = Blob { kind: BlobKind::Data, id: unused };
    let pack = index.locations(blob).next().unwrap().object().path();

    fixture.memory.flip(&pack, 3);

    assert_eq!(paths(&run(&fixture, Some(Part::ALL))), [pack.as_str()]);
}

#[test]
fn a_file_that_shrank_is_told_of_whole_snapshots_alone() {
    let fixture = Fixture::new();
    let shrunk = fixture.file("x", b"x").replace("\"size\":1", "\"size\":2");
    let gone =
        format!(r#"{{"name":"y","type":"file","size":1,"content":["{}"]}}"#, "00".repeat(32));
    let tree = fixture.put_tree(&[shrunk, gone].join(","));
    let whole = snapshot(tree, FORGED_AT, "");
    let partial = snapshot(tree, FORGED_AT, r#","tags":["partial"]"#);
    let [whole, partial] = [whole, partial]
        .map(|json| format!("snapshots/{}", fixture.put_json(ObjectKind::Snapshot, &json)));

    let summary = run(&fixture, None);

    let two = "2 paths in it cannot be restored whole, one is \"/x\"".to_owned();
    assert!(messages(&summary, &whole).contains(&two));
    let one = "\"/y\" cannot be restored whole".to_owned();
    assert!(messages(&summary, &partial).contains(&one));
}

#[test]
fn an_index_that_lies_about_a_pack_is_found() {
    let fixture = fixture();
    let pack = fixture.memory.paths("data")[0].clone();
    let id = pack.rsplit('/').next().unwrap().parse().unwrap();
    fixture.put_index(id, &[common::entry("data", id, 0, 40, 10)]);
    assert_eq!(paths(&run(&fixture, None)), [pack.as_str()]);
    assert_eq!(paths(&run(&fixture, Some(Part::ALL))), [pack.as_str()]);
}

#[test]
fn a_cancelled_check_says_so() {
    let control = Control::default();
    control.cancel();
    let error = check(&fixture().reader(), Some(Part::ALL), &control).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
}

#[test]
fn honest_trees_that_compress_to_next_to_nothing_are_read() {
    let fixture = Fixture::new();
    let piece = vec![0; 8 << 20];
    let id = fixture.put_blobs(&[("data", &piece)])[0];
    let value = STANDARD.encode(noise(60_000));
    let attribute = format!(r#""extended_attributes":[{{"name":"user.a","value":"{value}"}}]"#);
    let files = (0..300_u32).map(|number| {
        let id = ObjectId::of(&number.to_le_bytes());
        format!(r#"{{"name":"{id}","type":"file","size":0,"content":[],{attribute}}}"#)
    });
    let folder_id = fixture.put_tree(&files.collect::<Vec<_>>().join(","));
    let pieces = vec![format!("\"{id}\""); 131_072].join(",");
    let size_bytes = 1_u64 << 40;
    let sparse =
        format!(r#"{{"name":"sparse","type":"file","size":{size_bytes},"content":[{pieces}]}}"#);

    fixture.forge(&[folder("folder", folder_id), sparse].join(","));

    assert_eq!(paths(&run_to_the_last_byte(&fixture, Some(Part::ALL))), [""; 0]);
}

fn noise(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    getrandom::fill(&mut bytes).unwrap();
    bytes
}
