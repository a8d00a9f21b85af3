//! Regular files of a folder on this machine.

use std::{
    fs::File,
    io::{self, Read},
    os::fd::OwnedFd,
    path::PathBuf,
    sync::Arc,
};

use rustix::{
    fs::{Advice, FileType, OFlags, Stat},
    io::Errno,
};

use super::{
    Failure, SourceFile, SourceReader,
    beneath::{Identity, Root, identity},
    walk::Found,
};
use crate::issue::IssueKind;

/// A file as it was listed.
pub struct LocalFile {
    root: Arc<Root>,
    path: PathBuf,
    /// The folder that it was listed in.
    folder: Identity,
    identity: Identity,
    listed_bytes: u64,
}

/// The content of a file, and what it was when it was opened.
pub struct LocalReader {
    file: File,
    opened: Stat,
    listed_bytes: u64,
    /// Bytes still to be given out: what was listed, however much the file grows.
    left_bytes: u64,
    /// The file ended with bytes left; what it grew by since would not fit what was read.
    is_short: bool,
    is_other: bool,
}

impl LocalFile {
    /// The file that was found below `root`.
    pub fn new(root: Arc<Root>, found: &Found<'_>) -> Self {
        Self {
            root,
            path: found.path.to_path_buf(),
            folder: found.folder_identity,
            identity: identity(found.stat),
            listed_bytes: u64::try_from(found.stat.st_size).unwrap_or(0),
        }
    }

    fn open_descriptor(&self) -> io::Result<OwnedFd> {
        // Not blocking, should a pipe stand there by now; reading must not count as access.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
        let quiet = self.root.open_beneath(&self.path, flags | OFlags::NOATIME);
        match quiet {
            Err(error) if error.raw_os_error() == Some(Errno::PERM.raw_os_error()) => {
                self.root.open_beneath(&self.path, flags)
            }
            opened => opened,
        }
    }
}

impl SourceFile for LocalFile {
    type Reader = LocalReader;

    fn open(self) -> Result<LocalReader, Failure> {
        let failed =
            |error: io::Error| self.root.failure("open it", &error, &self.path, self.folder);
        let descriptor = self.open_descriptor().map_err(failed)?;
        let opened = rustix::fs::fstat(&descriptor).map_err(|error| failed(error.into()))?;
        if !FileType::from_raw_mode(opened.st_mode).is_file() {
            let message = "was replaced by something that is no file";
            return Err(Failure::new(IssueKind::Rewritten, message));
        }
        // Only a hint; a file system that does not take it reads just the same.
        let _ = rustix::fs::fadvise(&descriptor, 0, None, Advice::Sequential);
        let is_other = identity(&opened) != self.identity;
        let mut file = File::from(descriptor);
        if self.listed_bytes == 0 && !is_other {
            check_empty(&mut file)?;
        }
        Ok(LocalReader {
            file,
            opened,
            listed_bytes: self.listed_bytes,
            // A file that took the other's place is stored whole: half of it would be neither.
            left_bytes: if is_other { u64::MAX } else { self.listed_bytes },
            is_short: false,
            is_other,
        })
    }
}

/// Files of the kernel and of FUSE may say that they are empty and yet hold something. Stored as
/// empty it would be lost without a word; stored in full, the file would look damaged in every
/// later snapshot that takes it from this one, because its listed size is part of the format.
fn check_empty(file: &mut File) -> Result<(), Failure> {
    let failed = |error| Failure::of("read it", &error);
    let count = file.take(1).read_to_end(&mut Vec::new()).map_err(failed)?;
    let now = rustix::fs::fstat(&*file).map_err(|error| failed(error.into()))?;
    // One that says by now that it is not empty just grew.
    match count > 0 && now.st_size == 0 {
        true => Err(Failure::new(IssueKind::Unreadable, "holds content but says that it is empty")),
        false => Ok(()),
    }
}

impl SourceReader for LocalReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() && self.left_bytes > 0 && !self.is_short {
            let rest = buffer.get_mut(filled..).unwrap_or_default();
            let wanted = rest.len().min(usize::try_from(self.left_bytes).unwrap_or(usize::MAX));
            match self.file.read(rest.get_mut(..wanted).unwrap_or_default()) {
                Ok(0) => self.is_short = true,
                Ok(count) => {
                    filled += count;
                    self.left_bytes -= count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    fn change(&mut self) -> Option<Failure> {
        if self.is_other {
            let message = "another file took its place while the source was read";
            return Some(Failure::new(IssueKind::Rewritten, message));
        }
        if self.is_short {
            return None; // told of every source
        }
        let now = match rustix::fs::fstat(&self.file) {
            Ok(now) => now,
            Err(error) => return Some(Failure::of("look at it", &error.into())),
        };
        let modified = |stat: &Stat| (stat.st_mtime, stat.st_mtime_nsec);
        if u64::try_from(now.st_size).unwrap_or(0) > self.listed_bytes {
            let message =
                format!("grew while it was read; its first {} bytes are stored", self.listed_bytes);
            return Some(Failure::new(IssueKind::Grew, message));
        }
        (modified(&now) != modified(&self.opened))
            .then(|| Failure::new(IssueKind::Rewritten, "was written to while it was read"))
    }
}
