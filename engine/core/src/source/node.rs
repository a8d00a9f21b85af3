//! What the format stores about an entry.

use std::{
    collections::HashMap,
    ffi::OsStr,
    io,
    os::{fd::BorrowedFd, unix::ffi::OsStrExt},
    path::Path,
};

use base64::Engine as _;
use nix::unistd::{Gid, Group, Uid, User};
use rustic_core::{
    jiff::Timestamp,
    repofile::{Metadata, Node, NodeType},
};
use rustix::fs::{FileType, Stat};
use serde_json::json;

use super::{
    Failure,
    attributes::{self, Attribute},
};
use crate::issue::IssueKind;

/// Go's mode bits, in which the format writes modes; permissions are as in Unix.
const GO_DIR: u32 = 1 << 31;
/// A symbolic link's.
pub const GO_SYMLINK: u32 = 1 << 27;
const GO_DEVICE: u32 = 1 << 26;
const GO_FIFO: u32 = 1 << 25;
const GO_SOCKET: u32 = 1 << 24;
const GO_SETUID: u32 = 1 << 23;
const GO_SETGID: u32 = 1 << 22;
const GO_CHAR_DEVICE: u32 = 1 << 21;
const GO_STICKY: u32 = 1 << 20;

/// The mode of a folder that everybody may enter.
pub const FOLDER_MODE: u32 = GO_DIR | 0o755;

/// Beginning and end of the years 0 to 9999 in Unix seconds, which is all that the format can
/// hold; a day less on both sides, because times are stored in the local time zone.
const FIRST_SECOND: i64 = -62_167_219_200 + 86_400;
const LAST_SECOND: i64 = 253_402_300_799 - 86_400;

/// A file changed within this time before it was listed may change again without its times
/// showing it: clocks of file systems tick slowly.
const RACY_NANOSECONDS: i128 = 2_000_000_000;

/// Makes nodes; remembers the names of users and groups.
#[derive(Debug, Default)]
pub struct NodeMaker {
    users: HashMap<u32, Option<String>>,
    groups: HashMap<u32, Option<String>>,
}

impl NodeMaker {
    /// The node of the entry `name` in `folder` (`.` for the root), and what could not be read.
    /// `stored_name` is its name in the tree. An error means that the entry itself is lost.
    pub fn node(
        &mut self,
        folder: BorrowedFd<'_>,
        name: &OsStr,
        stored_name: &OsStr,
        stat: &Stat,
    ) -> (io::Result<Node>, Option<Failure>) {
        let node_type = match node_type(folder, name, stat) {
            Ok(node_type) => node_type,
            Err(error) => return (Err(error), None),
        };
        let mut metadata = self.metadata(stat);
        let mut failures = Vec::new();
        match attributes::read(folder, name) {
            Ok((attributes, has_unnameable)) => {
                attributes.iter().for_each(|attribute| store(&mut metadata, attribute));
                failures.extend(has_unnameable.then(|| "an attribute's name is not UTF-8".into()));
            }
            Err(error) => failures.push(format!("cannot read attributes: {error}")),
        }
        failures.extend(metadata.mtime.is_none().then(|| "its time is out of range".into()));
        let message = (!failures.is_empty()).then(|| failures.join("; "));
        let failure = message.map(|message| Failure::new(IssueKind::Attributes, message));
        (Ok(Node::new_node(stored_name, node_type, metadata)), failure)
    }

    fn metadata(&mut self, stat: &Stat) -> Metadata {
        let kind = FileType::from_raw_mode(stat.st_mode);
        let is_folder = kind.is_dir();
        let links = stat.st_nlink;
        let is_linked = !is_folder && links > 1;
        let mtime = timestamp(stat.st_mtime, stat.st_mtime_nsec);
        Metadata {
            mode: Some(go_mode(stat.st_mode)),
            mtime,
            // As restic does: the time of the last access would make every tree a new one.
            atime: mtime,
            ctime: safe_ctime(stat, Timestamp::now()),
            uid: Some(stat.st_uid),
            gid: Some(stat.st_gid),
            user: self.user(stat.st_uid),
            group: self.group(stat.st_gid),
            inode: stat.st_ino,
            device_id: if is_linked { stat.st_dev } else { 0 },
            // As restic does: the length of a link's target is nobody's data.
            size: if kind.is_file() { u64::try_from(stat.st_size).unwrap_or(0) } else { 0 },
            links: if is_folder { 0 } else { links },
            extended_attributes: Vec::new(),
        }
    }

    fn user(&mut self, id: u32) -> Option<String> {
        let look_up = || User::from_uid(Uid::from_raw(id)).ok().flatten().map(|user| user.name);
        self.users.entry(id).or_insert_with(look_up).clone()
    }

