//! `unstoppable_engine`: the engine as Python sees it.
//!
//! Nothing is decided here. Arguments become values of the core, the work runs on a thread of its
//! own ([`call`]), and results become the small classes of [`values`].

mod browse;
mod call;
mod confine;
mod errors;
mod memory;
mod place;
mod repository;
mod values;
mod visit;

use pyo3::prelude::*;

#[pymodule]
mod _engine {
    use super::Bound;
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::{
        browse::{Content, Entries, Entry},
        call::Cancel,
        confine::{Confinement, confine, forbid_dumps},
        errors::{
            Cancelled, EngineBug, EngineError, InvalidInput, NoRepository, PinBroken,
            RepositoryDamaged, RepositoryExists, SourceUnavailable, StorageDenied, StorageError,
            StorageFull, TargetOccupied, WrongKey,
        },
        place::{Ftps, S3},
        repository::{
            Repository, claim_name, claimed_snapshot, create_repository, derive_repository_key,
            fingerprint, generate_root_secret,
        },
        values::{
            BackupSummary, Birth, CheckSummary, HotSummary, Issue, Pins, Progress, RestorePlan,
            RestoreSummary, Snapshot,
        },
        visit::{FtpsEntry, FtpsVisit, ftps_pin},
    };

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        crate::memory::tune(crate::memory::GiveBack::Soon);
        crate::call::install();
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
