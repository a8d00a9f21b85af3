//! What stands in a file's place already, and which pieces of it are right.

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::Mutex,
};

use rustix::{
    fs::{OFlags, Stat, flistxattr},
    io::{Errno, Result as IoResult},
    process::geteuid,
};

use super::{metadata::is_wanted, temporary::Temporary};
use crate::{
    control::Control,
    error::{Error, Result},
    format::tree::Metadata,
    object::ObjectId,
    storage::files::read_at,
    workers::lock,
};

/// Names of attributes take no more on Linux.
const MOST_NAME_BYTES: usize = 64 << 10;

/// A file that has the name and the length of one that is restored.
#[derive(Debug)]
pub struct Standing {
    handle: OwnedFd,
    size_bytes: u64,
    /// The pieces from its start on that were found right, with their lengths in bytes.
    right: Mutex<Vec<(ObjectId, u32)>>,
}

impl Standing {
    /// The file in the place of `temporary`, if it could stay when its content is right: it is
    /// no link, has no name elsewhere, and belongs to nobody who must not have it.
    pub fn find(temporary: &Temporary, metadata: &Metadata, exact: bool) -> Option<Self> {
        let name = temporary.final_name();
        let (handle, found) = temporary.folder().regular_file(name, OFlags::RDONLY).ok()??;
        let size_bytes = u64::try_from(found.st_size).ok()?;
        let may_stay = size_bytes == metadata.size_bytes
            && found.st_nlink <= metadata.links.max(1)
            && is_owned_rightly(&found, metadata, exact)
            && has_no_more_attributes(&handle, metadata, exact);
        may_stay.then_some(Self { handle, size_bytes, right: Mutex::default() })
    }

    /// Its length.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Note that the next piece was found right.
    pub fn remember(&self, id: ObjectId, length_bytes: u32) {
        lock(&self.right).push((id, length_bytes));
    }

    /// Give the pieces that were found right to `write`, each verified once more: meanwhile
    /// somebody may have written to the file.
    pub fn copy(
        &self,
        control: &Control,
        mut write: impl FnMut(u64, &[u8]) -> IoResult<()>,
    ) -> Result<()> {
        let mut offset_bytes = 0;
        for (id, length_bytes) in lock(&self.right).drain(..) {
            control.check()?;
            let piece = read_verified(&self.handle, id, offset_bytes, length_bytes as usize)
                .ok_or_else(|| failed("it changed while it was compared", Errno::STALE))?;
            write(offset_bytes, &piece).map_err(|errno| failed("cannot be written", errno))?;
            offset_bytes += u64::from(length_bytes);
        }
        Ok(())
    }
}

fn failed(what: &str, errno: Errno) -> Error {
    Error::storage(what, errno.into())
}

impl AsFd for Standing {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.handle.as_fd()
    }
}

/// The bytes of `file` there, if they are those that `id` names.
pub fn read_verified(
    file: impl AsFd,
    id: ObjectId,
    offset_bytes: u64,
    length_bytes: usize,
) -> Option<Vec<u8>> {
    let found = read_at(file, offset_bytes, length_bytes).ok()?;
    (ObjectId::of(&found) == id).then_some(found)
}

/// Its owner could change it at any time.
fn is_owned_rightly(found: &Stat, metadata: &Metadata, exact: bool) -> bool {
    let owner = metadata.uid.filter(|_| exact);
    found.st_uid == geteuid().as_raw() || owner == Some(found.st_uid)
}

/// An attribute that the snapshot does not have, an ACL say, could give others access.
pub fn has_no_more_attributes(file: &OwnedFd, metadata: &Metadata, exact: bool) -> bool {
    let mut names = vec![0; MOST_NAME_BYTES];
    let Ok(length) = flistxattr(file, &mut names) else { return false };
    let is_known = |name: &[u8]| {
        let mut wanted = metadata.attributes.iter().filter(|attribute| is_wanted(attribute, exact));
        // What a security module puts on every file is its own business; capabilities are power.
        name.starts_with(b"security.") && name != b"security.capability"
            || wanted.any(|attribute| attribute.name.as_bytes() == name)
    };
    let names = names.get(..length).unwrap_or_default();
    names.split(|byte| *byte == 0).filter(|name| !name.is_empty()).all(is_known)
}
