//! A repository in memory: written by `rustic_core` itself, or forged with the real key.
#![allow(dead_code, missing_docs)]
#![allow(clippy::pedantic, clippy::unwrap_used, clippy::indexing_slicing)]

mod faulty;
mod memory;

use std::{path::Path, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rustic_core::{
    BackupOptions, ConfigOptions, Credentials, KeyOptions, PathList, Repository,
    RepositoryBackends, RepositoryOptions, SnapshotOptions, repofile::MasterKey,
};
use unstoppable_engine_core::{
    control::Control,
    error::Result,
    format::{reader::Reader, seal::Seal},
    issue::{Collected, IssueKind},
    key::RepositoryKey,
    object::{Object, ObjectId, ObjectKind},
    restore::{RestoreOptions, RestoreSummary, restore},
};

pub use self::{faulty::Faulty, memory::Memory};

/// A repository with its key.
pub struct Fixture {
    pub memory: Memory,
    pub key: RepositoryKey,
    pub seal: Seal,
    master: MasterKey,
}

impl Fixture {
    /// A new repository, made by rustic_core.
    pub fn new() -> Self {
        let master = MasterKey::new();
        let json = serde_json::to_value(&master).unwrap();
        let part = |value: &serde_json::Value| STANDARD.decode(value.as_str().unwrap()).unwrap();
        let bytes =
            [part(&json["encrypt"]), part(&json["mac"]["k"]), part(&json["mac"]["r"])].concat();
        let key = RepositoryKey::from_bytes(&bytes).unwrap();
        let fixture = Self { memory: Memory::default(), seal: Seal::new(&key), key, master };
        let credentials = Credentials::Masterkey(fixture.master.clone());
        fixture
            .rustic()
            .init(&credentials, &KeyOptions::default(), &ConfigOptions::default())
            .unwrap();
        fixture
    }

    /// A copy of the repository that lies in `folder`.
    pub fn load(key: &RepositoryKey, folder: &Path) -> Self {
        let bytes = key.as_bytes();
        let part = |range: std::ops::Range<usize>| STANDARD.encode(&bytes[range]);
        let form = serde_json::json!({
            "encrypt": part(0..32),
            "mac": { "k": part(32..48), "r": part(48..64) },
        });
        let master = serde_json::from_value(form).unwrap();
        let memory = Memory::load(folder);
        Self { memory, seal: Seal::new(key), key: key.clone(), master }
    }

    /// Write to the repository in `folder` what it does not hold yet.
    pub fn save(&self, folder: &Path) {
        self.memory.save(folder);
    }

    fn rustic(&self) -> Repository<()> {
        let mut options = RepositoryOptions::default();
        options.no_cache = true;
        let backends = RepositoryBackends::new(Arc::new(self.memory.clone()), None);
        Repository::new(&options, &backends).unwrap()
    }

    /// Back `folder` up with rustic_core as `/acme/www`.
    pub fn backup(&self, folder: &Path) -> ObjectId {
        let credentials = Credentials::Masterkey(self.master.clone());
        let repository = self.rustic().open(&credentials).unwrap().to_indexed_ids().unwrap();
        let mut options = BackupOptions::default();
        options.as_path = Some("/acme/www".into());
        let mut snapshot = SnapshotOptions::default()
            .host("acme".to_owned())
            .label("www".to_owned())
            .to_snapshot()
            .unwrap();
        snapshot.program_version = "test".to_owned();
        let source = PathList::from_iter([folder.to_path_buf()]).sanitize().unwrap();
        let snapshot = repository.backup(&options, &source, snapshot).unwrap();
        snapshot.id.to_hex().to_string().parse().unwrap()
    }

    pub fn reader(&self) -> Reader {
        Reader::new(Arc::new(self.memory.clone()), &self.key)
    }

    /// A reader of the same objects through storage with faults.
    pub fn faulty_reader(&self, faults: Faulty) -> (Reader, Arc<Faulty>) {
        let faulty = Arc::new(Faulty { memory: self.memory.clone(), ..faults });
        (Reader::new(faulty.clone(), &self.key), faulty)
    }

    pub fn restore(&self, snapshot: ObjectId, target: &Path) -> RestoreSummary {
        self.restore_with(snapshot, target, &RestoreOptions::default()).unwrap()
    }

    /// Restore over whatever stands in `target`.
    pub fn restore_over(&self, snapshot: ObjectId, target: &Path) -> RestoreSummary {
        let options = RestoreOptions { overwrite: true, ..RestoreOptions::default() };
        self.restore_with(snapshot, target, &options).unwrap()
    }

    pub fn restore_with(
        &self,
        snapshot: ObjectId,
        target: &Path,
        options: &RestoreOptions,
    ) -> Result<RestoreSummary> {
        restore(&self.reader(), snapshot, target, options, &Control::default())
    }

    /// Store sealed JSON under its right name.
    pub fn put_json(&self, kind: ObjectKind, json: &str) -> ObjectId {
        self.put_object(kind, self.seal.seal(json.as_bytes()).unwrap())
    }

    /// Store bytes under their right name.
    pub fn put_object(&self, kind: ObjectKind, content: Vec<u8>) -> ObjectId {
        let id = ObjectId::of(&content);
        self.memory.put(&Object::Hashed(kind, id).path(), content);
        id
    }

    /// Store `blobs` (kind, plaintext) in a pack and its index; returns their ids.
    pub fn put_blobs(&self, blobs: &[(&str, &[u8])]) -> Vec<ObjectId> {
        let sealed: Vec<_> = blobs
            .iter()
            .map(|(kind, plain)| {
                let packed = zstd::bulk::compress(plain, 0).unwrap();
                (*kind, ObjectId::of(plain), self.seal.seal(&packed).unwrap(), plain.len())
            })
            .collect();
        self.put_pack(&sealed);
        sealed.iter().map(|(_, id, _, _)| *id).collect()
    }

    /// Store a pack of (kind, id, sealed, claimed length) and an index that says so.
    pub fn put_pack(&self, blobs: &[(&str, ObjectId, Vec<u8>, usize)]) -> ObjectId {
        let mut pack = Vec::new();
        let mut header = Vec::new();
        let mut entries = Vec::new();
        for (kind, id, sealed, length) in blobs {
            entries.push(entry(kind, *id, pack.len(), sealed.len(), *length));
            header.push(if *kind == "data" { 2 } else { 3 });
            header.extend((sealed.len() as u32).to_le_bytes());
            header.extend((*length as u32).to_le_bytes());
            header.extend(id.0);
            pack.extend(sealed);
        }
        let header = self.seal.seal(&header).unwrap();
        pack.extend(&header);
        pack.extend((header.len() as u32).to_le_bytes());
        let id = self.put_object(ObjectKind::Pack, pack);
        self.put_index(id, &entries);
        id
    }

    /// Store an index object that says `pack` holds `entries`.
    pub fn put_index(&self, pack: ObjectId, entries: &[String]) -> ObjectId {
        let entries = entries.join(",");
        self.put_json(
            ObjectKind::Index,
            &format!(r#"{{"packs":[{{"id":"{pack}","blobs":[{entries}]}}]}}"#),
        )
    }

    /// A snapshot whose source folder holds `nodes` (JSON).
    pub fn forge(&self, nodes: &str) -> ObjectId {
        let content = self.put_tree(nodes);
        self.forge_tree(content)
    }

    /// A snapshot whose source folder is the tree `content`.
    pub fn forge_tree(&self, content: ObjectId) -> ObjectId {
        let label = self.put_tree(&folder("www", content));
        let root = self.put_tree(&folder("acme", label));
        self.put_json(ObjectKind::Snapshot, &snapshot(root, FORGED_AT, ""))
    }

    pub fn put_tree(&self, nodes: &str) -> ObjectId {
        self.put_blobs(&[("tree", format!("{{\"nodes\":[{nodes}]}}\n").as_bytes())])[0]
    }

    /// JSON of a file node with `content` stored as one blob.
    pub fn file(&self, name: &str, content: &[u8]) -> String {
        let id = self.put_blobs(&[("data", content)])[0];
        format!(
            r#"{{"name":"{name}","type":"file","mode":420,"size":{},"content":["{id}"]}}"#,
            content.len()
        )
    }
}

/// When forged snapshots say they were made: one and a half minutes after a scene's first run.
pub const FORGED_AT: &str = "2026-11-24T12:01:30Z";

/// JSON of a snapshot of the tree `root`, with `rest` at its end.
pub fn snapshot(root: ObjectId, time: &str, rest: &str) -> String {
    format!(
        r#"{{"time":"{time}","tree":"{root}","hostname":"acme","label":"www","paths":["/acme/www"]{rest}}}"#
    )
}

/// JSON of an index entry.
pub fn entry(kind: &str, id: ObjectId, offset: usize, length: usize, plain: usize) -> String {
    format!(
        r#"{{"id":"{id}","type":"{kind}","offset":{offset},"length":{length},"uncompressed_length":{plain}}}"#
    )
}

/// JSON of a folder node.
pub fn folder(name: &str, tree: ObjectId) -> String {
    format!(r#"{{"name":"{name}","type":"dir","mode":2147484141,"subtree":"{tree}"}}"#)
}

/// (kind, path) of all issues, sorted.
pub fn told(issues: &Collected) -> Vec<(IssueKind, String)> {
    let mut told: Vec<_> = issues
        .kept
        .iter()
        .map(|issue| (issue.kind, String::from_utf8_lossy(&issue.path).into_owned()))
        .collect();
    told.sort_by(|one, other| one.1.cmp(&other.1));
    told
}
