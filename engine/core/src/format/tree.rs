//! Trees: the entries of one folder.

use std::{borrow::Cow, io};

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, de::Error as _};

use super::{
    base64, damaged, name,
    nodes::{Attributes, each_node, each_node_read},
};
use crate::{
    error::{Error, ErrorKind, Result},
    object::ObjectId,
};

/// Base64 of the 64 KiB that Linux allows for an attribute, and room to spare.
const MOST_ATTRIBUTE_DIGITS: usize = 128 << 10;

/// Of an entry with all that is known about it; hardly one is shorter.
const NODE_JSON_BYTES: usize = 300;

/// The entries of one folder, sorted by name, and those that must not be used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    /// Entries whose names are safe and stand once in the folder.
    pub nodes: Vec<Node>,
    /// Names that were left out, and why.
    pub refused: Vec<Refused>,
}

/// An entry that was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Its name: as bytes where it could be read, else as it stands.
    pub name: Vec<u8>,
    /// Why it was left out.
    pub reason: &'static str,
}

/// One entry of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its name, one component.
    pub name: Vec<u8>,
    /// What it is.
    pub kind: NodeKind,
    /// What is known about it.
    pub metadata: Metadata,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum NodeKind {
    /// A regular file: its content is that of these blobs, one after the other.
    File(Vec<ObjectId>),
    /// A folder and its tree; None is damage.
    Folder(Option<ObjectId>),
    /// A symbolic link and what it points to.
    Symlink(Vec<u8>),
    /// A block device and its number.
    BlockDevice(u64),
    /// A character device and its number.
    CharacterDevice(u64),
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
    /// A word that this version does not know.
    Unknown(String),
}

/// What is known about an entry beside its content.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metadata {
    /// Unix mode without the type: 12 bits.
    pub mode: Option<u32>,
    /// When its content changed last.
    pub modified: Option<Time>,
    /// When it was read last.
    pub accessed: Option<Time>,
    /// Number of its owner.
    pub uid: Option<u32>,
    /// Number of its group.
    pub gid: Option<u32>,
    /// Name of its owner.
    pub user: Option<String>,
    /// Name of its group.
    pub group: Option<String>,
    /// Its inode; 0 while unknown.
    pub inode: u64,
    /// The device of its file system; 0 while unknown.
    pub device_id: u64,
    /// Names that the inode has.
    pub links: u64,
    /// Bytes of a file.
    pub size_bytes: u64,
    /// Extended attributes, ACLs among them.
    pub attributes: Vec<Attribute>,
}

/// What makes two names one file: device, inode, and its content. A claim alone would let one
/// file take the place of another.
pub type Identity = (u64, u64, ObjectId);

impl Node {
    /// About what it takes in memory.
    pub fn held_bytes(&self) -> usize {
        let content = match &self.kind {
            NodeKind::File(content) => size_of_val(content.as_slice()),
            _ => 0,
        };
        size_of::<Self>() + self.name.len() + content + self.metadata.held_bytes()
    }
}

impl Metadata {
    /// About what it takes in memory beside itself; attributes may be long.
    pub fn held_bytes(&self) -> usize {
        let owner = [&self.user, &self.group].into_iter().flatten().map(String::len);
        let attributes = self
            .attributes
            .iter()
            .map(|attribute| size_of::<Attribute>() + attribute.name.len() + attribute.value.len());
        owner.chain(attributes).sum()
    }

    /// The identity of a file with `content`, when it has several names.
    pub fn identity(&self, content: &[ObjectId]) -> Option<Identity> {
        let has_several_names = self.links > 1 && self.inode != 0;
        has_several_names.then(|| {
            let content = ObjectId::of_parts(content.iter().map(|id| id.0.as_slice()));
            (self.device_id, self.inode, content)
        })
    }
}

/// Seconds since 1970, UTC, and nanoseconds after that.
pub type Time = (i64, u32);

/// An extended attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// Its name with the namespace: `user.note`.
    pub name: String,
    /// Its value.
    pub value: Vec<u8>,
}

#[derive(Deserialize)]
struct RawNode<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    mode: Option<u32>,
    #[serde(borrow)]
    mtime: Option<Cow<'a, str>>,
    #[serde(borrow)]
    atime: Option<Cow<'a, str>>,
    uid: Option<u32>,
    gid: Option<u32>,
    user: Option<String>,
    group: Option<String>,
    inode: Option<u64>,
    device_id: Option<u64>,
    links: Option<u64>,
    size: Option<u64>,
    extended_attributes: Option<Attributes<Attribute>>,
    device: Option<u64>,
    linktarget: Option<String>,
    #[serde(borrow)]
    linktarget_raw: Option<Cow<'a, str>>,
    content: Option<Vec<ObjectId>>,
    subtree: Option<ObjectId>,
}

