//! Files and folders in batches: bounded in open handles and in memory.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    content::{Piece, Writer},
    file::PendingFile,
    metadata::{Subject, apply},
    report::Report,
    target::Folder,
    temporary::{Temporary, TemporaryNames},
};
use crate::{
    error::Result,
    format::{
        blob::{Blob, BlobKind},
        reader::BlobReader,
        tree::{Identity, Metadata, Node},
    },
    issue::IssueKind,
    links::Links,
    object::ObjectId,
    workers::{WORKERS, for_each, lock},
};

/// Entries of a batch. Each may hold two handles; 1024 are allowed to most processes.
const MOST_ENTRIES: usize = 384;
/// Bytes and pieces that are planned before they are written.
const MOST_PLANNED_BYTES: u64 = 256 << 20;
const MOST_PIECES: usize = 16_384;
/// Bytes of metadata of the entries of a batch: attributes may be long.
const MOST_HELD_BYTES: usize = 32 << 20;

/// Collects what is to be written, and writes it when there is enough.
pub struct Batch<'a> {
    target: Arc<Folder>,
    blobs: &'a BlobReader<'a>,
    report: &'a Report<'a>,
    names: &'a TemporaryNames,
    exact: bool,
    files: Vec<PendingFile>,
    /// The identity of each of `files` that has several names.
    identities: Vec<Option<Identity>>,
    pieces: Vec<Piece>,
    planned_bytes: u64,
    held_bytes: usize,
    /// Names that are still to be made.
    links: Vec<Link>,
    folders: Vec<(Arc<Folder>, Metadata)>,
    /// Where files with several names stand, or will.
    known: Links,
}

/// Another name of a file.
struct Link {
    folder: Arc<Folder>,
    name: Vec<u8>,
    identity: Identity,
    /// Where the file stands.
    first: Vec<u8>,
}

impl<'a> Batch<'a> {
    /// An empty batch for `target`.
    pub fn new(
        target: Arc<Folder>,
        blobs: &'a BlobReader<'a>,
        report: &'a Report<'a>,
        names: &'a TemporaryNames,
        exact: bool,
    ) -> Self {
        Self {
            target,
            blobs,
            report,
            names,
            exact,
            files: Vec::new(),
            identities: Vec::new(),
            pieces: Vec::new(),
            planned_bytes: 0,
            held_bytes: 0,
            links: Vec::new(),
            folders: Vec::new(),
            known: Links::default(),
        }
    }

    /// Restore the file `node` with `content` into `folder`.
    pub fn add_file(
        &mut self,
        folder: &Arc<Folder>,
        node: Node,
        content: &[ObjectId],
    ) -> Result<()> {
        let identity = node.metadata.identity(content);
        let first = identity.and_then(|identity| Some((identity, self.known.another(&identity)?)));
        if let Some((identity, first)) = first {
            let folder = Arc::clone(folder);
            self.held_bytes += node.name.len() + first.len();
            self.links.push(Link { folder, name: node.name, identity, first });
        } else {
            self.know(identity, &node, folder);
            self.identities.push(identity);
            self.held_bytes += node.held_bytes();
            self.files.push(PendingFile::new(folder, self.names, node));
            self.plan(content)?;
        }
        self.flush_if_full()
    }

    /// Remember where a file will stand that has more names.
    fn know(&mut self, identity: Option<Identity>, node: &Node, folder: &Folder) {
        let Some(identity) = identity else { return };
        let path = folder.path_of(&node.name);
        if let Some(told) = self.known.add(identity, node.metadata.links, path) {
            self.report.issue(IssueKind::Metadata, &folder.path_of(&node.name), told);
        }
    }

    /// Everything in `folder` was added: set its metadata once that is written.
    pub fn add_left_folder(&mut self, folder: Arc<Folder>, metadata: Metadata) -> Result<()> {
        self.held_bytes += metadata.held_bytes();
        self.folders.push((folder, metadata));
        self.flush_if_full()
    }

    /// Plan the pieces of the file added last.
    fn plan(&mut self, content: &[ObjectId]) -> Result<()> {
        for id in content {
            self.report.control.check()?;
            if !self.plan_piece(Blob { kind: BlobKind::Data, id: *id }) {
                return Ok(());
            }
            if self.pieces.len() >= MOST_PIECES || self.planned_bytes >= MOST_PLANNED_BYTES {
                self.write()?;
            }
        }
        Ok(())
    }

