//! A repository's objects in memory, for our own engine and for `rustic_core`.
#![allow(dead_code, missing_docs)]
#![allow(clippy::pedantic, clippy::unwrap_used, clippy::indexing_slicing)]

use std::{
    collections::HashMap,
    fs,
    path::Path,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use rustic_core::{BytesList, FileType, Id, ReadBackend, RusticResult, WriteBackend};
use unstoppable_engine_core::{
    error::{Error, ErrorKind, Result},
    object::{Object, ObjectId, ObjectKind},
    storage::ReadStorage,
};

/// Objects by path.
#[derive(Clone, Default)]
pub struct Memory(pub Arc<Mutex<HashMap<String, Bytes>>>);

impl Memory {
    /// All files below `folder`.
    pub fn load(folder: &Path) -> Self {
        let memory = Self::default();
        let mut waiting = vec![folder.to_path_buf()];
        while let Some(path) = waiting.pop() {
            if path.is_dir() {
                waiting.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
            } else {
                let below = path.strip_prefix(folder).unwrap().to_str().unwrap();
                memory.put(below, fs::read(&path).unwrap());
            }
        }
        memory
    }

    /// Write below `folder` what is not there.
    pub fn save(&self, folder: &Path) {
        for (path, content) in self.0.lock().unwrap().iter() {
            let path = folder.join(path);
            if !path.exists() {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, content).unwrap();
            }
        }
    }

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
