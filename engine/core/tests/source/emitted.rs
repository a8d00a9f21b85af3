//! What is emitted, and how it is described.

use std::{
    ffi::OsStr,
    fs,
    os::unix::{
        ffi::OsStrExt,
        fs::{MetadataExt, PermissionsExt, symlink},
    },
    sync::atomic::Ordering::Relaxed,
    thread,
    time::Duration,
};

use rustic_core::repofile::{Node, NodeType};
use rustix::fs::{CWD, FileType, Mode, XattrFlags, lsetxattr, mknodat};
use unstoppable_engine_core::issue::IssueKind;

use super::site::{Site, issue, read_all};

#[test]
fn folders_come_before_their_content_and_names_in_byte_order() {
    let site = Site::new(&["b/z", "b/a/x", "b.txt", "b-c", "a", "B"]);

    // By whole paths `b-c` and `b.txt` would come between `b` and `b/a`.
    assert_eq!(site.listed(), ["B", "a", "b", "b/a", "b/a/x", "b/z", "b-c", "b.txt"]);
    assert!(site.issues().is_empty());
}

#[test]
fn the_root_folder_keeps_its_attributes_and_its_parents_are_always_the_same() {
    let site = Site::new(&[]);
    fs::set_permissions(site.folder.path(), PermissionsExt::from_mode(0o750)).unwrap();
    let real = fs::metadata(site.folder.path()).unwrap();

    let entries = site.list();

    let paths: Vec<_> = entries.iter().map(|entry| entry.path.to_str().unwrap()).collect();
    assert_eq!(paths, ["/acme", "/acme/www"]);
    let [parent, root] = [&entries[0].node, &entries[1].node];
    assert!(parent.is_dir() && root.is_dir());
    assert_eq!((parent.name().as_bytes(), parent.meta.mode), (&b"acme"[..], Some(0x8000_01ed)));
    assert_eq!(parent.meta.mtime.unwrap().as_nanosecond(), 0);
    assert_eq!((root.name().as_bytes(), root.meta.mode), (&b"www"[..], Some(0x8000_01e8)));
    assert_eq!(root.meta.mtime.unwrap().as_second(), real.mtime());
    assert_eq!((root.meta.size, root.meta.links, root.meta.inode), (0, 0, real.ino()));
    assert_eq!(site.ledger.entries_below_root.load(Relaxed), 0);
}

#[test]
fn a_file_keeps_its_attributes() {
    let site = Site::new(&["file", "twin"]);
    fs::remove_file(site.path("twin")).unwrap();
    fs::hard_link(site.path("file"), site.path("twin")).unwrap();
    fs::set_permissions(site.path("file"), PermissionsExt::from_mode(0o4751)).unwrap();
    let real = fs::metadata(site.path("file")).unwrap();

    let Node { node_type, meta, .. } = site.node("file");

    assert_eq!(node_type, NodeType::File);
    assert_eq!((meta.mode, meta.size, meta.links), (Some(0x0080_01e9), 4, 2));
    assert_eq!((meta.inode, meta.device_id), (real.ino(), real.dev()));
    assert_eq!((meta.uid, meta.gid), (Some(real.uid()), Some(real.gid())));
    assert_eq!(meta.mtime.unwrap().as_second(), real.mtime());
    assert_eq!(meta.atime, meta.mtime);
    if real.uid() == 0 {
        assert_eq!(meta.user.as_deref(), Some("root"));
    }
}

#[test]
fn names_and_link_targets_that_are_not_text_survive() {
    let site = Site::new(&[]);
    let name = OsStr::from_bytes(b"caf\xe9 \"\\");
    symlink(OsStr::from_bytes(b"to\xff"), site.path(name)).unwrap();

    let node = site.list().pop().unwrap().node;

    assert_eq!(&*node.name(), name);
    assert_eq!(node.node_type.to_link().as_os_str().as_bytes(), b"to\xff");
    assert_eq!(node.meta.size, 0);
}