#[derive(Deserialize)]
struct RawAttribute<'a> {
    name: String,
    #[serde(borrow)]
    value: Option<Cow<'a, str>>,
}

impl Tree {
    /// Read the JSON of a tree that is stored in `stored_bytes`.
    pub fn parse(json: &[u8], stored_bytes: usize) -> Result<Self> {
        let mut tree = Self::default();
        each_node(json, stored_bytes, |raw| tree.add(raw))?;
        Ok(tree.sorted())
    }

    /// The same of JSON of `json_bytes`, which is never held.
    pub fn read(json: impl io::Read, json_bytes: usize, stored_bytes: usize) -> Result<Self> {
        let mut tree = Self::default();
        // What is not used of it takes no memory; growing would take twice as much.
        tree.nodes.reserve(json_bytes / NODE_JSON_BYTES);
        each_node_read(json, json_bytes, stored_bytes, |raw| tree.add(raw))?;
        Ok(tree.sorted())
    }

    fn sorted(mut self) -> Self {
        let tree = &mut self;
        // Stable: of several entries with one name the first stays, as other programs have it.
        tree.nodes.sort_by(|one, other| one.name.cmp(&other.name));
        let refused = &mut tree.refused;
        tree.nodes.dedup_by(|later, first| {
            let is_twice = later.name == first.name;
            if is_twice {
                let reason = "its name stands in the folder twice";
                refused.push(Refused { name: later.name.clone(), reason });
            }
            is_twice
        });
        self
    }

    /// Add a node or refuse it; returns how many attributes it has.
    fn add(&mut self, raw: RawNode<'_>) -> Result<usize> {
        let attributes = raw.extended_attributes.as_ref().map_or(0, |list| list.0.len());
        let Some(name) = name::unescape(&raw.name) else {
            let name = raw.name.into_owned().into_bytes();
            self.refused.push(Refused { name, reason: "its name cannot be read" });
            return Ok(attributes);
        };
        match name::danger(&name) {
            Some(reason) => self.refused.push(Refused { name, reason }),
            None => self.nodes.push(raw.into_node(name)?),
        }
        Ok(attributes)
    }
}

impl RawNode<'_> {
    fn into_node(self, name: Vec<u8>) -> Result<Node> {
        let kind = match self.kind.as_ref() {
            "file" => NodeKind::File(self.content.unwrap_or_default()),
            "dir" => NodeKind::Folder(self.subtree),
            "symlink" => NodeKind::Symlink(link_target(self.linktarget, self.linktarget_raw)?),
            "dev" => NodeKind::BlockDevice(self.device.unwrap_or_default()),
            "chardev" => NodeKind::CharacterDevice(self.device.unwrap_or_default()),
            "fifo" => NodeKind::Fifo,
            "socket" => NodeKind::Socket,
            other => NodeKind::Unknown(other.to_owned()),
        };
        let metadata = Metadata {
            mode: self.mode.map(unix_mode),
            modified: self.mtime.as_deref().map(parse_time).transpose()?,
            accessed: self.atime.as_deref().map(parse_time).transpose()?,
            uid: self.uid,
            gid: self.gid,
            user: self.user,
            group: self.group,
            inode: self.inode.unwrap_or_default(),
            device_id: self.device_id.unwrap_or_default(),
            links: self.links.unwrap_or_default(),
            size_bytes: self.size.unwrap_or_default(),
            attributes: self.extended_attributes.map(|list| list.0).unwrap_or_default(),
        };
        Ok(Node { name, kind, metadata })
    }
}

impl<'a> Deserialize<'a> for Attribute {
    fn deserialize<D: Deserializer<'a>>(raw: D) -> std::result::Result<Self, D::Error> {
        attribute(RawAttribute::deserialize(raw)?).map_err(D::Error::custom)
    }
}

/// The raw target where there is one: the plain one is lossy then.
fn link_target(plain: Option<String>, raw: Option<Cow<'_, str>>) -> Result<Vec<u8>> {
    match raw {
        Some(raw) => base64::decode(&raw).ok_or_else(|| damaged("a link's target is not base64")),
        None => Ok(plain.unwrap_or_default().into_bytes()),
    }
}

fn attribute(raw: RawAttribute<'_>) -> Result<Attribute> {
    let text = raw.value.as_deref().unwrap_or_default();
    if text.len() > MOST_ATTRIBUTE_DIGITS {
        return Err(damaged("an attribute is longer than the system takes"));
    }
    let value =
        base64::decode(text).ok_or_else(|| damaged("an attribute's value is not base64"))?;
    Ok(Attribute { name: raw.name, value })
}

