//! Keys are what `tests/vectors/keys.json` froze: another derivation would lose every backup.

// Clippy knows only functions marked as tests, not the helpers beside them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use serde_json::Value;
use unstoppable_engine_core::{
    birth::{Birth, BirthCertificate},
    error::ErrorKind,
    key::{RepositoryKey, RootSecret},
};

/// The vectors under `name`, of which there must be some.
fn vectors(name: &str) -> Vec<Value> {
    vectors_of("keys.json", name)
}

fn vectors_of(file: &str, name: &str) -> Vec<Value> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors");
    let bytes = std::fs::read(std::path::Path::new(folder).join(file)).unwrap();
    let all: Value = serde_json::from_slice(&bytes).unwrap();
    let vectors = all[name].as_array().unwrap().clone();
    assert!(!vectors.is_empty(), "{name}");
    vectors
}

fn text<'vector>(vector: &'vector Value, name: &str) -> &'vector str {
    vector[name].as_str().unwrap()
}

fn bytes(vector: &Value, name: &str) -> Vec<u8> {
    hex::decode(text(vector, name)).unwrap()
}

#[test]
fn keys_are_derived_as_ever() {
    for vector in vectors("derivation") {
        let secret = RootSecret::from_bytes(&bytes(&vector, "root_secret")).unwrap();
        let generation = vector["generation"].as_u64().unwrap().try_into().unwrap();
        let (customer, resource) = (text(&vector, "customer"), text(&vector, "resource"));
        let birth = Birth::new(customer, resource, generation).unwrap();

        let key = secret.repository_key(&birth).unwrap();

        assert_eq!(key.as_bytes(), bytes(&vector, "repository_key").as_slice(), "{birth}");
        assert_eq!(key.fingerprint().to_hex(), text(&vector, "fingerprint"), "{birth}");
    }
}

#[test]
fn fingerprints_are_as_ever_with_mac_r_clamped_or_not() {
    for vector in vectors("fingerprint") {
        let key = RepositoryKey::from_bytes(&bytes(&vector, "repository_key")).unwrap();

        assert_eq!(key.fingerprint().to_hex(), text(&vector, "fingerprint"), "{}", vector["about"]);
    }
}

#[test]
fn secrets_that_nobody_generated_are_refused() {
    for vector in vectors("refused_root_secrets") {
        let refused = RootSecret::from_bytes(&bytes(&vector, "root_secret")).unwrap_err();

        assert_eq!(refused.kind(), ErrorKind::InvalidInput, "{}", vector["about"]);
    }
}

#[test]
fn birth_certificates_are_written_as_ever_and_no_byte_of_them_may_change() {
    for vector in vectors_of("birth.json", "certificates") {
        let key = RepositoryKey::from_bytes(&bytes(&vector, "repository_key")).unwrap();
        let generation = vector["generation"].as_u64().unwrap().try_into().unwrap();
        let birth =
            Birth::new(text(&vector, "customer"), text(&vector, "resource"), generation).unwrap();
        let id = text(&vector, "repository_id").parse().unwrap();
        let created_at_seconds = vector["created_at_seconds"].as_i64().unwrap();
        let certificate = BirthCertificate::new(&birth, id, created_at_seconds);

        let written = certificate.to_json(&key).unwrap();

        assert_eq!(String::from_utf8_lossy(&written), text(&vector, "unstoppable_json"));
        let read = BirthCertificate::from_json(&written, &key).unwrap();
        assert_eq!(read, (certificate.clone(), birth));
        assert!(BirthCertificate::from_json(&written, &key.clamped()).is_ok(), "one key");
        for place in 0..written.len() {
            let mut changed = written.clone();
            changed[place] ^= 1;
            assert!(BirthCertificate::from_json(&changed, &key).is_err(), "{place}");
        }
    }
}
