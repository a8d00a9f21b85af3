//! Writes a repository of many tiny files, as large as a restore has to master in bounded memory.
//!
//! usage: `cargo run --release --example synthetic -- COLD [FILES] [BLOBS_PER_FILE]`
//!
//! A million files of three blobs each unless told otherwise, a thousand files in a folder.
//! Packs and index objects are those that `rustic_core` would write: at most 16 MiB and 10,000
//! blobs in a pack, trees apart from data, 50,000 blobs in an index object. The birth and the key
//! are those of `bench/engine_call.py`.

use std::{env, mem, ops::Range, path::Path};

use serde::Serialize;
use unstoppable_engine_core::{
    birth::Birth,
    error::{Error, ErrorKind, Result},
    format::seal::Seal,
    key::RootSecret,
    object::{Object, ObjectId, ObjectKind},
    repository::{Places, create},
    storage::{
        AppendStorage,
        local::{Append, LocalDirectory},
    },
};

const CREATED_AT_SECONDS: i64 = 1_700_000_000;
const TIME: &str = "2023-11-14T22:13:20+00:00";
const FILES_PER_FOLDER: usize = 1000;
const FOLDERS_PER_FOLDER: usize = 32;
const BLOB_BYTES: u64 = 16;
/// First byte of a compressed object that is JSON.
const COMPRESSED: u8 = 2;
const MOST_PACK_BYTES: usize = 16 << 20;
const MOST_PACK_BLOBS: usize = 10_000;
const MOST_INDEX_BLOBS: usize = 50_000;

#[derive(Serialize)]
struct IndexObject {
    packs: Vec<IndexPack>,
}

#[derive(Serialize)]
struct IndexPack {
    id: ObjectId,
    blobs: Vec<IndexBlob>,
    time: &'static str,
    size: usize,
}

#[derive(Serialize)]
struct IndexBlob {
    id: ObjectId,
    #[serde(rename = "type")]
    kind: &'static str,
    offset: u32,
    length: u32,
    uncompressed_length: u32,
}

#[derive(Serialize)]
struct Tree {
    nodes: Vec<Node>,
}

#[derive(Serialize)]
struct Node {
    name: String,
    #[serde(rename = "type")]
    kind: &'static str,
    mode: u32,
    mtime: &'static str,
    atime: &'static str,
    ctime: &'static str,
    uid: u32,
    gid: u32,
    user: &'static str,
    group: &'static str,
    inode: u64,
    device_id: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    links: u64,
    content: Option<Vec<ObjectId>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subtree: Option<ObjectId>,
}

#[derive(Serialize)]
struct Snapshot<'a> {
    time: &'static str,
    program_version: &'static str,
    tree: ObjectId,
    label: &'a str,
    paths: [String; 1],
    hostname: &'a str,
    username: &'static str,
    uid: u32,
    gid: u32,
    tags: [String; 0],
    summary: Summary,
}

#[derive(Serialize)]
struct Summary {
    files_new: u64,
    total_files_processed: u64,
    total_bytes_processed: u64,
    data_blobs: u64,
    command: &'static str,
    backup_start: &'static str,
    backup_end: &'static str,
}

/// A pack that is being filled with blobs of one kind.
struct Pack {
    kind: &'static str,
    bytes: Vec<u8>,
    blobs: Vec<IndexBlob>,
}

/// A repository that is being written.
struct Writer {
    cold: LocalDirectory<Append>,
    seal: Seal,
    data: Pack,
    trees: Pack,
    index: IndexObject,
    /// Of folders and files.
    next_inode: u64,
}

impl Pack {
    fn new(kind: &'static str) -> Self {
        Self { kind, bytes: Vec::new(), blobs: Vec::new() }
    }

    fn add(&mut self, seal: &Seal, plain: &[u8]) -> Result<ObjectId> {
        let id = ObjectId::of(plain);
        let sealed = seal.seal(&compress(plain)?)?;
        self.blobs.push(IndexBlob {
            id,
            kind: self.kind,
            offset: short(self.bytes.len())?,
            length: short(sealed.len())?,
            uncompressed_length: short(plain.len())?,
        });
        self.bytes.extend(sealed);
        Ok(id)
    }

    fn is_full(&self) -> bool {
        self.bytes.len() >= MOST_PACK_BYTES || self.blobs.len() >= MOST_PACK_BLOBS
    }