/// The 12 bits of a Unix mode from Go's `FileMode`, whose special bits stand elsewhere.
fn unix_mode(go_mode: u32) -> u32 {
    let special = [(1 << 23, 0o4000), (1 << 22, 0o2000), (1 << 20, 0o1000)];
    special
        .into_iter()
        .filter(|(go_bit, _)| go_mode & go_bit != 0)
        .fold(go_mode & 0o777, |mode, (_, unix_bit)| mode | unix_bit)
}

fn parse_time(text: &str) -> Result<Time> {
    let time: Timestamp = text
        .parse()
        .map_err(|error| Error::caused_by(ErrorKind::Damaged, "a time cannot be read", error))?;
    Ok(split_time(time))
}

/// Seconds rounded down, so that the nanoseconds count forward before 1970 as well.
pub(super) fn split_time(time: Timestamp) -> Time {
    let nanoseconds = time.as_nanosecond();
    let seconds = nanoseconds.div_euclid(1_000_000_000);
    let rest = nanoseconds.rem_euclid(1_000_000_000);
    (i64::try_from(seconds).unwrap_or_default(), u32::try_from(rest).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(nodes: &str) -> Tree {
        Tree::parse(format!(r#"{{"nodes":[{nodes}]}}"#).as_bytes(), 0).unwrap()
    }

    fn named(name: &str) -> String {
        format!(r#"{{"name":"{name}","type":"file"}}"#)
    }

    #[test]
    fn metadata_is_read_in_full() {
        let tree = parse(
            r#"{"name":"a\\xff","type":"file","mode":12583404,"mtime":"1969-12-31T23:59:59.25Z",
            "uid":7,"user":"u","inode":3,"links":2,"size":5,"content":null,"future":{},
            "extended_attributes":[{"name":"user.a","value":"Zm9v"},{"name":"user.b","value":null}]}"#,
        );
        let node = &tree.nodes[0];
        assert_eq!(node.name, b"a\xff");
        assert_eq!(node.kind, NodeKind::File(vec![]));
        assert_eq!(node.metadata.mode, Some(0o6754));
        assert_eq!(node.metadata.modified, Some((-1, 250_000_000)));
        assert_eq!(node.metadata.attributes[0].value, b"foo");
        assert_eq!((node.metadata.inode, node.metadata.links, node.metadata.uid), (3, 2, Some(7)));
    }

    #[test]
    fn every_kind_is_known() {
        let tree = parse(
            r#"{"name":"a","type":"symlink","linktarget":"?","linktarget_raw":"/w=="},
            {"name":"b","type":"symlink","linktarget":"x","linktarget_raw":null},
            {"name":"c","type":"dev","device":5},{"name":"d","type":"chardev","device":6},
            {"name":"e","type":"fifo"},{"name":"f","type":"socket"},{"name":"g","type":"dir"},
            {"name":"h","type":"irregular"}"#,
        );
        let kinds: Vec<_> = tree.nodes.into_iter().map(|node| node.kind).collect();
        let expected = [
            NodeKind::Symlink(b"\xff".to_vec()),
            NodeKind::Symlink(b"x".to_vec()),
            NodeKind::BlockDevice(5),
            NodeKind::CharacterDevice(6),
            NodeKind::Fifo,
            NodeKind::Socket,
            NodeKind::Folder(None),
            NodeKind::Unknown("irregular".to_owned()),
        ];
        assert_eq!(kinds, expected);
    }

    #[test]
    fn unsafe_names_and_repeats_are_left_out() {
        let names = ["b", "../x", "/abs", "", ".", "..", "a/b", r"n\\x00", r"\\q", "b", "a"];
        let tree = parse(&names.map(named).join(","));
        let kept: Vec<_> = tree.nodes.iter().map(|node| node.name.as_slice()).collect();
        assert_eq!(kept, [b"a", b"b"]);
        assert_eq!(tree.refused.len(), 9);
    }

    #[test]
    fn what_is_no_tree_is_damage() {
        for json in
            ["", "[]", r#"{"nodes":[{}]}"#, r#"{"nodes":[{"name":"a","type":"file","size":-1}]}"#]
        {
            assert_eq!(Tree::parse(json.as_bytes(), 0).unwrap_err().kind(), ErrorKind::Damaged);
        }
        assert_eq!(Tree::parse(br#"{"nodes":null}"#, 0).unwrap(), Tree::default());
    }
}
