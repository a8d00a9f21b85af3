//! The values that go in and out: frozen classes over those of the core.

use std::{os::unix::ffi::OsStrExt, sync::atomic::Ordering::Relaxed};

use pyo3::{prelude::*, types::PyBytes};
use unstoppable_engine_core::{
    backup, birth, check,
    control::Control,
    format::snapshot,
    issue::{self, Collected},
    object::ObjectId,
    rebuild, restore,
};

use crate::errors::to_python;

/// What a call is at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    Opening,
    Working,
    Finishing,
}

/// How far a call is.
#[pyclass(module = "unstoppable_engine", frozen, get_all)]
pub struct Progress {
    phase: &'static str,
    bytes_done: u64,
    bytes_total: Option<u64>,
    entries_done: u64,
    entries_total: Option<u64>,
}

impl Progress {
    /// What the counters say now.
    pub fn of(control: &Control, phase: Phase) -> Self {
        let known = |total: u64| (total > 0).then_some(total);
        Self {
            phase: match phase {
                Phase::Opening => "opening",
                Phase::Working => "working",
                Phase::Finishing => "finishing",
            },
            bytes_done: control.bytes_done.load(Relaxed),
            bytes_total: known(control.bytes_total.load(Relaxed)),
            entries_done: control.entries_done.load(Relaxed),
            entries_total: known(control.entries_total.load(Relaxed)),
        }
    }
}

/// Who a repository was made for.
#[pyclass(module = "unstoppable_engine", frozen, eq)]
#[derive(Clone, PartialEq, Eq)]
pub struct Birth(pub birth::Birth);

#[pymethods]
impl Birth {
    #[new]
    fn new(customer: &str, resource: &str, generation: u32) -> PyResult<Self> {
        birth::Birth::new(customer, resource, generation)
            .map(Self)
            .map_err(|error| to_python(&error))
    }

    #[getter]
    fn customer(&self) -> &str {
        self.0.customer()
    }

    #[getter]
    fn resource(&self) -> &str {
        self.0.resource()
    }

    #[getter]
    fn generation(&self) -> u32 {
        self.0.generation()
    }

    fn __repr__(&self) -> String {
        format!("Birth({:?}, {:?}, {})", self.customer(), self.resource(), self.generation())
    }
}

/// Values of a repository that must never change.
#[pyclass(module = "unstoppable_engine", frozen, eq)]
#[derive(Clone, PartialEq, Eq)]
pub struct Pins(pub birth::Pins);

#[pymethods]
impl Pins {
    #[new]
    #[pyo3(signature = (*, repository_id, config_sha256, key_fingerprint, generation))]
    fn new(
        repository_id: &str,
        config_sha256: &str,
        key_fingerprint: &str,
        generation: u32,
    ) -> PyResult<Self> {
        let id = |text: &str| text.parse::<ObjectId>().map_err(|error| to_python(&error));
        Ok(Self(birth::Pins {
            repository_id: id(repository_id)?,
            config_sha256: id(config_sha256)?,
            key_fingerprint: id(key_fingerprint)?,
            generation,
        }))
    }

    #[getter]
    fn repository_id(&self) -> String {
        self.0.repository_id.to_hex()
    }

    #[getter]
    fn config_sha256(&self) -> String {
        self.0.config_sha256.to_hex()
    }

    #[getter]
    fn key_fingerprint(&self) -> String {
        self.0.key_fingerprint.to_hex()
    }

    #[getter]
    fn generation(&self) -> u32 {
        self.0.generation
    }

    fn __repr__(&self) -> String {
        format!("{:?}", self.0)
    }
}

/// One path and what happened to it.
#[pyclass(module = "unstoppable_engine", frozen)]
#[derive(Clone)]
pub struct Issue(issue::Issue);

#[pymethods]
impl Issue {
    #[getter]
    fn kind(&self) -> &'static str {
        self.0.kind.as_str()
    }

    #[getter]
    fn path<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.path)
    }

    #[getter]
    fn message(&self) -> &str {
        &self.0.message
    }

    #[getter]
    fn is_note(&self) -> bool {
        self.0.kind.is_note()
    }

    fn __repr__(&self) -> String {
        let path = String::from_utf8_lossy(&self.0.path);
        format!("Issue({}, {path:?}, {:?})", self.0.kind.as_str(), self.0.message)
    }
}

/// Issues as they were collected, how many are problems, and how many notes.
pub fn issues(collected: Collected) -> (Vec<Issue>, u64, u64) {
    let kept = collected.kept.into_iter().map(Issue).collect();
    (kept, collected.problem_count, collected.note_count)
}

/// Issues that came as a plain list.
pub fn issue_list(list: Vec<issue::Issue>) -> Vec<Issue> {
    list.into_iter().map(Issue).collect()
}

