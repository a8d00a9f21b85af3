//! Objects of JSON: config, birth certificate, snapshot, index.

use unstoppable_engine_core::{
    birth::BirthCertificate,
    format::{
        config::{Config, LARGEST_CONFIG_BYTES},
        index::IndexBuilder,
        index_object::IndexObject,
        reader::{open_index, open_snapshot},
        snapshot::Snapshot,
    },
    object::ObjectId,
};

/// A config that opens says its id itself, and is not larger than one may be.
pub fn config(data: &[u8]) {
    let Some((seal, sealed)) = crate::sealed(data) else { return };
    let Ok(json) = Config::open_json(&sealed, &seal) else { return };
    assert!(json.is_object(), "a config that is no object");
    assert!(sealed.len() <= LARGEST_CONFIG_BYTES, "a config of any size");
    if let Ok(config) = Config::parse(&json) {
        let said = json.get("id").and_then(serde_json::Value::as_str);
        assert_eq!(said, Some(config.id.to_hex().as_str()));
        assert_eq!(json.get("version").and_then(serde_json::Value::as_u64), Some(2));
    }
}

/// A certificate that is read is written with the same meaning, and names a birth that is safe
/// as a path.
pub fn birth(data: &[u8]) {
    let Some(key) = crate::key() else { return };
    assert!(BirthCertificate::from_json(data, &key).is_err(), "a certificate without the MAC");
    let Ok(signed) = BirthCertificate::authenticate(data.to_vec(), &key) else { return };
    let Ok((certificate, birth)) = BirthCertificate::from_json(&signed, &key) else { return };
    for name in [birth.customer(), birth.resource()] {
        let is_safe = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        assert!(!name.is_empty() && name.len() <= 20 && name.bytes().all(is_safe), "{name}");
    }
    let again = certificate.to_json(&key);
    let again = again.and_then(|json| BirthCertificate::from_json(&json, &key));
    assert_eq!(again.ok(), Some((certificate, birth)));
}

/// A snapshot is the same whether it was sealed or not, and holds no more than its JSON.
pub fn snapshot(data: &[u8]) {
    let Some((seal, sealed)) = crate::sealed(data) else { return };
    let id = ObjectId::of(&sealed);
    let opened = open_snapshot(id, sealed.len() as u64, &sealed, &seal).ok();
    if data.first() == Some(&b'{') {
        assert_eq!(opened, Snapshot::parse(id, data).ok());
    }
    assert!(open_snapshot(ObjectId::of(data), sealed.len() as u64, &sealed, &seal).is_err());
    let Some(snapshot) = opened.filter(|_| data.first() == Some(&b'{')) else { return };
    assert!(snapshot.time_nanoseconds < 1_000_000_000, "nanoseconds of more than a second");
    let texts = snapshot.paths.iter().chain(&snapshot.tags).map(String::len).sum::<usize>();
    let held = texts + snapshot.hostname.len() + snapshot.parents.len() * 64;
    assert!(held <= data.len(), "a snapshot holds more than its JSON");
}

/// Every claim of an index object is found again, and there are no more than its bytes can name.
pub fn index(data: &[u8]) {
    let Some((seal, sealed)) = crate::sealed(data) else { return };
    let id = ObjectId::of(&sealed);
    let Ok(object) = open_index(id, sealed.len() as u64, &sealed, &seal) else { return };
    if data.first() == Some(&b'{') {
        assert!(IndexObject::parse(data, sealed.len()).is_ok(), "sealed it is an index");
    }
    let mut builder = IndexBuilder::default();
    builder.add(&object);
    builder.add(&object);
    let index = builder.build();
    assert!(index.len() <= sealed.len() / 16, "more claims than bytes can name");
    for (blob, location) in index.all() {
        assert!(index.locations(blob).any(|found| found == location), "a claim was lost");
    }
    for (blob, location) in object.claims() {
        assert!(index.locations(blob).any(|found| found == location), "a claim is not listed");
    }
    for pack in object.packs().take(100) {
        let ends = index.all().filter(|(_, location)| location.pack == pack.id);
        let last = ends.map(|(_, location)| location.end_bytes()).max().unwrap_or_default();
        assert!(pack.least_bytes <= last, "{} ends before its last blob", pack.id);
    }
}
