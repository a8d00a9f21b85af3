//! Deep and wide folders.

use std::{fs::File, os::fd::OwnedFd, time::Instant};

use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat};
use unstoppable_engine_core::issue::IssueKind;

use super::site::{Site, read_all};

const DEEP: usize = 3_000;
const WIDE: usize = 20_000;

/// A folder in a folder in a folder …, each with a file; far deeper than a path can name.
fn dig(site: &Site) {
    let folder = OFlags::RDONLY | OFlags::DIRECTORY;
    let mut place: OwnedFd = openat(CWD, site.folder.path(), folder, Mode::empty()).unwrap();
    for _ in 0..DEEP {
        let file = OFlags::CREATE | OFlags::WRONLY;
        openat(&place, "file", file, Mode::RUSR).unwrap();
        mkdirat(&place, "down", Mode::RWXU).unwrap();
        place = openat(&place, "down", folder, Mode::empty()).unwrap();
    }
}

#[test]
fn a_deep_tree_needs_few_descriptors() {
    let site = Site::new(&[]);
    dig(&site);
    let begin = Instant::now();

    let entries = site.list();
    let listed_after = begin.elapsed();
    let count = entries.len();
    for handle in entries.into_iter().filter_map(|entry| entry.open) {
        read_all(handle).unwrap();
    }

    eprintln!("{DEEP} levels: listed in {listed_after:?}, with reading {:?}", begin.elapsed());
    assert_eq!(count, 2 + 2 * DEEP);
    assert!(site.issues().is_empty(), "{:?}", site.issues().len());
    assert_eq!(site.left_out(), 0);
}

#[test]
fn a_wide_folder_is_listed_in_order() {
    let site = Site::new(&[]);
    for number in 0..WIDE {
        File::create(site.path(format!("{number:x}"))).unwrap();
    }
    let begin = Instant::now();

    let listed = site.listed();

    eprintln!("{WIDE} files: listed in {:?}", begin.elapsed());
    assert_eq!(listed.len(), WIDE);
    assert!(listed.is_sorted());
}

#[test]
fn a_tree_without_an_end_is_cut_and_told() {
    let site = Site::new(&[]);
    let name = "d".repeat(250);
    let folder = OFlags::RDONLY | OFlags::DIRECTORY;
    let mut place: OwnedFd = openat(CWD, site.folder.path(), folder, Mode::empty()).unwrap();
    for _ in 0..300 {
        mkdirat(&place, &name, Mode::RWXU).unwrap();
        place = openat(&place, &name, folder, Mode::empty()).unwrap();
    }

    // 261 names with the slashes between them are 65,510 bytes; the next one is listed, no more.
    assert_eq!(site.listed().len(), 262);
    assert_eq!(site.only_issue().0, IssueKind::Listing);
}
