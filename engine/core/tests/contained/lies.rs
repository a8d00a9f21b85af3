//! An index that names the wrong place of what is stored, or of what is not stored yet.

use std::{fs, sync::Arc};

use unstoppable_engine_core::{
    check::{check, part::Part},
    control::Control,
    issue::IssueKind::{Damaged, HotMended},
    object::{ObjectId, ObjectKind},
};

use crate::{
    common::{Fixture, entry},
    row::Row,
    scene::{Scene, content, noise, restored_by, settle, told},
};

#[test]
fn an_index_that_maps_what_is_stored_to_other_packs() {
    Row {
        name: "lies::an_index_that_maps_what_is_stored_to_other_packs",
        forge: |fixture| {
            let reader = fixture.reader();
            let (index, _) = reader.index().unwrap();
            let all: Vec<_> = index.all().collect();
            let packs = all.iter().map(|(_, location)| location.pack);
            let decoys = packs.map(|pack| {
                let hex = pack.to_hex();
                let size = fixture.memory.get(&format!("data/{}/{hex}", &hex[..2])).unwrap().len();
                fixture.put_object(ObjectKind::Pack, noise(size as u64, size))
            });
            let mut packs: Vec<_> = decoys.collect();
            packs.extend([ObjectId([0; 32]), all[0].1.pack]);
            for pack in packs {
                for kind in ["data", "tree"] {
                    let lies: Vec<_> = all
                        .iter()
                        .map(|(blob, at)| {
                            entry(
                                kind,
                                blob.id,
                                at.offset_bytes as usize,
                                at.length_bytes as usize,
                                13,
                            )
                        })
                        .collect();
                    fixture.put_index(pack, &lies);
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
fn an_index_with_numbers_beyond_reason() {
    Row {
        name: "lies::an_index_with_numbers_beyond_reason",
        forge: |fixture| {
            let id = ObjectId([1; 32]);
            let junk = fixture.put_object(ObjectKind::Pack, vec![7; 5000]);
            for (offset, length, plain) in [
                (1_152_921_504_606_846_976, 40, 13),
                (u32::MAX as usize, u32::MAX as usize, 13),
                (0, u32::MAX as usize, u32::MAX as usize),
                (0, 5000, u32::MAX as usize),
                (0, 0, 0),
            ] {
                for kind in ["data", "tree"] {
                    fixture.put_index(junk, &[entry(kind, id, offset, length, plain)]);
                }
            }
            let mixed = [entry("tree", id, 0, 40, 13), entry("data", id, 40, 40, 13)];
            fixture.put_index(junk, &mixed);
            Vec::new()
        },
        restore: Some(&[]),
        check: &[Damaged],
        backup: [&[Damaged], &[Damaged]],
    }
    .contain();
}

/// A source that will hold `content`, which an index of mallory's calls stored already.
fn promised(scene: &Scene, content: &[u8]) {
    let fixture = Fixture::load(&scene.key, scene.cold());
    let sealed = fixture.seal.seal(&noise(9, content.len())).unwrap();
    fixture.put_pack(&[("data", ObjectId::of(content), sealed, content.len())]);
    fixture.save(scene.cold());
    scene.write("promised", content);
}

#[test]
fn content_that_an_unknown_index_calls_stored_is_stored_all_the_same() {
    let scene = Scene::new();
    scene.write("file", b"x");
    scene.run();
    promised(&scene, b"what mallory knows before it is stored");

    let summary = scene.try_run(&Arc::default()).unwrap();

    let kinds: Vec<_> = told(&summary.issues).into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, [HotMended, Damaged]);
    let cold_alone = scene.open().unwrap().cold_reader();
    assert_eq!(restored_by(&cold_alone, summary.snapshot_id).0, content(&scene.source));
}

#[test]
fn what_is_taken_on_trust_because_hot_was_lost_is_found_by_a_check_of_the_data() {
    let scene = Scene::new();
    scene.write("file", b"x");
    scene.run();
    promised(&scene, b"what mallory knows before it is stored");
    fs::remove_dir_all(scene.hot()).unwrap();

    let summary = scene.try_run(&Arc::default()).unwrap();

    let paths = ["", "known"].map(str::to_owned);
    assert_eq!(told(&summary.issues), paths.map(|path| (HotMended, path)));
    let reader = scene.open().unwrap().cold_reader();
    let found = told(&check(&reader, Some(Part::ALL), &Control::default()).unwrap().issues);
    let snapshot = (Damaged, format!("snapshots/{}", summary.snapshot_id));
    assert_eq!(found.len(), 2);
    assert_eq!((found[0].0, &found[1]), (Damaged, &snapshot));
    assert!(found[0].1.starts_with("data/"), "{found:?}");
}

#[test]
fn a_snapshot_that_lies_about_a_file_that_did_not_change_is_no_parent() {
    let mut scene = Scene::new();
    scene.write("file", b"x");
    settle();
    let good = scene.run().snapshot_id;
    let fixture = Fixture::load(&scene.key, scene.cold());
    fixture.forge_changed("file", "content");
    fixture.save(scene.cold());
    scene.options.started_at_seconds += 120;

    let summary = scene.try_run(&Arc::default()).unwrap();

    assert_eq!(scene.snapshot(summary.snapshot_id).parents, [good]);
    assert_eq!(scene.restored(summary.snapshot_id), content(&scene.source));
}

#[test]
fn an_index_of_another_machine_is_believed_once_all_it_lists_was_read() {
    let scene = Scene::new();
    scene.write("file", b"x");
    scene.run();
    let stored = noise(4, 300_000);
    let fixture = Fixture::load(&scene.key, scene.cold());
    fixture.put_blobs(&[("data", &stored)]);
    fixture.save(scene.cold());
    scene.write("file", &stored);

    let summary = scene.try_run(&Arc::default()).unwrap();

    assert_eq!(told(&summary.issues), [(HotMended, String::new())]);
    assert!(summary.bytes_added < 10_000, "it was there: {} bytes added", summary.bytes_added);
    assert_eq!(scene.restored(summary.snapshot_id), content(&scene.source));
}
