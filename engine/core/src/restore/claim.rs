//! The claim to a target: a file in it that says which restore is not finished.
//!
//! It has its name from the snapshot, so that no snapshot can hold its own, and is locked while the
//! restore is at work. With it a second call goes on where a first was cut off; without it a
//! folder that is not empty is left alone, unless the caller wants what differs replaced.
//! Claims of other restores, which a snapshot may hold, are not written to where they would claim
//! the target.

use std::{
    fs::File,
    io::{self, Read, Write},
    path::Path,
    sync::Arc,
};

use rustix::{
    fs::{AtFlags, Dir, FileType, FlockOperation, OFlags, flock, unlinkat},
    io::Errno,
    process::geteuid,
};

use super::{RestoreOptions, target::Folder};
use crate::{
    browse::normal,
    error::{Error, ErrorKind, Result},
    object::ObjectId,
};

/// To be told of a claim in a snapshot.
pub const CLAIMS: &str = "it would say that an unfinished restore lies here";
const CLAIM: &str = ".unstoppable-restore-";
/// No path that can be restored is longer.
const LONGEST_PATH_BYTES: u64 = 1 << 20;

/// The name of the claim of a restore of `snapshot`.
pub fn claim_name(snapshot: ObjectId) -> String {
    format!("{CLAIM}{snapshot}")
}

/// The snapshot whose restore has a claim of this name; whatever else begins so is content.
pub fn claimed_snapshot(name: &[u8]) -> Option<ObjectId> {
    let id = name.strip_prefix(CLAIM.as_bytes())?;
    std::str::from_utf8(id).ok()?.parse().ok()
}

/// A target that belongs to one restore.
pub struct Claim {
    target: Arc<Folder>,
    name: String,
    /// Keeps the lock.
    _file: File,
}

impl Claim {
    /// Claim `target`, which lies at `place`, for a restore of `snapshot`.
    /// [`ErrorKind::TargetOccupied`] when it holds something else that must not be replaced.
    pub fn take(
        target: &Arc<Folder>,
        place: &Path,
        snapshot: ObjectId,
        options: &RestoreOptions,
    ) -> Result<Self> {
        let place = place.display();
        let failed = |error| Error::storage(format!("cannot restore into {place}"), error);
        let occupied = |why| Error::new(ErrorKind::TargetOccupied, format!("{place} {why}"));

        let name = claim_name(snapshot);
        if let Some(why) = obstacle(target, snapshot, options.overwrite).map_err(failed)? {
            return Err(occupied(why));
        }
        let mut file = open(target, &name).map_err(failed)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                return Err(occupied("is being restored into by another process".to_owned()));
            }
            Err(errno) => return Err(failed(errno.into())),
        }
        if !says_or_learns(&mut file, &options.path).map_err(failed)? {
            return Err(occupied("holds an unfinished restore of another path".to_owned()));
        }
        Ok(Self { target: Arc::clone(target), name, _file: file })
    }

    /// Everything was written: what stands there is no unfinished restore any more.
    pub fn release(self) -> rustix::io::Result<()> {
        unlinkat(&self.target, self.name.as_str(), AtFlags::empty())
    }
}

/// Why the target must not be used, or None.
fn obstacle(target: &Folder, snapshot: ObjectId, overwrite: bool) -> io::Result<Option<String>> {
    if target.is_new() {
        return Ok(None);
    }
    let mut is_ours = false;
    for entry in Dir::read_from(target)? {
        let entry = entry?;
        // Where the file system does not say what it is, whoever claims it finds out.
        let may_claim = matches!(entry.file_type(), FileType::RegularFile | FileType::Unknown);
        match claimed_snapshot(entry.file_name().to_bytes()).filter(|_| may_claim) {
            Some(claimed) if claimed == snapshot => is_ours = true,
            Some(other) => {
                return Ok(Some(format!("holds an unfinished restore of snapshot {other}")));
            }
            None => {}
        }
    }
    let is_free = is_ours || overwrite;
    Ok((!is_free).then(|| "is not an empty folder".to_owned()))
}

fn open(target: &Folder, name: &str) -> io::Result<File> {
    let found = target.regular_file(name.as_bytes(), OFlags::CREATE | OFlags::RDWR)?;
    let ours = found.filter(|(_, found)| found.st_uid == geteuid().as_raw());
    let (claim, _) =
        ours.ok_or_else(|| io::Error::other(format!("{name} is no claim of this user's")))?;
    Ok(claim.into())
}

/// Whether the claim is for `path`; one that was just made becomes so.
fn says_or_learns(claim: &mut File, path: &[u8]) -> io::Result<bool> {
    let said = [normal(path).as_slice(), b"\n"].concat();
    let mut found = Vec::new();
    claim.take(LONGEST_PATH_BYTES).read_to_end(&mut found)?;
    if found.is_empty() {
        claim.write_all(&said)?;
        return Ok(true);
    }
    Ok(found == said)
}
