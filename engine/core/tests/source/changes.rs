//! What changes between listing and reading, and while reading.

use std::{
    fs::{self, OpenOptions},
    io::{Read, Write},
    os::unix::fs::{FileExt, symlink},
    path::Path,
};

use rustic_core::{ReadSource, ReadSourceOpen};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use unstoppable_engine_core::issue::IssueKind;

use super::site::{Site, issue, next_tick, read_all};

#[test]
fn a_file_swapped_for_a_link_is_not_followed() {
    let site = Site::new(&["file", "secret"]);
    let handle = site.handle("file");
    fs::remove_file(site.path("file")).unwrap();
    symlink("secret", site.path("file")).unwrap();

    read_all(handle).unwrap_err();

    assert_eq!(site.only_issue(), issue(IssueKind::Unreadable, "file"));
    assert_eq!(site.left_out(), 1);
}

#[test]
fn a_folder_swapped_for_a_link_is_not_followed() {
    let site = Site::new(&["folder/file"]);
    let bob = Site::new(&["file"]);
    let source = site.open();
    let mut entries = source.entries();
    let handle = entries.find_map(|entry| entry.unwrap().open).unwrap();
    fs::rename(site.path("folder"), site.path("aside")).unwrap();
    symlink(bob.folder.path(), site.path("folder")).unwrap();

    // Bob's file of the same name is never read.
    read_all(handle).unwrap_err();

    assert_eq!(site.only_issue(), issue(IssueKind::Unreadable, "folder/file"));
    assert_eq!(site.left_out(), 1);
}

#[test]
fn a_file_swapped_for_a_pipe_does_not_hang() {
    let site = Site::new(&["file"]);
    let handle = site.handle("file");
    fs::remove_file(site.path("file")).unwrap();
    mknodat(CWD, site.path("file"), FileType::Fifo, Mode::RUSR, 0).unwrap();

    read_all(handle).unwrap_err();

    assert_eq!(site.only_issue(), issue(IssueKind::Rewritten, "file"));
}

#[test]
fn a_file_saved_anew_is_read_whole_and_told() {
    let site = Site::new(&["same", "longer", "shorter"]);
    let others = [("same", "SAME"), ("longer", "LONGER STILL"), ("shorter", "S")];
    let handles = others.map(|(name, _)| site.handle(name));
    for (name, content) in others {
        site.write("new", content.as_bytes());
        fs::rename(site.path("new"), site.path(name)).unwrap();
    }

    let read = handles.map(|handle| read_all(handle).unwrap());

    assert_eq!(read, others.map(|(_, content)| content.as_bytes()));
    assert_eq!(site.issues(), others.map(|(name, _)| issue(IssueKind::Rewritten, name)));
    assert_eq!(site.left_out(), 0);
}

#[test]
fn a_file_that_vanished_is_a_note() {
    let site = Site::new(&["file", "folder/file"]);
    let handles = ["file", "folder/file"].map(|path| site.handle(path));
    fs::remove_file(site.path("file")).unwrap();
    fs::remove_file(site.path("folder/file")).unwrap();

    for handle in handles {
        read_all(handle).unwrap_err();
    }

    let gone = ["file", "folder/file"].map(|path| issue(IssueKind::Vanished, path));
    assert_eq!(site.issues(), gone);
    assert_eq!(site.ledger.issues.collected().problem_count, 0);
    assert_eq!(site.left_out(), 2);
}

#[test]
fn what_is_appended_is_left_to_the_next_run() {
    let site = Site::new(&["log"]);
    let handle = site.handle("log");
    let mut log = OpenOptions::new().append(true).open(site.path("log")).unwrap();
    log.write_all(b" and more").unwrap();

    assert_eq!(read_all(handle).unwrap(), b"log");

    assert_eq!(site.only_issue(), issue(IssueKind::Grew, "log"));
    assert_eq!(site.left_out(), 0);
}

#[test]
fn a_file_that_shrank_is_told_and_stays_at_its_end() {
    let site = Site::new(&["file"]);
    let handle = site.handle("file");
    site.write("file", b"fi");
    let mut reader = handle.open().unwrap();
    let mut buffer = [0; 8];

    assert_eq!(reader.read(&mut buffer).unwrap(), 2);
    site.write("file", b"file again");
    assert_eq!(reader.read(&mut buffer).unwrap(), 0);
    assert_eq!(reader.read(&mut buffer).unwrap(), 0);

    assert_eq!(site.only_issue(), issue(IssueKind::Shrunk, "file"));
}

#[test]
fn a_file_written_to_while_it_is_read_is_told() {
    let site = Site::new(&[]);
    site.write("database", &vec![1; 100_000]);
    let mut reader = site.handle("database").open().unwrap();
    let mut half = vec![0; 50_000];
    assert_eq!(reader.read(&mut half).unwrap(), 50_000);
    next_tick();
    let file = OpenOptions::new().write(true).open(site.path("database")).unwrap();
    file.write_all_at(&vec![2; 100_000], 0).unwrap();

    assert_eq!(reader.read(&mut vec![0; 80_000]).unwrap(), 50_000);
    assert_eq!(reader.read(&mut half).unwrap(), 0);

    assert_eq!(site.only_issue(), issue(IssueKind::Rewritten, "database"));
}

#[test]
fn a_file_written_to_before_it_is_opened_is_read_whole() {
    let site = Site::new(&["file"]);
    let handle = site.handle("file");
    next_tick();
    site.write("file", b"FILE");

    assert_eq!(read_all(handle).unwrap(), b"FILE");
    assert!(site.issues().is_empty());
}

#[test]
fn the_buffer_is_filled_to_the_end_of_the_file() {
    let site = Site::new(&[]);
    site.write("file", &vec![5; 3_000_000]);
    let mut reader = site.handle("file").open().unwrap();
    let mut buffer = vec![0; 2_000_000];

    assert_eq!(reader.read(&mut buffer).unwrap(), 2_000_000);
    assert_eq!(reader.read(&mut buffer).unwrap(), 1_000_000);
    assert_eq!(reader.read(&mut buffer).unwrap(), 0);
}

#[test]
fn an_empty_file_is_read() {
    let site = Site::new(&[]);
    site.write("empty", b"");

    assert_eq!(read_all(site.handle("empty")).unwrap(), b"");
    assert!(site.issues().is_empty());
}

#[test]
fn what_is_written_to_an_empty_file_is_left_to_the_next_run() {
    let site = Site::new(&[]);
    site.write("log", b"");
    let handle = site.handle("log");
    site.write("log", b"no longer");

    assert_eq!(read_all(handle).unwrap(), b"");

    assert_eq!(site.only_issue(), issue(IssueKind::Grew, "log"));
    assert_eq!(site.left_out(), 0);
}

#[test]
fn a_file_that_only_says_that_it_is_empty_is_left_out_and_told() {
    let site = Site::new(&[]);
    let source = site.track(site.try_open_at(Path::new("/proc/sys/kernel/random")).unwrap());
    let mut entries = source.entries().map(Result::unwrap);
    let file = entries.find(|entry| entry.path.ends_with("boot_id")).unwrap();

    read_all(file.open.unwrap()).unwrap_err();

    assert_eq!(site.only_issue(), issue(IssueKind::Unreadable, "boot_id"));
    assert_eq!(site.left_out(), 1);
}
