//! The nodes of a tree one by one, and how much of a tree is read: honest ones compress to next to
//! nothing, and so do those that were made to fill memory.

use std::{
    borrow::Cow,
    fmt,
    io::{BufReader, Read},
    marker::PhantomData,
    mem,
};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use super::plain_limit_bytes;
use crate::error::{Error, ErrorKind};

/// Plaintext of a tree, whatever it is stored in. One attribute of 60 kB on all files of a folder,
/// and the same piece a hundred thousand times in a sparse file, are stored once and mentioned.
const FREE_TREE_BYTES: usize = 64 << 20;
/// Nodes that a tree may have beside those that its stored length lets it have.
const FREE_NODES: usize = 100_000;
/// No honest node is stored in less: names of one file that count up take 1.6 bytes each, empty
/// files made at one moment 2.5. A node of 27 bytes grows to ten times as much when it is read.
const LEAST_NODE_STORED_BYTES: usize = 2;
/// No honest attribute is less JSON: `{"name":"a","value":""},`.
const LEAST_ATTRIBUTE_BYTES: usize = 24;
/// Linux lists no more than 64 KiB of names, each at least a character and its end.
const MOST_NODE_ATTRIBUTES: usize = 32 << 10;

const READ_BYTES: usize = 128 << 10;

/// Bytes that a tree of `stored_bytes` may decompress to; more is damage.
pub(crate) fn tree_limit_bytes(stored_bytes: usize) -> usize {
    plain_limit_bytes(stored_bytes).max(FREE_TREE_BYTES)
}

/// Give every node in the JSON of a tree that is stored in `stored_bytes` to `take`, which returns
/// how many attributes it had. No list of them is made: it would take more than what is kept.
pub(crate) fn each_node<'a, T: Deserialize<'a>>(
    json: &'a [u8],
    stored_bytes: usize,
    take: impl FnMut(T) -> Result<usize, Error>,
) -> Result<(), Error> {
    walk(serde_json::Deserializer::from_slice(json), json.len(), stored_bytes, take)
}

/// The same while the JSON, of `json_bytes`, is read: it is never held.
pub(crate) fn each_node_read<T: Deserialize<'static>>(
    json: impl Read,
    json_bytes: usize,
    stored_bytes: usize,
    take: impl FnMut(T) -> Result<usize, Error>,
) -> Result<(), Error> {
    let json = BufReader::with_capacity(READ_BYTES, json);
    walk(serde_json::Deserializer::from_reader(json), json_bytes, stored_bytes, take)
}

fn walk<'a, R: serde_json::de::Read<'a>, T: Deserialize<'a>>(
    mut tree: serde_json::Deserializer<R>,
    json_bytes: usize,
    stored_bytes: usize,
    take: impl FnMut(T) -> Result<usize, Error>,
) -> Result<(), Error> {
    let mut walk = Walk {
        nodes_left: stored_bytes / LEAST_NODE_STORED_BYTES + FREE_NODES,
        attributes_left: json_bytes / LEAST_ATTRIBUTE_BYTES,
        is_begun: false,
        take,
        node: PhantomData,
    };
    tree.deserialize_map(&mut walk)
        .and_then(|()| tree.end())
        .map_err(|error| Error::caused_by(ErrorKind::Damaged, "not a tree", error))
}

struct Walk<T, F> {
    nodes_left: usize,
    attributes_left: usize,
    is_begun: bool,
    take: F,
    node: PhantomData<T>,
}

/// Of the field `nodes`: a list or null.
impl<'a, T: Deserialize<'a>, F: FnMut(T) -> Result<usize, Error>> DeserializeSeed<'a>
    for &mut Walk<T, F>
{
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, nodes: D) -> Result<(), D::Error> {
        nodes.deserialize_option(self)
    }
}

impl<'a, T: Deserialize<'a>, F: FnMut(T) -> Result<usize, Error>> Visitor<'a> for &mut Walk<T, F> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the nodes of a folder")
    }

    fn visit_map<M: MapAccess<'a>>(self, mut fields: M) -> Result<(), M::Error> {
        while let Some(field) = fields.next_key::<Cow<'a, str>>()? {
            if field != "nodes" {
                fields.next_value::<IgnoredAny>()?;
            } else if mem::replace(&mut self.is_begun, true) {
                return Err(M::Error::duplicate_field("nodes"));
            } else {
                fields.next_value_seed(&mut *self)?;
            }
        }
        Ok(())
    }

    fn visit_none<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_some<D: Deserializer<'a>>(self, nodes: D) -> Result<(), D::Error> {
        nodes.deserialize_seq(self)
    }

    fn visit_seq<S: SeqAccess<'a>>(self, mut nodes: S) -> Result<(), S::Error> {
        let too_many = || S::Error::custom("more entries than can be stored in its length");
        while let Some(node) = nodes.next_element()? {
            self.nodes_left = self.nodes_left.checked_sub(1).ok_or_else(too_many)?;
            let attributes = (self.take)(node).map_err(|error| S::Error::custom(error.chain()))?;
            self.attributes_left =
                self.attributes_left.checked_sub(attributes).ok_or_else(too_many)?;
        }
        Ok(())
    }
}

