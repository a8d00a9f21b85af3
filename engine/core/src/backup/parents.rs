//! Which earlier snapshots a run builds on.

use crate::{
    distrust::Distrust,
    error::{Error, ErrorKind, Result},
    format::{damaged, reader::Reader, snapshot::Snapshot},
    issue::{Issue, IssueKind, Issues},
    known::Known,
    object::{Object, ObjectId, ObjectKind},
    rustic::sound::check_snapshot,
};

/// The most parents of a run; each costs reading its trees.
const MOST_PARENTS: usize = 4;

/// The last complete snapshot, and what came after it.
#[derive(Debug)]
pub struct Parents {
    /// Newest first; the last complete one, if any, is among them.
    chosen: Vec<Snapshot>,
    last_complete: Option<Snapshot>,
}

impl Parents {
    /// Choose among the sound snapshots of the repository; the others are told.
    ///
    /// Snapshots that this machine did not write are none: they may say of a file what it never
    /// held. A run under a wrong clock may have left snapshots from the future. They would be the
    /// newest for years, so they are taken only when there are no others.
    pub fn choose(reader: &Reader, now_seconds: i64, known: &Known, told: &Issues) -> Result<Self> {
        let (mut snapshots, damaged) = reader.snapshots()?;
        known.see(snapshots.iter().map(|snapshot| snapshot.id));
        // Where `known` was set back, no snapshot is, and the source must still not be far smaller.
        let last_of_any = newest_complete(&snapshots, now_seconds).cloned();
        snapshots.retain(|snapshot| known.holds(snapshot.id));
        for issue in damaged {
            told.push(Issue { kind: IssueKind::IgnoredObject, ..issue });
        }
        let past = snapshots.iter().take_while(|one| one.time_seconds <= now_seconds).count();
        let usable = if past > 0 { snapshots.get(..past) } else { None };
        let mut chosen = choose(usable.unwrap_or(&snapshots));
        chosen.retain(|snapshot| is_taken(reader, snapshot, told));
        let last_complete = chosen.iter().find(|snapshot| snapshot.is_complete()).cloned();
        Ok(Self { chosen, last_complete: last_complete.or(last_of_any) })
    }

    /// The snapshot to compare the size of the source with.
    pub fn last_complete(&self) -> Option<&Snapshot> {
        self.last_complete.as_ref()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.chosen.is_empty()
    }

    /// Those whose tree `is_listed`, newest first.
    pub fn usable(
        &self,
        is_listed: impl Fn(ObjectId) -> bool,
        distrust: &Distrust,
    ) -> Vec<&Snapshot> {
        let usable = self.chosen.iter().filter(|parent| {
            let is_usable = is_listed(parent.tree);
            if !is_usable {
                let object = Object::Hashed(ObjectKind::Snapshot, parent.id);
                // It may be listed in packs that nobody here may read.
                let lacks = match distrust.lacks_rights() {
                    true => Error::new(ErrorKind::Denied, "its tree may not be read"),
                    false => damaged("the index lacks its tree"),
                };
                distrust.add(&object, &lacks);
            }
            is_usable
        });
        usable.collect()
    }
}

/// `snapshots` are oldest first.
fn newest_complete(snapshots: &[Snapshot], now_seconds: i64) -> Option<&Snapshot> {
    let mut past = snapshots.iter().filter(|snapshot| snapshot.time_seconds <= now_seconds);
    past.rfind(|snapshot| snapshot.is_complete())
}

/// Whether the archiver can read the snapshot; that it cannot is told.
fn is_taken(reader: &Reader, snapshot: &Snapshot, told: &Issues) -> bool {
    let checked = reader.snapshot_json(snapshot.id).and_then(|json| check_snapshot(&json));
    if let Err(error) = &checked {
        let path = Object::Hashed(ObjectKind::Snapshot, snapshot.id).path();
        told.add(IssueKind::IgnoredObject, path, error.chain());
    }
    checked.is_ok()
}

/// The last complete snapshot and the newest after it: each run that was cut short knows a part
/// of what was read since. `snapshots` are oldest first.
fn choose(snapshots: &[Snapshot]) -> Vec<Snapshot> {
    let complete = snapshots.iter().rposition(Snapshot::is_complete);
    let after = complete.map_or(0, |place| place + 1);
    let mut chosen: Vec<Snapshot> =
        snapshots.iter().skip(after).rev().take(MOST_PARENTS - 1).cloned().collect();
    chosen.extend(complete.and_then(|place| snapshots.get(place)).cloned());
    chosen
}
