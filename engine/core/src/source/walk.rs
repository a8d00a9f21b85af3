//! One pass over a folder and all below it, in the order of a tree.

use std::{
    collections::HashSet,
    ffi::{OsStr, OsString},
    io,
    ops::ControlFlow,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStringExt,
    },
    path::{Path, PathBuf},
    sync::Arc,
};

use ignore::gitignore::Gitignore;
use rustix::fs::{AtFlags, Dir, FileType, OFlags, Stat};

use super::{
    Failure,
    beneath::{Identity, Root, identity},
};
use crate::issue::{Issue, IssueKind};

/// Folders with longer paths are not entered: a tree without end must not take all memory.
pub const LONGEST_PATH_BYTES: usize = 64 * 1024;
/// Folders held open on the way down; those above are opened again when the walk returns.
const MOST_OPEN_FOLDERS: usize = 64;
/// File systems made up by the kernel; restoring them would mean nothing.
const KERNEL_FILE_SYSTEMS: [i64; 20] = [
    0x9fa0,      // proc
    0x6265_6572, // sysfs
    0x1cd1,      // devpts
    0x0027_e0eb, // cgroup
    0x6367_7270, // cgroup2
    0x7472_6163, // tracefs
    0x6462_6720, // debugfs
    0x7363_6673, // securityfs
    0xcafe_4a11, // bpf
    0x6265_6570, // configfs
    0x1980_0202, // mqueue
    0x6165_676c, // pstore
    0x0187,      // autofs
    0x6573_5543, // fusectl
    0x4249_4e4d, // binfmt_misc
    0x9584_58f6, // hugetlbfs
    0xde5e_81e4, // efivarfs
    0xf97c_ff8c, // selinuxfs
    0x6759_6969, // rpc_pipefs
    0x6e66_7364, // nfsd
];

/// What to pass over.
#[derive(Debug)]
pub struct Rules {
    /// Paths relative to the root, as in gitignore.
    pub exclude: Gitignore,
    /// Folders of our own.
    pub own_folders: HashSet<Identity>,
    /// The same as paths relative to the root: one may be made after the run has started.
    pub own_paths: HashSet<PathBuf>,
    /// Do not enter other file systems.
    pub one_file_system: bool,
}

impl Rules {
    fn is_own(&self, path: &Path, stat: &Stat) -> bool {
        self.own_folders.contains(&identity(stat)) || self.own_paths.contains(path)
    }
}

/// An entry as it was found.
pub struct Found<'walk> {
    /// Relative to the root; empty for the root itself.
    pub path: &'walk Path,
    /// The folder it lies in; the root lies in itself, as `.`.
    pub folder: BorrowedFd<'walk>,
    /// Which folder that is, however its path leads elsewhere later.
    pub folder_identity: Identity,
    /// Its name in that folder.
    pub name: &'walk OsStr,
    /// Its own status: links are not followed.
    pub stat: &'walk Stat,
}

/// Whoever is told what was found; breaks to end the walk.
pub type Visitor<'visit> = dyn FnMut(Result<Found<'_>, Issue>) -> ControlFlow<()> + 'visit;

/// A name as a folder lists it, and whether it lists it as a folder's, where it tells.
type Name = (OsString, bool);

/// A folder on the way from the root to where the walk is.
struct Frame {
    path: PathBuf,
    stat: Stat,
    names: std::vec::IntoIter<Name>,
    /// None while the walk is far below; see [`MOST_OPEN_FOLDERS`].
    folder: Option<OwnedFd>,
}

struct Walk<'walk> {
    root: &'walk Arc<Root>,
    rules: &'walk Rules,
    frames: Vec<Frame>,
}

/// Tell `visit` of the root, then of every folder before its content, names in byte order.
pub fn walk(root: &Arc<Root>, rules: &Rules, visit: &mut Visitor<'_>) {
    let mut walk = Walk { root, rules, frames: Vec::new() };
    // Broken off or finished: either way the walk is over.
    let _ = walk.run(visit);
}