/// A snapshot that was stored and proved on cold.
#[pyclass(module = "unstoppable_engine", frozen, get_all)]
pub struct BackupSummary {
    snapshot_id: String,
    tags: Vec<String>,
    issues: Vec<Issue>,
    issue_count: u64,
    note_count: u64,
    files_total: u64,
    files_new: u64,
    files_changed: u64,
    files_unchanged: u64,
    bytes_total: u64,
    bytes_read: u64,
    bytes_added: u64,
}

impl From<backup::BackupSummary> for BackupSummary {
    fn from(summary: backup::BackupSummary) -> Self {
        let (issues, issue_count, note_count) = issues(summary.issues);
        Self {
            snapshot_id: summary.snapshot_id.to_hex(),
            tags: summary.tags,
            issues,
            issue_count,
            note_count,
            files_total: summary.files_total,
            files_new: summary.files_new,
            files_changed: summary.files_changed,
            files_unchanged: summary.files_unchanged,
            bytes_total: summary.bytes_total,
            bytes_read: summary.bytes_read,
            bytes_added: summary.bytes_added,
        }
    }
}

/// A snapshot in the repository.
#[pyclass(module = "unstoppable_engine", frozen, get_all)]
pub struct Snapshot {
    id: String,
    time_seconds: i64,
    customer: String,
    resource: String,
    tags: Vec<String>,
    run_id: String,
    files_total: Option<u64>,
    bytes_total: Option<u64>,
}

impl From<snapshot::Snapshot> for Snapshot {
    fn from(snapshot: snapshot::Snapshot) -> Self {
        Self {
            id: snapshot.id.to_hex(),
            time_seconds: snapshot.time_seconds,
            customer: snapshot.hostname,
            resource: snapshot.label,
            tags: snapshot.tags,
            run_id: snapshot.command,
            files_total: snapshot.files_total,
            bytes_total: snapshot.bytes_total,
        }
    }
}

/// What a restore wrote.
#[pyclass(module = "unstoppable_engine", frozen, get_all)]
pub struct RestoreSummary {
    files: u64,
    folders: u64,
    others: u64,
    bytes_written: u64,
    bytes_kept: u64,
    issues: Vec<Issue>,
    issue_count: u64,
    note_count: u64,
}

impl From<restore::RestoreSummary> for RestoreSummary {
    fn from(summary: restore::RestoreSummary) -> Self {
        let (issues, issue_count, note_count) = issues(summary.issues);
        Self {
            files: summary.files,
            folders: summary.folders,
            others: summary.others,
            bytes_written: summary.bytes_written,
            bytes_kept: summary.bytes_kept,
            issues,
            issue_count,
            note_count,
        }
    }
}

/// What a restore would write.
#[pyclass(module = "unstoppable_engine", frozen, get_all)]
pub struct RestorePlan {
    files: u64,
    folders: u64,
    others: u64,
    bytes_total: u64,
    issues: Vec<Issue>,
    issue_count: u64,
    note_count: u64,
}

impl From<restore::RestorePlan> for RestorePlan {
    fn from(plan: restore::RestorePlan) -> Self {
        let (issues, issue_count, note_count) = issues(plan.issues);
        Self {
            files: plan.files,
            folders: plan.folders,
            others: plan.others,
            bytes_total: plan.bytes_total,
            issues,
            issue_count,
            note_count,
        }
    }
}

/// What a check read and found.
#[pyclass(module = "unstoppable_engine", frozen, get_all)]
pub struct CheckSummary {
    snapshots: u64,
    objects: u64,
    bytes_read: u64,
    issues: Vec<Issue>,
    issue_count: u64,
}

impl From<check::CheckSummary> for CheckSummary {
    fn from(summary: check::CheckSummary) -> Self {
        let (issues, issue_count, _) = issues(summary.issues);
        Self {
            snapshots: summary.snapshots,
            objects: summary.objects,
            bytes_read: summary.bytes_read,
            issues,
            issue_count,
        }
    }
}

/// What was done to the cache.
#[pyclass(module = "unstoppable_engine", frozen, get_all)]
pub struct HotSummary {
    kept: u64,
    filled: u64,
    filled_bytes: u64,
    set_aside: u64,
    issues: Vec<Issue>,
    issue_count: u64,
}

impl From<rebuild::HotSummary> for HotSummary {
    fn from(summary: rebuild::HotSummary) -> Self {
        let (issues, issue_count, _) = issues(summary.issues);
        Self {
            kept: summary.kept,
            filled: summary.filled,
            filled_bytes: summary.filled_bytes,
            set_aside: summary.set_aside,
            issues,
            issue_count,
        }
    }
}

/// A path as Python gives it, as text or as bytes, as the bytes it stands for.
#[derive(FromPyObject)]
pub enum PathArgument {
    #[pyo3(transparent)]
    Bytes(Vec<u8>),
    #[pyo3(transparent)]
    Text(std::ffi::OsString),
}

impl PathArgument {
    /// The path's bytes.
    pub fn into_bytes(self) -> Vec<u8> {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Text(text) => text.as_bytes().to_vec(),
        }
    }
}
