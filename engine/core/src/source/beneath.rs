//! Opening paths beneath a folder without ever following a link.

use std::{
    ffi::OsStr,
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::Path,
};

use rustix::fs::{Mode, OFlags, ResolveFlags, Stat};

use super::Failure;
use crate::issue::IssueKind;

/// The kernel takes paths of less than 4096 bytes; longer ones are walked in pieces.
const LONGEST_PIECE_BYTES: usize = 4000;

/// Device and inode: the identity of a file or folder while it exists.
pub type Identity = (u64, u64);

/// The identity in `stat`.
pub fn identity(stat: &Stat) -> Identity {
    (stat.st_dev, stat.st_ino)
}

/// A folder beneath which everything is opened; what leads out of it or through a link is refused
/// by the kernel, however the tree is changed meanwhile.
#[derive(Debug)]
pub struct Root {
    folder: OwnedFd,
}

impl Root {
    /// Open the folder itself; links on the way to it are followed.
    /// An error as well where it can be listed but nothing in it looked at.
    pub fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = Self { folder: rustix::fs::open(path, flags, Mode::empty())? };
        root.open_beneath(Path::new(""), flags)?;
        Ok(root)
    }

    /// Open `relative`, or the root itself when it is empty.
    pub fn open_beneath(&self, relative: &Path, flags: OFlags) -> io::Result<OwnedFd> {
        let bytes = relative.as_os_str().as_bytes();
        let folder = OFlags::PATH | OFlags::DIRECTORY;
        let mut at: Option<OwnedFd> = None;
        let mut rest = bytes;
        while rest.len() > LONGEST_PIECE_BYTES {
            let (piece, after) = split_piece(rest)?;
            at = Some(open_piece(at.as_ref().unwrap_or(&self.folder), piece, folder)?);
            rest = after;
        }
        let last: &[u8] = if rest.is_empty() { b"." } else { rest };
        open_piece(at.as_ref().unwrap_or(&self.folder), last, flags)
    }

    /// Whether `folder` is still the one that it was: neither removed nor moved, and no file
    /// system was mounted or lost there.
    pub fn holds(&self, folder: &Path, listed: Identity) -> bool {
        self.open_beneath(folder, OFlags::PATH | OFlags::DIRECTORY)
            .and_then(|now| Ok(rustix::fs::fstat(&now)?))
            .is_ok_and(|now| identity(&now) == listed)
    }

    /// A system call that failed on the entry `path`, listed in a folder that was `folder`.
    /// What is gone together with its folder was not just removed: a file system may be lost.
    pub fn failure(
        &self,
        doing: &str,
        error: &io::Error,
        path: &Path,
        folder: Identity,
    ) -> Failure {
        let is_gone = error.kind() == io::ErrorKind::NotFound;
        if is_gone && !path.parent().is_some_and(|parent| self.holds(parent, folder)) {
            let message = "its folder went away while the source was read";
            return Failure::new(IssueKind::Listing, message);
        }
        Failure::of(doing, error)
    }
}

fn open_piece(folder: &OwnedFd, piece: &[u8], flags: OFlags) -> io::Result<OwnedFd> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let path = OsStr::from_bytes(piece);
    Ok(rustix::fs::openat2(folder.as_fd(), path, flags, Mode::empty(), resolve)?)
}

/// Cut at the last slash that keeps the first piece short enough.
fn split_piece(path: &[u8]) -> io::Result<(&[u8], &[u8])> {
    let cut = path
        .get(..LONGEST_PIECE_BYTES)
        .and_then(|start| start.iter().rposition(|byte| *byte == b'/'))
        .ok_or(io::ErrorKind::InvalidFilename)?;
    let (piece, after) = path.split_at(cut);
    Ok((piece, after.get(1..).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn links_and_ways_out_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("root")).unwrap();
        fs::write(folder.path().join("secret"), "bob").unwrap();
        symlink("../secret", folder.path().join("root/link")).unwrap();
        symlink("..", folder.path().join("root/up")).unwrap();
        let root = Root::open(&folder.path().join("root")).unwrap();

        for path in ["link", "up/secret", "../secret", "/etc/passwd"] {
            assert!(root.open_beneath(Path::new(path), OFlags::RDONLY).is_err(), "{path}");
        }
        root.open_beneath(Path::new(""), OFlags::RDONLY).unwrap();
    }

    #[test]
    fn paths_longer_than_the_kernel_takes_are_opened() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(folder.path()).unwrap();
        let name = "d".repeat(200);
        let mut path = std::path::PathBuf::new();
        for _ in 0..50 {
            let parent = root.open_beneath(&path, OFlags::RDONLY).unwrap();
            rustix::fs::mkdirat(&parent, &name, Mode::RWXU).unwrap();
            path.push(&name);
        }

        assert!(path.as_os_str().len() > 10_000);
        root.open_beneath(&path, OFlags::RDONLY).unwrap();
    }
}
