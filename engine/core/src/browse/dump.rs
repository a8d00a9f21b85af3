//! Gives out content: a file as it is, a folder as a tar archive.

use std::{
    collections::HashSet,
    ffi::OsStr,
    io::{self, Read, Write},
    os::unix::ffi::OsStrExt,
};

use super::{
    MOST_ENTRIES,
    ahead::{Piece, Planner, Queue, read_ahead},
    explain, find_explained, is_tree, normal,
    tar::{Archive, Member, MemberKind},
    walk::{Step, Walk},
};
use crate::{
    control::Control,
    error::{Error, ErrorKind, Result},
    format::{
        blob::{Blob, BlobKind},
        growing::GrowingIndex,
        index::Places,
        reader::{BlobReader, Reader},
        snapshot::Snapshot,
        tree::{Metadata, Node, NodeKind},
    },
    issue::{Issue, IssueKind, Issues},
    links::Links,
    object::ObjectId,
};

/// A dump on its way.
struct Dump<'a> {
    reader: &'a Reader,
    snapshot: Snapshot,
    issues: &'a Issues,
    control: &'a Control,
}

/// Write the file at `path` below the source's folder to `output`, or the folder there as a tar
/// archive whose members are named relative to it.
///
/// Only verified bytes are written. Where content is damaged it fails: a file then ends before
/// the damage, an archive has no end. Folders that cannot be read, refused names and what no
/// archive holds (devices, pipes and sockets) are noted in `issues` and left out.
pub fn dump(
    reader: &Reader,
    snapshot_id: ObjectId,
    path: &[u8],
    output: &mut dyn Write,
    issues: &Issues,
    control: &Control,
) -> Result<()> {
    let snapshot = reader.snapshot(snapshot_id)?;
    let node = GrowingIndex::with(reader, control, &is_tree, |index| {
        find_explained(&BlobReader::new(reader, index), &snapshot, path)
    })?;
    let dump = Dump { reader, snapshot, issues, control };
    match &node.kind {
        NodeKind::File(content) => dump.file(path, content, node.metadata.size_bytes, output),
        NodeKind::Folder(_) => dump.folder(path, node, output),
        _ => Err(Error::new(
            ErrorKind::InvalidInput,
            format!("{:?} is neither a file nor a folder", String::from_utf8_lossy(path)),
        )),
    }
}

