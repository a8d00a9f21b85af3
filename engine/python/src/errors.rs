//! The exceptions, one per kind of error of the core.

use pyo3::{create_exception, exceptions::PyException, prelude::*};
use unstoppable_engine_core::error::{Error, ErrorKind};

create_exception!(unstoppable_engine, EngineError, PyException, "Something failed.");
create_exception!(unstoppable_engine, WrongKey, EngineError, "The key is not the repository's.");
create_exception!(unstoppable_engine, PinBroken, EngineError, "Not the pinned repository.");
create_exception!(unstoppable_engine, NoRepository, EngineError, "There is no repository.");
create_exception!(unstoppable_engine, RepositoryExists, EngineError, "There is one already.");
create_exception!(unstoppable_engine, SourceUnavailable, EngineError, "The source is missing.");
create_exception!(unstoppable_engine, StorageError, EngineError, "Storage failed.");
create_exception!(unstoppable_engine, StorageDenied, StorageError, "The credential may not.");
create_exception!(unstoppable_engine, StorageFull, StorageError, "Storage is full.");
create_exception!(unstoppable_engine, RepositoryDamaged, EngineError, "Bytes are not right.");
create_exception!(unstoppable_engine, Cancelled, EngineError, "Cancelled; nothing to report.");
create_exception!(unstoppable_engine, TargetOccupied, EngineError, "Not to be restored into.");
create_exception!(unstoppable_engine, InvalidInput, EngineError, "An argument is not usable.");
create_exception!(unstoppable_engine, EngineBug, EngineError, "A fault of the engine itself.");

/// The exception for an error of the core, with its causes in the text.
pub fn to_python(error: &Error) -> PyErr {
    let text = error.chain();
    match error.kind() {
        ErrorKind::WrongKey => WrongKey::new_err(text),
        ErrorKind::PinBroken => PinBroken::new_err(text),
        ErrorKind::NoRepository => NoRepository::new_err(text),
        ErrorKind::RepositoryExists => RepositoryExists::new_err(text),
        ErrorKind::SourceUnavailable => SourceUnavailable::new_err(text),
        ErrorKind::Storage => StorageError::new_err(text),
        ErrorKind::Denied => StorageDenied::new_err(text),
        ErrorKind::StorageFull => StorageFull::new_err(text),
        ErrorKind::Damaged => RepositoryDamaged::new_err(text),
        ErrorKind::Cancelled => Cancelled::new_err(text),
        ErrorKind::TargetOccupied => TargetOccupied::new_err(text),
        ErrorKind::InvalidInput => InvalidInput::new_err(text),
        ErrorKind::Internal => EngineBug::new_err(text),
    }
}
