//! Objects in `index/`, `snapshots/` and `data/` that are none, or too many, or too large.

use unstoppable_engine_core::{
    issue::IssueKind::{Damaged, IgnoredObject, SourceShrank},
    object::{ObjectId, ObjectKind},
};

use crate::{
    common::{FORGED_AT, entry, folder, snapshot},
    row::Row,
    scene::noise,
};

const LONGEST_HEADER_BYTES: usize = 16 << 20;
const BOTH: [ObjectKind; 2] = [ObjectKind::Index, ObjectKind::Snapshot];

#[test]
fn ten_thousand_small_objects_with_right_names() {
    Row {
        name: "objects::ten_thousand_small_objects_with_right_names",
        forge: |fixture| {
            for kind in BOTH {
                for number in 0..10_000_u16 {
                    fixture.put_object(kind, number.to_be_bytes().to_vec());
                }
            }
            Vec::new()
        },
        restore: Some(&[]),
        check: &[Damaged],
        backup: [&[Damaged], &[Damaged]],
    }
    .contain();
}

#[test]
fn ten_thousand_sealed_objects_that_are_none() {
    Row {
        name: "objects::ten_thousand_sealed_objects_that_are_none",
        forge: |fixture| {
            for kind in BOTH {
                for number in 0..10_000 {
                    fixture.put_json(kind, &format!("{{\"{number}\":[[]]}}"));
                }
            }
            Vec::new()
        },
        restore: Some(&[]),
        check: &[Damaged],
        backup: [&[Damaged], &[Damaged]],
    }
    .contain();
}