    /// False when the file cannot be complete.
    fn plan_piece(&mut self, blob: Blob) -> bool {
        let number = self.files.len() - 1;
        let Some(file) = self.files.last_mut().filter(|file| !file.is_failed()) else {
            return false;
        };
        let place = self.blobs.index().locations(blob).next();
        let Some((location, plain_bytes)) = place.zip(self.blobs.plain_bytes(blob)) else {
            file.fail(IssueKind::Damaged, format!("blob {} is not in the index", blob.id));
            return false;
        };
        let offset_bytes = file.grow(plain_bytes);
        self.pieces.push(Piece { blob, location, plain_bytes, file: number, offset_bytes });
        self.planned_bytes += u64::from(plain_bytes);
        true
    }

    fn flush_if_full(&mut self) -> Result<()> {
        let entries = self.files.len() + self.links.len() + self.folders.len();
        if entries < MOST_ENTRIES && self.held_bytes < MOST_HELD_BYTES {
            return Ok(());
        }
        self.flush()
    }

    /// Complete everything that was added.
    pub fn flush(&mut self) -> Result<()> {
        self.held_bytes = 0;
        self.write()?;
        let failed = self.finish_files()?;
        // The next name of it is written as a file.
        failed.iter().for_each(|identity| drop(self.known.remove(identity)));
        let links = std::mem::take(&mut self.links);
        links.iter().for_each(|link| self.finish_link(link, failed.contains(&link.identity)));
        for (folder, metadata) in std::mem::take(&mut self.folders) {
            self.finish_folder(&folder, &metadata);
        }
        Ok(())
    }

    /// Write the pieces planned so far.
    fn write(&mut self) -> Result<()> {
        self.planned_bytes = 0;
        let pieces = std::mem::take(&mut self.pieces);
        for_each(WORKERS, self.files.chunk_by(PendingFile::is_beside).collect(), |of_folder| {
            of_folder.iter().try_for_each(|file| {
                file.prepare(self.exact);
                self.report.control.check()
            })
        })?;
        let writer = Writer { blobs: self.blobs, files: &self.files, report: self.report };
        writer.write(pieces)
    }

    /// Returns those with several names that do not stand.
    fn finish_files(&mut self) -> Result<HashSet<Identity>> {
        let files = std::mem::take(&mut self.files);
        let identities = std::mem::take(&mut self.identities);
        let failed = Mutex::new(HashSet::new());
        for_each(WORKERS, by_folder(files, identities), |group| {
            for (file, identity) in group {
                if !file.finish(self.report, self.exact) {
                    lock(&failed).extend(identity);
                }
                self.report.control.add_entry();
                self.report.control.check()?;
            }
            Ok(())
        })?;
        Ok(failed.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    fn finish_link(&self, link: &Link, is_failed: bool) {
        let path = link.folder.path_of(&link.name);
        if is_failed {
            let message = "the file that it is another name of was not written";
            self.report.issue(IssueKind::NotWritten, &path, message);
        } else {
            match self.make_link(link) {
                Ok(()) => self.report.file(0),
                Err(errno) => self.report.not_written(&path, errno),
            }
        }
        self.report.control.add_entry();
    }

    fn make_link(&self, link: &Link) -> rustix::io::Result<()> {
        let mut names: Vec<_> = link.first.split(|byte| *byte == b'/').collect();
        let name = names.pop().unwrap_or_default();
        let folder = self.target.descend(names)?;
        // The system would leave both names of one file when one is to replace the other.
        if link.folder.is_same_file(&link.name, &folder, name) {
            return Ok(());
        }
        let temporary = Temporary::new(&link.folder, self.names, &link.name);
        temporary.create_link(&folder, name)?;
        temporary.place()
    }

    fn finish_folder(&self, folder: &Folder, metadata: &Metadata) {
        let subject = Subject::Folder(std::os::fd::AsFd::as_fd(folder));
        self.report.metadata(&folder.path(), apply(&subject, metadata, self.exact));
        self.report.folder();
        self.report.control.add_entry();
    }
}

/// Files and their identities, those of one folder together: several threads in one folder would
/// only wait for its lock.
fn by_folder(
    files: Vec<PendingFile>,
    identities: Vec<Option<Identity>>,
) -> Vec<Vec<(PendingFile, Option<Identity>)>> {
    let mut groups: Vec<Vec<(PendingFile, _)>> = Vec::new();
    for (file, identity) in files.into_iter().zip(identities) {
        let is_beside = |group: &&mut Vec<(PendingFile, _)>| {
            group.last().is_some_and(|(before, _)| before.is_beside(&file))
        };
        match groups.last_mut().filter(is_beside) {
            Some(group) => group.push((file, identity)),
            None => groups.push(vec![(file, identity)]),
        }
    }
    groups
}
