//! Where repositories lie: the ports, and the local directory.
//!
//! What a caller may do is a type. [`ReadStorage`] cannot write; [`AppendStorage`] creates but
//! has no way to delete or overwrite; only [`MaintainStorage`] removes.
//!
//! ```compile_fail,E0277
//! use unstoppable_engine_core::storage::{MaintainStorage, local::{Append, LocalDirectory}};
//! fn remover(_: &impl MaintainStorage) {}
//! remover(&LocalDirectory::<Append>::new("/srv/cold"));
//! ```

pub mod cold;
mod entries;
pub(crate) mod files;
pub mod hot;
pub mod local;
pub mod s3;
pub mod tiered;
pub mod uploads;

use std::sync::Arc;

use bytes::Bytes;

use crate::{
    control::Control,
    error::{Error, ErrorKind, Result},
    object::{Object, ObjectId, ObjectKind},
};

/// The largest object that is read whole; packs stay far below it.
const LARGEST_OBJECT_BYTES: u64 = 512 * 1024 * 1024;

/// Reads a repository.
pub trait ReadStorage: Send + Sync {
    /// Where the repository lies, for messages; holds no secret.
    fn location(&self) -> String;

    /// All objects of `kind` with their sizes in bytes, in no order.
    /// An error on any part of the listing is an error of the whole; a folder that is missing is
    /// an error as well. Names that are not ids are left out.
    fn list(&self, kind: ObjectKind) -> Result<Vec<(ObjectId, u64)>>;

    /// The first `most` paths that [`Self::list`] leaves out, as far as the storage can tell them;
    /// but not those that somebody may be writing to just now.
    fn strays(&self, _kind: ObjectKind, _most: usize) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    /// The whole object, or None where there is none; the caller checks it against its name.
    fn read(&self, object: &Object) -> Result<Option<Bytes>>;

    /// The whole object, or None where there is none; [`ErrorKind::Damaged`] where it takes more
    /// than `most_bytes`, which are never held in memory.
    fn read_at_most(&self, object: &Object, most_bytes: u64) -> Result<Option<Bytes>> {
        match self.size(object)? {
            None => Ok(None),
            Some(size_bytes) if size_bytes > most_bytes => Err(too_large(object, most_bytes)),
            Some(_) => self.read(object),
        }
    }

    /// Exactly `length_bytes` from `offset_bytes` on; fails when the object is missing or shorter.
    fn read_range(&self, object: &Object, offset_bytes: u64, length_bytes: usize) -> Result<Bytes>;

    /// The object's size in bytes, or None where there is none.
    fn size(&self, object: &Object) -> Result<Option<u64>>;

    /// The sizes of many objects of one kind, in their order.
    fn sizes(&self, kind: ObjectKind, ids: &[ObjectId]) -> Result<Vec<Option<u64>>> {
        ids.iter().map(|id| self.size(&Object::Hashed(kind, *id))).collect()
    }

    /// From now on wait for nothing that may come later, such as a server that is away, once the
    /// work of `control` was cancelled.
    fn attend(&self, _control: &Arc<Control>) {}
}

/// Adds objects; never deletes and never overwrites one.
pub trait AppendStorage: ReadStorage {
    /// Make the folders of an empty repository; those that exist stay as they are.
    fn create_folders(&self) -> Result<()>;

    /// Store an object whole or not at all, durably when it returns.
    /// One that exists with the same bytes is a success (a repeated request), with other bytes
    /// an error; it is never changed.
    fn create(&self, object: &Object, content: &[Bytes]) -> Result<()>;

    /// How many objects may well be written at a time; more than one where each waits for a
    /// network.
    fn writers(&self) -> usize {
        1
    }
}

/// Removes and replaces objects as well.
pub trait MaintainStorage: AppendStorage {
    /// Remove an object; one that is missing is a success.
    fn remove(&self, object: &Object) -> Result<()>;
}

fn too_large(object: &Object, most_bytes: u64) -> Error {
    Error::new(
        ErrorKind::Damaged,
        format!("{object} takes more than {most_bytes} bytes: it is none"),
    )
}

/// Whether `parts`, one after the other, are `whole`.
fn is_same(whole: &[u8], parts: impl IntoIterator<Item = Bytes>) -> bool {
    let mut rest = whole;
    let begins = parts.into_iter().all(|part| match rest.strip_prefix(part.as_ref()) {
        Some(after) => {
            rest = after;
            true
        }
        None => false,
    });
    begins && rest.is_empty()
}
