//! The functions and the class that do something.

use std::{ffi::OsString, os::unix::ffi::OsStringExt, path::PathBuf, sync::Arc};

use pyo3::{prelude::*, types::PyBytes};
use unstoppable_engine_core::{
    backup::BackupOptions,
    check::{self, part::Part},
    key::{RepositoryKey, RootSecret},
    object::ObjectId,
    repository::{self, Mode, Places},
    restore::{self, RestoreOptions},
};

use crate::{
    browse::{Content, Entries},
    call::{Cancel, Watch, run},
    errors::{InvalidInput, to_python},
    memory::{self, GiveBack},
    place::{ColdArgument, SourceArgument},
    values::{
        BackupSummary, Birth, CheckSummary, HotSummary, Issue, PathArgument, Pins, RestorePlan,
        RestoreSummary, Snapshot, issue_list,
    },
};

/// Return 32 bytes from the operating system's generator.
#[pyfunction]
pub fn generate_root_secret(py: Python<'_>) -> PyResult<Bound<'_, PyBytes>> {
    let secret = RootSecret::generate().map_err(|error| to_python(&error))?;
    Ok(PyBytes::new(py, secret.as_bytes()))
}

/// Return the 64-byte repository key of `birth`.
#[pyfunction]
pub fn derive_repository_key<'py>(
    py: Python<'py>,
    root_secret: &[u8],
    birth: &Birth,
) -> PyResult<Bound<'py, PyBytes>> {
    let key = RootSecret::from_bytes(root_secret)
        .and_then(|secret| secret.repository_key(&birth.0))
        .map_err(|error| to_python(&error))?;
    Ok(PyBytes::new(py, key.as_bytes()))
}

/// Return the 64 hex digits that name a key without telling it.
#[pyfunction]
pub fn fingerprint(repository_key: &[u8]) -> PyResult<String> {
    Ok(key(repository_key)?.fingerprint().to_hex())
}

/// Return the name of the file that says that a restore of this snapshot is not finished.
#[pyfunction]
pub fn claim_name(snapshot_id: &str) -> PyResult<String> {
    Ok(restore::claim_name(object_id(snapshot_id)?))
}

/// Return the snapshot whose restore a file of this name says is not finished.
#[pyfunction]
pub fn claimed_snapshot(name: PathArgument) -> Option<String> {
    restore::claimed_snapshot(&name.into_bytes()).map(ObjectId::to_hex)
}

/// Create the repository in cold and an empty cache in hot; returns the pins to keep.
#[pyfunction]
#[pyo3(signature = (*, cold, hot, key, birth, created_at_seconds))]
pub fn create_repository(
    py: Python<'_>,
    cold: ColdArgument,
    hot: Option<PathBuf>,
    key: &[u8],
    birth: &Birth,
    created_at_seconds: i64,
) -> PyResult<Pins> {
    let (key, birth) = (self::key(key)?, birth.0.clone());
    let places = Places { cold: cold.into(), hot };
    let unwatched = Watch { progress: None, cancel: None };
    run(py, &unwatched, move |control| {
        repository::create(&places, &key, &birth, created_at_seconds, control)
    })
    .map(Pins)
}

fn key(bytes: &[u8]) -> PyResult<RepositoryKey> {
    RepositoryKey::from_bytes(bytes).map_err(|error| to_python(&error))
}

/// An open repository.
#[pyclass(module = "unstoppable_engine", frozen)]
pub struct Repository {
    opened: Arc<repository::Repository>,
}

#[pymethods]
impl Repository {
    /// Open and check the key, and the pins and the birth names where they are given.
    #[staticmethod]
    #[pyo3(signature = (*, cold, hot, key, pins, mode, birth=None))]
    fn open(
        py: Python<'_>,
        cold: ColdArgument,
        hot: Option<PathBuf>,
        key: &[u8],
        pins: Option<&Pins>,
        mode: &str,
        birth: Option<&Birth>,
    ) -> PyResult<Self> {
        let expected = repository::Expected {
            pins: pins.map(|pins| pins.0.clone()),
            birth: birth.map(|birth| birth.0.clone()),
        };
        let (key, mode) = (self::key(key)?, mode_of(mode)?);
        let places = Places { cold: cold.into(), hot };
        let unwatched = Watch { progress: None, cancel: None };
        let opened = run(py, &unwatched, move |control| {
            repository::Repository::open(&places, &key, &expected, mode, control)
        })?;
        Ok(Self { opened: Arc::new(opened) })
    }

    /// The pins as found.
    #[getter]
    fn pins(&self) -> Pins {
        Pins(self.opened.pins().clone())
    }

    /// Who the repository was made for.
    #[getter]
    fn birth(&self) -> Birth {
        Birth(self.opened.birth().clone())
    }

