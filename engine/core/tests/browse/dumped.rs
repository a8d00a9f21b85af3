//! Content is given out as it was, and never a wrong byte.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::Path,
    process::{Command, Stdio},
};

use unstoppable_engine_core::{
    browse::dump,
    control::Control,
    error::ErrorKind,
    issue::{IssueKind, Issues},
    object::{ObjectId, ObjectKind},
    restore::{RestoreOptions, plan},
};

use crate::{
    common::{Fixture, entry, told},
    scene::{dumped, file, listed, unpacked},
};

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
        let (done, output, _) = dumped(&fixture, snapshot, path);
        let error = done.unwrap_err();
        assert!(!output.ends_with(&[0; 1024]), "an archive's end");
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
