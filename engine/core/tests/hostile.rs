//! Whoever holds the key can write anything; a restore contains it and says so.
#![allow(missing_docs, clippy::pedantic, clippy::unwrap_used, clippy::indexing_slicing)]

mod common;
#[path = "common/mount.rs"]
mod mount;

use std::{fs, os::unix::fs::MetadataExt, path::Path};

use common::{Faulty, Fixture, entry, folder, told};
use unstoppable_engine_core::{
    control::Control,
    error::ErrorKind,
    format::reader::{open_index, open_snapshot},
    issue::IssueKind,
    object::{Object, ObjectId, ObjectKind},
    restore::{RestoreOptions, plan},
};

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn names_that_lead_out_of_the_target_are_left_out() {
    let fixture = Fixture::new();
    let outer = tempfile::tempdir().unwrap();
    let absolute = outer.path().join("absolute").to_string_lossy().into_owned();
    let bad = ["../x", &absolute, "", ".", "..", "a/b", r"n\\u0000l", r"\\q"];
    let mut nodes: Vec<_> = bad.iter().map(|name| fixture.file(name, b"bad")).collect();
    let tree = fixture.put_tree(&fixture.file("inner", b"bad"));
    nodes.extend(["..", "../y", "."].map(|name| folder(name, tree)));
    nodes.push(fixture.file("good", b"good"));
    let snapshot = fixture.forge(&nodes.join(","));

    let summary = fixture.restore(snapshot, &outer.path().join("target"));

    assert_eq!(names(outer.path()), ["target"]);
    assert_eq!(names(&outer.path().join("target")), ["good"]);
    assert_eq!(summary.issues.problem_count, 11);
    assert!(summary.issues.kept.iter().all(|issue| issue.kind == IssueKind::UnsafeName));
}

#[test]
fn a_link_and_a_folder_of_one_name_never_lead_through_the_link() {
    let fixture = Fixture::new();
    let outside = tempfile::tempdir().unwrap();
    let link =
        format!(r#"{{"name":"a","type":"symlink","linktarget":"{}"}}"#, outside.path().display());
    let tree = fixture.put_tree(&fixture.file("x", b"bad"));
    for nodes in [[link.clone(), folder("a", tree)], [folder("a", tree), link.clone()]] {
        let snapshot = fixture.forge(&nodes.join(","));
        let target = tempfile::tempdir().unwrap();
        let summary = fixture.restore(snapshot, target.path());
        assert_eq!(told(&summary.issues), [(IssueKind::UnsafeName, "a".to_owned())]);
    }
    assert_eq!(names(outside.path()), [""; 0]);
}

#[test]
fn links_in_the_target_are_replaced_not_followed() {
    let fixture = Fixture::new();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("precious"), "precious").unwrap();
    let target = tempfile::tempdir().unwrap();
    for name in ["file", "folder", "link"] {
        let to =
            if name == "folder" { outside.path().into() } else { outside.path().join("precious") };
        std::os::unix::fs::symlink(to, target.path().join(name)).unwrap();
    }
    fs::hard_link(outside.path().join("precious"), target.path().join("hard")).unwrap();
    let tree = fixture.put_tree(&fixture.file("precious", b"new"));
    let nodes = [
        fixture.file("file", b"new"),
        fixture.file("hard", b"new"),
        folder("folder", tree),
        r#"{"name":"link","type":"symlink","linktarget":"x"}"#.to_owned(),
    ];
    let summary = fixture.restore_over(fixture.forge(&nodes.join(",")), target.path());

    assert_eq!(summary.issues.kept, []);
    assert_eq!(fs::read(outside.path().join("precious")).unwrap(), b"precious");
    for name in ["file", "hard", "folder/precious"] {
        assert_eq!(fs::read(target.path().join(name)).unwrap(), b"new");
    }
    assert_eq!(fs::read_link(target.path().join("link")).unwrap(), Path::new("x"));
}

#[test]
fn junk_with_right_names_stops_nothing() {
    let fixture = Fixture::new();
    let snapshot = fixture.forge(&fixture.file("good", b"good"));
    for kind in [ObjectKind::Snapshot, ObjectKind::Index] {
        for byte in 0..=255 {
            fixture.put_object(kind, vec![byte]);
            fixture.put_object(kind, fixture.seal.seal(&[byte]).unwrap());
        }
        fixture.put_json(kind, "{}");
        fixture.put_json(kind, "[[[[");
    }
    let target = tempfile::tempdir().unwrap();
    let summary = fixture.restore(snapshot, target.path());
    assert_eq!(names(target.path()), ["good"]);
    assert_eq!(summary.issues.problem_count, 514);
    let (snapshots, issues) = fixture.reader().snapshots().unwrap();
    assert_eq!((snapshots.len(), issues.len()), (1, 514));
}

