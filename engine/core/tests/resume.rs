//! A restore that was cut off goes on: what is right stays, what is not is written again.
#![allow(missing_docs, clippy::pedantic, clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use bytes::Bytes;
use common::{Fixture, told};
use rustix::fs::{XattrFlags, setxattr};
use unstoppable_engine_core::{
    control::Control,
    error::{Error, ErrorKind, Result},
    format::reader::Reader,
    issue::IssueKind,
    object::{Object, ObjectId, ObjectKind},
    restore::{RestoreOptions, RestoreSummary, restore},
    storage::ReadStorage,
};

const MIB: usize = 1 << 20;

/// Objects in memory; reading fails for good after `left` bytes, and all bytes read are counted.
struct Limited {
    memory: common::Memory,
    left: u64,
    read: AtomicU64,
    control: Arc<Control>,
}

impl ReadStorage for Limited {
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
        if self.read.fetch_add(length_bytes as u64, Relaxed) >= self.left {
            self.control.cancel();
            return Err(Error::new(ErrorKind::Cancelled, "cut off"));
        }
        self.memory.read_range(object, offset_bytes, length_bytes)
    }

    fn size(&self, object: &Object) -> Result<Option<u64>> {
        self.memory.size(object)
    }
}

/// Restore and stop once `left` bytes were read; returns the result and how much was read.
fn restore_until(
    fixture: &Fixture,
    snapshot: ObjectId,
    target: &Path,
    left: u64,
) -> (Result<RestoreSummary>, u64) {
    let control = Arc::new(Control::default());
    let storage = Arc::new(Limited {
        memory: fixture.memory.clone(),
        left,
        read: AtomicU64::new(0),
        control: control.clone(),
    });
    let reader = Reader::new(storage.clone(), &fixture.key);
    let result = restore(&reader, snapshot, target, &RestoreOptions::default(), &control);
    (result, storage.read.load(Relaxed))
}

fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

/// A snapshot of one file of 40 pieces, some of them zeros, and a hundred small ones.
fn site() -> (Fixture, ObjectId, tempfile::TempDir) {
    let source = tempfile::tempdir().unwrap();
    fs::create_dir(source.path().join("folder")).unwrap();
    let big = [noise(1, 20 * MIB), vec![0; 8 * MIB], noise(2, 12 * MIB)].concat();
    fs::write(source.path().join("big"), big).unwrap();
    for number in 0..100 {
        fs::write(source.path().join(format!("folder/{number}")), noise(number, 5000)).unwrap();
    }
    fs::hard_link(source.path().join("folder/7"), source.path().join("folder/again")).unwrap();
    symlink("folder", source.path().join("link")).unwrap();
    let fixture = Fixture::new();
    let snapshot = fixture.backup(source.path());
    (fixture, snapshot, source)
}

fn assert_same(one: &Path, other: &Path) {
    let argv = ["-aHXni", "--checksum", "--delete"];
    let paths = [one, other].map(|path| format!("{}/", path.display()));
    let output = std::process::Command::new("rsync").args(argv).args(paths).output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    // LocalSource loses the root's own mode and time.
    let lines: Vec<_> = told.lines().filter(|line| !line.ends_with(" ./")).collect();
    assert!(output.status.success() && lines.is_empty(), "{told}");
}

fn inode(path: PathBuf) -> u64 {
    fs::metadata(path).unwrap().ino()
}

#[test]
fn wherever_it_is_cut_off_it_goes_on_and_ends_whole() {
    let (fixture, snapshot, source) = site();
    for left in [0, 1, 600_000, 4_000_000, 20_000_000] {
        let target = tempfile::tempdir().unwrap();
        let cut = restore_until(&fixture, snapshot, target.path(), left).0.unwrap_err();
        assert_eq!(cut.kind(), ErrorKind::Cancelled);

        let summary = restore_until(&fixture, snapshot, target.path(), u64::MAX).0.unwrap();

        assert_eq!(summary.issues.kept, []);
        assert_same(source.path(), target.path());
    }
}

