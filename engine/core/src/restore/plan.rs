//! What a restore would write, from the trees alone: no content is read.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

use super::{
    RestoreOptions,
    claim::{CLAIMS, claimed_snapshot},
};
use crate::{
    browse::{self, ListOptions, normal},
    control::Control,
    error::Result,
    format::{
        reader::Reader,
        tree::{Node, NodeKind},
    },
    issue::{Collected, Issue, IssueKind, Issues},
    links::Links,
    object::ObjectId,
};

/// What a restore would write.
#[derive(Debug, Clone, Default)]
pub struct RestorePlan {
    /// Files, other names of the same file included.
    pub files: u64,
    /// Folders, the target included.
    pub folders: u64,
    /// Links, and with `exact` devices, pipes and sockets.
    pub others: u64,
    /// Bytes of all files; one that has several names counts once.
    pub bytes_total: u64,
    /// What would not be restored, as far as the trees tell.
    pub issues: Collected,
}

/// What [`super::restore`] would write; fails where it would.
pub fn plan(
    reader: &Reader,
    snapshot_id: ObjectId,
    options: &RestoreOptions,
    control: &Control,
) -> Result<RestorePlan> {
    let issues = Issues::default();
    let mut planned = Planned {
        base_bytes: normal(&options.path).len(),
        exact: options.exact,
        issues: &issues,
        plan: RestorePlan::default(),
        links: Links::default(),
    };
    let asked = ListOptions { path: options.path.clone(), most_entries: options.most_entries };
    browse::list(reader, snapshot_id, &asked, &issues, control, |path, node| {
        planned.add(path, &node);
        Ok(())
    })?;
    let plan = planned.plan;
    Ok(RestorePlan { issues: issues.collected(), ..plan })
}

struct Planned<'a> {
    /// Length of the path whose content goes directly into the target.
    base_bytes: usize,
    exact: bool,
    issues: &'a Issues,
    plan: RestorePlan,
    links: Links,
}

impl Planned<'_> {
    fn add(&mut self, path: &[u8], node: &Node) {
        if self.is_claim(path, node) {
            return self.left_out(IssueKind::NotRestored, path, CLAIMS);
        }
        let plan = &mut self.plan;
        match &node.kind {
            NodeKind::Folder(_) => plan.folders += 1,
            NodeKind::File(content) => {
                let identity = node.metadata.identity(content);
                let is_first =
                    identity.is_none_or(|identity| self.links.another(&identity).is_none());
                if let Some(identity) = identity.filter(|_| is_first) {
                    // A restore tells what is to be told.
                    let _ = self.links.add(identity, node.metadata.links, Vec::new());
                }
                plan.files += 1;
                let more_bytes = if is_first { node.metadata.size_bytes } else { 0 };
                plan.bytes_total = plan.bytes_total.saturating_add(more_bytes);
            }
            NodeKind::Unknown(kind) => {
                let message = format!("an entry of the unknown kind {kind:?}");
                self.left_out(IssueKind::NotWritten, path, message);
            }
            NodeKind::Symlink(_) => plan.others += 1,
            _ if self.exact => plan.others += 1,
            _ => {
                let message = "devices, pipes and sockets are restored with exact only";
                self.left_out(IssueKind::NotRestored, path, message);
            }
        }
    }

    /// Whether `node` would claim the target.
    fn is_claim(&self, path: &[u8], node: &Node) -> bool {
        let below = path.get(self.base_bytes..).unwrap_or_default();
        let lies_in_target = !below.strip_prefix(b"/").unwrap_or(below).contains(&b'/');
        let is_file = matches!(node.kind, NodeKind::File(_));
        is_file && lies_in_target && claimed_snapshot(&node.name).is_some()
    }

    fn left_out(&self, kind: IssueKind, path: &[u8], message: impl Into<String>) {
        self.issues.push(Issue::new(kind, OsStr::from_bytes(path), message));
    }
}