impl Dump<'_> {
    fn file(
        &self,
        path: &[u8],
        content: &[ObjectId],
        expected_bytes: u64,
        output: &mut dyn Write,
    ) -> Result<()> {
        self.control.set_total(expected_bytes, 1);
        let wanted: HashSet<_> = content.iter().collect();
        let is_wanted = |blob: Blob| blob.kind == BlobKind::Data && wanted.contains(&blob.id);
        self.with_index(&is_wanted, |blobs| {
            let mut size_bytes = 0;
            let plan = |planner: &mut Planner<'_, (), _>| {
                content.iter().try_for_each(|id| planner.piece(*id))
            };
            read_ahead(blobs, self.control, plan, |queue| {
                while let Some(planned) = queue.next()? {
                    let Some(piece) = &planned.piece else { continue };
                    let content = queue.content(piece)?;
                    output.write_all(&content).map_err(not_written)?;
                    size_bytes += content.len() as u64;
                }
                Ok(())
            })?;
            output.flush().map_err(not_written)?;
            self.compare(path, size_bytes, expected_bytes);
            Ok(())
        })
    }

    fn folder(&self, path: &[u8], node: Node, output: &mut dyn Write) -> Result<()> {
        if normal(path).is_empty() {
            self.control.set_total(self.snapshot.bytes_total.unwrap_or_default(), 0);
        }
        self.with_index(&|_| true, |blobs| {
            let mut archive = Archive::new(output);
            let plan = |planner: &mut Planner<'_, Member, _>| {
                let members = Members { dump: self, planner, links: Links::default() };
                members.plan(path, node)
            };
            let written = read_ahead(blobs, self.control, plan, |queue| {
                while let Some(planned) = queue.next()? {
                    if let Some(member) = planned.head {
                        append(&mut archive, &member, queue, planned.piece)?;
                    }
                }
                Ok(())
            });
            match written {
                Ok(()) => archive.finish().map_err(not_written),
                Err(error) => {
                    archive.abandon();
                    Err(error)
                }
            }
        })
    }

    /// Do `work` with what is wanted of the index; what is missing in it is explained.
    fn with_index(
        &self,
        is_wanted: &(dyn Fn(Blob) -> bool + Sync),
        work: impl FnOnce(&BlobReader<'_, GrowingIndex<'_>>) -> Result<()>,
    ) -> Result<()> {
        GrowingIndex::with(self.reader, self.control, is_wanted, |index| {
            match work(&BlobReader::new(self.reader, index)) {
                Err(error) if error.kind() == ErrorKind::Damaged => {
                    Err(explain(error, &index.complete()?))
                }
                Err(error) => Err(error),
                Ok(()) => {
                    index.complete()?.into_iter().for_each(|issue| self.issues.push(issue));
                    Ok(())
                }
            }
        })
    }

    /// A length may differ from the node's only where the snapshot says so.
    fn compare(&self, path: &[u8], size_bytes: u64, expected_bytes: u64) {
        if size_bytes != expected_bytes && !self.snapshot.is_partial() {
            let message = format!("holds {size_bytes} bytes instead of {expected_bytes}");
            self.note(IssueKind::Damaged, path, message);
        }
    }

    fn note(&self, kind: IssueKind, path: &[u8], message: impl Into<String>) {
        self.issues.push(Issue::new(kind, OsStr::from_bytes(path), message));
    }
}

/// Plans the members of an archive.
struct Members<'a, 'b, I> {
    dump: &'a Dump<'a>,
    planner: &'a mut Planner<'b, Member, I>,
    /// Where a file with several names stands in the archive.
    links: Links,
}

impl<I: Places> Members<'_, '_, I> {
    fn plan(mut self, path: &[u8], node: Node) -> Result<()> {
        let base_bytes = normal(path).len();
        let Dump { control, issues, .. } = *self.dump;
        Walk::new(self.planner.blobs, control, issues, MOST_ENTRIES).run(
            path,
            node,
            |path, node| {
                let name = path.get(base_bytes..).unwrap_or_default();
                self.add(path, name.strip_prefix(b"/").unwrap_or(name), node)?;
                Ok(Step::Into)
            },
        )
    }

    /// Plan the entry at `path`, as `name` in the archive.
    fn add(&mut self, path: &[u8], name: &[u8], node: Node) -> Result<()> {
        let Node { kind, metadata, .. } = node;
        let (path, kind, content) = match kind {
            NodeKind::Folder(_) if name.is_empty() => (b"./".to_vec(), MemberKind::Folder, None),
            NodeKind::Folder(_) => ([name, b"/"].concat(), MemberKind::Folder, None),
            NodeKind::Symlink(target) => (name.to_vec(), MemberKind::Symlink(target), None),
            NodeKind::File(content) => self.file(path, name, content, &metadata)?,
            _ => {
                let message = "devices, pipes and sockets are not put into archives";
                self.dump.note(IssueKind::NotRestored, path, message);
                return Ok(());
            }
        };
        self.planner.head(Member { path, kind, metadata })?;
        content.into_iter().flatten().try_for_each(|id| self.planner.piece(id))
    }