    /// The pack's list of its own blobs, not sealed.
    fn header(&self) -> Vec<u8> {
        let mark = if self.kind == "data" { 2 } else { 3 };
        let entry = |blob: &IndexBlob| {
            let numbers = [blob.length.to_le_bytes(), blob.uncompressed_length.to_le_bytes()];
            [&[mark], numbers.as_flattened(), blob.id.0.as_slice()].concat()
        };
        self.blobs.iter().flat_map(entry).collect()
    }
}

impl Writer {
    fn new(cold: &Path, seal: Seal) -> Self {
        Self {
            cold: LocalDirectory::new(cold),
            seal,
            data: Pack::new("data"),
            trees: Pack::new("tree"),
            index: IndexObject { packs: Vec::new() },
            next_inode: 1,
        }
    }

    /// Store the files of the numbers `files`, in folders in folders; returns the tree over all.
    fn files(&mut self, files: Range<u64>, blobs_per_file: u64) -> Result<ObjectId> {
        let mut folders = Vec::new();
        for first in files.clone().step_by(FILES_PER_FOLDER * FOLDERS_PER_FOLDER) {
            let last = files.end.min(first + (FILES_PER_FOLDER * FOLDERS_PER_FOLDER) as u64);
            let tree = self.folders(first..last, blobs_per_file)?;
            folders.push(self.folder(format!("{first:07}"), tree));
        }
        self.tree(folders)
    }

    fn folders(&mut self, files: Range<u64>, blobs_per_file: u64) -> Result<ObjectId> {
        let mut folders = Vec::new();
        for first in files.clone().step_by(FILES_PER_FOLDER) {
            let last = files.end.min(first + FILES_PER_FOLDER as u64);
            let nodes = (first..last).map(|number| self.file(number, blobs_per_file));
            let nodes = nodes.collect::<Result<_>>()?;
            let tree = self.tree(nodes)?;
            folders.push(self.folder(format!("{first:07}"), tree));
        }
        self.tree(folders)
    }

    fn file(&mut self, number: u64, blob_count: u64) -> Result<Node> {
        let mut content = Vec::new();
        for part in 0..blob_count {
            let plain = [number.to_le_bytes(), part.to_le_bytes()];
            content.push(self.data.add(&self.seal, plain.as_flattened())?);
            self.save_full_packs()?;
        }
        let mut node = self.node(format!("{number:07}"), "file", 0o644);
        node.size = Some(BLOB_BYTES * blob_count);
        node.content = Some(content);
        Ok(node)
    }

    fn folder(&mut self, name: String, tree: ObjectId) -> Node {
        let mut node = self.node(name, "dir", 1 << 31 | 0o755);
        node.subtree = Some(tree);
        node
    }

    fn node(&mut self, name: String, kind: &'static str, mode: u32) -> Node {
        self.next_inode += 1;
        Node {
            name,
            kind,
            mode,
            mtime: TIME,
            atime: TIME,
            ctime: TIME,
            uid: 0,
            gid: 0,
            user: "root",
            group: "root",
            inode: self.next_inode,
            device_id: 66_305,
            size: None,
            links: 1,
            content: None,
            subtree: None,
        }
    }

    fn tree(&mut self, nodes: Vec<Node>) -> Result<ObjectId> {
        let mut json = to_json(&Tree { nodes })?;
        json.push(b'\n');
        let id = self.trees.add(&self.seal, &json)?;
        self.save_full_packs()?;
        Ok(id)
    }

    fn save_full_packs(&mut self) -> Result<()> {
        for is_data in [true, false] {
            let pack = if is_data { &mut self.data } else { &mut self.trees };
            if pack.is_full() {
                let full = mem::replace(pack, Pack::new(pack.kind));
                self.save_pack(full)?;
            }
        }
        let blob_count: usize = self.index.packs.iter().map(|pack| pack.blobs.len()).sum();
        if blob_count >= MOST_INDEX_BLOBS { self.save_index() } else { Ok(()) }
    }