#[test]
fn what_is_listed_beyond_reason_is_never_read() {
    let fixture = Fixture::new();
    let snapshot = fixture.forge(&fixture.file("good", b"good"));
    for (kind, largest_mib) in [(ObjectKind::Snapshot, 1), (ObjectKind::Index, 16)] {
        let path = Object::Hashed(kind, fixture.put_object(kind, b"junk".to_vec())).path();
        for size in [(largest_mib << 20) + 1, u64::MAX] {
            let sizes = [(path.clone(), size)].into();
            let (reader, faulty) = fixture.faulty_reader(Faulty { sizes, ..Faulty::default() });
            let mut issues = reader.snapshots().unwrap().1;
            issues.extend(reader.index().unwrap().1);
            let issue = issues.iter().find(|issue| issue.path == path.as_bytes()).unwrap();
            assert!(issue.message.contains("is junk"), "{}", issue.message);
            assert!(!faulty.reads.lock().unwrap().contains(&path));
        }
    }
    let sizes = [(format!("snapshots/{snapshot}"), u64::MAX)].into();
    let (reader, faulty) = fixture.faulty_reader(Faulty { sizes, ..Faulty::default() });
    assert_eq!(reader.snapshot(snapshot).unwrap_err().kind(), ErrorKind::Damaged);
    assert_eq!(faulty.reads.lock().unwrap().len(), 0);
}

