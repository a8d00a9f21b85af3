//! What rustic_core backed up comes back as it was.
#![allow(missing_docs, clippy::pedantic, clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use std::{
    ffi::{OsStr, OsString},
    fs,
    os::unix::{
        ffi::OsStrExt,
        fs::{MetadataExt, PermissionsExt, symlink},
    },
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
};

use bytes::Bytes;
use common::{Faulty, Fixture, told};
use rustix::fs::{
    AtFlags, CWD, FileType, Mode, Timespec, Timestamps, XattrFlags, chown, getxattr, mknodat,
    setxattr, utimensat,
};
use unstoppable_engine_core::{
    control::Control,
    error::{ErrorKind, Result},
    format::reader::Reader,
    issue::IssueKind,
    object::{Object, ObjectId, ObjectKind},
    restore::{RestoreOptions, restore},
    storage::ReadStorage,
};

const OLD: &[u8] = b"not utf-8 \xff\xfe \\ \" \n";

fn set_times(path: &Path, seconds: i64) {
    let time = Timespec { tv_sec: seconds, tv_nsec: 123_456_789 };
    let times = Timestamps { last_access: time, last_modification: time };
    utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
}

fn random(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

/// A folder with everything that is awkward.
fn awkward(root: &Path) {
    fs::create_dir_all(root.join("folder/inner")).unwrap();
    fs::create_dir(root.join("empty folder")).unwrap();
    fs::write(root.join("empty"), "").unwrap();
    fs::write(root.join(OsStr::from_bytes(OLD)), "named").unwrap();
    fs::write(root.join("folder/inner/big"), random(9_000_001)).unwrap();
    let sparse = [random(5000), vec![0; 6 << 20], random(77), vec![0; 3 << 20]].concat();
    fs::write(root.join("sparse"), sparse).unwrap();
    fs::write(root.join("folder/twice"), "one file").unwrap();
    fs::hard_link(root.join("folder/twice"), root.join("another name")).unwrap();
    symlink("folder/inner", root.join("link")).unwrap();
    symlink(OsStr::from_bytes(b"\xff nowhere"), root.join("raw link")).unwrap();
    fs::write(root.join("attributes"), "a").unwrap();
    setxattr(root.join("attributes"), "user.note", b"\0value\xff", XattrFlags::empty()).unwrap();
    fs::set_permissions(root.join("attributes"), PermissionsExt::from_mode(0o4751)).unwrap();
    fs::set_permissions(root.join("folder"), PermissionsExt::from_mode(0o500)).unwrap();
    mknodat(CWD, root.join("pipe"), FileType::Fifo, Mode::RWXU, 0).unwrap();
    let paths =
        ["folder/inner/big", "folder/inner", "folder", "link", "sparse", "another name", "pipe"];
    for (number, path) in paths.into_iter().enumerate() {
        set_times(&root.join(path), 1_000_000_000 + number as i64);
    }
    set_times(&root.join("empty"), -100);
}

/// Everything about every entry that a restore must bring back.
fn describe(root: &Path, mode_mask: u32) -> Vec<String> {
    let mut lines = Vec::new();
    let mut waiting = vec![root.to_path_buf()];
    while let Some(path) = waiting.pop() {
        let found = fs::symlink_metadata(&path).unwrap();
        let content = match found.file_type() {
            kind if kind.is_file() => format!("{:x?}", hash(&fs::read(&path).unwrap())),
            kind if kind.is_symlink() => format!("{:?}", fs::read_link(&path).unwrap()),
            _ => String::new(),
        };
        let mode = if found.is_symlink() { 0 } else { found.mode() & mode_mask };
        let time = (found.mtime(), found.mtime_nsec());
        // LocalSource loses the root's own mode and time.
        let about = if path == root { String::new() } else { format!("{mode:o} {time:?}") };
        let name = path.strip_prefix(root).unwrap();
        let links = if found.is_dir() { 0 } else { found.nlink() };
        lines.push(format!("{name:?} {:?} {about} {links} {content}", found.file_type()));
        if found.is_dir() {
            waiting.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    lines.sort();
    lines
}

fn hash(content: &[u8]) -> [u8; 32] {
    ObjectId::of(content).0
}

fn backed_up() -> (Fixture, ObjectId, tempfile::TempDir) {
    let source = tempfile::tempdir().unwrap();
    awkward(source.path());
    let fixture = Fixture::new();
    let snapshot = fixture.backup(source.path());
    (fixture, snapshot, source)
}

#[test]
fn everything_comes_back_as_it_was() {
    let (fixture, snapshot, source) = backed_up();
    let target = tempfile::tempdir().unwrap();
    let place = target.path().join("new/target");
    let summary = fixture.restore(snapshot, &place);

    assert_eq!(told(&summary.issues), [(IssueKind::NotRestored, "pipe".to_owned())]);
    assert_eq!((summary.files, summary.folders, summary.others), (7, 4, 2));
    let restored = describe(&place, 0o170_777);
    let mut expected = describe(source.path(), 0o170_777);
    expected.retain(|line| !line.starts_with("\"pipe\""));
    assert_eq!(restored, expected);
    let sparse = fs::metadata(place.join("sparse")).unwrap();
    assert!(sparse.blocks() * 512 < 100_000, "{}", sparse.blocks());
    let same = [place.join("folder/twice"), place.join("another name")];
    let [one, other] = same.map(|path| fs::metadata(path).unwrap().ino());
    assert_eq!(one, other);
    let mut value = [0; 100];
    let length = getxattr(place.join("attributes"), "user.note", &mut value).unwrap();
    assert_eq!(&value[..length], b"\0value\xff");
}

#[test]
fn exact_brings_back_owners_special_bits_and_pipes() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: needs root");
        return;
    }
    let source = tempfile::tempdir().unwrap();
    awkward(source.path());
    let owner = Some(rustix::fs::Uid::from_raw(1234));
    let group = Some(rustix::fs::Gid::from_raw(4321));
    chown(source.path().join("attributes"), owner, group).unwrap();
    let setuid = fs::Permissions::from_mode(0o6751);
    fs::set_permissions(source.path().join("attributes"), setuid).unwrap();
    rustix::fs::chownat(CWD, source.path().join("link"), owner, group, AtFlags::SYMLINK_NOFOLLOW)
        .unwrap();
    setxattr(source.path().join("sparse"), "trusted.note", b"t", XattrFlags::empty()).unwrap();
    let fixture = Fixture::new();
    let snapshot = fixture.backup(source.path());

    let target = tempfile::tempdir().unwrap();
    let options = RestoreOptions { exact: true, ..RestoreOptions::default() };
    let summary = fixture.restore_with(snapshot, target.path(), &options).unwrap();

    assert_eq!(summary.issues.kept, []);
    assert_eq!(describe(target.path(), 0o177_777), describe(source.path(), 0o177_777));
    for name in ["attributes", "link"] {
        let found = fs::symlink_metadata(target.path().join(name)).unwrap();
        assert_eq!((found.uid(), found.gid()), (1234, 4321));
    }
    let mut value = [0; 10];
    assert_eq!(getxattr(target.path().join("sparse"), "trusted.note", &mut value).unwrap(), 1);
    assert!(getxattr(target.path().join("empty"), "trusted.note", &mut value).is_err());
}

#[test]
fn a_path_is_restored_alone() {
    let (fixture, snapshot, _source) = backed_up();
    let with = |path: &[u8]| RestoreOptions { path: path.to_vec(), ..RestoreOptions::default() };
    let target = tempfile::tempdir().unwrap();
    fixture.restore_with(snapshot, target.path(), &with(b"/folder/inner/")).unwrap();
    assert_eq!(fs::metadata(target.path().join("big")).unwrap().len(), 9_000_001);
    assert_eq!(fs::metadata(target.path()).unwrap().mtime(), 1_000_000_001);
    let target = tempfile::tempdir().unwrap();
    fixture.restore_with(snapshot, target.path(), &with(OLD)).unwrap();
    assert_eq!(fs::read(target.path().join(OsStr::from_bytes(OLD))).unwrap(), b"named");
}

#[test]
fn a_damaged_blob_costs_its_file_alone() {
    let fixture = Fixture::new();
    let nodes: Vec<_> = (0..20)
        .map(|number: u8| fixture.file(&format!("f{number:02}"), &[number + 1; 5000]))
        .collect();
    let snapshot = fixture.forge(&nodes.join(","));
    let (index, _) = fixture.reader().index().unwrap();
    let damaged = ObjectId::of(&[8; 5000]);
    let (_, location) = index.all().find(|(blob, _)| blob.id == damaged).unwrap();
    fixture.memory.flip(&location.object().path(), 20);

    let target = tempfile::tempdir().unwrap();
    fs::write(target.path().join("f07"), "what stood here").unwrap();
    let summary = fixture.restore_over(snapshot, target.path());

    assert_eq!(told(&summary.issues), [(IssueKind::Damaged, "f07".to_owned())]);
    assert_eq!(summary.files, 19);
    assert_eq!(fs::read_dir(target.path()).unwrap().count(), 20);
    assert_eq!(fs::read(target.path().join("f07")).unwrap(), b"what stood here");
    assert_eq!(fs::read(target.path().join("f08")).unwrap(), [9; 5000]);
}

#[test]
fn a_folder_in_the_way_of_a_file_is_reported_and_stays() {
    let fixture = Fixture::new();
    let snapshot = fixture.forge(&fixture.file("a", b"content"));
    let target = tempfile::tempdir().unwrap();
    fs::create_dir_all(target.path().join("a/precious")).unwrap();
    let summary = fixture.restore_over(snapshot, target.path());
    assert_eq!(told(&summary.issues), [(IssueKind::NotWritten, "a".to_owned())]);
    assert!(target.path().join("a/precious").is_dir());
    assert_eq!(fs::read_dir(target.path()).unwrap().count(), 2, "the claim stays");
}

#[test]
fn a_cancelled_restore_leaves_nothing_half_done() {
    let (fixture, snapshot, _source) = backed_up();
    let target = tempfile::tempdir().unwrap();
    let control = Control::default();
    control.cancel();
    let options = RestoreOptions::default();
    let error =
        restore(&fixture.reader(), snapshot, target.path(), &options, &control).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    assert_eq!(visible(target.path()).len(), 0);
}

/// The names in a folder, but for the claim of an unfinished restore.
fn visible(folder: &Path) -> Vec<OsString> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter(|name| !name.as_bytes().starts_with(b".unstoppable-restore-")).collect()
}