/// The attributes of one node, no more than a system gives.
pub(crate) struct Attributes<T>(pub(crate) Vec<T>);

impl<'a, T: Deserialize<'a>> Deserialize<'a> for Attributes<T> {
    fn deserialize<D: Deserializer<'a>>(attributes: D) -> Result<Self, D::Error> {
        attributes.deserialize_seq(List(PhantomData)).map(Self)
    }
}

struct List<T>(PhantomData<T>);

impl<'a, T: Deserialize<'a>> Visitor<'a> for List<T> {
    type Value = Vec<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of attributes")
    }

    fn visit_seq<S: SeqAccess<'a>>(self, mut attributes: S) -> Result<Vec<T>, S::Error> {
        let mut list = Vec::new();
        while let Some(attribute) = attributes.next_element()? {
            if list.len() == MOST_NODE_ATTRIBUTES {
                return Err(S::Error::custom("more attributes than the system takes"));
            }
            list.push(attribute);
        }
        list.shrink_to_fit();
        Ok(list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Entry {
        attributes: Option<Attributes<IgnoredAny>>,
    }

    /// How many nodes there are in `json`, which is stored in `stored_bytes`; None where it is
    /// refused.
    fn counted(json: &str, stored_bytes: usize) -> Option<usize> {
        let mut count = 0;
        let done = each_node(json.as_bytes(), stored_bytes, |entry: Entry| {
            count += 1;
            Ok(entry.attributes.map_or(0, |list| list.0.len()))
        });
        assert!(done.as_ref().err().is_none_or(is_damage));
        done.ok().map(|()| count)
    }

    fn is_damage(error: &Error) -> bool {
        error.kind() == ErrorKind::Damaged
    }

    fn tree(node: &str, count: usize) -> String {
        format!(r#"{{"nodes":[{}]}}"#, vec![node; count].join(","))
    }

    #[test]
    fn a_tree_has_as_many_nodes_as_what_is_stored_can_hold() {
        assert_eq!(counted(&tree("{}", FREE_NODES), 0), Some(FREE_NODES));
        assert_eq!(counted(&tree("{}", FREE_NODES + 1), 0), None);
        assert_eq!(counted(&tree("{}", FREE_NODES + 1), 2), Some(FREE_NODES + 1));
    }

    #[test]
    fn attributes_that_no_json_could_name_are_refused() {
        let owner = |attribute: &str, count: usize| {
            tree(&format!(r#"{{"attributes":[{}]}}"#, vec![attribute; count].join(",")), 1)
        };
        let honest = r#"{"name":"a","value":""}"#;
        assert_eq!(counted(&owner(honest, MOST_NODE_ATTRIBUTES), 0), Some(1));
        assert_eq!(counted(&owner(honest, MOST_NODE_ATTRIBUTES + 1), 0), None);
        assert_eq!(counted(&owner(r#"["",""]"#, 1000), 0), None);
    }

    #[test]
    fn nodes_stand_once_in_a_list_and_nowhere_else() {
        let other = r#"{"future":[{}],"nodes":[{},{}],"more":null}"#;
        assert_eq!(counted(other, 0), Some(2));
        assert_eq!(counted("{}", 0), Some(0));
        for json in [
            r#"{"nodes":[],"nodes":[]}"#,
            r#"{"nodes":{"nodes":[]}}"#,
            r#"{"nodes":[{}],}"#,
            r#"{"nodes":[{}]}]"#,
            "[[]]",
            "null",
        ] {
            assert_eq!(counted(json, 0), None, "{json}");
        }
    }

    #[test]
    fn a_tree_may_be_long_without_being_stored_so() {
        assert_eq!(tree_limit_bytes(0), FREE_TREE_BYTES);
        assert_eq!(tree_limit_bytes(10 << 20), (640 + 4) << 20);
        assert_eq!(tree_limit_bytes(usize::MAX), 1 << 30);
    }
}
