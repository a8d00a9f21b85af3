//! What must hold for every input of every parser: it is refused, or what was read keeps the
//! parser's promises. A broken promise is a panic, which libFuzzer and the tests notice.
//!
//! What lies behind encryption is sealed first: an attacker who holds the key can do the same.

mod names;
mod objects;
mod packs;
mod servers;

use unstoppable_engine_core::{format::seal::Seal, key::RepositoryKey};

/// What is called with every input.
pub type Target = fn(&[u8]);

/// Every target with its name, which is that of its folder in `corpus/`.
pub const TARGETS: [(&str, Target); 13] = [
    ("base64", names::base64),
    ("birth", objects::birth),
    ("blob", packs::blob),
    ("config", objects::config),
    ("decompress", packs::decompress),
    ("index", objects::index),
    ("listing", servers::listing),
    ("name", names::name),
    ("pack", packs::pack),
    ("reply", servers::reply),
    ("sealed", packs::sealed),
    ("snapshot", objects::snapshot),
    ("tree", names::tree),
];

/// The target named `name`.
pub fn find(name: &str) -> Option<Target> {
    TARGETS.into_iter().find(|(known, _)| *known == name).map(|(_, target)| target)
}

/// A fixed key; None never happens, because it repeats nothing.
fn key() -> Option<RepositoryKey> {
    let mut byte = 0_u8;
    let key = [(); 64].map(|()| {
        byte = byte.wrapping_mul(73).wrapping_add(41);
        byte
    });
    RepositoryKey::from_bytes(&key).ok()
}

/// The seal of that key.
fn seal() -> Option<Seal> {
    key().map(|key| Seal::new(&key))
}

/// `plain`, sealed under it.
fn sealed(plain: &[u8]) -> Option<(Seal, Vec<u8>)> {
    let seal = seal()?;
    let sealed = seal.seal(plain).ok()?;
    Some((seal, sealed))
}
