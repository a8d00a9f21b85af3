//! Whatever happens to an object in cold, a check with all data names it, or it does not open.

use std::{
    fs,
    path::{Path, PathBuf},
};

use unstoppable_engine_core::{
    check::{check, part::Part},
    control::Control,
};

use crate::scene::{Scene, noise, told};

/// Places that are tried in one object, and as many again at its two ends.
const MOST_PLACES: usize = 300;

/// A repository with at least two objects of each kind, but for config and certificate.
fn scene() -> Scene {
    let mut scene = Scene::new();
    for seed in 0..2 {
        scene.write(&format!("folder/{seed}"), &noise(seed, 300));
        scene.write(&format!("long {seed}"), "many words ".repeat(200).as_bytes());
        scene.run();
    }
    scene.places.hot = None;
    for folder in fs::read_dir(scene.cold().join("data")).unwrap() {
        // Only those without packs can be removed: thousands of checks need not list them.
        let _ = fs::remove_dir(folder.unwrap().path());
    }
    scene
}

fn objects(scene: &Scene) -> Vec<PathBuf> {
    let mut waiting = vec![scene.cold().to_owned()];
    let mut found = Vec::new();
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { waiting.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

/// What opening and checking tells of: names of objects, or the sentence that refuses all.
fn findings(scene: &Scene) -> Vec<String> {
    let opened = match scene.open() {
        Ok(opened) => opened,
        Err(refused) => return vec![refused.chain()],
    };
    let summary = check(&opened.cold_reader(), Some(Part::ALL), &Control::default()).unwrap();
    told(&summary.issues).into_iter().map(|(_, path)| path).collect()
}

fn assert_named(scene: &Scene, path: &Path, what: &str) {
    let name = path.strip_prefix(scene.cold()).unwrap().to_str().unwrap();
    let found = findings(scene);
    let is_named = found.iter().any(|finding| {
        finding == name || !name.contains('/') && finding.contains(&format!("{name} "))
    });
    assert!(is_named, "{what} of {name}: {found:?}");
}

#[test]
fn a_flipped_bit_at_any_place_is_found_and_named() {
    let scene = scene();
    let objects = objects(&scene);
    assert!(objects.len() >= 2 + 2 + 2 + 4, "{objects:?}");
    for path in objects {
        let sound = fs::read(&path).unwrap();
        let step = (sound.len() / MOST_PLACES).max(1);
        let is_tried = |place: &usize| {
            place.is_multiple_of(step) || *place < MOST_PLACES || sound.len() - place < MOST_PLACES
        };
        for place in (0..sound.len()).filter(is_tried) {
            let mut flipped = sound.clone();
            flipped[place] ^= 1 << (place % 8);
            fs::write(&path, flipped).unwrap();
            assert_named(&scene, &path, &format!("byte {place}"));
        }
        fs::write(&path, sound).unwrap();
    }
    assert_eq!(findings(&scene), [""; 0]);
}

#[test]
fn an_object_that_is_longer_shorter_or_empty_is_found_and_named() {
    let scene = scene();
    for path in objects(&scene) {
        let sound = fs::read(&path).unwrap();
        let longer = [sound.as_slice(), b"\n"].concat();
        for wrong in [&longer, &sound[..sound.len() - 1], &sound[1..], &[]] {
            fs::write(&path, wrong).unwrap();
            assert_named(&scene, &path, &format!("{} bytes", wrong.len()));
        }
        fs::write(&path, sound).unwrap();
    }
    assert_eq!(findings(&scene), [""; 0]);
}

#[test]
fn objects_that_changed_places_are_found_and_named() {
    let scene = scene();
    let objects = objects(&scene);
    for (one, other) in objects.iter().zip(objects.iter().skip(1)) {
        let (ones, others) = (fs::read(one).unwrap(), fs::read(other).unwrap());
        fs::write(one, &others).unwrap();
        assert_named(&scene, one, "the next object in place");
        fs::write(other, &ones).unwrap();
        fs::write(one, &ones).unwrap();
        assert_named(&scene, other, "the object before in place");
        fs::write(other, &others).unwrap();
    }
    assert_eq!(findings(&scene), [""; 0]);
}

#[test]
fn an_object_under_another_name_is_found_and_named() {
    let scene = scene();
    for path in objects(&scene).into_iter().filter(|path| path.file_stem() == path.file_name()) {
        let mut name = path.to_str().unwrap().to_owned();
        let last = if name.ends_with('0') { "1" } else { "0" };
        name.replace_range(name.len() - 1.., last);
        let renamed = if name.ends_with("confi0") { continue } else { PathBuf::from(name) };
        fs::rename(&path, &renamed).unwrap();
        assert_named(&scene, &renamed, "another name");
        fs::rename(&renamed, &path).unwrap();
    }
    assert_eq!(findings(&scene), [""; 0]);
}

#[test]
fn a_missing_object_is_found_through_what_needs_it() {
    let scene = scene();
    for path in objects(&scene) {
        // Nothing in a repository says that a snapshot was there; that is for another machine.
        if path.parent().unwrap().ends_with("snapshots") {
            continue;
        }
        let content = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        assert!(!findings(&scene).is_empty(), "{}", path.display());
        fs::write(&path, content).unwrap();
    }
    assert_eq!(findings(&scene), [""; 0]);
}