/// A kill leaves what a cancelled restore removes: files under their own names, half written.
fn leave_as_a_kill_would(fixture: &Fixture, snapshot: ObjectId, target: &Path) {
    let (result, _) = restore_until(fixture, snapshot, target, 20_000_000);
    assert!(result.is_err());
    let whole = tempfile::tempdir().unwrap();
    restore_until(fixture, snapshot, whole.path(), u64::MAX).0.unwrap();
    let mut half = fs::read(whole.path().join("big")).unwrap();
    half[15 * MIB..].fill(7);
    half.extend(b"and more than there should be");
    let name = ObjectId::of(&[snapshot.0.as_slice(), b"big"].concat()).to_hex();
    let left = target.join(format!(".unstoppable-{}", &name[..32]));
    fs::write(&left, half).unwrap();
    fs::set_permissions(&left, PermissionsExt::from_mode(0o600)).unwrap();
    let _ = fs::remove_file(target.join("big"));
}

#[test]
fn the_right_pieces_of_a_half_written_file_are_not_read_again() {
    let (fixture, snapshot, source) = site();
    let target = tempfile::tempdir().unwrap();
    let (_, all_bytes) = restore_until(&fixture, snapshot, target.path(), u64::MAX);
    let target = tempfile::tempdir().unwrap();
    leave_as_a_kill_would(&fixture, snapshot, target.path());

    let (result, read_bytes) = restore_until(&fixture, snapshot, target.path(), u64::MAX);

    let summary = result.unwrap();
    assert_eq!(summary.issues.kept, []);
    // A piece has 8 MiB at most; the one that the damage begins in is lost as well.
    assert!(summary.bytes_kept >= 7 * MIB as u64, "{}", summary.bytes_kept);
    assert!(read_bytes < all_bytes - 6 * MIB as u64, "{read_bytes} of {all_bytes}");
    assert_same(source.path(), target.path());
}

#[test]
fn what_is_right_stays_as_it_is_and_what_is_not_is_written_again() {
    let (fixture, snapshot, source) = site();
    let target = tempfile::tempdir().unwrap();
    fixture.restore(snapshot, target.path());
    let right = ["big", "folder/1", "folder/7"].map(|name| target.path().join(name));
    let before = right.clone().map(inode);
    let wrong = target.path().join("folder/2");
    fs::write(&wrong, noise(3, 5000)).unwrap();
    fs::write(target.path().join("folder/3"), "short").unwrap();
    fs::remove_file(target.path().join("folder/4")).unwrap();
    fs::write(target.path().join("extra"), "stays").unwrap();

    let summary = fixture.restore_over(snapshot, target.path());

    assert_eq!(summary.issues.kept, []);
    assert_eq!(summary.bytes_written - summary.bytes_kept, 3 * 5000);
    assert_eq!(right.map(inode), before);
    assert_eq!(fs::read(target.path().join("extra")).unwrap(), b"stays");
    fs::remove_file(target.path().join("extra")).unwrap();
    assert_same(source.path(), target.path());
}

#[test]
fn of_a_large_file_only_the_wrong_piece_is_read() {
    let (fixture, snapshot, source) = site();
    let target = tempfile::tempdir().unwrap();
    let (_, all_bytes) = restore_until(&fixture, snapshot, target.path(), u64::MAX);
    let big = target.path().join("big");
    let mut content = fs::read(&big).unwrap();
    content[18 * MIB] ^= 1;
    fs::write(&big, content).unwrap();

    let summary = fixture.restore_over(snapshot, target.path());

    assert!(summary.bytes_kept >= 30 * MIB as u64, "{}", summary.bytes_kept);
    assert!(all_bytes > 30 * MIB as u64);
    assert!(fs::metadata(&big).unwrap().blocks() * 512 < 33 * MIB as u64, "the hole is kept");
    assert_same(source.path(), target.path());
}

