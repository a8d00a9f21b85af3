//! A look at a server, as Python takes it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pyo3::{prelude::*, types::PyBytes};
use unstoppable_engine_core::{
    error::Result,
    ftps::listing::{self, Kind},
    source::ftps,
};

use crate::{
    call::{Watch, run},
    place::Ftps,
    values::PathArgument,
};

const UNWATCHED: Watch<'static> = Watch { progress: None, cancel: None };

/// One connection to a server, logged in.
#[pyclass(module = "unstoppable_engine", frozen)]
pub struct FtpsVisit(Arc<Mutex<ftps::Visit>>);

/// An entry of a folder, as a server lists it.
#[pyclass(module = "unstoppable_engine", frozen)]
pub struct FtpsEntry(listing::Entry);

/// The SHA-256 of the public key that a server shows to anybody.
#[pyfunction]
pub fn ftps_pin<'py>(py: Python<'py>, place: &Ftps) -> PyResult<Bound<'py, PyBytes>> {
    let place = place.place().clone();
    let pin = run(py, &UNWATCHED, move |control| ftps::pin(&place, control))?;
    Ok(PyBytes::new(py, &pin))
}

#[pymethods]
impl FtpsVisit {
    /// Log in and go into the folder.
    #[new]
    fn new(py: Python<'_>, place: &Ftps) -> PyResult<Self> {
        let place = place.place().clone();
        let visit = run(py, &UNWATCHED, move |control| ftps::Visit::open(&place, control))?;
        Ok(Self(Arc::new(Mutex::new(visit))))
    }

    #[getter]
    fn greeting(&self) -> String {
        self.locked().facts().greeting
    }

    #[getter]
    fn tls_version(&self) -> &'static str {
        self.locked().facts().tls_version
    }

    #[getter]
    fn features(&self) -> Vec<String> {
        self.locked().facts().features
    }

    #[getter]
    fn pin<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.locked().facts().pin)
    }

    #[getter]
    fn transfers(&self) -> u64 {
        self.locked().facts().transfers
    }

    #[getter]
    fn resumed(&self) -> u64 {
        self.locked().facts().resumed
    }

    /// The entries of a folder, and the names in it that no backup can hold.
    fn folder(
        &self,
        py: Python<'_>,
        path: PathArgument,
    ) -> PyResult<(Vec<FtpsEntry>, Vec<String>)> {
        let path = path.into_bytes();
        let listing = self.run(py, move |visit| visit.list(&path))?;
        Ok((listing.entries.into_iter().map(FtpsEntry).collect(), listing.refused))
    }

    /// The content of a file.
    fn read<'py>(
        &self,
        py: Python<'py>,
        path: PathArgument,
        most_bytes: usize,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let path = path.into_bytes();
        let content = self.run(py, move |visit| visit.read(&path, most_bytes))?;
        Ok(PyBytes::new(py, &content))
    }
}

impl FtpsVisit {
    fn locked(&self) -> MutexGuard<'_, ftps::Visit> {
        locked(&self.0)
    }

    fn run<T: Send + 'static>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&mut ftps::Visit) -> Result<T> + Send + 'static,
    ) -> PyResult<T> {
        let visit = self.0.clone();
        run(py, &UNWATCHED, move |control| {
            let mut visit = locked(&visit);
            visit.attend(control);
            work(&mut visit)
        })
    }
}

/// A call that panicked leaves a connection that fails by itself.
fn locked(visit: &Mutex<ftps::Visit>) -> MutexGuard<'_, ftps::Visit> {
    visit.lock().unwrap_or_else(PoisonError::into_inner)
}

#[pymethods]
impl FtpsEntry {
    #[getter]
    fn name<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.name)
    }

    #[getter]
    fn kind(&self) -> &'static str {
        match self.0.kind {
            Kind::File => "file",
            Kind::Folder => "folder",
            Kind::Link(_) => "symlink",
            Kind::Other => "other",
        }
    }

    #[getter]
    fn size_bytes(&self) -> Option<u64> {
        self.0.size_bytes
    }

    #[getter]
    fn modified_seconds(&self) -> Option<i64> {
        self.0.modified.map(|moment| moment.0)
    }
}
