//! Trees that were made to lead out of the target, to fill memory or to have no end.

use unstoppable_engine_core::{
    format::blob::{Blob, BlobKind},
    format::reader::BlobReader,
    issue::IssueKind::{Damaged, IgnoredObject, NotRestored, NotWritten, UnsafeName},
    object::{ObjectId, ObjectKind},
};

use crate::{
    common::{FORGED_AT, Fixture, folder, snapshot},
    row::Row,
};

#[test]
fn names_that_lead_elsewhere() {
    Row {
        name: "trees::names_that_lead_elsewhere",
        forge: |fixture| {
            let bad = ["../x", "/tmp/absolute", "", ".", "..", "a/b", r"n\\x00l", r"\\q"];
            let mut nodes: Vec<_> = bad.iter().map(|name| fixture.file(name, b"bad")).collect();
            let tree = fixture.put_tree(&fixture.file("inner", b"bad"));
            nodes.extend(["..", "../y", ".", "/"].map(|name| folder(name, tree)));
            vec![fixture.forge(&nodes.join(","))]
        },
        restore: Some(&[UnsafeName]),
        check: &[Damaged],
        backup: [&[], &[]],
    }
    .contain();
}

#[test]
fn links_with_files_and_folders_through_them() {
    Row {
        name: "trees::links_with_files_and_folders_through_them",
        forge: |fixture| {
            let link = r#"{"name":"a","type":"symlink","linktarget":".."}"#.to_owned();
            let inside = fixture.put_tree(&fixture.file("x", b"bad"));
            let orders = [[link.clone(), folder("a", inside)], [folder("a", inside), link]];
            orders.map(|nodes| fixture.forge(&nodes.join(","))).to_vec()
        },
        restore: Some(&[UnsafeName]),
        check: &[Damaged],
        backup: [&[], &[]],
    }
    .contain();
}

#[test]
fn bombs() {
    Row {
        name: "trees::bombs",
        forge: |fixture| {
            let spaces = vec![b' '; 512 << 20];
            let id = ObjectId::of(&spaces);
            let packed = zstd::bulk::compress(&spaces, 3).unwrap();
            let sealed = fixture.seal.seal(&packed).unwrap();
            fixture.put_pack(&[("data", id, sealed.clone(), spaces.len())]);
            fixture.put_pack(&[("tree", id, sealed, spaces.len())]);
            for kind in [ObjectKind::Index, ObjectKind::Snapshot] {
                let bomb = fixture.seal.seal(&[vec![2], packed.clone()].concat()).unwrap();
                fixture.put_object(kind, bomb);
            }
            let file = format!(
                r#"{{"name":"bomb","type":"file","size":{},"content":["{id}"]}}"#,
                spaces.len()
            );
            vec![fixture.forge(&[file, folder("folder", id)].join(",")), fixture.forge_tree(id)]
        },
        restore: Some(&[Damaged]),
        check: &[Damaged],
        backup: [&[Damaged, IgnoredObject], &[Damaged, IgnoredObject]],
    }
    .contain();
}

