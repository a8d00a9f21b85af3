//! What every storage keeps to, shown on the local directory.

// Clippy knows only functions marked as tests, not the helpers beside them.
#![allow(clippy::unwrap_used)]

use std::fs;

use bytes::Bytes;
use unstoppable_engine_core::{
    error::ErrorKind,
    object::{Object, ObjectId, ObjectKind},
    storage::{
        AppendStorage, MaintainStorage, ReadStorage,
        local::{Append, LocalDirectory, Maintain},
    },
};

fn object(content: &[u8]) -> Object {
    Object::Hashed(ObjectKind::Pack, ObjectId::of(content))
}

fn repository() -> (tempfile::TempDir, LocalDirectory<Append>) {
    let folder = tempfile::tempdir().unwrap();
    let storage = LocalDirectory::new(folder.path().join("g1"));
    storage.create_folders().unwrap();
    (folder, storage)
}

#[test]
fn what_was_created_is_listed_and_read() {
    let (_folder, storage) = repository();
    let object = object(b"alice");

    storage.create(&object, &[Bytes::from_static(b"al"), Bytes::from_static(b"ice")]).unwrap();

    assert_eq!(storage.list(ObjectKind::Pack).unwrap(), [(ObjectId::of(b"alice"), 5)]);
    assert_eq!(storage.read(&object).unwrap().unwrap(), "alice");
    assert_eq!(storage.read_range(&object, 1, 3).unwrap(), "lic");
    assert_eq!(storage.size(&object).unwrap(), Some(5));
}

#[test]
fn creating_the_same_again_succeeds_and_other_bytes_are_refused() {
    let (_folder, storage) = repository();
    let object = object(b"alice");
    storage.create(&object, &[Bytes::from_static(b"alice")]).unwrap();

    storage.create(&object, &[Bytes::from_static(b"alice")]).unwrap();
    for other in ["mallory", "alic", "alicea", ""] {
        let error = storage.create(&object, &[Bytes::from(other)]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Damaged);
    }

    assert_eq!(storage.read(&object).unwrap().unwrap(), "alice");
}

#[test]
fn a_missing_folder_is_an_error_not_an_empty_list() {
    let (folder, storage) = repository();
    fs::remove_dir(folder.path().join("g1/snapshots")).unwrap();

    assert_eq!(storage.list(ObjectKind::Snapshot).unwrap_err().kind(), ErrorKind::Storage);
}

#[test]
fn a_range_beyond_the_end_is_refused_before_memory_is_taken() {
    let (_folder, storage) = repository();
    let object = object(b"alice");
    storage.create(&object, &[Bytes::from_static(b"alice")]).unwrap();

    assert!(storage.read_range(&object, 0, usize::MAX).is_err());
    assert!(storage.read_range(&object, u64::MAX, 1).is_err());
    assert!(storage.read_range(&object, 3, 3).is_err());
}

#[test]
fn names_that_are_no_ids_are_not_listed() {
    let (folder, storage) = repository();
    fs::write(folder.path().join("g1/index/note.txt"), "x").unwrap();
    fs::write(folder.path().join("g1/data/00").join("f".repeat(64)), "wrong folder").unwrap();

    assert!(storage.list(ObjectKind::Index).unwrap().is_empty());
    assert!(storage.list(ObjectKind::Pack).unwrap().is_empty());
}

#[test]
fn only_a_maintainer_removes() {
    let (folder, storage) = repository();
    let object = object(b"alice");
    storage.create(&object, &[Bytes::from_static(b"alice")]).unwrap();

    let maintainer = LocalDirectory::<Maintain>::new(folder.path().join("g1"));
    maintainer.remove(&object).unwrap();
    maintainer.remove(&object).unwrap();

    assert_eq!(storage.size(&object).unwrap(), None);
}
