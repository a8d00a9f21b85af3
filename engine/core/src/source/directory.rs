//! A folder of this machine as a source.

use std::{
    collections::HashSet,
    fs, io,
    ops::ControlFlow,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Arc, Weak},
    thread::JoinHandle,
};

use crossbeam_channel::{Receiver, Sender, bounded};
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use rustix::fs::FileType;

use super::{
    Entry, Source,
    beneath::{Identity, Root},
    file::LocalFile,
    node::NodeMaker,
    walk::{Found, Rules, walk},
};
use crate::{
    control::Control,
    error::{Error, ErrorKind, Result},
    issue::{Issue, IssueKind},
};

/// How far the listing runs ahead of the archiver: batches of so many entries …
pub const BATCH_ENTRIES: usize = 64;
/// … and so many batches.
pub const BATCHES_AHEAD: usize = 32;

type Listed<File> = std::result::Result<Entry<File>, Issue>;

/// What of a folder belongs to the source.
#[derive(Debug, Clone, Default)]
pub struct DirectoryOptions {
    /// Globs relative to the source, as in gitignore.
    pub exclude: Vec<String>,
    /// Folders of our own, left out where they lie inside the source.
    pub own_folders: Vec<PathBuf>,
    /// Stay on the source's file system.
    pub one_file_system: bool,
}

/// A folder that was found and can be listed.
pub struct DirectorySource {
    root: Arc<Root>,
    rules: Arc<Rules>,
    control: Arc<Control>,
    name: std::ffi::OsString,
    path: PathBuf,
    /// None where it was gone at once.
    identity: Option<Identity>,
    /// Held as long as the source is; a look at it ends with it.
    open: Arc<()>,
}

impl DirectorySource {
    /// Open the folder `path`; in the snapshot it is called `name`.
    pub fn open(
        path: &Path,
        name: &str,
        options: &DirectoryOptions,
        control: Arc<Control>,
    ) -> Result<Self> {
        let root = Root::open(path).map_err(|error| unavailable(path, error))?;
        let own_folders: HashSet<Identity> =
            options.own_folders.iter().filter_map(|folder| identity_of(folder)).collect();
        refuse_own(path, &own_folders)?;
        let rules = Rules {
            exclude: exclude(&options.exclude)?,
            own_folders,
            own_paths: own_paths(path, &options.own_folders),
            one_file_system: options.one_file_system,
        };
        Ok(Self {
            root: Arc::new(root),
            rules: Arc::new(rules),
            control,
            name: name.into(),
            path: path.to_path_buf(),
            identity: identity_of(path),
            open: Arc::default(),
        })
    }
}

/// A look at how much there is; ends early when cancelled, or when the source is dropped.
pub struct Scan {
    root: Arc<Root>,
    rules: Arc<Rules>,
    control: Arc<Control>,
    source: Weak<()>,
}

impl Scan {
    /// Count and tell the control; nothing is told when it ended early.
    pub fn run(&self) {
        let (mut bytes, mut entries) = (0, 0);
        walk(&self.root, &self.rules, &mut |found| {
            if let Ok(found) = found {
                entries += 1;
                bytes += regular_bytes(&found);
            }
            self.go_on()
        });
        if self.go_on().is_continue() {
            self.control.set_total(bytes, entries);
        }
    }

    fn go_on(&self) -> ControlFlow<()> {
        match self.source.strong_count() {
            0 => ControlFlow::Break(()),
            _ => go_on(&self.control),
        }
    }
}

fn regular_bytes(found: &Found<'_>) -> u64 {
    match FileType::from_raw_mode(found.stat.st_mode) {
        FileType::RegularFile => u64::try_from(found.stat.st_size).unwrap_or(0),
        _ => 0,
    }
}

fn go_on(control: &Control) -> ControlFlow<()> {
    if control.is_ending() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}

fn unavailable(path: &Path, error: io::Error) -> Error {
    let place = path.display();
    let message = match error.kind() {
        io::ErrorKind::NotFound => format!("the source {place} is missing"),
        io::ErrorKind::NotADirectory => format!("the source {place} is not a folder"),
        _ => format!("the source {place} cannot be opened"),
    };
    Error::caused_by(ErrorKind::SourceUnavailable, message, error)
}

fn identity_of(folder: &Path) -> Option<Identity> {
    fs::metadata(folder).ok().map(|found| (found.dev(), found.ino()))
}

/// Where in the source folders of our own lie, or will lie once they are made.
fn own_paths(source: &Path, own_folders: &[PathBuf]) -> HashSet<PathBuf> {
    let source = real(source);
    own_folders
        .iter()
        .filter_map(|folder| real(folder).strip_prefix(&source).ok().map(Path::to_path_buf))
        .collect()
}

/// The path without links, as far as it exists.
fn real(path: &Path) -> PathBuf {
    match (fs::canonicalize(path), path.parent(), path.file_name()) {
        (Err(_), Some(parent), Some(name)) => real(parent).join(name),
        (found, ..) => found.unwrap_or_default(),
    }
}

/// A repository that holds itself would grow with every run.
fn refuse_own(path: &Path, own_folders: &HashSet<Identity>) -> Result<()> {
    let real = fs::canonicalize(path).map_err(|error| unavailable(path, error))?;
    let inside = real
        .ancestors()
        .find(|above| identity_of(above).is_some_and(|found| own_folders.contains(&found)));
    match inside {
        None => Ok(()),
        Some(own) => Err(Error::new(
            ErrorKind::SourceUnavailable,
            format!("the source {} lies in our own folder {}", path.display(), own.display()),
        )),
    }
}