#[test]
fn special_files_are_stored_without_content_and_never_waited_for() {
    let site = Site::new(&[]);
    let pipe = site.path("pipe");
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR, 0).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(site.path("socket")).unwrap();

    let entries = site.list();

    assert!(entries.iter().all(|entry| entry.open.is_none()));
    assert_eq!(entries[2].node.node_type, NodeType::Fifo);
    assert_eq!(entries[3].node.node_type, NodeType::Socket);
}

#[test]
fn extended_attributes_are_stored_sorted_and_of_any_size() {
    let site = Site::new(&["file"]);
    let path = site.path("file");
    let large = vec![7; 2_000];
    if lsetxattr(&path, "user.b", &large, XattrFlags::empty()).is_err() {
        eprintln!("skipped: no extended attributes in {}", path.display());
        return;
    }
    lsetxattr(&path, "user.a", b"1", XattrFlags::empty()).unwrap();

    let attributes = site.node("file").meta.extended_attributes;

    let names: Vec<_> = attributes.iter().map(|attribute| &*attribute.name).collect();
    assert_eq!(names, ["user.a", "user.b"]);
    assert_eq!(attributes[1].value.as_deref(), Some(&*large));
    assert!(site.issues().is_empty());
}

#[test]
fn an_attribute_whose_name_is_not_text_is_told() {
    let site = Site::new(&["file"]);
    let name: &[u8] = b"user.\xff";
    if lsetxattr(site.path("file"), name, b"1", XattrFlags::empty()).is_err() {
        eprintln!("skipped: no extended attributes here");
        return;
    }

    assert!(site.node("file").meta.extended_attributes.is_empty());
    assert_eq!(site.only_issue(), issue(IssueKind::Attributes, "file"));
}

#[test]
fn a_file_changed_just_now_does_not_look_unchanged_to_the_next_run() {
    let site = Site::new(&["file"]);
    let changed = |node: &Node| node.meta.ctime.unwrap();

    let young = site.node("file");
    thread::sleep(Duration::from_millis(2_050));
    let settled = site.node("file");

    let real = fs::metadata(site.path("file")).unwrap();
    assert!(changed(&young) > changed(&settled), "the moment of its listing");
    assert_eq!(changed(&settled).as_second(), real.ctime());
    assert_eq!(settled.meta.mtime, young.meta.mtime);
    assert_eq!(changed(&site.node("file")), changed(&settled));
}

#[test]
fn a_time_that_the_format_cannot_hold_is_left_out_and_told() {
    use rustix::fs::{AtFlags, Timespec, Timestamps, utimensat};
    let site = Site::new(&["old", "usual"]);
    let year_minus_5 = Timespec { tv_sec: -62_325_000_000, tv_nsec: 0 };
    let times = Timestamps { last_access: year_minus_5, last_modification: year_minus_5 };
    utimensat(CWD, site.path("old"), &times, AtFlags::empty()).unwrap();
    if fs::metadata(site.path("old")).unwrap().mtime() != year_minus_5.tv_sec {
        eprintln!("skipped: this file system holds no such time either");
        return;
    }

    assert!(site.node("old").meta.mtime.is_none());
    assert_eq!(site.only_issue(), issue(IssueKind::Attributes, "old"));
}

#[test]
fn the_ledger_counts_what_is_emitted_and_read() {
    let site = Site::new(&["a", "folder/bb"]);
    symlink("a", site.path("link")).unwrap();

    for entry in site.list() {
        if let Some(handle) = entry.open {
            read_all(handle).unwrap();
        }
    }

    let ledger = &site.ledger;
    assert_eq!(ledger.entries_below_root.load(Relaxed), 4);
    assert_eq!(ledger.files_emitted.load(Relaxed), 3);
    assert_eq!(ledger.bytes_read.load(Relaxed), 10);
    assert_eq!(site.left_out(), 0);
    assert_eq!(site.control.entries_done.load(Relaxed), 5);
    assert_eq!(site.scan(), (10, 5));
}
