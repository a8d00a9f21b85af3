//! Every version of every path that matches, each once.

use std::{
    collections::HashSet,
    ffi::OsStr,
    hash::{BuildHasher, Hash, RandomState},
    os::unix::ffi::OsStrExt,
    path::Path,
};

use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::{
    find, is_tree,
    walk::{Step, Walk, kind_of},
};
use crate::{
    control::Control,
    error::{Error, ErrorKind, Result},
    format::{
        growing::GrowingIndex,
        reader::{BlobReader, Reader},
        tree::{Node, NodeKind},
    },
    issue::{Issue, IssueKind, Issues},
    object::{Object, ObjectId, ObjectKind},
};

/// Folders and versions that are remembered, which bounds memory. What comes after them may be
/// told twice, never not at all.
const MOST_REMEMBERED: usize = 4_000_000;

/// Where to search, and for what.
#[derive(Debug, Clone)]
pub struct SearchOptions {
    /// A pattern as in gitignore: of a name, or with a slash in it of a path below the source.
    pub pattern: String,
    /// What is in several of them is told of the first.
    pub snapshots: Vec<ObjectId>,
    /// Entries looked at in all of them together.
    pub most_entries: u64,
}

/// Give every version of a path that matches to `take`, with the first snapshot it stands in.
///
/// Fails when the pattern cannot be used, storage cannot be listed, `take` fails, or cancelled.
/// Everything else, a snapshot that cannot be used among it, is noted in `issues`.
pub fn search(
    reader: &Reader,
    options: &SearchOptions,
    issues: &Issues,
    control: &Control,
    mut take: impl FnMut(ObjectId, &[u8], Node) -> Result<()>,
) -> Result<()> {
    let pattern = parse(&options.pattern)?;
    GrowingIndex::with(reader, control, &is_tree, |index| {
        let blobs = BlobReader::new(reader, index);
        let mut walk = Walk::new(&blobs, control, issues, options.most_entries);
        let mut seen = Seen::default();
        for id in &options.snapshots {
            let root = reader.snapshot(*id).and_then(|snapshot| find(&blobs, &snapshot, b""));
            match root {
                Ok(root) => walk.run(b"", root, |path, node| {
                    let step = seen.step(path, &node);
                    if matches(&pattern, path, &node) && seen.is_new_version(path, &node) {
                        take(*id, path, node)?;
                    }
                    Ok(step)
                })?,
                Err(error) => issues.push(unusable(control, *id, &error)?),
            }
        }
        index.complete()?.into_iter().for_each(|issue| issues.push(issue));
        Ok(())
    })
}

fn parse(pattern: &str) -> Result<Gitignore> {
    let refused = |cause: Option<ignore::Error>| {
        let message = format!("the pattern {pattern:?} cannot be used");
        match cause {
            Some(cause) => Error::caused_by(ErrorKind::InvalidInput, message, cause),
            None => Error::new(ErrorKind::InvalidInput, message),
        }
    };
    let mut builder = GitignoreBuilder::new("");
    builder.add_line(None, pattern).map_err(|error| refused(Some(error)))?;
    let parsed = builder.build().map_err(|error| refused(Some(error)))?;
    // A comment or a negation: nothing would ever match.
    if parsed.num_ignores() == 0 { Err(refused(None)) } else { Ok(parsed) }
}

/// The source's own folder has no name and matches nothing.
fn matches(pattern: &Gitignore, path: &[u8], node: &Node) -> bool {
    let is_folder = matches!(node.kind, NodeKind::Folder(_));
    let path = Path::new(OsStr::from_bytes(path));
    !path.as_os_str().is_empty() && pattern.matched(path, is_folder).is_ignore()
}

fn unusable(control: &Control, snapshot: ObjectId, error: &Error) -> Result<Issue> {
    control.check()?;
    let kind = match error.kind() {
        ErrorKind::InvalidInput => IssueKind::Damaged,
        _ => kind_of(error)?,
    };
    Ok(Issue::new(kind, Object::Hashed(ObjectKind::Snapshot, snapshot).path(), error.chain()))
}

/// What was seen, as hashes under a key of this search: two of a million are alike once in some
/// thirty million searches, and nobody can bring it about.
#[derive(Default)]
struct Seen {
    hashes: HashSet<u64>,
    key: RandomState,
}

impl Seen {
    /// Whether to enter: a folder with the same content at the same path was searched already.
    fn step(&mut self, path: &[u8], node: &Node) -> Step {
        match node.kind {
            NodeKind::Folder(Some(tree)) if !self.is_new((path, tree)) => Step::Over,
            _ => Step::Into,
        }
    }

    /// False for what differs from an entry told before in nothing but its time of reading, and
    /// a folder in what lies in it.
    fn is_new_version(&mut self, path: &[u8], node: &Node) -> bool {
        let kind = if let NodeKind::Folder(_) = node.kind { None } else { Some(&node.kind) };
        let about = &node.metadata;
        self.is_new((path, kind, about.mode, about.modified, about.uid, about.gid))
    }

    fn is_new(&mut self, what: impl Hash) -> bool {
        let hash = self.key.hash_one(what);
        let is_full = self.hashes.len() >= MOST_REMEMBERED;
        if is_full { !self.hashes.contains(&hash) } else { self.hashes.insert(hash) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(pattern: &str, path: &str, kind: NodeKind) -> bool {
        let node =
            Node { name: Vec::new(), kind, metadata: crate::format::tree::Metadata::default() };
        matches(&parse(pattern).unwrap(), path.as_bytes(), &node)
    }

    #[test]
    fn a_pattern_is_of_the_name_unless_it_holds_a_slash() {
        let file = || NodeKind::File(Vec::new());
        let folder = || NodeKind::Folder(None);
        assert!(found("*.txt", "a/b/c.txt", file()));
        assert!(!found("*.txt", "a.txt/b", file()));
        assert!(found("b", "a/b", folder()) && found("b/", "a/b", folder()));
        assert!(!found("b/", "a/b", file()));
        assert!(found("/b", "b", file()) && !found("/b", "a/b", file()));
        assert!(found("a/*/c", "a/b/c", file()) && !found("a/*/c", "x/a/b/c", file()));
        assert!(found("**/c", "x/a/b/c", file()) && !found("*", "", folder()));
    }

    #[test]
    fn a_pattern_that_can_match_nothing_is_refused() {
        for pattern in ["", "#a", "!a", "{a", "  "] {
            assert_eq!(parse(pattern).unwrap_err().kind(), ErrorKind::InvalidInput, "{pattern}");
        }
    }
}