    fn group(&mut self, id: u32) -> Option<String> {
        let look_up = || Group::from_gid(Gid::from_raw(id)).ok().flatten().map(|group| group.name);
        self.groups.entry(id).or_insert_with(look_up).clone()
    }
}

/// `rustic_core` does not show the type of an attribute, so it is made from its JSON.
fn store(metadata: &mut Metadata, (name, value): &Attribute) {
    let value = base64::engine::general_purpose::STANDARD.encode(value);
    let json = json!({ "name": name, "value": value });
    metadata.extended_attributes.extend(serde_json::from_value(json));
}

fn node_type(folder: BorrowedFd<'_>, name: &OsStr, stat: &Stat) -> io::Result<NodeType> {
    Ok(match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => NodeType::Dir,
        FileType::Symlink => {
            let target = rustix::fs::readlinkat(folder, name, Vec::new())?;
            NodeType::from_link(Path::new(OsStr::from_bytes(target.as_bytes())))
        }
        FileType::BlockDevice => NodeType::Dev { device: stat.st_rdev },
        FileType::CharacterDevice => NodeType::Chardev { device: stat.st_rdev },
        FileType::Fifo => NodeType::Fifo,
        FileType::Socket => NodeType::Socket,
        FileType::RegularFile | FileType::Unknown => NodeType::File,
    })
}

fn go_mode(mode: u32) -> u32 {
    let kind = match FileType::from_raw_mode(mode) {
        FileType::Directory => GO_DIR,
        FileType::Symlink => GO_SYMLINK,
        FileType::BlockDevice => GO_DEVICE,
        FileType::CharacterDevice => GO_DEVICE | GO_CHAR_DEVICE,
        FileType::Fifo => GO_FIFO,
        FileType::Socket => GO_SOCKET,
        FileType::RegularFile | FileType::Unknown => 0,
    };
    let special = [(0o4000, GO_SETUID), (0o2000, GO_SETGID), (0o1000, GO_STICKY)];
    special
        .into_iter()
        .filter(|(bit, _)| mode & bit != 0)
        .fold(kind | (mode & 0o777), |all, (_, go)| all | go)
}

fn timestamp(seconds: i64, nanoseconds: impl TryInto<i32>) -> Option<Timestamp> {
    if !(FIRST_SECOND..=LAST_SECOND).contains(&seconds) {
        return None;
    }
    Timestamp::new(seconds, nanoseconds.try_into().ok()?).ok()
}

/// The entry's ctime, by which the next run decides whether the entry changed.
///
/// An entry that changes twice within one tick of its file system's clock shows the same time
/// both times, and the second change would be missed for ever. So what changed just now gets the
/// moment of its listing instead: no other listing has that, and the next run reads it anew.
fn safe_ctime(stat: &Stat, now: Timestamp) -> Option<Timestamp> {
    let changed = timestamp(stat.st_ctime, stat.st_ctime_nsec)?;
    let age = now.as_nanosecond() - changed.as_nanosecond();
    match age < RACY_NANOSECONDS {
        true => Some(now),
        false => Some(changed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_written_as_go_writes_them() {
        assert_eq!(go_mode(0o100_644), 0o644);
        assert_eq!(go_mode(0o040_755), FOLDER_MODE);
        assert_eq!(go_mode(0o041_777), GO_DIR | GO_STICKY | 0o777);
        assert_eq!(go_mode(0o106_755), GO_SETUID | GO_SETGID | 0o755);
        assert_eq!(go_mode(0o120_777), GO_SYMLINK | 0o777);
        assert_eq!(go_mode(0o060_660), GO_DEVICE | 0o660);
        assert_eq!(go_mode(0o020_620), GO_DEVICE | GO_CHAR_DEVICE | 0o620);
        assert_eq!(go_mode(0o010_600), GO_FIFO | 0o600);
        assert_eq!(go_mode(0o140_755), GO_SOCKET | 0o755);
    }

    #[test]
    fn what_changed_just_now_is_never_matched_by_another_listing() {
        let folder = tempfile::tempdir().unwrap();
        let stat = rustix::fs::stat(folder.path()).unwrap();
        let changed = timestamp(stat.st_ctime, stat.st_ctime_nsec).unwrap();
        let after = |seconds| Timestamp::from_second(changed.as_second() + seconds).unwrap();

        assert_eq!(safe_ctime(&stat, after(1)), Some(after(1)));
        assert_eq!(safe_ctime(&stat, after(-3600)), Some(after(-3600)), "a clock set back");
        assert_eq!(safe_ctime(&stat, after(3)), Some(changed));
    }
}