#[test]
fn a_right_file_that_others_could_change_or_that_has_another_name_does_not_stay() {
    let fixture = Fixture::new();
    let names = ["shared", "granted", "foreign"];
    let nodes = names.map(|name| fixture.file(name, b"content"));
    let snapshot = fixture.forge(&nodes.join(","));
    let target = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("precious"), "content").unwrap();
    fs::set_permissions(outside.path().join("precious"), PermissionsExt::from_mode(0o600)).unwrap();
    fs::hard_link(outside.path().join("precious"), target.path().join("shared")).unwrap();
    for name in ["granted", "foreign"] {
        fs::write(target.path().join(name), "content").unwrap();
    }
    setxattr(target.path().join("granted"), "user.more", b"x", XattrFlags::empty()).unwrap();
    std::os::unix::fs::chown(target.path().join("foreign"), Some(4321), None).unwrap();
    let before = names.map(|name| inode(target.path().join(name)));

    let summary = fixture.restore_over(snapshot, target.path());

    assert_eq!(summary.issues.kept, []);
    let after = names.map(|name| inode(target.path().join(name)));
    assert!(before.iter().zip(after).all(|(one, other)| *one != other));
    let found = fs::metadata(target.path().join("foreign")).unwrap();
    assert_eq!(found.uid(), rustix::process::geteuid().as_raw());
    assert_eq!(fs::metadata(outside.path().join("precious")).unwrap().mode() & 0o777, 0o600);
    assert_eq!(inode(outside.path().join("precious")), before[0]);
}

#[test]
fn what_lies_where_a_file_is_being_made_is_replaced_not_followed() {
    let fixture = Fixture::new();
    let snapshot = fixture.forge(&fixture.file("a", b"content"));
    let target = tempfile::tempdir().unwrap();
    let outside = tempfile::NamedTempFile::new().unwrap();
    fs::write(outside.path(), "precious").unwrap();
    let name = ObjectId::of(&[snapshot.0.as_slice(), b"a"].concat()).to_hex();
    symlink(outside.path(), target.path().join(format!(".unstoppable-{}", &name[..32]))).unwrap();

    let summary = fixture.restore_over(snapshot, target.path());

    assert_eq!(summary.issues.kept, []);
    assert_eq!(fs::read(outside.path()).unwrap(), b"precious");
    assert_eq!(fs::read(target.path().join("a")).unwrap(), b"content");
    assert_eq!(fs::read_dir(target.path()).unwrap().count(), 1);
}

fn refusal(fixture: &Fixture, snapshot: ObjectId, target: &Path, path: &[u8]) -> String {
    let options = RestoreOptions { path: path.to_vec(), ..RestoreOptions::default() };
    let error = fixture.restore_with(snapshot, target, &options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TargetOccupied);
    error.chain()
}

#[test]
fn a_target_with_other_content_or_another_restore_is_refused() {
    let (fixture, snapshot, _source) = site();
    let other = fixture.forge(&fixture.file("a", b"content"));
    let target = tempfile::tempdir().unwrap();
    let stranger = target.path().join("stranger");
    fs::write(&stranger, "x").unwrap();
    assert!(refusal(&fixture, snapshot, target.path(), b"").ends_with("is not an empty folder"));
    fs::remove_file(&stranger).unwrap();
    let (cut, _) = restore_until(&fixture, snapshot, target.path(), 1);
    assert!(cut.is_err());

    let told = refusal(&fixture, other, target.path(), b"");
    assert!(told.ends_with(&format!("an unfinished restore of snapshot {snapshot}")), "{told}");
    let told = refusal(&fixture, snapshot, target.path(), b"folder");
    assert!(told.ends_with("an unfinished restore of another path"), "{told}");

    let claim = target.path().join(format!(".unstoppable-restore-{snapshot}"));
    let file = fs::File::open(claim).unwrap();
    rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let told = refusal(&fixture, snapshot, target.path(), b"");
    assert!(told.ends_with("is being restored into by another process"), "{told}");
}

#[test]
fn a_folder_that_has_its_mode_already_can_be_written_again() {
    let fixture = Fixture::new();
    let tree = fixture.put_tree(&fixture.file("a", b"content"));
    let closed = common::folder("closed", tree).replace("2147484141", "2147483648");
    let snapshot = fixture.forge(&closed);
    let target = tempfile::tempdir().unwrap();
    fixture.restore(snapshot, target.path());
    let file = target.path().join("closed/a");
    fs::remove_file(&file).unwrap();

    let summary = fixture.restore_over(snapshot, target.path());

    assert_eq!(told(&summary.issues), Vec::<(IssueKind, String)>::new());
    assert_eq!(fs::read(&file).unwrap(), b"content");
    assert_eq!(fs::metadata(target.path().join("closed")).unwrap().mode() & 0o777, 0);
}