    fn save_pack(&mut self, mut pack: Pack) -> Result<()> {
        if pack.blobs.is_empty() {
            return Ok(());
        }
        let header = self.seal.seal(&pack.header())?;
        pack.bytes.extend(&header);
        pack.bytes.extend(short(header.len())?.to_le_bytes());
        let size = pack.bytes.len();
        let id = self.save(ObjectKind::Pack, pack.bytes)?;
        self.index.packs.push(IndexPack { id, blobs: pack.blobs, time: TIME, size });
        Ok(())
    }

    fn save_index(&mut self) -> Result<()> {
        let index = mem::replace(&mut self.index, IndexObject { packs: Vec::new() });
        self.save_json(ObjectKind::Index, &index).map(drop)
    }

    fn save_json(&self, kind: ObjectKind, value: &impl Serialize) -> Result<ObjectId> {
        let plain = [vec![COMPRESSED], compress(&to_json(value)?)?].concat();
        self.save(kind, self.seal.seal(&plain)?)
    }

    fn save(&self, kind: ObjectKind, content: Vec<u8>) -> Result<ObjectId> {
        let id = ObjectId::of(&content);
        self.cold.create(&Object::Hashed(kind, id), &[content.into()])?;
        Ok(id)
    }

    /// Store what is still in memory, so that the snapshot may follow.
    fn finish(&mut self) -> Result<()> {
        for kind in ["data", "tree"] {
            let pack = if kind == "data" { &mut self.data } else { &mut self.trees };
            let last = mem::replace(pack, Pack::new(kind));
            self.save_pack(last)?;
        }
        self.save_index()
    }
}

fn compress(plain: &[u8]) -> Result<Vec<u8>> {
    zstd::bulk::compress(plain, 0)
        .map_err(|error| Error::caused_by(ErrorKind::Internal, "cannot compress", error))
}

fn to_json(value: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(value)
        .map_err(|error| Error::caused_by(ErrorKind::Internal, "cannot write JSON", error))
}

fn short(number: usize) -> Result<u32> {
    u32::try_from(number)
        .map_err(|error| Error::caused_by(ErrorKind::Internal, "a pack is too long", error))
}

/// The snapshot of `tree`, whose `files` have so many blobs each.
fn snapshot(birth: &Birth, tree: ObjectId, files: u64, blobs_per_file: u64) -> Snapshot<'_> {
    let summary = Summary {
        files_new: files,
        total_files_processed: files,
        total_bytes_processed: files * blobs_per_file * BLOB_BYTES,
        data_blobs: files * blobs_per_file,
        command: "synthetic",
        backup_start: TIME,
        backup_end: TIME,
    };
    Snapshot {
        time: TIME,
        program_version: "unstoppable synthetic",
        tree,
        label: birth.resource(),
        paths: [birth.snapshot_path()],
        hostname: birth.customer(),
        username: "root",
        uid: 0,
        gid: 0,
        tags: [],
        summary,
    }
}

fn write(cold: &Path, files: u64, blobs_per_file: u64) -> Result<ObjectId> {
    let birth = Birth::new("bench", "data", 1)?;
    let root = RootSecret::from_bytes(&ObjectId::of(b"unstoppable bench").0)?;
    let key = root.repository_key(&birth)?;
    let places = Places { cold: cold.to_owned().into(), hot: None };
    create(&places, &key, &birth, CREATED_AT_SECONDS, &std::sync::Arc::default())?;
    let mut writer = Writer::new(cold, Seal::new(&key));
    let mut tree = writer.files(0..files, blobs_per_file)?;
    for name in [birth.resource(), birth.customer()] {
        let folder = writer.folder(name.to_owned(), tree);
        tree = writer.tree(vec![folder])?;
    }
    writer.finish()?;
    let snapshot = snapshot(&birth, tree, files, blobs_per_file);
    writer.save_json(ObjectKind::Snapshot, &snapshot)
}

fn main() -> Result<()> {
    let mut arguments = env::args().skip(1);
    let usage = || Error::new(ErrorKind::InvalidInput, "synthetic COLD [FILES] [BLOBS_PER_FILE]");
    let cold = arguments.next().ok_or_else(usage)?;
    let mut number = |default| match arguments.next() {
        Some(text) => text.parse().map_err(|_| usage()),
        None => Ok(default),
    };
    let (files, blobs_per_file) = (number(1_000_000)?, number(3)?);
    let snapshot = write(Path::new(&cold), files, blobs_per_file)?;
    println!("{snapshot}");
    Ok(())
}
