//! A file that is being restored: it takes its name only when all its pieces were verified.

use std::{
    os::fd::{AsFd, OwnedFd},
    sync::{Arc, Mutex, OnceLock},
};

use rustix::{
    fs::ftruncate,
    io::{Errno, Result as IoResult, pwrite},
};

use super::{
    metadata::{Subject, apply},
    report::Report,
    target::{Folder, Temporary, TemporaryNames},
};
use crate::{format::tree::Metadata, issue::IssueKind, workers::lock};

/// Zeros of this length and place become a hole.
const BLOCK_BYTES: usize = 4096;
const ZEROS: [u8; BLOCK_BYTES] = [0; BLOCK_BYTES];

/// A file that is being restored.
pub struct PendingFile {
    temporary: Temporary,
    name: Vec<u8>,
    metadata: Metadata,
    /// Length of all pieces that were planned.
    size_bytes: u64,
    handle: OnceLock<OwnedFd>,
    failure: Mutex<Option<(IssueKind, String)>>,
}

impl PendingFile {
    /// The file `name` in `folder`; nothing is made yet.
    pub fn new(
        folder: &Arc<Folder>,
        names: &TemporaryNames,
        name: Vec<u8>,
        metadata: Metadata,
    ) -> Self {
        Self {
            temporary: Temporary::new(folder, names),
            name,
            metadata,
            size_bytes: 0,
            handle: OnceLock::new(),
            failure: Mutex::new(None),
        }
    }

    /// Its path below the target.
    pub fn path(&self) -> Vec<u8> {
        self.temporary.folder().path_of(&self.name)
    }

    /// Plan a piece at the end; returns where it begins.
    pub fn grow(&mut self, piece_bytes: u32) -> u64 {
        let offset_bytes = self.size_bytes;
        self.size_bytes = offset_bytes.saturating_add(piece_bytes.into());
        offset_bytes
    }

    /// Give the file up; the first reason stays.
    pub fn fail(&self, kind: IssueKind, message: impl Into<String>) {
        lock(&self.failure).get_or_insert_with(|| (kind, message.into()));
    }

    /// Whether it was given up.
    pub fn is_failed(&self) -> bool {
        lock(&self.failure).is_some()
    }

    /// Make it under a name of its own, unless it is there or was given up.
    pub fn create(&self) {
        if self.handle.get().is_some() || self.is_failed() {
            return;
        }
        match self.temporary.create_file() {
            // Only one thread creates a file, so that none is ever there already.
            Ok(handle) => drop(self.handle.set(handle)),
            Err(errno) => self.fail(IssueKind::NotWritten, errno.to_string()),
        }
    }

    /// Write verified content.
    pub fn write(&self, offset_bytes: u64, content: &[u8]) {
        let Some(handle) = self.handle.get() else { return };
        if let Err(errno) = write_sparse(handle, offset_bytes, content) {
            self.fail(IssueKind::NotWritten, errno.to_string());
        }
    }

    /// Set length, metadata and name. True when it stands under its name; a file that was given
    /// up is removed instead, and what stood there before stays.
    pub fn finish(self, report: &Report<'_>, exact: bool) -> bool {
        let path = self.path();
        if let Some((kind, message)) = lock(&self.failure).take() {
            report.issue(kind, &path, message);
            return false;
        }
        let expected_bytes = self.metadata.size_bytes;
        if self.size_bytes != expected_bytes && !report.is_partial {
            let message = format!("holds {} bytes instead of {expected_bytes}", self.size_bytes);
            report.issue(IssueKind::Damaged, &path, message);
        }
        let size_bytes = self.size_bytes;
        match self.complete(exact) {
            Ok(failures) => {
                report.metadata(&path, failures);
                report.file(size_bytes);
                true
            }
            Err(errno) => {
                report.not_written(&path, errno);
                false
            }
        }
    }

    fn complete(self, exact: bool) -> IoResult<Vec<String>> {
        let handle = self.handle.get().ok_or(Errno::BADF)?;
        // The pieces may end in a hole.
        ftruncate(handle, self.size_bytes)?;
        let failures = apply(&Subject::Open(handle.as_fd()), &self.metadata, exact);
        self.temporary.place(&self.name)?;
        Ok(failures)
    }
}

/// Write `content`, leaving out blocks of zeros: the file is new, so that holes stay.
fn write_sparse(handle: &OwnedFd, offset_bytes: u64, content: &[u8]) -> IoResult<()> {
    let mut done = 0;
    while let Some(rest) = content.get(done..).filter(|rest| !rest.is_empty()) {
        let offset_bytes = offset_bytes + done as u64;
        let hole = leading_blocks(offset_bytes, rest, true);
        if hole > 0 {
            done += hole;
            continue;
        }
        let (filled, _) = rest.split_at(leading_blocks(offset_bytes, rest, false));
        done += pwrite(handle, filled, offset_bytes)?;
    }
    Ok(())
}

/// Bytes of the blocks at the start of `content` that are zeros, or that are not.
fn leading_blocks(offset_bytes: u64, content: &[u8], zeros: bool) -> usize {
    let misplaced = usize::try_from(offset_bytes % BLOCK_BYTES as u64).unwrap_or_default();
    let (first, rest) = content.split_at(content.len().min(BLOCK_BYTES - misplaced));
    std::iter::once(first)
        .chain(rest.chunks(BLOCK_BYTES))
        .take_while(|block| ZEROS.starts_with(block) == zeros)
        .map(<[u8]>::len)
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_counted_from_the_start_of_the_file() {
        let content = [vec![1; 96], vec![0; 8192], vec![1; 10]].concat();
        assert_eq!(leading_blocks(4000, &content, false), 96);
        assert_eq!(leading_blocks(4096, &content[96..], true), 8192);
        assert_eq!(leading_blocks(4096 * 3, &content[96 + 8192..], false), 10);
        assert_eq!(leading_blocks(0, &content, true), 0);
        assert_eq!(leading_blocks(0, &content, false), 4096);
    }

    #[test]
    fn zeros_become_holes_and_read_as_zeros() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let handle = OwnedFd::from(file.reopen().unwrap());
        let content = [vec![1; 100], vec![0; 1 << 20], vec![2; 5000], vec![0; 3]].concat();
        write_sparse(&handle, 7, &content).unwrap();
        ftruncate(&handle, 7 + content.len() as u64).unwrap();
        assert_eq!(std::fs::read(file.path()).unwrap()[7..], content);
        assert!(rustix::fs::fstat(&handle).unwrap().st_blocks * 512 < 100_000);
    }
}