/// What these globs leave out, relative to a source.
pub fn exclude(globs: &[String]) -> Result<Gitignore> {
    let refused = |glob: &str, error| {
        let message = format!("the exclude pattern {glob:?} cannot be used");
        Error::caused_by(ErrorKind::InvalidInput, message, error)
    };
    let mut builder = GitignoreBuilder::new("");
    for glob in globs {
        builder.add_line(None, glob).map_err(|error| refused(glob, error))?;
    }
    builder.build().map_err(|error| refused("", error))
}

impl Source for DirectorySource {
    type File = LocalFile;
    type Entries = ReadAhead<LocalFile>;

    fn entries(&self) -> Self::Entries {
        let (sender, batches) = bounded(BATCHES_AHEAD);
        let lister = Lister {
            root: self.root.clone(),
            name: self.name.clone(),
            nodes: NodeMaker::default(),
            batch: Vec::with_capacity(BATCH_ENTRIES),
            sender,
        };
        let (rules, control) = (self.rules.clone(), self.control.clone());
        let thread = std::thread::spawn(move || lister.run(&rules, &control));
        ReadAhead::new(batches, thread)
    }

    fn lost(&self) -> Option<String> {
        // Another folder, or none: what was listed since is not what was asked for.
        let is_lost = self.identity.is_none() || identity_of(&self.path) != self.identity;
        is_lost.then(|| "the source went away while it was read".to_owned())
    }

    fn scan(&self) -> Option<Scan> {
        Some(Scan {
            root: self.root.clone(),
            rules: self.rules.clone(),
            control: self.control.clone(),
            source: Arc::downgrade(&self.open),
        })
    }
}

/// The listing, a bounded number of entries ahead of whoever reads it.
pub struct ReadAhead<File> {
    batches: Receiver<Vec<Listed<File>>>,
    batch: std::vec::IntoIter<Listed<File>>,
    /// The thread that lists; None once its end was seen.
    thread: Option<JoinHandle<()>>,
}

impl<File> Iterator for ReadAhead<File> {
    type Item = Listed<File>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(listed) = self.batch.next() {
                return Some(listed);
            }
            match self.batches.recv() {
                Ok(batch) => self.batch = batch.into_iter(),
                Err(_) => return self.broken_off().map(Err),
            }
        }
    }
}

impl<File> ReadAhead<File> {
    /// What a thread lists.
    pub fn new(batches: Receiver<Vec<Listed<File>>>, thread: JoinHandle<()>) -> Self {
        Self { batches, batch: Vec::new().into_iter(), thread: Some(thread) }
    }

    /// A listing that panicked ends like one that is complete; only its thread knows.
    fn broken_off(&mut self) -> Option<Issue> {
        self.thread.take()?.join().err()?;
        Some(Issue::new(IssueKind::Listing, "", "the listing broke off: it panicked"))
    }
}

/// Turns what the walk finds into entries.
struct Lister {
    root: Arc<Root>,
    name: std::ffi::OsString,
    nodes: NodeMaker,
    batch: Vec<Listed<LocalFile>>,
    sender: Sender<Vec<Listed<LocalFile>>>,
}

impl Lister {
    fn run(mut self, rules: &Rules, control: &Control) {
        let root = self.root.clone();
        walk(&root, rules, &mut |found| {
            match found {
                Ok(found) => self.entry(&found),
                Err(issue) => self.batch.push(Err(issue)),
            }
            if self.batch.len() >= BATCH_ENTRIES {
                self.flush()?;
            }
            go_on(control)
        });
        // Whether the reader is still there no longer matters.
        let _ = self.flush();
    }

    fn entry(&mut self, found: &Found<'_>) {
        let is_root = found.path.as_os_str().is_empty();
        let stored_name = if is_root { self.name.as_os_str() } else { found.name };
        let (node, failure) = self.nodes.node(found.folder, found.name, stored_name, found.stat);
        let path = found.path.to_path_buf();
        if let Some(failure) = failure {
            self.batch.push(Err(Issue::new(failure.kind, &path, failure.message)));
        }
        self.batch.push(match node {
            Err(error) => {
                let folder = found.folder_identity;
                let failure = self.root.failure("read the link", &error, &path, folder);
                Err(Issue::new(failure.kind, &path, failure.message))
            }
            Ok(node) => {
                let file = node.is_file().then(|| LocalFile::new(self.root.clone(), found));
                Ok(Entry { path, node, file })
            }
        });
    }

    /// Hand over the batch; breaks when nobody reads any more.
    fn flush(&mut self) -> ControlFlow<()> {
        let batch = std::mem::replace(&mut self.batch, Vec::with_capacity(BATCH_ENTRIES));
        match self.sender.send(batch) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_that_panicked_is_not_taken_for_a_complete_one() {
        let (sender, batches) = bounded(1);
        let thread = std::thread::spawn(move || {
            let _sender = sender;
            panic!("on purpose")
        });
        let mut listed = ReadAhead::<LocalFile>::new(batches, thread);

        assert_eq!(listed.next().unwrap().err().unwrap().kind, IssueKind::Listing);
        assert!(listed.next().is_none());
    }
}
