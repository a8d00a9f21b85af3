//! Storage with faults: objects that cannot be read, and listings that tell other sizes.

use std::{collections::HashMap, sync::Mutex};

use bytes::Bytes;
use unstoppable_engine_core::{
    error::{Error, ErrorKind, Result},
    object::{Object, ObjectId, ObjectKind},
    storage::ReadStorage,
};

use super::Memory;

/// Objects in memory, some of them behind bad sectors.
#[derive(Default)]
pub struct Faulty {
    pub memory: Memory,
    /// Paths that begin with one of these cannot be read.
    pub unreadable: Vec<String>,
    /// Sizes that are told instead of the true ones, by path.
    pub sizes: HashMap<String, u64>,
    /// Every path that was asked for.
    pub reads: Mutex<Vec<String>>,
}

impl Faulty {
    fn touch(&self, object: &Object) -> Result<()> {
        let path = object.path();
        self.reads.lock().unwrap().push(path.clone());
        if self.unreadable.iter().any(|bad| path.starts_with(bad)) {
            let cause = std::io::Error::other("a bad sector");
            return Err(Error::caused_by(ErrorKind::Storage, format!("cannot read {path}"), cause));
        }
        Ok(())
    }

    fn told_size(&self, object: Object, size_bytes: u64) -> u64 {
        self.sizes.get(&object.path()).copied().unwrap_or(size_bytes)
    }
}

impl ReadStorage for Faulty {
    fn location(&self) -> String {
        "faulty".to_owned()
    }

    fn list(&self, kind: ObjectKind) -> Result<Vec<(ObjectId, u64)>> {
        let listed = self.memory.list(kind)?;
        let told = |(id, size)| (id, self.told_size(Object::Hashed(kind, id), size));
        Ok(listed.into_iter().map(told).collect())
    }

    fn read(&self, object: &Object) -> Result<Option<Bytes>> {
        self.touch(object)?;
        self.memory.read(object)
    }

    fn read_range(&self, object: &Object, offset_bytes: u64, length_bytes: usize) -> Result<Bytes> {
        self.touch(object)?;
        self.memory.read_range(object, offset_bytes, length_bytes)
    }

    fn size(&self, object: &Object) -> Result<Option<u64>> {
        Ok(self.memory.size(object)?.map(|size| self.told_size(*object, size)))
    }
}
