//! What a snapshot holds is told entry by entry, and its content given out.
#![allow(missing_docs, clippy::pedantic, clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use std::{
    cell::Cell,
    fs,
    io::{self, Write},
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::Path,
    process::{Command, Stdio},
};

use common::{Faulty, Fixture, entry, folder, told};
use unstoppable_engine_core::{
    browse::{ListOptions, MOST_LEVELS, SearchOptions, dump, list, search},
    control::Control,
    error::{Error, ErrorKind, Result},
    format::{reader::Reader, tree::NodeKind},
    issue::{Collected, IssueKind, Issues},
    object::{Object, ObjectId, ObjectKind},
    restore::{RestoreOptions, plan},
};

fn text(path: &[u8]) -> String {
    String::from_utf8_lossy(path).into_owned()
}

fn listed_with(
    reader: &Reader,
    snapshot: ObjectId,
    options: &ListOptions,
) -> Result<(Vec<String>, Collected)> {
    let mut paths = Vec::new();
    let issues = Issues::default();
    list(reader, snapshot, options, &issues, &Control::default(), |path, _| {
        paths.push(text(path));
        Ok(())
    })?;
    Ok((paths, issues.collected()))
}

fn listed(fixture: &Fixture, snapshot: ObjectId, path: &str) -> (Vec<String>, Collected) {
    listed_with(&fixture.reader(), snapshot, &ListOptions::below(path)).unwrap()
}

fn found_with(fixture: &Fixture, options: &SearchOptions) -> (Vec<(ObjectId, String)>, Collected) {
    let mut found = Vec::new();
    let issues = Issues::default();
    search(&fixture.reader(), options, &issues, &Control::default(), |snapshot, path, _| {
        found.push((snapshot, text(path)));
        Ok(())
    })
    .unwrap();
    (found, issues.collected())
}

fn found(
    fixture: &Fixture,
    pattern: &str,
    snapshots: &[ObjectId],
) -> (Vec<(ObjectId, String)>, Collected) {
    let (pattern, snapshots) = (pattern.to_owned(), snapshots.to_vec());
    found_with(fixture, &SearchOptions { pattern, snapshots, most_entries: 1000 })
}

fn dumped(fixture: &Fixture, snapshot: ObjectId, path: &str) -> (Result<()>, Vec<u8>, Collected) {
    let (mut output, issues) = (Vec::new(), Issues::default());
    let path = path.as_bytes();
    let done = dump(&fixture.reader(), snapshot, path, &mut output, &issues, &Control::default());
    (done, output, issues.collected())
}

/// Unpacked by the system's own tar.
fn unpacked(archive: &[u8]) -> tempfile::TempDir {
    let target = tempfile::tempdir().unwrap();
    let mut running = Command::new("tar")
        .args(["-xpf", "-", "-C"])
        .arg(target.path())
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    running.stdin.take().unwrap().write_all(archive).unwrap();
    assert!(running.wait().unwrap().success());
    target
}

