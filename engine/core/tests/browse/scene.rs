//! What the tests of browsing share.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use unstoppable_engine_core::{
    browse::{ListOptions, SearchOptions, dump, list, search},
    control::Control,
    error::Result,
    format::reader::Reader,
    issue::{Collected, Issues},
    object::ObjectId,
};

use crate::common::Fixture;

pub fn text(path: &[u8]) -> String {
    String::from_utf8_lossy(path).into_owned()
}

pub fn listed_with(
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

pub fn listed(fixture: &Fixture, snapshot: ObjectId, path: &str) -> (Vec<String>, Collected) {
    listed_with(&fixture.reader(), snapshot, &ListOptions::below(path)).unwrap()
}

pub fn found_with(
    fixture: &Fixture,
    options: &SearchOptions,
) -> (Vec<(ObjectId, String)>, Collected) {
    let mut found = Vec::new();
    let issues = Issues::default();
    search(&fixture.reader(), options, &issues, &Control::default(), |snapshot, path, _| {
        found.push((snapshot, text(path)));
        Ok(())
    })
    .unwrap();
    (found, issues.collected())
}

pub fn found(
    fixture: &Fixture,
    pattern: &str,
    snapshots: &[ObjectId],
) -> (Vec<(ObjectId, String)>, Collected) {
    let (pattern, snapshots) = (pattern.to_owned(), snapshots.to_vec());
    found_with(fixture, &SearchOptions { pattern, snapshots, most_entries: 1000 })
}

pub fn dumped(
    fixture: &Fixture,
    snapshot: ObjectId,
    path: &str,
) -> (Result<()>, Vec<u8>, Collected) {
    let (mut output, issues) = (Vec::new(), Issues::default());
    let path = path.as_bytes();
    let done = dump(&fixture.reader(), snapshot, path, &mut output, &issues, &Control::default());
    (done, output, issues.collected())
}

/// Unpacked by the system's own tar.
pub fn unpacked(archive: &[u8]) -> tempfile::TempDir {
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

pub fn file(name: &str, rest: &str) -> String {
    format!(r#"{{"name":"{name}","type":"file","mode":420,{rest}}}"#)
}
