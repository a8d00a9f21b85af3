//! Stopping in the middle.

use std::{
    fs::File,
    io::Read,
    sync::{Arc, atomic::Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use rustic_core::{ReadSource, ReadSourceOpen};
use unstoppable_engine_core::source::Source as _;

use super::site::Site;

#[test]
fn cancelling_ends_the_listing_and_is_no_issue() {
    let site = Site::new(&["a", "b"]);
    let source = site.open();
    let mut entries = source.entries();
    entries.next().unwrap().unwrap();

    site.control.cancel();

    assert!(entries.next().is_none());
    assert!(site.issues().is_empty());
}

#[test]
fn cancelling_leaves_out_the_files_that_are_read() {
    let site = Site::new(&["opened", "waiting"]);
    let waiting = site.handle("waiting");
    let mut opened = site.handle("opened").open().unwrap();

    site.control.cancel();

    assert!(waiting.open().is_err());
    assert!(opened.read(&mut [0; 8]).is_err());
    assert!(opened.read(&mut [0; 8]).is_err());
    assert_eq!(site.left_out(), 2);
    assert!(site.issues().is_empty());
}

#[test]
fn dropping_the_entries_ends_the_walk() {
    let site = Site::new(&[]);
    for number in 0..5_000 {
        File::create(site.path(number.to_string())).unwrap();
    }
    let source = site.open();
    let held = Arc::strong_count(&site.control);
    let mut entries = source.entries();
    entries.next().unwrap().unwrap();

    drop(entries);

    let deadline = Instant::now() + Duration::from_secs(5);
    while Arc::strong_count(&site.control) > held {
        assert!(Instant::now() < deadline, "the walk goes on");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_look_ends_with_its_source_and_tells_nothing() {
    let site = Site::new(&["file"]);
    let source = site.try_open().unwrap();
    let scan = source.scan().unwrap();

    drop(source);
    scan.run();

    assert_eq!(site.control.entries_total.load(Relaxed), 0);
}
