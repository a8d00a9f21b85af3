//! Every stored input of every target, without libFuzzer.
#![allow(missing_docs)]

use std::{collections::BTreeSet, fs, path::Path};

use targets::TARGETS;

#[test]
fn every_stored_input_keeps_the_promises() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (name, target) in TARGETS {
        let mut inputs = 0;
        for entry in fs::read_dir(corpus.join(name)).unwrap() {
            target(&fs::read(entry.unwrap().path()).unwrap());
            inputs += 1;
        }
        assert!(inputs > 0, "{name} has no stored input");
    }
}

#[test]
fn every_folder_of_inputs_has_its_target() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let folders = fs::read_dir(corpus).unwrap().map(|entry| entry.unwrap().file_name());
    let folders: BTreeSet<_> = folders.map(|name| name.into_string().unwrap()).collect();
    assert_eq!(folders, TARGETS.map(|(name, _)| name.to_owned()).into());
}