#[test]
fn objects_that_only_the_archiver_cannot_read() {
    Row {
        name: "objects::objects_that_only_the_archiver_cannot_read",
        forge: |fixture| {
            let id = fixture.put_tree("");
            let pack = ObjectId([1; 32]);
            let listed =
                |rest: &str| format!(r#"{{"packs":[{{"id":"{pack}","blobs":[]{rest}}}]}}"#);
            for rest in [r#","time":"yesterday""#, r#","size":-1"#, r#","size":"large""#] {
                fixture.put_json(ObjectKind::Index, &listed(rest));
            }
            let nested = format!(r#","time":{}{}"#, "[".repeat(500), "]".repeat(500));
            fixture.put_json(ObjectKind::Index, &listed(&nested));
            for rest in [r#","uid":"root""#, r#","summary":{"backup_start":5}"#, r#","delete":7"#] {
                fixture.put_json(ObjectKind::Snapshot, &snapshot(id, FORGED_AT, rest));
            }
            Vec::new()
        },
        restore: Some(&[]),
        check: &[],
        backup: [&[Damaged], &[Damaged, IgnoredObject]],
    }
    .contain();
}

#[test]
fn snapshots_of_no_use() {
    Row {
        name: "objects::snapshots_of_no_use",
        forge: |fixture| {
            let tree = fixture.put_tree("");
            let future = format!(r#","future":{{"a":{}{}}}"#, "[".repeat(100), "]".repeat(100));
            let put = |tree, time, rest: &str| {
                fixture.put_json(ObjectKind::Snapshot, &snapshot(tree, time, rest));
            };
            put(tree, "9999-12-30T22:00:00Z", "");
            put(tree, "-009999-01-02T01:59:59Z", "");
            put(tree, "99999-01-01T00:00:00Z", "");
            put(tree, FORGED_AT, &future);
            // The last one that is complete, hence the one that a run without hot compares with.
            let summary = r#","summary":{"total_files_processed":18446744073709551615}"#;
            put(tree, "2026-11-24T12:01:31Z", summary);
            put(ObjectId([5; 32]), FORGED_AT, "");
            let many = vec!["\"/a\""; 1_000_000].join(",");
            put(tree, FORGED_AT, &format!(r#","tags":[{many}]"#));
            let paths = snapshot(tree, FORGED_AT, "").replace("\"/acme/www\"", &many);
            fixture.put_json(ObjectKind::Snapshot, &paths);
            Vec::new()
        },
        restore: Some(&[]),
        check: &[Damaged],
        backup: [&[IgnoredObject], &[IgnoredObject, SourceShrank]],
    }
    .contain();
}

#[test]
fn large_snapshots_and_many_of_them() {
    Row {
        name: "objects::large_snapshots_and_many_of_them",
        forge: |fixture| {
            let tree = fixture.put_tree("");
            for number in 0..200 {
                let tags = vec!["\"\""; 300_000].join(",");
                let json = snapshot(tree, FORGED_AT, &format!(r#","tags":["{number}",{tags}]"#));
                let packed = zstd::bulk::compress(json.as_bytes(), 3).unwrap();
                let sealed = fixture.seal.seal(&[vec![2], packed].concat()).unwrap();
                fixture.put_object(ObjectKind::Snapshot, sealed);
            }
            Vec::new()
        },
        restore: Some(&[]),
        check: &[Damaged],
        backup: [&[IgnoredObject], &[IgnoredObject]],
    }
    .contain();
}

#[test]
fn an_index_that_fills_memory() {
    Row {
        name: "objects::an_index_that_fills_memory",
        forge: |fixture| {
            let ids = noise(1, 32 * 100_000);
            let blobs: Vec<_> = ids
                .chunks_exact(32)
                .flat_map(|id| {
                    let id = ObjectId(id.try_into().unwrap());
                    [0, 1, 2, 3].map(|offset| entry("data", id, offset, 40, 13))
                })
                .collect();
            for pack in 0..4 {
                let json = format!(
                    r#"{{"packs":[{{"id":"{}","blobs":[{}]}}]}}"#,
                    ObjectId([pack; 32]),
                    blobs.join(",")
                );
                let packed = zstd::bulk::compress(json.as_bytes(), 3).unwrap();
                let sealed = fixture.seal.seal(&[vec![2], packed].concat()).unwrap();
                fixture.put_object(ObjectKind::Index, sealed);
            }
            Vec::new()
        },
        restore: Some(&[]),
        check: &[Damaged],
        backup: [&[Damaged], &[Damaged]],
    }
    .contain();
}

#[test]
fn packs_with_headers_that_lie() {
    Row {
        name: "objects::packs_with_headers_that_lie",
        forge: |fixture| {
            let length = |claimed: u32| claimed.to_le_bytes().to_vec();
            for claimed in [0, 31, 32, 5000, 32 << 20, u32::MAX] {
                fixture.put_object(ObjectKind::Pack, [noise(3, 5000), length(claimed)].concat());
            }
            let id = ObjectId([7; 32]);
            let entry = [vec![0], length(u32::MAX), id.0.to_vec()].concat();
            for header in [entry.repeat(100_000), vec![9; 1000]] {
                let sealed = fixture.seal.seal(&header).unwrap();
                let end = length(sealed.len() as u32);
                fixture.put_object(ObjectKind::Pack, [sealed, end].concat());
            }
            fixture.put_object(ObjectKind::Pack, Vec::new());
            Vec::new()
        },
        restore: Some(&[]),
        check: &[Damaged],
        backup: [&[], &[]],
    }
    .contain();
}

#[test]
fn packs_whose_headers_are_as_long_as_they_may_be() {
    Row {
        name: "objects::packs_whose_headers_are_as_long_as_they_may_be",
        forge: |fixture| {
            let put = |blob: Vec<u8>, number: u8| {
                let entry = |length: u32| [&[1], &length.to_le_bytes()[..], &[number; 32]].concat();
                let empty = entry(0).repeat((LONGEST_HEADER_BYTES - 32) / 37 - 1);
                let header = [entry(blob.len() as u32), empty].concat();
                let header = fixture.seal.seal(&header).unwrap();
                let end = (header.len() as u32).to_le_bytes().to_vec();
                fixture.put_object(ObjectKind::Pack, [blob, header, end].concat());
            };
            (0..8).for_each(|number| put(Vec::new(), number));
            // Two turns for one pack.
            put(noise(1, 64 << 20), 8);
            Vec::new()
        },
        restore: Some(&[]),
        check: &[Damaged],
        backup: [&[], &[]],
    }
    .contain();
}

#[test]
fn a_key_where_none_may_be() {
    Row {
        name: "objects::a_key_where_none_may_be",
        forge: |fixture| {
            fixture.put_object(ObjectKind::Key, b"{}".to_vec());
            let tree = fixture.put_tree(&folder("a", ObjectId([3; 32])));
            vec![fixture.forge_tree(tree)]
        },
        restore: Some(&[Damaged]),
        check: &[Damaged],
        backup: [&[], &[Damaged]],
    }
    .contain();
}