/// Cancels when it is read for the `left`th time.
struct Cancelling {
    memory: common::Memory,
    control: Arc<Control>,
    left: AtomicI64,
}

impl ReadStorage for Cancelling {
    fn location(&self) -> String {
        ReadStorage::location(&self.memory)
    }

    fn list(&self, kind: ObjectKind) -> Result<Vec<(ObjectId, u64)>> {
        ReadStorage::list(&self.memory, kind)
    }

    fn read(&self, object: &Object) -> Result<Option<Bytes>> {
        self.memory.read(object)
    }

    fn read_range(&self, object: &Object, offset_bytes: u64, length_bytes: usize) -> Result<Bytes> {
        if self.left.fetch_sub(1, Relaxed) == 1 {
            self.control.cancel();
        }
        self.memory.read_range(object, offset_bytes, length_bytes)
    }

    fn size(&self, object: &Object) -> Result<Option<u64>> {
        self.memory.size(object)
    }
}

#[test]
fn a_restore_cancelled_in_its_middle_leaves_only_whole_files() {
    let fixture = Fixture::new();
    let nodes: Vec<_> = (0..2000)
        .map(|number: u32| fixture.file(&format!("f{number:04}"), &number.to_le_bytes()))
        .collect();
    let snapshot = fixture.forge(&nodes.join(","));
    let control = Arc::new(Control::default());
    let memory = fixture.memory.clone();
    let left = AtomicI64::new(1200);
    let storage = Cancelling { memory, control: Arc::clone(&control), left };
    let reader = Reader::new(Arc::new(storage), &fixture.key);
    let target = tempfile::tempdir().unwrap();

    let options = RestoreOptions::default();
    let error = restore(&reader, snapshot, target.path(), &options, &control).unwrap_err();

    assert_eq!(error.kind(), ErrorKind::Cancelled);
    let names = visible(target.path());
    assert!((512..2000).contains(&names.len()), "{}", names.len());
    assert!(names.iter().all(|name| name.as_bytes().starts_with(b"f")));
    assert!(names.iter().all(|name| fs::metadata(target.path().join(name)).unwrap().len() == 4));
}

