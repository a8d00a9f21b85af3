//! Owner, attributes, mode and times, in the order in which none undoes another.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::{
    fs::{
        AtFlags, Gid, Mode, OFlags, Timespec, Timestamps, Uid, XattrFlags, chownat, fchmod, fchown,
        fsetxattr, futimens, openat, setxattr, utimensat,
    },
    io::Result as IoResult,
};

use crate::format::tree::{Attribute, Metadata, Time};

/// Attributes that any owner may set: notes, and who else may use a file. Without its ACL a file
/// would give its group what its mask only allows.
const ORDINARY_ATTRIBUTES: [&str; 2] = ["user.", "system.posix_acl_"];

/// What metadata is set on.
pub enum Subject<'a> {
    /// An open file.
    File(BorrowedFd<'a>),
    /// An open folder.
    Folder(BorrowedFd<'a>),
    /// An entry that cannot be opened to write: a link or a special file.
    Named(Anchored),
}

/// An entry held by a handle that only names it, so that nobody can put another in its place.
pub struct Anchored {
    anchor: OwnedFd,
    is_link: bool,
}

impl Anchored {
    /// Hold the entry `name` of `folder`.
    pub fn new(folder: impl AsFd, name: &str, is_link: bool) -> IoResult<Self> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let anchor = openat(folder, name, flags, Mode::empty())?;
        Ok(Self { anchor, is_link })
    }

    /// The kernel's own path to the held entry itself.
    fn path(&self) -> String {
        format!("/proc/self/fd/{}", self.anchor.as_raw_fd())
    }
}

/// Set what `metadata` says; returns a sentence for each thing that could not be set.
/// With `exact` also owner, special mode bits and all attributes, else only what gives no power.
pub fn apply(subject: &Subject<'_>, metadata: &Metadata, exact: bool) -> Vec<String> {
    let mut failures = Vec::new();
    let mut note = |what: &str, done: IoResult<()>| {
        if let Err(errno) = done {
            failures.push(format!("cannot set its {what}: {errno}"));
        }
    };
    // 1. Owner: changing it clears special mode bits and capabilities.
    if exact {
        note("owner", subject.set_owner(metadata.uid, metadata.gid));
    }
    // 2. Attributes: a mode without the right to write would refuse them.
    for attribute in metadata.attributes.iter().filter(|attribute| is_wanted(attribute, exact)) {
        note(&format!("attribute {}", attribute.name), subject.set_attribute(attribute));
    }
    // 3. Mode: an ACL changes it.
    if let Some(mode) = metadata.mode {
        note("mode", subject.set_mode(mode & allowed_mode(subject, exact)));
    }
    // 4. Times: everything else may change them.
    if let Some(modified) = metadata.modified {
        note("times", subject.set_times(metadata.accessed.unwrap_or(modified), modified));
    }
    failures
}

/// The bits of a mode that are set. Without the sticky bit anybody could remove anybody's files
/// from a folder that all may write to.
fn allowed_mode(subject: &Subject<'_>, exact: bool) -> u32 {
    match (exact, subject) {
        (true, _) => 0o7777,
        (false, Subject::Folder(_)) => 0o1777,
        (false, _) => 0o777,
    }
}

/// Whether `attribute` is set.
pub fn is_wanted(attribute: &Attribute, exact: bool) -> bool {
    exact || ORDINARY_ATTRIBUTES.iter().any(|ordinary| attribute.name.starts_with(ordinary))
}

impl Subject<'_> {
    fn set_owner(&self, uid: Option<u32>, gid: Option<u32>) -> IoResult<()> {
        let (uid, gid) = (uid.and_then(known_uid), gid.and_then(known_gid));
        match self {
            Self::File(handle) | Self::Folder(handle) => fchown(handle, uid, gid),
            Self::Named(entry) => chownat(&entry.anchor, "", uid, gid, AtFlags::EMPTY_PATH),
        }
    }

    fn set_attribute(&self, attribute: &Attribute) -> IoResult<()> {
        let (name, value) = (attribute.name.as_str(), attribute.value.as_slice());
        match self {
            Self::File(handle) | Self::Folder(handle) => {
                fsetxattr(handle, name, value, XattrFlags::empty())
            }
            Self::Named(entry) => setxattr(entry.path(), name, value, XattrFlags::empty()),
        }
    }

    fn set_mode(&self, mode: u32) -> IoResult<()> {
        let mode = Mode::from_raw_mode(mode);
        match self {
            Self::File(handle) | Self::Folder(handle) => fchmod(handle, mode),
            // Links have no mode of their own.
            Self::Named(entry) if entry.is_link => Ok(()),
            Self::Named(entry) => rustix::fs::chmod(entry.path(), mode),
        }
    }

    fn set_times(&self, accessed: Time, modified: Time) -> IoResult<()> {
        let times =
            Timestamps { last_access: timespec(accessed), last_modification: timespec(modified) };
        match self {
            Self::File(handle) | Self::Folder(handle) => futimens(handle, &times),
            Self::Named(entry) => utimensat(&entry.anchor, "", &times, AtFlags::EMPTY_PATH),
        }
    }
}

/// The highest number means "leave it" to the kernel and is no owner.
fn known_uid(number: u32) -> Option<Uid> {
    (number != u32::MAX).then(|| Uid::from_raw(number))
}

fn known_gid(number: u32) -> Option<Gid> {
    (number != u32::MAX).then(|| Gid::from_raw(number))
}

fn timespec((seconds, nanoseconds): Time) -> Timespec {
    Timespec { tv_sec: seconds, tv_nsec: nanoseconds.into() }
}
