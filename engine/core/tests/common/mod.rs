//! A repository in memory: written by `rustic_core` itself, or forged with the real key.
#![allow(dead_code, missing_docs)]
#![allow(clippy::pedantic, clippy::unwrap_used, clippy::indexing_slicing)]

use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use rustic_core::{
    BackupOptions, BytesList, ConfigOptions, Credentials, FileType, Id, KeyOptions, PathList,
    ReadBackend, Repository, RepositoryBackends, RepositoryOptions, RusticResult, SnapshotOptions,
    WriteBackend, repofile::MasterKey,
};
use unstoppable_engine_core::{
    control::Control,
    error::{Error, ErrorKind, Result},
    format::{reader::Reader, seal::Seal},
    issue::{Collected, IssueKind},
    key::RepositoryKey,
    object::{Object, ObjectId, ObjectKind},
    restore::{RestoreOptions, RestoreSummary, restore},
    storage::ReadStorage,
};

/// Objects by path.
#[derive(Clone, Default)]
pub struct Memory(pub Arc<Mutex<HashMap<String, Bytes>>>);

impl Memory {
    pub fn get(&self, path: &str) -> Option<Bytes> {
        self.0.lock().unwrap().get(path).cloned()
    }

    pub fn put(&self, path: &str, content: impl Into<Bytes>) {
        self.0.lock().unwrap().insert(path.to_owned(), content.into());
    }

    /// All paths that begin with `folder`.
    pub fn paths(&self, folder: &str) -> Vec<String> {
        let objects = self.0.lock().unwrap();
        let mut paths: Vec<_> =
            objects.keys().filter(|path| path.starts_with(folder)).cloned().collect();
        paths.sort();
        paths
    }

    /// Change the byte at `place` (from the end when negative).
    pub fn flip(&self, path: &str, place: isize) {
        let mut content = self.get(path).unwrap().to_vec();
        let place = if place < 0 { content.len() as isize + place } else { place };
        content[place as usize] ^= 1;
        self.put(path, content);
    }
}

impl ReadStorage for Memory {
    fn location(&self) -> String {
        "memory".to_owned()
    }

    fn list(&self, kind: ObjectKind) -> Result<Vec<(ObjectId, u64)>> {
        let objects = self.0.lock().unwrap();
        let in_folder = |path: &&String| path.starts_with(&format!("{}/", kind.folder()));
        let entries = objects.iter().filter(|(path, _)| in_folder(path));
        Ok(entries
            .filter_map(|(path, content)| {
                Some((path.rsplit('/').next()?.parse().ok()?, content.len() as u64))
            })
            .collect())
    }

    fn read(&self, object: &Object) -> Result<Option<Bytes>> {
        Ok(self.get(&object.path()))
    }

    fn read_range(&self, object: &Object, offset_bytes: u64, length_bytes: usize) -> Result<Bytes> {
        let refuse = || Error::new(ErrorKind::Damaged, format!("{object} is missing or shorter"));
        let content = self.get(&object.path()).ok_or_else(refuse)?;
        let start = offset_bytes as usize;
        let end = start.checked_add(length_bytes).filter(|end| *end <= content.len());
        Ok(content.slice(start..end.ok_or_else(refuse)?))
    }

    fn size(&self, object: &Object) -> Result<Option<u64>> {
        Ok(self.get(&object.path()).map(|content| content.len() as u64))
    }
}

fn path_of(kind: FileType, id: &Id) -> String {
    let hex = id.to_hex().to_string();
    match kind {
        FileType::Config => "config".to_owned(),
        FileType::Pack => format!("data/{}/{hex}", &hex[..2]),
        _ => format!("{}/{hex}", kind.dirname()),
    }
}

impl ReadBackend for Memory {
    fn location(&self) -> String {
        "memory".to_owned()
    }

    fn list_with_size(&self, kind: FileType) -> RusticResult<Vec<(Id, u32)>> {
        if kind == FileType::Config {
            let config = self.get("config");
            return Ok(config
                .map(|config| (Id::default(), config.len() as u32))
                .into_iter()
                .collect());
        }
        let paths = self.paths(&format!("{}/", kind.dirname()));
        Ok(paths
            .iter()
            .map(|path| {
                let id = path.rsplit('/').next().unwrap().parse().unwrap();
                (id, self.get(path).unwrap().len() as u32)
            })
            .collect())
    }

    fn read_full(&self, kind: FileType, id: &Id) -> RusticResult<Bytes> {
        Ok(self.get(&path_of(kind, id)).unwrap())
    }

    fn read_partial(
        &self,
        kind: FileType,
        id: &Id,
        _cacheable: bool,
        offset: u32,
        length: u32,
    ) -> RusticResult<Bytes> {
        let content = self.get(&path_of(kind, id)).unwrap();
        Ok(content.slice(offset as usize..(offset + length) as usize))
    }

    fn warmup_path(&self, _kind: FileType, _id: &Id) -> String {
        String::new()
    }
}

impl WriteBackend for Memory {
    fn write_bytes(
        &self,
        kind: FileType,
        id: &Id,
        _: bool,
        content: BytesList,
    ) -> RusticResult<()> {
        self.put(&path_of(kind, id), content.slice().concat());
        Ok(())
    }

    fn remove(&self, kind: FileType, id: &Id, _: bool) -> RusticResult<()> {
        self.0.lock().unwrap().remove(&path_of(kind, id));
        Ok(())
    }
}

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
        let part = |value: &serde_json::Value| base64(value.as_str().unwrap());
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

    pub fn restore(&self, snapshot: ObjectId, target: &Path) -> RestoreSummary {
        self.restore_with(snapshot, target, &RestoreOptions::default()).unwrap()
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
        self.put_json(
            ObjectKind::Snapshot,
            &format!(
                r#"{{"time":"2026-11-24T00:00:00Z","tree":"{root}","hostname":"acme","label":"www","paths":["/acme/www"]}}"#
            ),
        )
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

fn base64(text: &str) -> Vec<u8> {
    let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bits = 0u32;
    let mut count = 0;
    let mut bytes = Vec::new();
    for digit in text.bytes().filter(|digit| *digit != b'=') {
        bits = bits << 6 | digits.iter().position(|known| *known == digit).unwrap() as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    bytes
}