#[test]
fn the_holes_of_a_half_written_file_are_not_filled() {
    let source = tempfile::tempdir().unwrap();
    let content = [noise(1, 2 * MIB), vec![0; 60 * MIB], noise(2, MIB)].concat();
    fs::write(source.path().join("image"), content).unwrap();
    let fixture = Fixture::new();
    let snapshot = fixture.backup(source.path());
    let target = tempfile::tempdir().unwrap();
    let name = ObjectId::of(&[snapshot.0.as_slice(), b"image"].concat()).to_hex();
    let left = target.path().join(format!(".unstoppable-{}", &name[..32]));
    fs::write(&left, noise(1, MIB)).unwrap();
    fs::set_permissions(&left, PermissionsExt::from_mode(0o600)).unwrap();

    let summary = fixture.restore_over(snapshot, target.path());

    assert_eq!(summary.issues.kept, []);
    assert_same(source.path(), target.path());
    let blocks = fs::metadata(target.path().join("image")).unwrap().blocks();
    assert!(blocks * 512 < 20 * MIB as u64, "{} bytes", blocks * 512);
}

#[test]
fn a_file_that_others_may_have_open_is_not_written_to() {
    let fixture = Fixture::new();
    let snapshot = fixture.forge(&fixture.file("secret", b"secret"));
    let target = tempfile::tempdir().unwrap();
    let name = ObjectId::of(&[snapshot.0.as_slice(), b"secret"].concat()).to_hex();
    let trap = target.path().join(format!(".unstoppable-{}", &name[..32]));
    fs::write(&trap, "").unwrap();
    fs::set_permissions(&trap, PermissionsExt::from_mode(0o644)).unwrap();
    let mut mallorys = fs::File::open(&trap).unwrap();

    let summary = fixture.restore_over(snapshot, target.path());

    assert_eq!(summary.issues.kept, []);
    assert_eq!(fs::read(target.path().join("secret")).unwrap(), b"secret");
    assert_eq!(std::io::read_to_string(&mut mallorys).unwrap(), "");
}

#[test]
fn a_claim_that_is_no_file_of_ours_is_refused_and_an_old_name_like_one_is_content() {
    let fixture = Fixture::new();
    let snapshot = fixture.forge(&fixture.file(".unstoppable-restore-0000", b"content"));
    let target = tempfile::tempdir().unwrap();
    fixture.restore(snapshot, target.path());
    assert_eq!(fixture.restore_over(snapshot, target.path()).issues.kept, []);
    let pipe = target.path().join(format!(".unstoppable-restore-{snapshot}"));
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RWXU,
        0,
    )
    .unwrap();

    let options = RestoreOptions { overwrite: true, ..RestoreOptions::default() };
    let error = fixture.restore_with(snapshot, target.path(), &options).unwrap_err();

    assert!(error.chain().contains("is no claim"), "{}", error.chain());
}

#[test]
fn what_could_not_be_written_keeps_the_claim_so_that_the_same_call_tries_again() {
    let fixture = Fixture::new();
    let snapshot = fixture.forge(&fixture.file("a", b"content"));
    let target = tempfile::tempdir().unwrap();
    fs::create_dir_all(target.path().join("a/in the way")).unwrap();
    assert_eq!(fixture.restore_over(snapshot, target.path()).issues.problem_count, 1);
    fs::remove_dir_all(target.path().join("a")).unwrap();

    let summary = fixture.restore(snapshot, target.path());

    assert_eq!(summary.issues.kept, []);
    assert_eq!(fs::read_dir(target.path()).unwrap().count(), 1);
}

#[test]
fn a_new_target_is_closed_to_others_until_it_is_done() {
    let (fixture, snapshot, _source) = site();
    let outer = tempfile::tempdir().unwrap();
    let target = outer.path().join("target");

    let cut = restore_until(&fixture, snapshot, &target, 1).0;

    assert!(cut.is_err());
    assert_eq!(fs::metadata(&target).unwrap().mode() & 0o777, 0o700);
}
