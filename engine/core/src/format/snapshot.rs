//! Snapshots.

use jiff::Timestamp;
use serde::Deserialize;

use super::{damaged, parse_object};
use crate::{
    error::{Error, ErrorKind, Result},
    object::ObjectId,
};

/// Paths, tags and parents that a snapshot may list, and how long the others are on average:
/// empty ones would take eight times as much in memory, and all snapshots are held together.
const FREE_LISTED: usize = 100;
const FEWEST_BYTES_PER_LISTED: usize = 16;

/// The tag of a snapshot whose run was cut short.
pub const INCOMPLETE: &str = "incomplete";
/// The tag of a snapshot in which some path is not as it was in the source.
pub const PARTIAL: &str = "partial";

/// One snapshot, as its object says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The object's name.
    pub id: ObjectId,
    /// When its run started, in seconds since 1970, UTC.
    pub time_seconds: i64,
    /// The part of a second after `time_seconds`.
    pub time_nanoseconds: u32,
    /// The root of its tree.
    pub tree: ObjectId,
    /// The customer at birth.
    pub hostname: String,
    /// The resource at birth; empty in snapshots of other programs.
    pub label: String,
    /// The folders it holds.
    pub paths: Vec<String>,
    /// `incomplete`, `partial`.
    pub tags: Vec<String>,
    /// The program that wrote it.
    pub program: String,
    /// The id of the run that wrote it; in snapshots of other programs their command.
    pub command: String,
    /// The snapshots that its run compared with.
    pub parents: Vec<ObjectId>,
    /// Files it holds; None when its program wrote no summary.
    pub files_total: Option<u64>,
    /// Bytes of all its files; None when its program wrote no summary.
    pub bytes_total: Option<u64>,
}

#[derive(Deserialize)]
struct RawSnapshot {
    time: String,
    tree: ObjectId,
    #[serde(default)]
    hostname: String,
    #[serde(default)]
    label: String,
    #[serde(default)]
    paths: Option<Vec<String>>,
    #[serde(default)]
    tags: Option<Vec<String>>,
    #[serde(default)]
    program_version: String,
    #[serde(default)]
    parent: Option<ObjectId>,
    #[serde(default)]
    parents: Vec<ObjectId>,
    #[serde(default)]
    summary: Option<RawSummary>,
}

#[derive(Deserialize, Default)]
struct RawSummary {
    #[serde(default)]
    command: String,
    total_files_processed: Option<u64>,
    total_bytes_processed: Option<u64>,
}

impl Snapshot {
    /// Whether it holds all that its source held.
    pub fn is_complete(&self) -> bool {
        !self.is_incomplete() && !self.is_partial()
    }

    /// Whether its run ended before the source was listed to its end.
    pub fn is_incomplete(&self) -> bool {
        self.tags.iter().any(|tag| tag == INCOMPLETE)
    }

    /// Whether its run told of paths that it does not hold as they were. A file that changed its
    /// length while it was read is stored as it was read, but listed with its length before.
    pub fn is_partial(&self) -> bool {
        self.tags.iter().any(|tag| tag == PARTIAL)
    }

    /// Read the JSON of the snapshot named `id`.
    pub fn parse(id: ObjectId, json: &[u8]) -> Result<Self> {
        let raw: RawSnapshot = parse_object(json, "not a snapshot")?;
        let time: Timestamp = raw.time.parse().map_err(|error| {
            Error::caused_by(ErrorKind::Damaged, "its time cannot be read", error)
        })?;
        let (time_seconds, time_nanoseconds) = super::tree::split_time(time);
        let summary = raw.summary.unwrap_or_default();
        let listed = [raw.paths.as_ref(), raw.tags.as_ref()].map(|list| list.map_or(0, Vec::len));
        let most = FREE_LISTED + json.len() / FEWEST_BYTES_PER_LISTED;
        if listed.iter().sum::<usize>() + raw.parents.len() > most {
            return Err(damaged("lists more paths and tags than it has room for"));
        }
        let parents = if raw.parents.is_empty() { Vec::from_iter(raw.parent) } else { raw.parents };
        Ok(Self {
            id,
            time_seconds,
            time_nanoseconds,
            tree: raw.tree,
            hostname: raw.hostname,
            label: raw.label,
            paths: raw.paths.unwrap_or_default(),
            tags: raw.tags.unwrap_or_default(),
            program: raw.program_version,
            command: summary.command,
            parents,
            files_total: summary.total_files_processed,
            bytes_total: summary.total_bytes_processed,
        })
    }

    /// What snapshots are sorted by: oldest first, and always in the same order. Ids of runs tell
    /// apart those of one second.
    pub fn order(&self) -> (i64, u32, &str, ObjectId) {
        (self.time_seconds, self.time_nanoseconds, &self.command, self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20";

    #[test]
    fn a_snapshot_of_rustic_is_read() {
        let json = format!(
            r#"{{"time":"2026-11-24T01:00:00.5+01:00","program_version":"rustic 0.13.0",
            "parent":"{TREE}","parents":["{TREE}"],"tree":"{TREE}","label":"www","hostname":"acme",
            "paths":["/acme/www"],"tags":["partial"],"future":1,"summary":{{"command":"run-1",
            "total_files_processed":7,"total_bytes_processed":70}}}}"#
        );
        let snapshot = Snapshot::parse(ObjectId([9; 32]), json.as_bytes()).unwrap();
        assert_eq!(
            (snapshot.time_seconds, snapshot.time_nanoseconds),
            (1_795_478_400, 500_000_000)
        );
        assert_eq!((snapshot.hostname.as_str(), snapshot.label.as_str()), ("acme", "www"));
        assert_eq!((snapshot.files_total, snapshot.bytes_total), (Some(7), Some(70)));
        assert_eq!((snapshot.command.as_str(), snapshot.parents.len()), ("run-1", 1));
    }

    #[test]
    fn of_one_second_the_later_run_is_the_newer() {
        let of_run = |id: u8, run: &str| {
            let json = format!(
                r#"{{"time":"2026-11-24T01:00:00Z","tree":"{TREE}","summary":{{"command":"{run}"}}}}"#
            );
            Snapshot::parse(ObjectId([id; 32]), json.as_bytes()).unwrap()
        };
        let [first, second] = [of_run(9, "20261124-010000-1"), of_run(1, "20261124-010000-2")];
        assert!(first.order() < second.order());
    }

    #[test]
    fn a_snapshot_of_restic_without_summary_is_read() {
        let json = format!(
            r#"{{"time":"1969-12-31T23:59:59.75Z","tree":"{TREE}","paths":["/"],"tags":null}}"#
        );
        let snapshot = Snapshot::parse(ObjectId([9; 32]), json.as_bytes()).unwrap();
        assert_eq!((snapshot.time_seconds, snapshot.time_nanoseconds), (-1, 750_000_000));
        assert_eq!((snapshot.files_total, snapshot.bytes_total), (None, None));
    }

    #[test]
    fn what_lacks_time_or_tree_is_damage() {
        let list = format!(r#"["2026-11-24T00:00:00Z","{TREE}"]"#);
        for json in ["{}", "[]", &list, r#"{"time":"now","tree":"00"}"#] {
            let error = Snapshot::parse(ObjectId([9; 32]), json.as_bytes()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Damaged);
        }
    }
}
