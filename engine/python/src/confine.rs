//! A process that confines itself, as Python says it.

use std::{ffi::OsString, path::PathBuf};

use pyo3::prelude::*;
use unstoppable_engine_core::{
    confine::{self as core, Needs},
    process,
};

use crate::errors::to_python;

/// What holds from now on.
#[pyclass(module = "unstoppable_engine", frozen, get_all)]
pub struct Confinement {
    abi: i32,
    files: bool,
    network: bool,
    processes: bool,
    missing: Vec<OsString>,
}

/// Confine this process to what it needs.
#[pyfunction]
#[pyo3(signature = (*, read, write, connect_ports=None))]
pub fn confine(
    read: Vec<PathBuf>,
    write: Vec<PathBuf>,
    connect_ports: Option<Vec<u16>>,
) -> PyResult<Confinement> {
    process::check().map_err(|error| to_python(&error))?;
    let needs = Needs { read, write, connect_ports };
    let found = core::confine(&needs).map_err(|error| to_python(&error))?;
    Ok(Confinement {
        abi: found.abi,
        files: found.files,
        network: found.network,
        processes: found.processes,
        missing: found.missing.into_iter().map(PathBuf::into_os_string).collect(),
    })
}

/// Keep the memory of this process to itself.
#[pyfunction]
pub fn forbid_dumps() -> PyResult<()> {
    process::forbid_dumps().map_err(|error| to_python(&error))
}
