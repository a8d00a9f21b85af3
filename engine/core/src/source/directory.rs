//! A folder of this machine as a source.

use std::{
    collections::HashSet,
    fs, io,
    ops::ControlFlow,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Arc, Weak},
};

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use rustix::fs::FileType;

use super::{
    Entry, Source,
    ahead::{Batches, ReadAhead},
    beneath::{Identity, Root},
    file::LocalFile,
    node::NodeMaker,
    walk::{Found, Rules, walk},
};
use crate::{
    control::Control,
    error::{Error, ErrorKind, Result},
    issue::Issue,
};

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
        let (root, name) = (self.root.clone(), self.name.clone());
        let (rules, control) = (self.rules.clone(), self.control.clone());
        ReadAhead::of(move |batches| {
            let lister = Lister { root, name, nodes: NodeMaker::default(), batches };
            lister.run(&rules, &control);
        })
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

/// Turns what the walk finds into entries.
struct Lister {
    root: Arc<Root>,
    name: std::ffi::OsString,
    nodes: NodeMaker,
    batches: Batches<LocalFile>,
}

impl Lister {
    fn run(mut self, rules: &Rules, control: &Control) {
        let root = self.root.clone();
        walk(&root, rules, &mut |found| {
            match found {
                Ok(found) => self.entry(&found)?,
                Err(issue) => self.batches.tell(Err(issue))?,
            }
            go_on(control)
        });
    }

    fn entry(&mut self, found: &Found<'_>) -> ControlFlow<()> {
        let is_root = found.path.as_os_str().is_empty();
        let stored_name = if is_root { self.name.as_os_str() } else { found.name };
        let (node, failure) = self.nodes.node(found.folder, found.name, stored_name, found.stat);
        let path = found.path.to_path_buf();
        if let Some(failure) = failure {
            self.batches.tell(Err(Issue::new(failure.kind, &path, failure.message)))?;
        }
        self.batches.tell(match node {
            Err(error) => {
                let folder = found.folder_identity;
                let failure = self.root.failure("read the link", &error, &path, folder);
                Err(Issue::new(failure.kind, &path, failure.message))
            }
            Ok(node) => {
                let file = node.is_file().then(|| LocalFile::new(self.root.clone(), found));
                Ok(Entry { path, node, file })
            }
        })
    }
}
