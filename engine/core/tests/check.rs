//! Check finds and names every kind of damage.
#![allow(missing_docs, clippy::pedantic, clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use common::{Faulty, Fixture, folder, told};
use unstoppable_engine_core::{
    check::{CheckSummary, check},
    control::Control,
    error::ErrorKind,
    issue::{Issue, IssueKind},
    object::ObjectKind,
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

fn run(fixture: &Fixture, read_data: bool) -> CheckSummary {
    check(&fixture.reader(), read_data, &Control::default()).unwrap()
}

fn paths(summary: &CheckSummary) -> Vec<String> {
    assert!(summary.issues.kept.iter().all(|issue| issue.kind == IssueKind::Damaged));
    told(&summary.issues).into_iter().map(|(_, path)| path).collect()
}

#[test]
fn a_repository_of_rustic_is_sound() {
    let fixture = fixture();
    let structure = run(&fixture, false);
    let all = run(&fixture, true);
    assert_eq!(paths(&all), [""; 0]);
    assert_eq!((all.snapshots, all.objects), (1, 1 + 1 + 2));
    let stored: usize = fixture
        .memory
        .paths("data")
        .iter()
        .map(|path| fixture.memory.get(path).unwrap().len())
        .sum();
    assert!(all.bytes_read - structure.bytes_read == stored as u64);
}

#[test]
fn a_flipped_byte_is_found_and_named_wherever_it_is() {
    for folder in ["snapshots", "index", "data"] {
        let sound = fixture();
        for path in sound.memory.paths(folder) {
            let length = sound.memory.get(&path).unwrap().len() as isize;
            for place in [0, 20, length / 2, length - 5, length - 1] {
                sound.memory.flip(&path, place);
                assert!(paths(&run(&sound, true)).contains(&path), "{path} {place}");
                sound.memory.flip(&path, place);
            }
        }
        assert_eq!(paths(&run(&sound, true)), [""; 0]);
    }
}

#[test]
fn objects_that_are_missing_or_too_many_are_named() {
    let fixture = fixture();
    fixture.put_object(ObjectKind::Key, b"{}".to_vec());
    for pack in fixture.memory.paths("data") {
        let content = fixture.memory.0.lock().unwrap().remove(&pack).unwrap();
        let found = paths(&run(&fixture, false));
        assert!(found.contains(&pack) && found.iter().any(|path| path.starts_with("keys/")));
        fixture.memory.put(&pack, content.slice(..40));
        assert!(paths(&run(&fixture, false)).contains(&pack));
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
            let summary = check(&reader, true, &Control::default()).unwrap();
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
    let summary = run(&fixture, true);
    assert_eq!(paths(&summary), vec![format!("snapshots/{snapshot}"); 5]);
    for (place, name) in ["a", "b", "c", "d", "../e"].into_iter().enumerate() {
        let quoted = format!("\"/acme/www/{name}\"");
        assert!(summary.issues.kept.iter().any(|issue| issue.message.contains(&quoted)), "{place}");
    }
}

#[test]
fn an_index_that_lies_about_a_pack_is_found() {
    let fixture = fixture();
    let pack = fixture.memory.paths("data")[0].clone();
    let id = pack.rsplit('/').next().unwrap().parse().unwrap();
    fixture.put_index(id, &[common::entry("data", id, 0, 40, 10)]);
    assert_eq!(paths(&run(&fixture, false)), [""; 0]);
    assert_eq!(paths(&run(&fixture, true)), [pack]);
}

#[test]
fn a_cancelled_check_says_so() {
    let control = Control::default();
    control.cancel();
    let error = check(&fixture().reader(), true, &control).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
}