    /// Store a folder as a new snapshot and prove it on cold.
    #[pyo3(signature = (
        source, *, run_id, started_at_seconds, exclude=Vec::new(), own_folders=Vec::new(),
        one_file_system=false, max_shrink_percent=None, progress=None, cancel=None
    ))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of the Python interface")]
    fn backup(
        &self,
        py: Python<'_>,
        source: SourceArgument,
        run_id: String,
        started_at_seconds: i64,
        exclude: Vec<String>,
        own_folders: Vec<PathBuf>,
        one_file_system: bool,
        max_shrink_percent: Option<u32>,
        progress: Option<Bound<'_, PyAny>>,
        cancel: Option<Bound<'_, Cancel>>,
    ) -> PyResult<BackupSummary> {
        let options = BackupOptions {
            source: source.into(),
            run_id,
            started_at_seconds,
            exclude,
            own_folders,
            one_file_system,
            max_shrink_percent,
        };
        memory::tune(GiveBack::Soon);
        let opened = self.opened.clone();
        run(py, &Watch { progress, cancel }, move |control| opened.backup(&options, control))
            .map(BackupSummary::from)
    }

    /// Return the snapshots, oldest first, and what in `snapshots/` cannot be trusted.
    fn snapshots(&self, py: Python<'_>) -> PyResult<(Vec<Snapshot>, Vec<Issue>)> {
        let opened = self.opened.clone();
        let unwatched = Watch { progress: None, cancel: None };
        let (snapshots, issues) =
            run(py, &unwatched, move |control| opened.reader_for(control).snapshots())?;
        Ok((snapshots.into_iter().map(Snapshot::from).collect(), issue_list(issues)))
    }

    /// Write the content of the source's folder directly into `target`.
    #[pyo3(signature = (
        snapshot_id, target, *, path=None, exact=false, overwrite=false, progress=None, cancel=None
    ))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of the Python interface")]
    fn restore(
        &self,
        py: Python<'_>,
        snapshot_id: &str,
        target: PathArgument,
        path: Option<PathArgument>,
        exact: bool,
        overwrite: bool,
        progress: Option<Bound<'_, PyAny>>,
        cancel: Option<Bound<'_, Cancel>>,
    ) -> PyResult<RestoreSummary> {
        let id = object_id(snapshot_id)?;
        let path = path.map(PathArgument::into_bytes).unwrap_or_default();
        let options = RestoreOptions { path, exact, overwrite, ..RestoreOptions::default() };
        memory::tune(GiveBack::Late);
        let (opened, target) = (self.opened.clone(), self::path(target));
        run(py, &Watch { progress, cancel }, move |control| {
            restore::restore(&opened.reader_for(control), id, &target, &options, control)
        })
        .map(RestoreSummary::from)
    }

    /// What a restore would write, from the trees alone.
    #[pyo3(signature = (snapshot_id, *, path=None, exact=false, progress=None, cancel=None))]
    fn plan(
        &self,
        py: Python<'_>,
        snapshot_id: &str,
        path: Option<PathArgument>,
        exact: bool,
        progress: Option<Bound<'_, PyAny>>,
        cancel: Option<Bound<'_, Cancel>>,
    ) -> PyResult<RestorePlan> {
        let id = object_id(snapshot_id)?;
        let path = path.map(PathArgument::into_bytes).unwrap_or_default();
        let options = RestoreOptions { path, exact, ..RestoreOptions::default() };
        let opened = self.opened.clone();
        run(py, &Watch { progress, cancel }, move |control| {
            restore::plan(&opened.reader_for(control), id, &options, control)
        })
        .map(RestorePlan::from)
    }

    /// Give the entry at `path` and all below it, in batches.
    #[pyo3(signature = (snapshot_id, *, path=None))]
    fn entries(&self, snapshot_id: &str, path: Option<PathArgument>) -> PyResult<Entries> {
        let path = path.map(PathArgument::into_bytes).unwrap_or_default();
        Entries::list(self.opened.clone(), object_id(snapshot_id)?, path)
    }

    /// Give every version of a path that matches, in batches, with the first snapshot it is in.
    fn search(&self, pattern: String, snapshot_ids: Vec<String>) -> PyResult<Entries> {
        let snapshots =
            snapshot_ids.into_iter().map(|id| object_id(&id)).collect::<PyResult<_>>()?;
        Entries::search(self.opened.clone(), pattern, snapshots)
    }

    /// Give the content of the file at `path`, or of the folder there as a tar archive.
    fn dump(&self, snapshot_id: &str, path: PathArgument) -> PyResult<Content> {
        Content::dump(self.opened.clone(), object_id(snapshot_id)?, path.into_bytes())
    }

    /// Check every snapshot, tree and index entry; with `read_data`, a part's number and count,
    /// every byte of that part of the packs.
    #[pyo3(signature = (*, read_data=None, progress=None, cancel=None))]
    fn check(
        &self,
        py: Python<'_>,
        read_data: Option<(u32, u32)>,
        progress: Option<Bound<'_, PyAny>>,
        cancel: Option<Bound<'_, Cancel>>,
    ) -> PyResult<CheckSummary> {
        let part = read_data.map(|(number, count)| Part::new(number, count)).transpose();
        let part = part.map_err(|error| to_python(&error))?;
        memory::tune(GiveBack::Late);
        let opened = self.opened.clone();
        run(py, &Watch { progress, cancel }, move |control| {
            opened.attend(control);
            check::check(&opened.cold_reader(), part, control)
        })
        .map(CheckSummary::from)
    }

    /// Make the cache in `hot` what it should be.
    #[pyo3(signature = (hot, *, dry_run=false, progress=None, cancel=None))]
    fn rebuild_hot(
        &self,
        py: Python<'_>,
        hot: PathBuf,
        dry_run: bool,
        progress: Option<Bound<'_, PyAny>>,
        cancel: Option<Bound<'_, Cancel>>,
    ) -> PyResult<HotSummary> {
        let opened = self.opened.clone();
        run(py, &Watch { progress, cancel }, move |control| {
            opened.attend(control);
            opened.rebuild_hot(&hot, dry_run, control)
        })
        .map(HotSummary::from)
    }
}

fn object_id(text: &str) -> PyResult<ObjectId> {
    text.parse().map_err(|error| to_python(&error))
}

fn mode_of(mode: &str) -> PyResult<Mode> {
    match mode {
        "read" => Ok(Mode::Read),
        "append" => Ok(Mode::Append),
        _ => Err(InvalidInput::new_err(format!("mode {mode:?} is neither read nor append"))),
    }
}

pub fn path(argument: PathArgument) -> PathBuf {
    OsString::from_vec(argument.into_bytes()).into()
}
