//! The process confines itself: from then on it opens only what it said it needs (Landlock).
//!
//! What the kernel asks for is a path's place beneath an open folder, not its name: symbolic links
//! among the paths are resolved once, now, and what is put in the place of a file afterwards is
//! another one. A folder takes in what is mounted in it, then or later, but not what is mounted over
//! it later.

use std::{
    fs,
    os::fd::{AsFd, OwnedFd},
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, LandlockStatus, NetPort,
    PathBeneath, RestrictionStatus, Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr,
    RulesetStatus, Scope, make_bitflags,
};
use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
};

use crate::error::{Error, ErrorKind, Result};

/// The newest rules that were tried; what later kernels could refuse beyond them is not asked for.
const NEWEST: ABI = ABI::V7;
/// The first one that lets a file move between folders, which hot needs.
const OLDEST: i32 = 2;
const FIRST_WITH_PORTS: i32 = 4;
const FIRST_WITH_SCOPES: i32 = 6;

/// What was allowed stays open: /proc forgets its folders when memory is short, makes them anew, and
/// the new ones would not be those that were allowed.
static KEPT: Mutex<Vec<OwnedFd>> = Mutex::new(Vec::new());

/// What a process needs.
#[derive(Debug, Default)]
pub struct Needs {
    /// Files, and folders with all beneath them, that it reads.
    pub read: Vec<PathBuf>,
    /// The same, that it also writes, makes and removes: files and folders, never devices, pipes,
    /// sockets or symbolic links.
    pub write: Vec<PathBuf>,
    /// TCP ports that it connects to; None for any.
    pub connect_ports: Option<Vec<u16>>,
}

/// What holds from now on, and cannot be undone, for this process and its children.
#[derive(Debug, PartialEq, Eq)]
pub struct Confinement {
    /// The version of the kernel's rules; 0 where it has none, or they are not switched on.
    pub abi: i32,
    /// Whether nothing but the paths is read, written, made, removed or executed; before version 3
    /// other files can still be cut short.
    pub files: bool,
    /// Whether TCP goes to the given ports alone, and none is listened on.
    pub network: bool,
    /// Whether no signal and no abstract socket reaches another process.
    pub processes: bool,
    /// Paths that were not there, or could not be looked at, and so are not allowed.
    pub missing: Vec<PathBuf>,
}

/// Confine this process; before it has a second thread, because the kernel confines one.
///
/// A kernel that cannot do it is no error: the answer says so. It takes away the right to become
/// somebody else by what is executed (`no_new_privs`).
pub fn confine(needs: &Needs) -> Result<Confinement> {
    refuse_threads()?;
    let (reading, unread) = opened(&needs.read);
    let (writing, unwritten) = opened(&needs.write);
    let status = restrict(&reading, &writing, needs.connect_ports.as_deref())
        .map_err(|error| Error::caused_by(ErrorKind::Internal, "cannot confine itself", error))?;
    let missing = unread.into_iter().chain(unwritten).collect();
    let kept = reading.into_iter().chain(writing).map(|(path, _)| path);
    KEPT.lock().unwrap_or_else(PoisonError::into_inner).extend(kept);
    Ok(Confinement::of(abi(&status), needs.connect_ports.is_some(), missing))
}

impl Confinement {
    fn of(abi: i32, has_ports: bool, missing: Vec<PathBuf>) -> Self {
        Self {
            abi,
            files: abi >= OLDEST,
            network: has_ports && abi >= FIRST_WITH_PORTS,
            processes: abi >= FIRST_WITH_SCOPES,
            missing,
        }
    }
}

/// Other threads would stay as free as before, and whoever takes one over with them.
fn refuse_threads() -> Result<()> {
    let threads = fs::read_dir("/proc/self/task").map_err(|error| {
        Error::caused_by(ErrorKind::Internal, "cannot count the threads of this process", error)
    })?;
    match threads.count() {
        1 => Ok(()),
        count => Err(Error::new(
            ErrorKind::Internal,
            format!("a process confines itself while it has one thread, and this one has {count}"),
        )),
    }
}

type Opened = (OwnedFd, bool);

/// The paths that are there, each with whether it is a folder, and the others.
fn opened(paths: &[PathBuf]) -> (Vec<Opened>, Vec<PathBuf>) {
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for path in paths {
        match open(path) {
            Ok(opened) => found.push(opened),
            Err(_) => missing.push(path.clone()),
        }
    }
    (found, missing)
}

fn open(path: &PathBuf) -> rustix::io::Result<Opened> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    // As a folder at first: that has an automount take place, whose folder is another one.
    match rustix::fs::open(path, flags | OFlags::DIRECTORY, Mode::empty()) {
        Err(Errno::NOTDIR) => Ok((rustix::fs::open(path, flags, Mode::empty())?, false)),
        folder => Ok((folder?, true)),
    }
}

fn restrict(
    reading: &[Opened],
    writing: &[Opened],
    ports: Option<&[u16]>,
) -> std::result::Result<RestrictionStatus, landlock::RulesetError> {
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::SoftRequirement)
        .handle_access(AccessFs::Refer)?
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?;
    if ports.is_some() {
        ruleset = ruleset.handle_access(AccessNet::from_all(NEWEST))?;
    }
    let read = make_bitflags!(AccessFs::{ReadFile | ReadDir});
    let written = make_bitflags!(AccessFs::{
        WriteFile | Truncate | MakeReg | MakeDir | RemoveFile | RemoveDir | Refer
    });
    let mut created = allow(ruleset.create()?, reading, read)?;
    created = allow(created, writing, read | written)?;
    for port in ports.into_iter().flatten() {
        created = created.add_rule(NetPort::new(*port, AccessNet::ConnectTcp))?;
    }
    created.restrict_self()
}

fn allow(
    mut ruleset: RulesetCreated,
    paths: &[Opened],
    access: BitFlags<AccessFs>,
) -> std::result::Result<RulesetCreated, landlock::RulesetError> {
    for (path, is_folder) in paths {
        let access = match is_folder {
            true => access,
            // What only a folder has would be refused for a file.
            false => access & AccessFs::from_file(NEWEST),
        };
        ruleset = ruleset.add_rule(PathBeneath::new(path.as_fd(), access))?;
    }
    Ok(ruleset)
}

fn abi(status: &RestrictionStatus) -> i32 {
    match (&status.ruleset, &status.landlock) {
        (RulesetStatus::NotEnforced, _) => 0,
        (_, LandlockStatus::Available { effective_abi, kernel_abi }) => {
            kernel_abi.unwrap_or(*effective_abi as i32)
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(abi: i32, has_ports: bool) -> [bool; 3] {
        let found = Confinement::of(abi, has_ports, Vec::new());
        [found.files, found.network, found.processes]
    }

    #[test]
    fn what_is_told_to_hold_follows_from_the_kernel() {
        assert_eq!(held(0, true), [false; 3]);
        assert_eq!(held(2, true), [true, false, false]);
        assert_eq!(held(4, true), [true, true, false]);
        assert_eq!(held(6, true), [true; 3]);
        assert_eq!(held(7, false), [true, false, true]);
    }

    #[test]
    fn a_process_with_threads_is_refused() {
        let (_held, waited_for) = std::sync::mpsc::channel::<()>();
        std::thread::spawn(move || waited_for.recv());

        let refused = confine(&Needs::default()).unwrap_err();

        assert_eq!(refused.kind(), ErrorKind::Internal);
        assert!(refused.to_string().contains("while it has one thread, and this one has"));
    }
}
