//! What a snapshot holds, given while it is read.

use std::{
    io::{self, BufWriter, Write},
    sync::Arc,
};

use crossbeam_channel::Sender;
use pyo3::{prelude::*, types::PyBytes};
use unstoppable_engine_core::{
    browse::{self, ListOptions, MOST_ENTRIES, SearchOptions},
    error::{Error, ErrorKind, Result},
    format::tree::{Node, NodeKind},
    issue::{Collected, Issues},
    object::ObjectId,
    repository::Repository,
};

use crate::{
    call::Stream,
    values::{self, Issue},
};

/// Entries that wait to be taken, and of a batch. A batch holds what is there: the first entries
/// are shown while the next ones are looked for.
const MOST_ENTRIES_AHEAD: usize = 1024;
/// Chunks of content that wait to be taken, and bytes of a chunk at most and at least.
const MOST_CHUNKS_AHEAD: usize = 4;
const MOST_CHUNK_BYTES: usize = 1 << 20;
const LEAST_CHUNK_BYTES: usize = 128 << 10;

/// An entry of a snapshot.
#[pyclass(module = "unstoppable_engine", frozen)]
pub struct Entry {
    path: Vec<u8>,
    node: Node,
    snapshot: ObjectId,
}

#[pymethods]
impl Entry {
    #[getter]
    fn path<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.path)
    }

    #[getter]
    fn kind(&self) -> &'static str {
        match self.node.kind {
            NodeKind::File(_) => "file",
            NodeKind::Folder(_) => "folder",
            NodeKind::Symlink(_) => "symlink",
            NodeKind::BlockDevice(_) => "block-device",
            NodeKind::CharacterDevice(_) => "character-device",
            NodeKind::Fifo => "fifo",
            NodeKind::Socket => "socket",
            NodeKind::Unknown(_) => "unknown",
        }
    }

    #[getter]
    fn target<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        match &self.node.kind {
            NodeKind::Symlink(target) => Some(PyBytes::new(py, target)),
            _ => None,
        }
    }

    #[getter]
    fn mode(&self) -> Option<u32> {
        self.node.metadata.mode
    }

    #[getter]
    fn uid(&self) -> Option<u32> {
        self.node.metadata.uid
    }

    #[getter]
    fn gid(&self) -> Option<u32> {
        self.node.metadata.gid
    }

    #[getter]
    fn user(&self) -> Option<&str> {
        self.node.metadata.user.as_deref()
    }

    #[getter]
    fn group(&self) -> Option<&str> {
        self.node.metadata.group.as_deref()
    }

    #[getter]
    fn size_bytes(&self) -> u64 {
        self.node.metadata.size_bytes
    }

    #[getter]
    fn modified_seconds(&self) -> Option<i64> {
        self.node.metadata.modified.map(|time| time.0)
    }

    #[getter]
    fn snapshot_id(&self) -> String {
        self.snapshot.to_hex()
    }
}

impl Entry {
    fn new(snapshot: ObjectId, path: &[u8], mut node: Node) -> Self {
        // What nobody can ask for takes no memory while the entry waits.
        if let NodeKind::File(content) = &mut node.kind {
            *content = Vec::new();
        }
        Self { path: path.to_vec(), node, snapshot }
    }
}

/// Entries of snapshots, in batches.
#[pyclass(module = "unstoppable_engine")]
pub struct Entries(Stream<Entry, Collected>);

#[pymethods]
impl Entries {
    fn __iter__(entries: PyRef<'_, Self>) -> PyRef<'_, Self> {
        entries
    }

    fn __next__(&mut self, py: Python<'_>) -> PyResult<Option<Vec<Entry>>> {
        let first = self.0.next(py)?;
        Ok(first.map(|first| {
            std::iter::once(first).chain(self.0.more().take(MOST_ENTRIES_AHEAD)).collect()
        }))
    }

    fn close(&mut self, py: Python<'_>) {
        py.detach(|| self.0.close());
    }

    fn issues(&self) -> (Vec<Issue>, u64, u64) {
        values::issues(self.0.result.clone().unwrap_or_default())
    }
}

impl Entries {
    pub fn list(repository: Arc<Repository>, snapshot: ObjectId, path: Vec<u8>) -> PyResult<Self> {
        Stream::start(MOST_ENTRIES_AHEAD, move |control, sender| {
            let (reader, issues) = (repository.reader_for(control), Issues::default());
            let options = ListOptions::below(path);
            browse::list(&reader, snapshot, &options, &issues, control, |path, node| {
                send(&sender, Entry::new(snapshot, path, node))
            })?;
            Ok(issues.collected())
        })
        .map(Self)
    }

    pub fn search(
        repository: Arc<Repository>,
        pattern: String,
        snapshots: Vec<ObjectId>,
    ) -> PyResult<Self> {
        Stream::start(MOST_ENTRIES_AHEAD, move |control, sender| {
            let (reader, issues) = (repository.reader_for(control), Issues::default());
            let options = SearchOptions { pattern, snapshots, most_entries: MOST_ENTRIES };
            browse::search(&reader, &options, &issues, control, |snapshot, path, node| {
                send(&sender, Entry::new(snapshot, path, node))
            })?;
            Ok(issues.collected())
        })
        .map(Self)
    }
}

fn send(sender: &Sender<Entry>, entry: Entry) -> Result<()> {
    let gone = |_| Error::new(ErrorKind::Cancelled, "nobody takes the entries");
    sender.send(entry).map_err(gone)
}

/// Content, in chunks.
#[pyclass(module = "unstoppable_engine")]
pub struct Content(Stream<Vec<u8>, Collected>);

#[pymethods]
impl Content {
    fn __iter__(content: PyRef<'_, Self>) -> PyRef<'_, Self> {
        content
    }

    fn __next__<'py>(&mut self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        Ok(self.0.next(py)?.map(|chunk| PyBytes::new(py, &chunk)))
    }

    fn close(&mut self, py: Python<'_>) {
        py.detach(|| self.0.close());
    }

    fn issues(&self) -> (Vec<Issue>, u64, u64) {
        values::issues(self.0.result.clone().unwrap_or_default())
    }
}

impl Content {
    pub fn dump(repository: Arc<Repository>, snapshot: ObjectId, path: Vec<u8>) -> PyResult<Self> {
        Stream::start(MOST_CHUNKS_AHEAD, move |control, sender| {
            let mut output = BufWriter::with_capacity(LEAST_CHUNK_BYTES, Chunks(sender));
            let (reader, issues) = (repository.reader_for(control), Issues::default());
            browse::dump(&reader, snapshot, &path, &mut output, &issues, control)?;
            Ok(issues.collected())
        })
        .map(Self)
    }
}

struct Chunks(Sender<Vec<u8>>);

impl Write for Chunks {
    fn write(&mut self, content: &[u8]) -> io::Result<usize> {
        let chunk = content.get(..MOST_CHUNK_BYTES).unwrap_or(content);
        let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
        self.0.send(chunk.to_vec()).map_err(gone)?;
        Ok(chunk.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
