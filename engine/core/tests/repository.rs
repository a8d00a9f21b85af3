//! Repositories are created once and opened only when they are the pinned ones.

// Clippy knows only functions marked as tests, not the helpers beside them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use unstoppable_engine_core::{
    birth::{Birth, Pins},
    error::{ErrorKind, Result},
    format::seal::Seal,
    key::RepositoryKey,
    object::ObjectKind,
    repository::{Expected, Mode, Places, Repository, create},
    storage::{
        ReadStorage,
        local::{LocalDirectory, ReadOnly},
    },
};

fn key(seed: u8) -> RepositoryKey {
    let bytes: Vec<u8> =
        (0..64u8).map(|place| place.wrapping_mul(place).wrapping_mul(37) ^ seed).collect();
    RepositoryKey::from_bytes(&bytes).unwrap()
}

struct Scene {
    _folder: tempfile::TempDir,
    cold: PathBuf,
    places: Places,
    birth: Birth,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let cold = folder.path().join("cold/acme/www/g1");
        let places =
            Places { cold: cold.clone().into(), hot: Some(folder.path().join("hot/acme/www/g1")) };
        Self { _folder: folder, cold, places, birth: Birth::new("acme", "www", 1).unwrap() }
    }

    fn cold(&self) -> &Path {
        &self.cold
    }

    fn create(&self) -> Result<Pins> {
        create(&self.places, &key(1), &self.birth, 1_700_000_000, &Arc::default())
    }

    fn open(&self, key: &RepositoryKey, pins: Option<&Pins>) -> Result<Repository> {
        let birth = Some(self.birth.clone());
        let expected = Expected { pins: pins.cloned(), birth };
        Repository::open(&self.places, key, &expected, Mode::Append, &Arc::default())
    }

    fn refused(&self, key: &RepositoryKey, pins: Option<&Pins>) -> ErrorKind {
        self.open(key, pins).err().unwrap().kind()
    }
}

#[test]
fn what_was_created_opens_with_its_key_and_pins() {
    let scene = Scene::new();
    let pins = scene.create().unwrap();

    let opened = scene.open(&key(1), Some(&pins)).unwrap();

    assert_eq!(opened.pins(), &pins);
    assert_eq!(opened.birth(), &scene.birth);
    let keys = LocalDirectory::<ReadOnly>::new(scene.cold()).list(ObjectKind::Key);
    assert!(keys.unwrap().is_empty());
}

#[test]
fn a_second_creation_is_refused() {
    let scene = Scene::new();
    scene.create().unwrap();

    assert_eq!(scene.create().unwrap_err().kind(), ErrorKind::RepositoryExists);
}

#[test]
fn a_creation_that_was_interrupted_before_its_config_goes_on() {
    let scene = Scene::new();
    let pins = scene.create().unwrap();
    std::fs::remove_file(scene.cold().join("config")).unwrap();
    std::fs::remove_dir_all(scene.places.hot.as_ref().unwrap()).unwrap();

    let again = scene.create().unwrap();

    assert_eq!(again.repository_id, pins.repository_id);
    scene.open(&key(1), Some(&again)).unwrap();
}

#[test]
fn a_wrong_key_is_called_so_with_and_without_pins() {
    let scene = Scene::new();
    let pins = scene.create().unwrap();

    assert_eq!(scene.refused(&key(2), None), ErrorKind::WrongKey);
    assert_eq!(scene.refused(&key(2), Some(&pins)), ErrorKind::WrongKey);
}

#[test]
fn mallory_swapping_the_whole_repository_breaks_the_pin() {
    let scene = Scene::new();
    let pins = scene.create().unwrap();
    std::fs::remove_dir_all(scene.cold()).unwrap();
    std::fs::remove_dir_all(scene.places.hot.as_ref().unwrap()).unwrap();
    scene.create().unwrap();

    assert_eq!(scene.refused(&key(1), Some(&pins)), ErrorKind::PinBroken);
}

#[test]
fn a_birth_certificate_of_another_repository_breaks_the_pin() {
    let scene = Scene::new();
    let pins = scene.create().unwrap();
    let path = scene.cold().join("unstoppable.json");
    let swapped = std::fs::read_to_string(&path).unwrap().replace("www", "bobs");
    std::fs::write(&path, swapped).unwrap();

    assert_eq!(scene.refused(&key(1), Some(&pins)), ErrorKind::PinBroken);
    std::fs::remove_file(&path).unwrap();
    assert_eq!(scene.refused(&key(1), Some(&pins)), ErrorKind::PinBroken);
}

#[test]
fn nothing_there_is_no_repository() {
    let scene = Scene::new();

    assert_eq!(scene.refused(&key(1), None), ErrorKind::NoRepository);
}

#[test]
fn hot_of_another_repository_is_replaced_and_never_believed() {
    let scene = Scene::new();
    let pins = scene.create().unwrap();
    let other = Scene::new();
    create(&other.places, &key(2), &other.birth, 0, &Arc::default()).unwrap();
    let hot = scene.places.hot.clone().unwrap();
    std::fs::remove_dir_all(&hot).unwrap();
    std::fs::rename(other.places.hot.as_ref().unwrap(), &hot).unwrap();

    scene.open(&key(1), Some(&pins)).unwrap();

    let sealed = std::fs::read(hot.join("config")).unwrap();
    let json = Seal::new(&key(1)).open_json(&sealed, 64 * 1024).unwrap();
    let config: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(config["is_hot"], true);
}

#[test]
fn a_hostile_birth_certificate_breaks_the_pin() {
    let scene = Scene::new();
    let pins = scene.create().unwrap();
    let path = scene.cold().join("unstoppable.json");
    let good = std::fs::read_to_string(&path).unwrap();

    let huge = format!("{good}{}", " ".repeat(100_000));
    for bad in ["", "{}", "[]", &good.replace("acme", "../x"), &huge] {
        std::fs::write(&path, bad).unwrap();
        assert_eq!(scene.refused(&key(1), Some(&pins)), ErrorKind::PinBroken, "{bad:.80}");
    }
}

#[test]
fn a_repository_is_never_used_as_the_cache_of_another() {
    let (alice, bob) = (Scene::new(), Scene::new());
    let pins = alice.create().unwrap();
    let bobs = create(&bob.places, &key(2), &bob.birth, 0, &Arc::default()).unwrap();

    let mistyped = Places { hot: Some(bob.cold().to_owned()), ..alice.places.clone() };
    let expected = Expected { pins: Some(pins), birth: None };
    let refused = Repository::open(&mistyped, &key(1), &expected, Mode::Append, &Arc::default())
        .err()
        .unwrap();

    assert_eq!(refused.kind(), ErrorKind::InvalidInput);
    bob.open(&key(2), Some(&bobs)).unwrap();
}

#[test]
fn hot_that_is_cold_under_another_name_is_refused_before_a_config_is_written() {
    let scene = Scene::new();
    std::fs::create_dir_all(scene.cold()).unwrap();
    let hot = scene.places.hot.clone().unwrap();
    std::fs::create_dir_all(hot.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(scene.cold(), &hot).unwrap();

    assert_eq!(scene.create().unwrap_err().kind(), ErrorKind::InvalidInput);
    assert!(!scene.cold().join("config").exists());

    std::fs::remove_file(&hot).unwrap();
    scene.create().unwrap();
}