#[test]
fn progress_is_counted() {
    let (fixture, snapshot, _source) = backed_up();
    let target = tempfile::tempdir().unwrap();
    let control = Control::default();
    let options = RestoreOptions::default();
    let summary = restore(&fixture.reader(), snapshot, target.path(), &options, &control).unwrap();
    assert_eq!(control.bytes_done.into_inner(), summary.bytes_written);
    assert_eq!(control.entries_done.into_inner(), 14);
    assert!(control.bytes_total.into_inner() >= summary.bytes_written);
}

#[test]
fn an_index_object_that_cannot_be_read_costs_only_what_it_lists() {
    let fixture = Fixture::new();
    let good = fixture.file("good", b"good");
    let before = fixture.memory.paths("index");
    let lost = fixture.file("lost", b"lost");
    let index = fixture.memory.paths("index").into_iter().find(|path| !before.contains(path));
    let snapshot = fixture.forge(&[good, lost].join(","));
    let unreadable = vec![index.clone().unwrap()];
    let (reader, _) = fixture.faulty_reader(Faulty { unreadable, ..Faulty::default() });
    let target = tempfile::tempdir().unwrap();
    let options = RestoreOptions::default();
    let summary = restore(&reader, snapshot, target.path(), &options, &Control::default()).unwrap();
    let expected =
        [(IssueKind::Unreadable, index.unwrap()), (IssueKind::Damaged, "lost".to_owned())];
    assert_eq!(told(&summary.issues), expected);
    assert_eq!(fs::read(target.path().join("good")).unwrap(), b"good");
}