#[test]
fn bombs_no_longer_than_an_honest_tree() {
    Row {
        name: "trees::bombs_no_longer_than_an_honest_tree",
        forge: |fixture| {
            let longest = (64 << 20) - 100;
            let list = |item: &str| vec![item; longest / (item.len() + 1)].join(",");
            let owner = |attributes: &str| {
                format!(r#"{{"name":"a","type":"fifo","extended_attributes":[{attributes}]}}"#)
            };
            let few = owner(&vec![r#"["",""]"#; 30_000].join(","));
            let padded = format!("{few}{}", " ".repeat(30_000 * 24 - few.len()));
            let trees = [
                " ".repeat(longest),
                list("0"),
                list(r#"{"name":"a","type":"fifo"}"#),
                list(&few),
                owner(&list(r#"["",""]"#)[..longest / 16 * 8 - 1]),
                list(&padded),
                vec![r#"{"name":"a","type":"fifo"}"#; 100_000].join(","),
            ];
            let twice = trees.iter().flat_map(|tree| [tree.clone(), format!("{tree} ")]);
            let folders = twice
                .enumerate()
                .map(|(place, tree)| folder(&format!("{place:02}"), fixture.put_tree(&tree)));
            vec![fixture.forge(&folders.collect::<Vec<_>>().join(","))]
        },
        restore: Some(&[Damaged, UnsafeName]),
        check: &[Damaged],
        backup: [&[], &[]],
    }
    .contain();
}

#[test]
fn more_paths_than_anybody_can_count() {
    Row {
        name: "trees::more_paths_than_anybody_can_count",
        forge: |fixture| {
            let mut tree = fixture.put_tree(&fixture.file("leaf", b"leaf"));
            for _ in 0..60 {
                let nodes: Vec<_> = (0..10).map(|name| folder(&name.to_string(), tree)).collect();
                tree = fixture.put_tree(&nodes.join(","));
            }
            vec![fixture.forge_tree(tree)]
        },
        restore: Some(&[NotWritten]),
        check: &[],
        backup: [&[], &[]],
    }
    .contain();
}

#[test]
fn folders_deeper_than_any_path() {
    Row {
        name: "trees::folders_deeper_than_any_path",
        forge: |fixture| {
            let mut tree = fixture.put_tree(&fixture.file("leaf", b"leaf"));
            for _ in 0..3000 {
                tree = fixture.put_tree(&folder("d", tree));
            }
            vec![fixture.forge_tree(tree)]
        },
        restore: Some(&[NotWritten]),
        check: &[],
        backup: [&[], &[]],
    }
    .contain();
}

#[test]
fn the_folders_of_the_last_snapshot_without_their_trees() {
    Row {
        name: "trees::the_folders_of_the_last_snapshot_without_their_trees",
        forge: |fixture| vec![fixture.forge_changed("inner", "subtree")],
        restore: Some(&[Damaged]),
        check: &[Damaged],
        backup: [&[], &[Damaged]],
    }
    .contain();
}

#[test]
fn the_files_of_the_last_snapshot_without_their_content() {
    Row {
        name: "trees::the_files_of_the_last_snapshot_without_their_content",
        forge: |fixture| vec![fixture.forge_changed("3", "content")],
        restore: Some(&[Damaged]),
        check: &[Damaged],
        // With hot lost a snapshot of whoever holds the key is taken on trust.
        backup: [&[], &[]],
    }
    .contain();
}

#[test]
fn fields_that_mean_nothing() {
    Row {
        name: "trees::fields_that_mean_nothing",
        forge: |fixture| {
            let nested = format!("{}{}", "[".repeat(500), "]".repeat(500));
            let nodes = [
                r#"{"name":"kind","type":"irregular"}"#.to_owned(),
                r#"{"name":"link","type":"symlink"}"#.to_owned(),
                r#"{"name":"nul","type":"symlink","linktarget":"x\u0000y"}"#.to_owned(),
                r#"{"name":"device","type":"dev","device":18446744073709551615}"#.to_owned(),
                format!(r#"{{"name":"nested","type":"fifo","future":{nested}}}"#),
                r#"{"name":"empty","type":"file","mode":4294967295,"content":[]}"#.to_owned(),
            ];
            let unsorted = ["z", "a", "m", "z"].map(|name| fixture.file(name, b"x")).join(",");
            vec![fixture.forge(&nodes.join(",")), fixture.forge(&unsorted)]
        },
        restore: Some(&[NotRestored, NotWritten, UnsafeName]),
        check: &[Damaged],
        backup: [&[], &[]],
    }
    .contain();
}

#[test]
fn trees_that_cannot_be_read() {
    Row {
        name: "trees::trees_that_cannot_be_read",
        forge: |fixture| {
            let node = |rest: &str| format!(r#"{{"name":"a","type":"file",{rest}}}"#);
            let attribute = |value: &str| {
                format!(r#""extended_attributes":[{{"name":"user.a","value":"{value}"}}]"#)
            };
            let nested = format!(r#""uid":{}{}"#, "[".repeat(500), "]".repeat(500));
            let times = ["99999-01-01T00:00:00Z", "-300000-01-01T00:00:00Z", "now", ""];
            let mut all = times.map(|time| node(&format!(r#""mtime":"{time}""#))).to_vec();
            let rest = [attribute("?"), attribute(&long_text(1 << 20)), nested];
            all.extend(rest.iter().map(|rest| node(rest)));
            all.extend([r#""size":-1"#, r#""size":1e99"#].map(node));
            let bad = all.iter().enumerate();
            let mut nodes: Vec<_> = bad
                .map(|(place, nodes)| folder(&place.to_string(), fixture.put_tree(nodes)))
                .collect();
            nodes.push(folder("folder", fixture.put_tree("]]")));
            vec![fixture.forge(&nodes.join(","))]
        },
        restore: Some(&[Damaged]),
        check: &[Damaged],
        backup: [&[], &[Damaged]],
    }
    .contain();
}

#[test]
fn sizes_beyond_reason() {
    Row {
        name: "trees::sizes_beyond_reason",
        forge: |fixture| {
            let huge =
                fixture.file("huge", b"x").replace("\"size\":1", "\"size\":1152921504606846976");
            let known = fixture.put_blobs(&[("data", b"again")])[0];
            let many = vec![format!("\"{known}\""); 100_000].join(",");
            let again =
                format!(r#"{{"name":"again","type":"file","size":500000,"content":[{many}]}}"#);
            let target = long_text(4 << 20);
            let link = format!(r#"{{"name":"link","type":"symlink","linktarget":"{target}"}}"#);
            let name = fixture.file(&long_text(1 << 20), b"x");
            vec![fixture.forge(&[huge, again, link, name].join(","))]
        },
        restore: Some(&[Damaged, NotWritten]),
        check: &[Damaged],
        backup: [&[], &[]],
    }
    .contain();
}

#[test]
fn attributes_longer_than_memory_should_hold() {
    Row {
        name: "trees::attributes_longer_than_memory_should_hold",
        forge: |fixture| {
            let attribute = |_| {
                let value = long_text(40 << 20);
                let node = format!(
                    r#"{{"name":"a","type":"file","extended_attributes":[{{"name":"user.a","value":"{value}"}}]}}"#
                );
                folder(&value[..9], fixture.put_tree(&node))
            };
            let folders: Vec<_> = (0..6).map(attribute).collect();
            vec![fixture.forge(&folders.join(","))]
        },
        restore: Some(&[Damaged]),
        check: &[Damaged],
        backup: [&[], &[]],
    }
    .contain();
}

#[test]
fn more_issues_than_anybody_reads() {
    Row {
        name: "trees::more_issues_than_anybody_reads",
        forge: |fixture| {
            let long = "n".repeat(100_000);
            let bad: Vec<_> =
                (0..20).map(|number| fixture.file(&format!("{number}/{long}"), b"x")).collect();
            let bad = fixture.put_tree(&bad.join(","));
            let folders: Vec<_> =
                (0..2000).map(|number| folder(&format!("{number}"), bad)).collect();
            vec![fixture.forge(&folders.join(","))]
        },
        restore: Some(&[UnsafeName]),
        check: &[Damaged],
        backup: [&[], &[]],
    }
    .contain();
}

#[test]
fn files_that_claim_to_be_one() {
    Row {
        name: "trees::files_that_claim_to_be_one",
        forge: |fixture| {
            let claim = |node: String| node.replace("\"mode\"", "\"links\":9,\"inode\":5,\"mode\"");
            let nodes: Vec<_> = (0..1000)
                .map(|number| claim(fixture.file(&format!("{number}"), &[(number % 3) as u8])))
                .collect();
            vec![fixture.forge(&nodes.join(","))]
        },
        restore: Some(&[]),
        check: &[],
        backup: [&[], &[]],
    }
    .contain();
}

/// Hex digits that compress to a half, other ones each time.
fn long_text(length: usize) -> String {
    let mut bytes = vec![0; length / 2];
    getrandom::fill(&mut bytes).unwrap();
    hex::encode(bytes)
}

impl Fixture {
    /// The one snapshot that is there, once more, without `field` in the nodes of that name.
    pub fn forge_changed(&self, name: &str, field: &str) -> ObjectId {
        let reader = self.reader();
        let (index, _) = reader.index().unwrap();
        let blobs = BlobReader::new(&reader, &index);
        let good = reader.snapshots().unwrap().0.remove(0);
        let tree = self.change_tree(&blobs, good.tree, name, field);
        self.put_json(ObjectKind::Snapshot, &snapshot(tree, FORGED_AT, ""))
    }

    fn change_tree(
        &self,
        blobs: &BlobReader<'_>,
        id: ObjectId,
        name: &str,
        field: &str,
    ) -> ObjectId {
        let plain = blobs.read(Blob { kind: BlobKind::Tree, id }).unwrap();
        let mut tree: serde_json::Value = serde_json::from_slice(&plain).unwrap();
        for node in tree["nodes"].as_array_mut().unwrap() {
            if let Some(inner) = node["subtree"].as_str() {
                let inner = self.change_tree(blobs, inner.parse().unwrap(), name, field);
                node["subtree"] = inner.to_string().into();
            }
            if node["name"] == name {
                node.as_object_mut().unwrap().remove(field);
            }
        }
        let plain = format!("{tree}\n");
        self.put_blobs(&[("tree", plain.as_bytes())])[0]
    }
}