    /// A file with its content, or another name of one that stands in the archive already.
    fn file(
        &mut self,
        path: &[u8],
        name: &[u8],
        content: Vec<ObjectId>,
        metadata: &Metadata,
    ) -> Result<(Vec<u8>, MemberKind, Option<Vec<ObjectId>>)> {
        let identity = metadata.identity(&content);
        if let Some(first) = identity.and_then(|identity| self.links.another(&identity)) {
            return Ok((name.to_vec(), MemberKind::HardLink(first), None));
        }
        let size_bytes = self.size(path, &content)?;
        self.dump.compare(path, size_bytes, metadata.size_bytes);
        if let Some(identity) = identity
            && let Some(told) = self.links.add(identity, metadata.links, name.to_vec())
        {
            self.dump.note(IssueKind::Metadata, path, told);
        }
        let kind = MemberKind::File { size_bytes, pieces: content.len() };
        Ok((name.to_vec(), kind, Some(content)))
    }

    /// The length of all pieces together, which a header must tell before them.
    fn size(&self, path: &[u8], content: &[ObjectId]) -> Result<u64> {
        let mut size_bytes = 0;
        for id in content {
            self.dump.control.check()?;
            let blob = Blob { kind: BlobKind::Data, id: *id };
            let piece_bytes = self.planner.blobs.plain_bytes(blob).ok_or_else(|| {
                let message = format!("blob {id} is not in the index");
                about(path, Error::new(ErrorKind::Damaged, message))
            })?;
            size_bytes += u64::from(piece_bytes);
        }
        Ok(size_bytes)
    }
}

/// Content of one member as its pieces come out of the queue.
struct Content<'a, I> {
    queue: &'a Queue<'a, Member, I>,
    /// The piece that came with the member's head.
    first: Option<Piece>,
    left_pieces: usize,
    left_bytes: u64,
    piece: io::Cursor<Vec<u8>>,
    failure: Option<Error>,
}

fn append(
    archive: &mut Archive<impl Write>,
    member: &Member,
    queue: &Queue<'_, Member, impl Places>,
    first: Option<Piece>,
) -> Result<()> {
    let (left_bytes, left_pieces) = match member.kind {
        MemberKind::File { size_bytes, pieces } => (size_bytes, pieces),
        _ => (0, 0),
    };
    let piece = io::Cursor::default();
    let mut content = Content { queue, first, left_pieces, left_bytes, piece, failure: None };
    archive.append(member, &mut content).map_err(|error| match content.failure {
        Some(failure) => about(&member.path, failure),
        None => not_written(error),
    })
}

impl<I: Places> Content<'_, I> {
    /// Get the next piece; False at the end.
    fn advance(&mut self) -> Result<bool> {
        if self.left_pieces == 0 {
            return if self.left_bytes == 0 { Ok(false) } else { Err(wrong_length()) };
        }
        self.left_pieces -= 1;
        let next = match self.first.take() {
            Some(first) => Some(first),
            None => self.queue.next()?.and_then(|planned| planned.piece),
        };
        let piece = next.ok_or_else(|| Error::new(ErrorKind::Cancelled, "its pieces ended"))?;
        let content = self.queue.content(&piece)?;
        let left_bytes = self.left_bytes.checked_sub(content.len() as u64);
        self.left_bytes = left_bytes.ok_or_else(wrong_length)?;
        self.piece = io::Cursor::new(content);
        Ok(true)
    }
}

impl<I: Places> Read for Content<'_, I> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.piece.read(buffer)? {
                0 => {}
                count => return Ok(count),
            }
            match self.advance() {
                Ok(true) => {}
                Ok(false) => return Ok(0),
                Err(error) => {
                    self.failure = Some(error);
                    return Err(io::Error::other("its content cannot be had"));
                }
            }
        }
    }
}

fn wrong_length() -> Error {
    Error::new(ErrorKind::Damaged, "the index says a wrong length")
}

fn about(path: &[u8], error: Error) -> Error {
    Error::caused_by(error.kind(), format!("{:?}", String::from_utf8_lossy(path)), error)
}

fn not_written(error: io::Error) -> Error {
    Error::storage("cannot write what is dumped", error)
}