#[test]
fn sealed_json_of_another_kind_or_size_is_unsound() {
    let fixture = Fixture::new();
    for json in ["[]", "[[]]", "{}", r#"{"packs":5}"#, r#"{"packs":[[]]}"#] {
        let content = fixture.seal.seal(json.as_bytes()).unwrap();
        let (id, size) = (ObjectId::of(&content), content.len() as u64);
        assert!(open_index(id, size, &content, &fixture.seal).is_err(), "{json}");
        assert!(open_snapshot(id, size, &content, &fixture.seal).is_err(), "{json}");
    }
    let content = fixture.seal.seal(br#"{"packs":[]}"#).unwrap();
    let (id, size) = (ObjectId::of(&content), content.len() as u64);
    assert!(open_index(id, size, &content, &fixture.seal).is_ok());
    assert!(open_index(id, size + 1, &content, &fixture.seal).is_err());
    assert!(open_index(ObjectId([1; 32]), size, &content, &fixture.seal).is_err());
    assert!(open_index(id, size, &content, &Fixture::new().seal).is_err());
}

#[test]
fn an_index_that_lies_stops_nothing() {
    let fixture = Fixture::new();
    let contents: [&[u8]; 3] = [b"first content", b"second content", b"third content"];
    let nodes: Vec<_> = ["a", "b", "c"]
        .iter()
        .zip(contents)
        .map(|(name, content)| fixture.file(name, content))
        .collect();
    let snapshot = fixture.forge(&nodes.join(","));
    let junk = fixture.put_object(ObjectKind::Pack, vec![7; 5000]);
    let missing = ObjectId([0; 32]);
    for (kind, (index, _)) in ["data", "tree"].map(|kind| (kind, fixture.reader().index().unwrap()))
    {
        let all: Vec<_> = index.all().collect();
        for pack in [junk, missing] {
            let lies = all.iter().flat_map(|(blob, location)| {
                let length = location.length_bytes as usize;
                [10, 3_000_000_000].map(|at| entry(kind, blob.id, at, length, 13))
            });
            fixture.put_index(pack, &lies.collect::<Vec<_>>());
        }
        let huge =
            all.iter().map(|(blob, _)| entry(kind, blob.id, 0, u32::MAX as usize, 0xffff_ffff));
        fixture.put_index(junk, &huge.collect::<Vec<_>>());
    }
    let target = tempfile::tempdir().unwrap();
    let summary = fixture.restore(snapshot, target.path());
    assert_eq!(summary.issues.kept, []);
    for (name, content) in ["a", "b", "c"].iter().zip(contents) {
        assert_eq!(fs::read(target.path().join(name)).unwrap(), content);
    }
}

#[test]
fn bombs_are_refused_and_the_rest_is_restored() {
    let fixture = Fixture::new();
    let zeros = vec![0; 64 << 20];
    let bomb = fixture.seal.seal(&zstd::bulk::compress(&zeros, 19).unwrap()).unwrap();
    let id = ObjectId::of(&zeros);
    fixture.put_pack(&[("data", id, bomb.clone(), zeros.len())]);
    fixture.put_pack(&[("tree", id, bomb, zeros.len())]);
    let nodes = [
        format!(r#"{{"name":"bomb","type":"file","size":{},"content":["{id}"]}}"#, zeros.len()),
        folder("folder", id),
        fixture.file("good", b"good"),
    ];
    let snapshot = fixture.forge(&nodes.join(","));
    let packed = zstd::bulk::compress(&vec![b' '; 64 << 20], 19).unwrap();
    let packed = [vec![2], packed].concat();
    let index = fixture.put_object(ObjectKind::Index, fixture.seal.seal(&packed).unwrap());

    let target = tempfile::tempdir().unwrap();
    let summary = fixture.restore(snapshot, target.path());
    assert_eq!(names(target.path()), ["folder", "good"]);
    let expected = ["bomb".to_owned(), "folder".to_owned(), format!("index/{index}")];
    assert_eq!(told(&summary.issues), expected.map(|path| (IssueKind::Damaged, path)));
}

#[test]
fn a_tree_of_endless_paths_ends() {
    let fixture = Fixture::new();
    let mut tree = fixture.put_tree(&fixture.file("leaf", b"leaf"));
    for _ in 0..60 {
        let nodes: Vec<_> = (0..10).map(|name| folder(&name.to_string(), tree)).collect();
        tree = fixture.put_tree(&nodes.join(","));
    }
    let target = tempfile::tempdir().unwrap();
    let options = RestoreOptions { most_entries: 2000, ..RestoreOptions::default() };
    let summary = fixture.restore_with(fixture.forge_tree(tree), target.path(), &options).unwrap();
    assert!(summary.folders <= 2001 && summary.issues.problem_count > 0);
}

#[test]
fn a_tree_deeper_than_any_path_is_cut_and_said() {
    let fixture = Fixture::new();
    let mut tree = fixture.put_tree(&fixture.file("leaf", b"leaf"));
    for _ in 0..3000 {
        tree = fixture.put_tree(&folder("d", tree));
    }
    let target = tempfile::tempdir().unwrap();
    let summary = fixture.restore(fixture.forge_tree(tree), target.path());
    assert_eq!(summary.issues.kept.len(), 1);
    assert_eq!(summary.issues.kept[0].kind, IssueKind::NotWritten);
}

#[test]
fn sizes_and_numbers_beyond_reason_are_damage() {
    let fixture = Fixture::new();
    let huge = fixture.file("huge", b"x").replace("\"size\":1", "\"size\":1152921504606846976");
    let snapshot = fixture.forge(&[huge, fixture.file("good", b"good")].join(","));
    let json = format!(
        r#"{{"packs":[{{"id":"{0}","blobs":[{{"id":"{0}","type":"data","offset":1152921504606846976,"length":1}}]}}]}}"#,
        ObjectId([1; 32])
    );
    let index = fixture.put_json(ObjectKind::Index, &json);
    let target = tempfile::tempdir().unwrap();
    let summary = fixture.restore(snapshot, target.path());
    let expected = ["huge".to_owned(), format!("index/{index}")];
    assert_eq!(told(&summary.issues), expected.map(|path| (IssueKind::Damaged, path)));
    assert_eq!(fs::read(target.path().join("good")).unwrap(), b"good");
}

#[test]
fn a_claimed_identity_alone_makes_no_file_another() {
    let fixture = Fixture::new();
    let claim = |node: String| node.replace("\"mode\"", "\"links\":2,\"inode\":5,\"mode\"");
    let nodes = [claim(fixture.file("a", b"one")), claim(fixture.file("b", b"other"))];
    let target = tempfile::tempdir().unwrap();
    let summary = fixture.restore(fixture.forge(&nodes.join(",")), target.path());
    assert_eq!(summary.issues.kept, []);
    assert_eq!(fs::read(target.path().join("b")).unwrap(), b"other");
}

#[test]
fn what_stood_in_the_place_of_a_file_that_failed_gets_no_other_name() {
    let fixture = Fixture::new();
    let missing = ObjectId([3; 32]);
    let nodes = ["a", "b"].map(|name| {
        format!(
            r#"{{"name":"{name}","type":"file","links":2,"inode":5,"size":3,"content":["{missing}"]}}"#
        )
    });
    let target = tempfile::tempdir().unwrap();
    fs::write(target.path().join("a"), "old").unwrap();

    let summary = fixture.restore_over(fixture.forge(&nodes.join(",")), target.path());

    let expected = [(IssueKind::Damaged, "a".to_owned()), (IssueKind::NotWritten, "b".to_owned())];
    assert_eq!(told(&summary.issues), expected);
    assert_eq!(fs::read(target.path().join("a")).unwrap(), b"old");
    assert!(!target.path().join("b").exists());
}

#[test]
fn a_claim_in_a_snapshot_claims_no_target() {
    let fixture = Fixture::new();
    let claim = format!(".unstoppable-restore-{}", ObjectId([7; 32]));
    let inner = fixture.put_tree(&fixture.file(&claim, b"\n"));
    let nodes = [fixture.file(&claim, b"\n"), folder("a", inner), fixture.file("b", b"b")];
    let snapshot = fixture.forge(&nodes.join(","));
    let target = tempfile::tempdir().unwrap();
    let expected = [(IssueKind::NotRestored, claim.clone())];

    let summary = fixture.restore(snapshot, target.path());

    assert_eq!(told(&summary.issues), expected);
    let options = RestoreOptions::default();
    let planned = plan(&fixture.reader(), snapshot, &options, &Control::default()).unwrap();
    assert_eq!(told(&planned.issues), expected);
    assert_eq!((planned.files, planned.folders), (summary.files, summary.folders));
    assert!(!target.path().join(&claim).exists() && target.path().join("a").join(&claim).exists());
    assert_eq!(told(&fixture.restore_over(snapshot, target.path()).issues), expected);
    let asked_for = IssueKind::NotWritten;
    for (path, name, kind) in
        [("a", format!("a/{claim}"), IssueKind::NotRestored), (&claim, claim.clone(), asked_for)]
    {
        let options = RestoreOptions { path: path.into(), ..RestoreOptions::default() };
        let target = tempfile::tempdir().unwrap();
        let summary = fixture.restore_with(snapshot, target.path(), &options).unwrap();
        let planned = plan(&fixture.reader(), snapshot, &options, &Control::default()).unwrap();
        assert_eq!(fs::read_dir(target.path()).unwrap().count(), 0);
        assert_eq!(told(&summary.issues), [(kind, claim.clone())]);
        assert_eq!(told(&planned.issues), [(IssueKind::NotRestored, name)]);
    }
}

#[test]
fn a_folder_that_is_named_like_a_claim_is_content() {
    let fixture = Fixture::new();
    let name = format!(".unstoppable-restore-{}", ObjectId([7; 32]));
    let inner = fixture.put_tree(&fixture.file("file", b"content"));
    let snapshot = fixture.forge(&folder(&name, inner));
    let target = tempfile::tempdir().unwrap();

    for _ in 0..2 {
        let summary = fixture.restore_over(snapshot, target.path());

        assert_eq!(summary.issues.kept, []);
        assert_eq!(fs::read(target.path().join(&name).join("file")).unwrap(), b"content");
    }
}

#[test]
fn file_systems_that_are_mounted_side_by_side_are_not_taken_for_one_folder() {
    let fixture = Fixture::new();
    let names = ["a", "b"];
    let nodes =
        names.map(|name| folder(name, fixture.put_tree(&fixture.file("file", name.as_bytes()))));
    let snapshot = fixture.forge(&nodes.join(","));
    let target = tempfile::tempdir().unwrap();
    let _mounts = names.map(|name| mount::Mount::at(&target.path().join(name)));
    let inodes = names.map(|name| target.path().join(name).metadata().unwrap().ino());
    assert_eq!(inodes[0], inodes[1], "or this shows nothing");

    let summary = fixture.restore_over(snapshot, target.path());

    assert_eq!(summary.issues.kept, []);
    assert_eq!(fs::read(target.path().join("b/file")).unwrap(), b"b");
}

#[test]
fn link_targets_with_a_nul_and_unknown_kinds_are_reported() {
    let fixture = Fixture::new();
    let nodes =
        r#"{"name":"a","type":"symlink","linktarget":"x\u0000y"},{"name":"b","type":"irregular"}"#;
    let target = tempfile::tempdir().unwrap();
    let summary = fixture.restore(fixture.forge(nodes), target.path());
    let expected = ["a", "b"].map(|path| (IssueKind::NotWritten, path.to_owned()));
    assert_eq!(told(&summary.issues), expected);
}

#[test]
fn a_snapshot_without_its_folder_or_an_unknown_one_is_refused() {
    let fixture = Fixture::new();
    let snapshot = fixture.forge("");
    let target = tempfile::tempdir().unwrap();
    for path in ["missing", "..", "."] {
        let options = RestoreOptions { path: path.into(), ..RestoreOptions::default() };
        let error = fixture.restore_with(snapshot, target.path(), &options).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
    let options = RestoreOptions::default();
    let error = fixture.restore_with(ObjectId([1; 32]), target.path(), &options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}
