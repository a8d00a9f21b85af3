//! Files and folders in batches: bounded in open handles and in memory.

use std::{collections::HashMap, sync::Arc, sync::Mutex};

use super::{
    content::{Piece, Writer},
    file::PendingFile,
    metadata::{Subject, apply},
    report::Report,
    target::{Folder, Temporary, TemporaryNames},
};
use crate::{
    error::Result,
    format::{
        blob::{Blob, BlobKind},
        reader::BlobReader,
        tree::{Identity, Metadata, Node},
    },
    issue::IssueKind,
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
    links: Vec<Link>,
    folders: Vec<(Arc<Folder>, Metadata)>,
    /// Files with several names, of which some are still to come.
    places: Mutex<HashMap<Identity, Place>>,
}

/// Where a file with several names stands.
struct Place {
    /// None until it does.
    path: Option<Vec<u8>>,
    /// Names that were not made yet; others may lie outside of what is restored.
    names_left: u64,
}

/// Another name of a file.
struct Link {
    folder: Arc<Folder>,
    name: Vec<u8>,
    identity: Identity,
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
            places: Mutex::default(),
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
        if let Some(identity) =
            identity.filter(|identity| lock(&self.places).contains_key(identity))
        {
            self.links.push(Link { folder: Arc::clone(folder), name: node.name, identity });
        } else {
            if let Some(identity) = identity {
                let place = Place { path: None, names_left: node.metadata.links - 1 };
                lock(&self.places).insert(identity, place);
            }
            self.identities.push(identity);
            self.held_bytes += node.held_bytes();
            self.files.push(PendingFile::new(folder, self.names, node));
            self.plan(content)?;
        }
        self.flush_if_full()
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
        self.finish_files()?;
        let links = std::mem::take(&mut self.links);
        links.iter().for_each(|link| self.finish_link(link));
        // Only now: more names than a file claims to have may stand in one batch.
        let mut places = lock(&self.places);
        for link in links {
            if places.get(&link.identity).is_some_and(|place| place.names_left == 0) {
                places.remove(&link.identity);
            }
        }
        drop(places);
        for (folder, metadata) in std::mem::take(&mut self.folders) {
            self.finish_folder(&folder, &metadata);
        }
        Ok(())
    }

    /// Write the pieces planned so far.
    fn write(&mut self) -> Result<()> {
        self.planned_bytes = 0;
        let pieces = std::mem::take(&mut self.pieces);
        for_each(WORKERS, self.files.iter().collect(), |file| {
            file.prepare(self.exact);
            self.report.control.check()
        })?;
        let writer = Writer { blobs: self.blobs, files: &self.files, report: self.report };
        writer.write(pieces)
    }

    fn finish_files(&mut self) -> Result<()> {
        let files = std::mem::take(&mut self.files);
        let identities = std::mem::take(&mut self.identities);
        let work = files.into_iter().zip(identities).collect();
        for_each(WORKERS, work, |(file, identity)| {
            let path = identity.map(|identity| (identity, file.path()));
            let is_written = file.finish(self.report, self.exact);
            match path {
                Some((identity, path)) if is_written => {
                    let mut places = lock(&self.places);
                    places.entry(identity).and_modify(|place| place.path = Some(path));
                }
                // The next name of it is written as a file.
                Some((identity, _)) => drop(lock(&self.places).remove(&identity)),
                None => {}
            }
            self.report.control.add_entry();
            self.report.control.check()
        })
    }

    fn finish_link(&self, link: &Link) {
        let path = link.folder.path_of(&link.name);
        if let Some(first) = self.take_name(&link.identity) {
            match self.make_link(link, &first) {
                Ok(()) => self.report.file(0),
                Err(errno) => self.report.not_written(&path, errno),
            }
        } else {
            let message = "the file that it is another name of was not written";
            self.report.issue(IssueKind::NotWritten, &path, message);
        }
        self.report.control.add_entry();
    }

    /// Where the file stands that gets one more name.
    fn take_name(&self, identity: &Identity) -> Option<Vec<u8>> {
        let mut places = lock(&self.places);
        let place = places.get_mut(identity)?;
        place.names_left = place.names_left.saturating_sub(1);
        place.path.clone()
    }

    fn make_link(&self, link: &Link, first: &[u8]) -> rustix::io::Result<()> {
        let mut names: Vec<_> = first.split(|byte| *byte == b'/').collect();
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
