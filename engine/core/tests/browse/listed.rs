//! What a snapshot holds is told entry by entry.

use std::{
    cell::Cell,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use unstoppable_engine_core::{
    browse::{ListOptions, MOST_LEVELS, SearchOptions, list},
    control::Control,
    error::{Error, ErrorKind, Result},
    format::{
        reader::Reader,
        tree::{Node, NodeKind},
    },
    issue::{IssueKind, Issues},
    object::{Object, ObjectId, ObjectKind},
    restore::{RestoreOptions, plan},
    storage::ReadStorage,
};

use crate::{
    common::{Faulty, Fixture, Memory, entry, folder, told},
    scene::{dumped, file, found, found_with, listed, listed_with, text},
};

#[test]
fn entries_come_in_order_each_with_its_path() {
    let fixture = Fixture::new();
    let inner = fixture.put_tree(&fixture.file("x", b"x"));
    let outer = [folder("inner", inner), fixture.file("z", b"z")].join(",");
    let outer = fixture.put_tree(&outer);
    let snapshot = fixture.forge(&[folder("b", outer), fixture.file("c", b"")].join(","));

    let (all, issues) = listed(&fixture, snapshot, "");
    assert_eq!(all, ["", "c", "b", "b/z", "b/inner", "b/inner/x"]);
    assert_eq!(issues.kept, []);
    let (below, _) = listed(&fixture, snapshot, "/b//inner/");
    assert_eq!(below, ["b/inner", "b/inner/x"]);
    assert_eq!(listed(&fixture, snapshot, "b/z").0, ["b/z"]);
}

#[test]
fn a_path_that_is_not_there_is_refused() {
    let fixture = Fixture::new();
    let snapshot = fixture.forge(&fixture.file("a", b"a"));
    for path in ["b", "a/b", ".."] {
        let error = listed_with(&fixture.reader(), snapshot, &ListOptions::below(path));
        assert_eq!(error.unwrap_err().kind(), ErrorKind::InvalidInput, "{path}");
    }
    let nowhere = listed_with(&fixture.reader(), ObjectId([1; 32]), &ListOptions::below(""));
    assert_eq!(nowhere.unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[test]
fn what_is_damaged_or_refused_is_told_and_stops_nothing() {
    let fixture = Fixture::new();
    let lost = fixture.put_tree(&fixture.file("x", b"x"));
    let (index, _) = fixture.reader().index().unwrap();
    let (_, location) = index.all().find(|(blob, _)| blob.id == lost).unwrap();
    fixture.memory.flip(&location.object().path(), 20);
    let nodes = [
        fixture.file("..", b"bad"),
        folder("damaged", lost),
        folder("missing", ObjectId([9; 32])),
        r#"{"name":"none","type":"dir"}"#.to_owned(),
        fixture.file("good", b"good"),
    ];
    let snapshot = fixture.forge(&nodes.join(","));

    let (paths, issues) = listed(&fixture, snapshot, "");

    assert_eq!(paths, ["", "good", "damaged", "missing", "none"]);
    let expected = [
        (IssueKind::UnsafeName, ".."),
        (IssueKind::Damaged, "damaged"),
        (IssueKind::Damaged, "missing"),
        (IssueKind::Damaged, "none"),
    ];
    assert_eq!(told(&issues), expected.map(|(kind, path)| (kind, path.to_owned())));
}

#[test]
fn a_tree_that_holds_itself_ends_at_the_bound() {
    let fixture = Fixture::new();
    let mut tree = fixture.put_tree(&fixture.file("leaf", b"x"));
    for _ in 0..60 {
        let nodes: Vec<_> = (0..10).map(|name| folder(&name.to_string(), tree)).collect();
        tree = fixture.put_tree(&nodes.join(","));
    }
    let snapshot = fixture.forge_tree(tree);
    let options = ListOptions { path: Vec::new(), most_entries: 5000 };

    let (paths, issues) = listed_with(&fixture.reader(), snapshot, &options).unwrap();

    assert!((4000..=5001).contains(&paths.len()), "{}", paths.len());
    assert_eq!((issues.problem_count, issues.kept[0].kind), (1, IssueKind::Listing));
    let pattern = "leaf".to_owned();
    let both = SearchOptions { pattern, snapshots: vec![snapshot; 2], most_entries: 5000 };
    assert_eq!(found_with(&fixture, &both).1.kept[0].kind, IssueKind::Listing);
    let options = RestoreOptions { most_entries: 5000, ..RestoreOptions::default() };
    let plan = plan(&fixture.reader(), snapshot, &options, &Control::default()).unwrap();
    assert_eq!(plan.issues.problem_count, 1);
}

#[test]
fn folders_deeper_than_any_path_are_left_out() {
    let fixture = Fixture::new();
    let mut tree = fixture.put_tree(&fixture.file("leaf", b"x"));
    for _ in 0..MOST_LEVELS + 10 {
        tree = fixture.put_tree(&folder("d", tree));
    }
    let (paths, issues) = listed(&fixture, fixture.forge_tree(tree), "");
    assert_eq!(paths.len(), MOST_LEVELS + 2);
    assert_eq!((issues.problem_count, issues.kept[0].kind), (1, IssueKind::Listing));
}

#[test]
fn paths_longer_than_any_file_system_takes_are_left_out() {
    let fixture = Fixture::new();
    let long = "n".repeat(13_000);
    let mut tree = fixture.put_tree(&fixture.file("leaf", b"x"));
    for _ in 0..10 {
        tree = fixture.put_tree(&folder(&long, tree));
    }
    let (paths, issues) = listed(&fixture, fixture.forge_tree(tree), "");
    assert_eq!(paths.len(), 6);
    assert_eq!((issues.problem_count, issues.kept[0].path.len()), (1, 4096));
}

#[test]
fn every_index_object_that_cannot_be_used_is_told() {
    let fixture = Fixture::new();
    let snapshot = fixture.forge(&fixture.file("good", b"good"));
    let junk = fixture.put_object(ObjectKind::Index, b"junk".to_vec());
    let path = Object::Hashed(ObjectKind::Index, junk).path();
    assert_eq!(told(&listed(&fixture, snapshot, "").1), [(IssueKind::Damaged, path.clone())]);
    assert_eq!(told(&found(&fixture, "*", &[snapshot]).1), [(IssueKind::Damaged, path.clone())]);
    let (done, content, issues) = dumped(&fixture, snapshot, "good");
    done.unwrap();
    assert_eq!(
        (content.as_slice(), told(&issues)),
        (b"good".as_slice(), vec![(IssueKind::Damaged, path)])
    );
}

#[test]
fn without_any_readable_index_the_error_tells_why() {
    let fixture = Fixture::new();
    let snapshot = fixture.forge(&fixture.file("lost", b"lost"));
    let unreadable = vec!["index/".to_owned()];
    let (reader, _) = fixture.faulty_reader(Faulty { unreadable, ..Faulty::default() });
    let error = listed_with(&reader, snapshot, &ListOptions::below("")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged);
    assert!(error.chain().contains("a bad sector"), "{}", error.chain());
}

#[test]
fn a_listing_ends_with_the_wish_to_stop_or_with_its_taker() {
    let fixture = Fixture::new();
    let nodes: Vec<_> = (0..100).map(|name| fixture.file(&format!("{name:03}"), b"x")).collect();
    let snapshot = fixture.forge(&nodes.join(","));
    let (control, taken) = (Control::default(), Cell::new(0));
    let issues = Issues::default();
    let options = ListOptions::below("");
    let take = |_: &[u8], _| {
        taken.set(taken.get() + 1);
        if taken.get() == 10 {
            control.cancel();
        }
        Ok(())
    };
    let error = list(&fixture.reader(), snapshot, &options, &issues, &control, take).unwrap_err();
    assert_eq!((error.kind(), taken.get()), (ErrorKind::Cancelled, 10));
    let full = |_: &[u8], _| Err(Error::new(ErrorKind::StorageFull, "full"));
    let control = Control::default();
    let error = list(&fixture.reader(), snapshot, &options, &issues, &control, full).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StorageFull);
}

#[test]
fn kinds_that_nobody_knows_are_listed_as_they_are() {
    let fixture = Fixture::new();
    let snapshot = fixture.forge(r#"{"name":"a","type":"irregular"}"#);
    let mut kinds = Vec::new();
    let issues = Issues::default();
    let options = ListOptions::below("a");
    list(&fixture.reader(), snapshot, &options, &issues, &Control::default(), |_, node| {
        kinds.push(node.kind);
        Ok(())
    })
    .unwrap();
    assert_eq!(kinds, [NodeKind::Unknown("irregular".to_owned())]);
}

/// Gives one object late.
struct Late {
    memory: Memory,
    path: String,
}

impl ReadStorage for Late {
    fn location(&self) -> String {
        ReadStorage::location(&self.memory)
    }

    fn list(&self, kind: ObjectKind) -> Result<Vec<(ObjectId, u64)>> {
        ReadStorage::list(&self.memory, kind)
    }

    fn read(&self, object: &Object) -> Result<Option<Bytes>> {
        if object.path() == self.path {
            std::thread::sleep(Duration::from_millis(500));
        }
        self.memory.read(object)
    }

    fn read_range(&self, object: &Object, offset_bytes: u64, length_bytes: usize) -> Result<Bytes> {
        self.memory.read_range(object, offset_bytes, length_bytes)
    }

    fn size(&self, object: &Object) -> Result<Option<u64>> {
        self.memory.size(object)
    }
}

#[test]
fn a_lie_that_comes_before_the_truth_hides_nothing() {
    let fixture = Fixture::new();
    let before = fixture.memory.paths("index");
    let tree = fixture.put_tree(&fixture.file("a", b"content"));
    let truths = fixture.memory.paths("index").into_iter().filter(|path| !before.contains(path));
    let snapshot = fixture.forge_tree(tree);
    let foreign = fixture.put_object(ObjectKind::Pack, vec![7; 1000]);
    fixture.put_index(foreign, &[entry("tree", tree, 0, 100, 50)]);
    for path in truths {
        let storage = Late { memory: fixture.memory.clone(), path };
        let reader = Reader::new(Arc::new(storage), &fixture.key);
        let (paths, issues) = listed_with(&reader, snapshot, &ListOptions::below("")).unwrap();
        assert_eq!((paths, issues.kept), (vec![String::new(), "a".to_owned()], vec![]));
    }
}

#[test]
fn the_first_entries_are_told_before_the_whole_index_was_read() {
    let fixture = Fixture::new();
    let tree = fixture.put_tree(&fixture.file("a", b"content"));
    let snapshot = fixture.forge_tree(tree);
    let before = fixture.memory.paths("index");
    let many: Vec<_> =
        (0..200_u8).map(|byte| entry("data", ObjectId([byte; 32]), 0, 50, 10)).collect();
    fixture.put_index(ObjectId([7; 32]), &many);
    let largest = fixture.memory.paths("index").into_iter().find(|path| !before.contains(path));
    let storage = Late { memory: fixture.memory.clone(), path: largest.unwrap() };
    let reader = Reader::new(Arc::new(storage), &fixture.key);

    let began = Instant::now();
    let mut first = None;
    let (issues, control) = (Issues::default(), Control::default());
    list(&reader, snapshot, &ListOptions::below(""), &issues, &control, |_, _| {
        first.get_or_insert_with(|| began.elapsed());
        Ok(())
    })
    .unwrap();

    assert!(first.unwrap() < Duration::from_millis(400), "{first:?}");
    assert!(began.elapsed() >= Duration::from_millis(500), "it was not late");
}

#[test]
fn attributes_that_nobody_is_told_are_not_held() {
    let fixture = Fixture::new();
    let attribute = r#""extended_attributes":[{"name":"user.a","value":"Zm9v"}]"#;
    let below = fixture.put_tree(&file("file", attribute));
    let outer = folder("folder", below).replace('{', &format!("{{{attribute},"));
    let snapshot = fixture.forge(&[outer, file("a", attribute)].join(","));

    let mut held = Vec::new();
    for path in ["", "a", "folder"] {
        let (options, issues) = (ListOptions::below(path), Issues::default());
        let take = |path: &[u8], node: Node| {
            held.push((text(path), node.metadata.attributes.len()));
            Ok(())
        };
        list(&fixture.reader(), snapshot, &options, &issues, &Control::default(), take).unwrap();
    }

    let paths = ["", "a", "folder", "folder/file", "a", "folder", "folder/file"];
    assert_eq!(held, paths.map(|path| (path.to_owned(), 0)));
}
