//! Which earlier snapshots a run builds on.

use crate::{
    error::Result,
    format::{reader::Reader, snapshot::Snapshot},
};

/// A snapshot with one of these tags is a parent, but no backup to compare with.
pub const INCOMPLETE: &str = "incomplete";
/// Some path was not stored as it is.
pub const PARTIAL: &str = "partial";

/// The most parents of a run; each costs reading its trees.
const MOST_PARENTS: usize = 4;

/// The last complete snapshot, and what came after it.
#[derive(Debug)]
pub struct Parents {
    /// Newest first; the last complete one, if any, is among them.
    chosen: Vec<Snapshot>,
}

impl Parents {
    /// Choose among the sound snapshots of the repository.
    pub fn choose(reader: &Reader) -> Result<Self> {
        let (snapshots, _) = reader.snapshots()?;
        Ok(Self { chosen: choose(&snapshots) })
    }

    /// The snapshot to compare the size of the source with.
    pub fn last_complete(&self) -> Option<&Snapshot> {
        self.chosen.iter().find(|snapshot| is_complete(snapshot))
    }

    /// Full ids, newest first.
    pub fn ids(&self) -> Vec<String> {
        self.chosen.iter().map(|parent| parent.id.to_hex()).collect()
    }
}

fn is_complete(snapshot: &Snapshot) -> bool {
    !snapshot.tags.iter().any(|tag| tag == INCOMPLETE || tag == PARTIAL)
}

/// The last complete snapshot and the newest after it: each run that was cut short knows a part
/// of what was read since. `snapshots` are oldest first.
fn choose(snapshots: &[Snapshot]) -> Vec<Snapshot> {
    let complete = snapshots.iter().rposition(is_complete);
    let after = complete.map_or(0, |place| place + 1);
    let mut chosen: Vec<Snapshot> =
        snapshots.iter().skip(after).rev().take(MOST_PARENTS - 1).cloned().collect();
    chosen.extend(complete.and_then(|place| snapshots.get(place)).cloned());
    chosen
}
