//! Trees and small files are read one by one, but lie side by side: whole windows are read and kept.

use std::{
    collections::{HashMap, VecDeque},
    sync::Mutex,
};

use bytes::Bytes;

use super::{blob::Location, damaged};
use crate::{error::Result, object::ObjectId, storage::ReadStorage, workers::lock};

/// Bytes of a pack that are read at once.
const WINDOW_BYTES: u64 = 1 << 20;
/// Windows that are kept: 16 MiB, at most twice as much.
const KEPT_WINDOWS: usize = 16;

/// The windows read last, and the sizes of their packs.
#[derive(Default)]
pub struct Windows {
    kept: Mutex<VecDeque<Window>>,
    sizes: Mutex<HashMap<ObjectId, u64>>,
}

#[derive(Clone)]
struct Window {
    pack: ObjectId,
    start_bytes: u64,
    content: Bytes,
}

impl Windows {
    /// The bytes at `location`.
    pub fn read(&self, storage: &dyn ReadStorage, location: &Location) -> Result<Bytes> {
        if let Some(found) = self.find(location) {
            return Ok(found);
        }
        let window = self.load(storage, location)?;
        let found = window.slice(location).ok_or_else(|| damaged("its pack is too short"))?;
        // What is larger is a single tree, and hardly wanted again.
        if window.content.len() as u64 <= 2 * WINDOW_BYTES {
            let mut kept = lock(&self.kept);
            kept.push_front(window);
            kept.truncate(KEPT_WINDOWS);
        }
        Ok(found)
    }

    /// Look through the kept windows; the one that helped moves to the front.
    fn find(&self, location: &Location) -> Option<Bytes> {
        let mut kept = lock(&self.kept);
        let place = kept.iter().position(|window| window.slice(location).is_some())?;
        let window = kept.remove(place)?;
        let found = window.slice(location);
        kept.push_front(window);
        found
    }

    fn load(&self, storage: &dyn ReadStorage, location: &Location) -> Result<Window> {
        let offset_bytes = u64::from(location.offset_bytes);
        let start_bytes = offset_bytes - offset_bytes % WINDOW_BYTES;
        let end_bytes = location.end_bytes().max(start_bytes + WINDOW_BYTES);
        let end_bytes = end_bytes.min(self.size(storage, location)?);
        let length = end_bytes.saturating_sub(start_bytes);
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let content = storage.read_range(&location.object(), start_bytes, length)?;
        Ok(Window { pack: location.pack, start_bytes, content })
    }

    fn size(&self, storage: &dyn ReadStorage, location: &Location) -> Result<u64> {
        if let Some(size) = lock(&self.sizes).get(&location.pack) {
            return Ok(*size);
        }
        let size = storage.size(&location.object())?;
        let size = size.ok_or_else(|| damaged(format!("{} is missing", location.object())))?;
        if size < location.end_bytes() {
            return Err(damaged(format!("{} is too short", location.object())));
        }
        lock(&self.sizes).insert(location.pack, size);
        Ok(size)
    }
}

impl Window {
    fn slice(&self, location: &Location) -> Option<Bytes> {
        let start = u64::from(location.offset_bytes).checked_sub(self.start_bytes)?;
        let end = location.end_bytes().checked_sub(self.start_bytes)?;
        let range = usize::try_from(start).ok()?..usize::try_from(end).ok()?;
        let is_inside = self.pack == location.pack && range.end <= self.content.len();
        is_inside.then(|| self.content.slice(range))
    }
}