#[test]
fn without_any_readable_index_the_error_tells_why() {
    let fixture = Fixture::new();
    let snapshot = fixture.forge(&fixture.file("lost", b"lost"));
    let unreadable = vec!["index/".to_owned()];
    let (reader, _) = fixture.faulty_reader(Faulty { unreadable, ..Faulty::default() });
    assert_eq!(reader.index().unwrap().1.len(), fixture.memory.paths("index").len());
    assert_eq!(reader.snapshots().unwrap().0.len(), 1);
    let target = tempfile::tempdir().unwrap();
    let options = RestoreOptions::default();
    let error = restore(&reader, snapshot, target.path(), &options, &Control::default());
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged);
    assert!(error.chain().contains("a bad sector"), "{}", error.chain());
}

#[test]
fn a_snapshot_that_cannot_be_read_hides_no_other() {
    let fixture = Fixture::new();
    let [lost, kept] = ["lost", "kept"].map(|name| fixture.forge(&fixture.file(name, b"x")));
    let path = format!("snapshots/{lost}");
    let unreadable = vec![path.clone()];
    let (reader, _) = fixture.faulty_reader(Faulty { unreadable, ..Faulty::default() });
    let (snapshots, issues) = reader.snapshots().unwrap();
    assert_eq!(snapshots.iter().map(|snapshot| snapshot.id).collect::<Vec<_>>(), [kept]);
    assert_eq!(
        (issues[0].kind, issues[0].path.as_slice()),
        (IssueKind::Unreadable, path.as_bytes())
    );
    assert_eq!(reader.snapshot(lost).unwrap_err().kind(), ErrorKind::Storage);
}

#[test]
fn an_acl_and_the_sticky_bit_of_a_folder_need_no_exact() {
    let (source, target) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let [shared, shared_back] = [&source, &target].map(|place| place.path().join("shared"));
    fs::create_dir(&shared).unwrap();
    fs::set_permissions(&shared, PermissionsExt::from_mode(0o1777)).unwrap();
    fs::write(shared.join("file"), "content").unwrap();
    let acl = ["-m", "u:1000:rw,g::---,m::rw"];
    assert!(Command::new("setfacl").args(acl).arg(shared.join("file")).status().unwrap().success());
    let fixture = Fixture::new();

    let summary = fixture.restore(fixture.backup(source.path()), target.path());

    assert_eq!(summary.issues.kept, []);
    assert_eq!(fs::metadata(&shared_back).unwrap().mode() & 0o7777, 0o1777);
    let told = [shared, shared_back].map(|folder| {
        let argv = ["--omit-header", "--absolute-names"];
        Command::new("getfacl").args(argv).arg(folder.join("file")).output().unwrap().stdout
    });
    let [before, after] = told.map(|told| String::from_utf8(told).unwrap());
    assert!(before == after && before.contains(":rw-"), "{before}{after}");
}