fn file(name: &str, rest: &str) -> String {
    format!(r#"{{"name":"{name}","type":"file","mode":420,{rest}}}"#)
}

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
fn an_index_that_lies_hides_nothing_though_it_is_read_first() {
    let fixture = Fixture::new();
    let tree = fixture.put_tree(&fixture.file("a", b"content"));
    let snapshot = fixture.forge_tree(tree);
    let data = ObjectId::of(b"content");
    let foreign = fixture.put_object(ObjectKind::Pack, vec![7; 1000]);
    for (kind, id, plain) in [("tree", tree, 50), ("data", data, 5)] {
        for offset in [0, 10] {
            fixture.put_index(foreign, &[entry(kind, id, offset, 100, plain)]);
        }
    }
    let (paths, issues) = listed(&fixture, snapshot, "");
    assert_eq!((paths, issues.kept), (vec![String::new(), "a".to_owned()], vec![]));
    let (done, content, _) = dumped(&fixture, snapshot, "a");
    done.unwrap();
    assert_eq!(content, b"content");
    let (done, archive, _) = dumped(&fixture, snapshot, "");
    done.unwrap();
    assert_eq!(fs::read(unpacked(&archive).path().join("a")).unwrap(), b"content");
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
        &format!(r#"{{"time":"2026-11-24T00:00:00Z","tree":"{empty}","hostname":"bob"}}"#),
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

#[test]
fn sizes_beyond_reason_are_counted_without_a_panic() {
    let fixture = Fixture::new();
    let size = u64::MAX - 5;
    let nodes = [file("a", &format!(r#""size":{size}"#)), file("b", r#""size":9"#)];
    let snapshot =
        fixture.forge(&[nodes.join(","), r#"{"name":"c","type":"new"}"#.to_owned()].join(","));
    let options = RestoreOptions::default();
    let plan = plan(&fixture.reader(), snapshot, &options, &Control::default()).unwrap();
    assert_eq!((plan.files, plan.bytes_total), (2, u64::MAX));
    assert_eq!(told(&plan.issues), [(IssueKind::NotWritten, "c".to_owned())]);
    let (done, archive, issues) = dumped(&fixture, snapshot, "");
    done.unwrap();
    assert_eq!((issues.problem_count, issues.note_count), (2, 1));
    assert_eq!(fs::metadata(unpacked(&archive).path().join("a")).unwrap().len(), 0);
}

#[test]
fn a_file_is_dumped_as_it_was() {
    let fixture = Fixture::new();
    let source = tempfile::tempdir().unwrap();
    let mut state = 7_u32;
    let content: Vec<_> = (0..20_000_000)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .collect();
    fs::write(source.path().join("big"), &content).unwrap();
    fs::write(source.path().join("empty"), "").unwrap();
    let snapshot = fixture.backup(source.path());
    for (path, expected) in [("big", content.as_slice()), ("empty", b"")] {
        let (done, output, issues) = dumped(&fixture, snapshot, path);
        done.unwrap();
        assert!(output == expected, "{path}");
        assert_eq!(issues.kept, []);
    }
}

fn describe(root: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    let mut waiting = vec![root.to_path_buf()];
    while let Some(path) = waiting.pop() {
        let found = fs::symlink_metadata(&path).unwrap();
        let name = path.strip_prefix(root).unwrap();
        let mode = if found.is_symlink() { 0 } else { found.mode() & 0o777 };
        let links = if found.is_dir() { 0 } else { found.nlink() };
        let size = if found.is_dir() { 0 } else { found.len() };
        let time = (found.mtime(), found.mtime_nsec());
        // LocalSource loses the root's own mode and time.
        let about = if path == root { String::new() } else { format!("{mode:o} {time:?}") };
        lines.push(format!("{name:?} {:?} {about} {links} {size}", found.file_type()));
        if found.is_dir() {
            waiting.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    lines.sort();
    lines
}

#[test]
fn a_folder_is_dumped_as_an_archive_that_tar_unpacks() {
    let fixture = Fixture::new();
    let source = tempfile::tempdir().unwrap();
    let deep = source.path().join(format!("{0}/{0}", "d".repeat(120)));
    fs::create_dir_all(&deep).unwrap();
    fs::create_dir(source.path().join("empty")).unwrap();
    fs::write(deep.join("small"), "small").unwrap();
    fs::write(source.path().join("large"), vec![5; 3_000_000]).unwrap();
    fs::hard_link(deep.join("small"), source.path().join("again")).unwrap();
    symlink("x".repeat(300), source.path().join("long link")).unwrap();
    fs::set_permissions(deep.join("small"), fs::Permissions::from_mode(0o640)).unwrap();
    let snapshot = fixture.backup(source.path());

    let (done, archive, issues) = dumped(&fixture, snapshot, "");

    done.unwrap();
    assert_eq!(issues.kept, []);
    let target = unpacked(&archive);
    assert_eq!(describe(target.path()), describe(source.path()));
    assert_eq!(fs::read(target.path().join("large")).unwrap(), vec![5; 3_000_000]);
    let (done, archive, _) = dumped(&fixture, snapshot, &"d".repeat(120));
    done.unwrap();
    assert!(unpacked(&archive).path().join("d".repeat(120)).join("small").is_file());
}

#[test]
fn no_wrong_byte_is_ever_dumped() {
    let fixture = Fixture::new();
    let pieces: Vec<_> = (0..20_u8).map(|piece| vec![piece + 1; 5000]).collect();
    let ids: Vec<_> =
        pieces.iter().map(|piece| fixture.put_blobs(&[("data", piece.as_slice())])[0]).collect();
    let names: Vec<_> = ids.iter().map(|id| format!(r#""{id}""#)).collect();
    let rest = format!(r#""size":100000,"content":[{}]"#, names.join(","));
    let snapshot = fixture.forge(&[file("a", &rest), fixture.file("b", b"b")].join(","));
    let (index, _) = fixture.reader().index().unwrap();
    let (_, location) = index.all().find(|(blob, _)| blob.id == ids[13]).unwrap();
    fixture.memory.flip(&location.object().path(), 20);

    let (done, content, _) = dumped(&fixture, snapshot, "a");
    assert_eq!(done.unwrap_err().kind(), ErrorKind::Damaged);
    assert!(pieces.concat().starts_with(&content) && content.len() == 13 * 5000);

    let (done, archive, _) = dumped(&fixture, snapshot, "");
    let error = done.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged);
    assert!(error.chain().contains("\"a\""), "{}", error.chain());
    let mut running = Command::new("tar")
        .args(["-t"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    running.stdin.take().unwrap().write_all(&archive).unwrap();
    assert!(!running.wait().unwrap().success(), "its reader notices");
}

#[test]
fn content_that_the_index_lacks_fails_the_dump() {
    let fixture = Fixture::new();
    let rest = format!(r#""size":5,"content":["{}"]"#, ObjectId([3; 32]));
    let snapshot = fixture.forge(&file("a", &rest));
    for path in ["a", ""] {
        let error = dumped(&fixture, snapshot, path).0.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Damaged);
        assert!(error.chain().contains("is not in the index"), "{}", error.chain());
    }
}

#[test]
fn an_index_that_lies_about_a_length_fails_the_archive() {
    let fixture = Fixture::new();
    let id = ObjectId::of(b"content");
    let sealed = fixture.seal.seal(b"content").unwrap();
    let pack = fixture.put_object(ObjectKind::Pack, sealed.clone());
    fixture.put_index(pack, &[entry("data", id, 0, sealed.len(), 900)]);
    let rest = format!(r#""size":7,"content":["{id}"]"#);
    let snapshot = fixture.forge(&file("a", &rest));
    assert_eq!(dumped(&fixture, snapshot, "").0.unwrap_err().kind(), ErrorKind::Damaged);
    assert_eq!(dumped(&fixture, snapshot, "a").0.unwrap_err().kind(), ErrorKind::Damaged);
}

#[test]
fn links_and_special_files_are_not_dumped_alone() {
    let fixture = Fixture::new();
    let nodes = r#"{"name":"l","type":"symlink","linktarget":"x"},{"name":"p","type":"fifo"}"#;
    let snapshot = fixture.forge(nodes);
    for path in ["l", "p"] {
        assert_eq!(dumped(&fixture, snapshot, path).0.unwrap_err().kind(), ErrorKind::InvalidInput);
    }
    let (done, archive, issues) = dumped(&fixture, snapshot, "");
    done.unwrap();
    assert_eq!(told(&issues), [(IssueKind::NotRestored, "p".to_owned())]);
    let link = unpacked(&archive).path().join("l");
    assert!(!link.exists());
}

/// Takes so many bytes, then nothing more.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, content: &[u8]) -> io::Result<usize> {
        let taken = content.len().min(self.0);
        self.0 -= taken;
        if taken == 0 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(taken) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn an_output_that_takes_no_more_ends_the_dump() {
    let fixture = Fixture::new();
    let nodes: Vec<_> =
        (0..50).map(|name| fixture.file(&name.to_string(), &vec![name; 50_000])).collect();
    let snapshot = fixture.forge(&nodes.join(","));
    for path in ["", "7"] {
        let issues = Issues::default();
        let (reader, control) = (fixture.reader(), Control::default());
        let done = dump(&reader, snapshot, path.as_bytes(), &mut Full(9000), &issues, &control);
        assert_eq!(done.unwrap_err().kind(), ErrorKind::StorageFull);
    }
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
