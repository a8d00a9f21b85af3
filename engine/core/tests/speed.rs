//! Numbers, on demand: `cargo test --release --test speed -- --ignored --nocapture --test-threads 1`.
#![allow(missing_docs, clippy::pedantic, clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use std::{fs, path::Path, time::Instant};

use common::Fixture;
use unstoppable_engine_core::{
    check::{check, part::Part},
    control::Control,
    format::{index::IndexBuilder, index_object::IndexObject},
    object::ObjectId,
};

/// Bytes that do not compress, different for every seed.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        bytes.extend(next());
    }
    bytes.truncate(length);
    bytes
}

/// The most memory this process had, in MiB.
fn peak_mib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

fn measure(name: &str, source: &Path) {
    let fixture = Fixture::new();
    let snapshot = fixture.backup(source);
    let stored: usize =
        fixture.memory.paths("").iter().map(|path| fixture.memory.get(path).unwrap().len()).sum();
    let target = tempfile::tempdir().unwrap();
    let before_mib = peak_mib();
    let start = Instant::now();
    let summary = fixture.restore(snapshot, target.path());
    let restore_seconds = start.elapsed().as_secs_f64();
    assert_eq!(summary.issues.kept, []);
    let start = Instant::now();
    assert_eq!(
        check(&fixture.reader(), Some(Part::ALL), &Control::default()).unwrap().issues.kept,
        []
    );
    println!(
        "{name}: stored {} MiB, {} files, restore {restore_seconds:.2} s, check {:.2} s, peak {before_mib} -> {} MiB",
        stored >> 20,
        summary.files,
        start.elapsed().as_secs_f64(),
        peak_mib()
    );
}

#[test]
#[ignore = "takes a minute"]
fn one_gib_in_large_files() {
    let source = tempfile::tempdir().unwrap();
    for number in 0..16 {
        fs::write(source.path().join(number.to_string()), noise(number, 64 << 20)).unwrap();
    }
    measure("large files", source.path());
}

#[test]
#[ignore = "takes a minute"]
fn fifty_thousand_small_files() {
    let source = tempfile::tempdir().unwrap();
    for number in 0..50_000_u64 {
        let folder = source.path().join((number / 100).to_string());
        fs::create_dir_all(&folder).unwrap();
        let length = 1024 + (number * 7919 % 15_360) as usize;
        fs::write(folder.join(number.to_string()), noise(number, length)).unwrap();
    }
    measure("small files", source.path());
}

#[test]
#[ignore = "takes a minute"]
fn an_index_of_three_million_blobs_takes_at_most_256_mib() {
    let before_mib = peak_mib();
    let start = Instant::now();
    let mut builder = IndexBuilder::default();
    for number in 0..60 {
        let ids = noise(number, 50_000 * 32);
        let entries: Vec<_> = ids
            .chunks(32)
            .map(|id| common::entry("data", ObjectId(id.try_into().unwrap()), 0, 40, 10))
            .collect();
        let pack = ObjectId::of(&number.to_le_bytes());
        let entries = entries.join(",");
        let json = format!(r#"{{"packs":[{{"id":"{pack}","blobs":[{entries}]}}]}}"#);
        builder.add(&IndexObject::parse(json.as_bytes(), json.len()).unwrap());
    }
    let index = builder.build();
    // Some 20 MiB of it are this test's own JSON.
    let grown_mib = peak_mib() - before_mib;
    println!("index of {}: {grown_mib} MiB, {:.1} s", index.len(), start.elapsed().as_secs_f64());
    assert!(index.len() == 3_000_000 && grown_mib <= 256);
}
