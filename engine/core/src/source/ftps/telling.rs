//! What was found, on its way to the archiver: files that did not change keep their times.

use std::{collections::VecDeque, ops::ControlFlow, path::PathBuf, sync::Arc, time::Duration};

use rustic_core::{jiff::Timestamp, repofile::Node};

use super::{
    path_of,
    pool::Pool,
    reading::{FtpsFile, Reading},
    same::{Sameness, shift_seconds},
};
use crate::{
    ftps::moment::Moment,
    issue::{Issue, IssueKind},
    source::{Entry, ahead::Batches},
};

/// So much is held back until it is known whether the server's times moved as a whole …
const MOST_HELD: usize = 1000;
/// … or so many files were seen that an earlier snapshot holds with the same size.
const ENOUGH_COMPARED: usize = 50;

/// A file as it was listed.
pub struct FoundFile {
    /// Relative to the source.
    pub path: Vec<u8>,
    /// Name and metadata as listed.
    pub node: Node,
    /// When it was last written to, as far as the server tells.
    pub modified: Option<Moment>,
    /// What earlier snapshots hold there.
    pub earlier: Vec<Node>,
}

/// What the walk comes upon.
pub enum Found {
    /// Something that has no content of its own.
    Entry(PathBuf, Node),
    /// A file.
    File(FoundFile),
    /// A file that could not be looked at; it is as it was in the earlier snapshot.
    Kept(Vec<u8>, Node),
    /// Something that is not stored as it is.
    Issue(Issue),
}

/// Tells the archiver.
pub struct Telling {
    pool: Arc<Pool>,
    batches: Batches<FtpsFile>,
    sameness: Sameness,
    /// What was found before it is known whether the server's times moved; None from then on.
    held: Option<VecDeque<Found>>,
    /// By how many seconds times moved of files that kept their size.
    moved: Vec<i64>,
}

impl Telling {
    /// Tell `batches` of everything at once.
    pub fn new(
        pool: Arc<Pool>,
        batches: Batches<FtpsFile>,
        now: Timestamp,
        reread: Duration,
    ) -> Self {
        let sameness = Sameness { now_seconds: now.as_second(), shift_seconds: 0, reread };
        Self { pool, batches, sameness, held: None, moved: Vec::new() }
    }

    /// Hold back until it is known whether the server's times moved since an earlier snapshot.
    pub fn hold(&mut self) {
        self.held = Some(VecDeque::new());
    }

    /// Tell what was found; breaks when nobody listens any more.
    pub fn tell(&mut self, found: Found) -> ControlFlow<()> {
        let Some(held) = &mut self.held else { return self.pass(found) };
        if let Found::File(file) = &found {
            self.moved.extend(file.moved_seconds());
        }
        held.push_back(found);
        match held.len() >= MOST_HELD || self.moved.len() >= ENOUGH_COMPARED {
            true => self.release(),
            false => ControlFlow::Continue(()),
        }
    }

    /// Whoever finds has to wait: what was found is told until then, unless it is held back.
    pub fn flush(&mut self) -> ControlFlow<()> {
        self.batches.flush()
    }

    /// Tell what is held back; nothing is from then on.
    pub fn release(&mut self) -> ControlFlow<()> {
        self.sameness.shift_seconds = shift_seconds(&self.moved);
        let held = self.held.take().unwrap_or_default();
        held.into_iter().try_for_each(|found| self.pass(found))
    }

    fn pass(&mut self, found: Found) -> ControlFlow<()> {
        let told = match found {
            Found::Entry(path, node) => Ok(Entry { path, node, file: None }),
            Found::Issue(issue) => Err(issue),
            Found::Kept(path, node) => Ok(self.kept(path, node)),
            Found::File(file) => Ok(self.file(file)),
        };
        self.batches.tell(told)?;
        match self.pool.control.is_ending() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }

    fn file(&self, found: FoundFile) -> Entry<FtpsFile> {
        let FoundFile { path, mut node, modified, earlier } = found;
        let size_bytes = node.meta.size;
        let is_same = |node: &&Node| {
            modified.is_some_and(|moment| self.sameness.holds(node, &path, size_bytes, moment))
        };
        let same = earlier.iter().find(is_same);
        let reading = Reading::new(path.clone(), size_bytes, modified, self.pool.control.clone());
        match same {
            // The archiver takes the content from there, and asks for it only if it is lost.
            Some(same) => {
                node.meta.mtime = same.meta.mtime;
                node.meta.atime = same.meta.atime;
                node.meta.ctime = same.meta.ctime;
            }
            None => self.pool.read_later(reading.clone()),
        }
        let file = Some(FtpsFile { reading, pool: self.pool.clone() });
        Entry { path: path_of(&path).to_path_buf(), node, file }
    }

    fn kept(&self, path: Vec<u8>, node: Node) -> Entry<FtpsFile> {
        let stored_path = path_of(&path).to_path_buf();
        let reading = Reading::new(path, node.meta.size, None, self.pool.control.clone());
        let file = Some(FtpsFile { reading, pool: self.pool.clone() });
        Entry { path: stored_path, node, file }
    }
}

impl FoundFile {
    /// By how much its time moved since the newest snapshot that holds it, if it kept its size.
    fn moved_seconds(&self) -> Option<i64> {
        let earlier = self.earlier.first().filter(|node| node.meta.size == self.node.meta.size)?;
        Some(self.modified?.0 - earlier.meta.mtime?.as_second())
    }
}

impl Found {
    /// Something that is not stored as it is.
    pub fn issue(path: &[u8], kind: IssueKind, message: impl Into<String>) -> Self {
        Self::Issue(Issue::new(kind, path_of(path), message))
    }
}