impl Walk<'_> {
    fn run(&mut self, visit: &mut Visitor<'_>) -> ControlFlow<()> {
        self.begin(visit)?;
        while let Some(frame) = self.frames.last_mut() {
            match frame.names.next() {
                Some(name) => self.entry(&name, visit)?,
                None => {
                    self.frames.pop();
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn begin(&mut self, visit: &mut Visitor<'_>) -> ControlFlow<()> {
        let path = PathBuf::new();
        let opened = self.root.open_beneath(&path, folder_flags());
        let stat = opened.and_then(|folder| Ok((rustix::fs::fstat(&folder)?, folder)));
        match stat {
            Err(error) => visit(Err(listing(&path, &error))),
            Ok((stat, folder)) => {
                visit(Ok(Found {
                    path: &path,
                    folder: folder.as_fd(),
                    folder_identity: identity(&stat),
                    name: OsStr::new("."),
                    stat: &stat,
                }))?;
                self.enter(path, stat, folder, visit)
            }
        }
    }

    /// One entry of the folder that the walk is in.
    fn entry(&mut self, (name, is_folder): &Name, visit: &mut Visitor<'_>) -> ControlFlow<()> {
        let root = self.root;
        let Some(frame) = self.frames.last_mut() else { return ControlFlow::Continue(()) };
        let path = frame.path.join(name);
        let folder_identity = identity(&frame.stat);
        let folder = match frame.open(root) {
            Ok(folder) => folder,
            Err(error) => return frame.give_up(&error, visit),
        };
        let stat = match rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(error) => return self.failed(&path, *is_folder, &error.into(), visit),
        };
        let is_folder = FileType::from_raw_mode(stat.st_mode).is_dir();
        if self.rules.exclude.matched(&path, is_folder).is_ignore() {
            return ControlFlow::Continue(());
        }
        if is_folder && self.rules.is_own(&path, &stat) {
            let message = "left out: the repository, its cache or the configuration lies there";
            return visit(Err(issue(&path, Failure::new(IssueKind::OwnFiles, message))));
        }
        visit(Ok(Found { path: &path, folder, folder_identity, name, stat: &stat }))?;
        if is_folder { self.descend(path, &stat, visit) } else { ControlFlow::Continue(()) }
    }

    /// An entry that could not be looked at. Only a single one that is gone may be a note: with a
    /// folder, or with the folder that it lies in, more is lost than its own name.
    fn failed(
        &mut self,
        path: &Path,
        is_folder: bool,
        error: &io::Error,
        visit: &mut Visitor<'_>,
    ) -> ControlFlow<()> {
        let Some(frame) = self.frames.last_mut() else { return ControlFlow::Continue(()) };
        let is_gone = error.kind() == io::ErrorKind::NotFound;
        if is_gone && !self.root.holds(&frame.path, identity(&frame.stat)) {
            return frame.give_up(error, visit);
        }
        if self.rules.exclude.matched(path, is_folder).is_ignore() {
            return ControlFlow::Continue(());
        }
        visit(Err(match is_gone && is_folder {
            true => listing(path, error),
            false => issue(path, Failure::of("look at it", error)),
        }))
    }

    /// Enter the folder just found, unless it lies where the walk does not go.
    fn descend(
        &mut self,
        path: PathBuf,
        listed: &Stat,
        visit: &mut Visitor<'_>,
    ) -> ControlFlow<()> {
        if let Some(reason) = self.endless(&path, listed) {
            return visit(Err(issue(&path, Failure::new(IssueKind::Listing, reason))));
        }
        let opened = self.root.open_beneath(&path, folder_flags());
        let opened = opened.and_then(|folder| Ok((rustix::fs::fstat(&folder)?, folder)));
        match opened {
            Err(error) => visit(Err(listing(&path, &error))),
            Ok((stat, _)) if identity(&stat) != identity(listed) => {
                let failure = Failure::new(IssueKind::Listing, "was replaced while it was listed");
                visit(Err(issue(&path, failure)))
            }
            Ok((stat, folder)) if self.is_elsewhere(&stat, &folder) => ControlFlow::Continue(()),
            Ok((stat, folder)) => {
                self.close_far_folders();
                self.enter(path, stat, folder, visit)
            }
        }
    }

    /// Why the walk would not come to an end below this folder.
    fn endless(&self, path: &Path, listed: &Stat) -> Option<&'static str> {
        let is_loop = self.frames.iter().any(|above| identity(&above.stat) == identity(listed));
        let is_too_deep = path.as_os_str().len() > LONGEST_PATH_BYTES;
        [(is_loop, "this folder contains itself"), (is_too_deep, "this folder lies too deep")]
            .into_iter()
            .find_map(|(holds, reason)| holds.then_some(reason))
    }

    fn enter(
        &mut self,
        path: PathBuf,
        stat: Stat,
        folder: OwnedFd,
        visit: &mut Visitor<'_>,
    ) -> ControlFlow<()> {
        let (names, failure) = names(&folder);
        // A folder that is removed while it is listed seems to end like any other.
        let is_held = self.root.holds(&path, identity(&stat));
        let failure = failure.or_else(|| (!is_held).then(|| io::ErrorKind::NotFound.into()));
        let told = failure.map(|error| visit(Err(listing(&path, &error))));
        self.frames.push(Frame { path, stat, names: names.into_iter(), folder: Some(folder) });
        told.unwrap_or(ControlFlow::Continue(()))
    }

    /// On a file system that is made up by the kernel, or that the walk was told not to enter.
    fn is_elsewhere(&self, stat: &Stat, folder: &OwnedFd) -> bool {
        let Some(above) = self.frames.last() else { return false };
        if stat.st_dev == above.stat.st_dev {
            return false;
        }
        self.rules.one_file_system
            || rustix::fs::fstatfs(folder)
                .is_ok_and(|system| KERNEL_FILE_SYSTEMS.contains(&system.f_type))
    }

    fn close_far_folders(&mut self) {
        let near = self.frames.len().saturating_sub(MOST_OPEN_FOLDERS);
        if let Some(far) = near.checked_sub(1).and_then(|place| self.frames.get_mut(place)) {
            far.folder = None;
        }
    }
}

impl Frame {
    /// The folder went away or was replaced: the rest of its names mean nothing.
    fn give_up(&mut self, error: &io::Error, visit: &mut Visitor<'_>) -> ControlFlow<()> {
        self.names = Vec::new().into_iter();
        visit(Err(listing(&self.path, error)))
    }

    /// The folder, opened again if it was closed; an error when another one took its place.
    fn open(&mut self, root: &Root) -> io::Result<BorrowedFd<'_>> {
        if self.folder.is_none() {
            let folder = root.open_beneath(&self.path, folder_flags())?;
            if identity(&rustix::fs::fstat(&folder)?) != identity(&self.stat) {
                return Err(io::Error::other("was replaced while it was listed"));
            }
            self.folder = Some(folder);
        }
        self.folder.as_ref().map(AsFd::as_fd).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

fn folder_flags() -> OFlags {
    OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NONBLOCK
}

/// The folder's names in byte order, and the error that ended the listing early.
fn names(folder: &OwnedFd) -> (Vec<Name>, Option<io::Error>) {
    let mut names = Vec::new();
    let mut failure = None;
    match Dir::read_from(folder) {
        Err(error) => failure = Some(error.into()),
        Ok(mut entries) => {
            while let Some(entry) = entries.read() {
                match entry {
                    Err(error) => {
                        failure = Some(error.into());
                        break;
                    }
                    Ok(entry) if matches!(entry.file_name().to_bytes(), b"." | b"..") => {}
                    Ok(entry) => {
                        let name = OsString::from_vec(entry.file_name().to_bytes().into());
                        names.push((name, entry.file_type().is_dir()));
                    }
                }
            }
        }
    }
    names.sort_unstable();
    // A folder that changes while it is listed may show a name twice.
    names.dedup_by(|one, other| one.0 == other.0);
    (names, failure)
}

fn issue(path: &Path, failure: Failure) -> Issue {
    Issue::new(failure.kind, path, failure.message)
}

/// A folder that cannot be listed to its end, whatever the reason: nobody knows what it held.
fn listing(path: &Path, error: &io::Error) -> Issue {
    Issue::new(IssueKind::Listing, path, format!("cannot list it: {error}"))
}
