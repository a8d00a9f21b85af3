//! Creating configs and opening repositories with `rustic_core`.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use rustic_core::{
    BytesList, ConfigOptions, Credentials, ErrorKind as RusticKind, FileType, Id, IndexedIdsStatus,
    KeyOptions, ReadBackend, Repository, RepositoryBackends, RepositoryOptions, RusticError,
    RusticResult, WriteBackend, repofile::MasterKey,
};
use serde_json::json;

use super::{backend::Backend, errors::from_rustic, progress::Counters};
use crate::{
    control::Control,
    error::{Error, ErrorKind, Result},
    key::RepositoryKey,
};

/// Packs of data start at 16 MiB and grow to at most 32 MiB: fixed for ever at creation.
const DATA_PACK_BYTES: u64 = 16 * 1024 * 1024;
const LARGEST_DATA_PACK_BYTES: u64 = 32 * 1024 * 1024;

/// Open for a backup: the index of what is stored is read into memory.
pub fn open_for_backup(
    backend: Arc<Backend>,
    key: &RepositoryKey,
    control: Arc<Control>,
) -> Result<Repository<IndexedIdsStatus>> {
    let failed = |error: Box<RusticError>| from_rustic("cannot open the repository", &error);
    repository(backend, Counters(control))
        .and_then(|repository| repository.open(&credentials(key)?))
        .and_then(Repository::to_indexed_ids)
        .map_err(failed)
}

fn repository(
    backend: Arc<dyn WriteBackend>,
    progress: impl rustic_core::ProgressBars,
) -> RusticResult<Repository<()>> {
    let mut options = RepositoryOptions::default();
    options.no_cache = true;
    Repository::new_with_progress(&options, &RepositoryBackends::new(backend, None), progress)
}

/// The raw key in the form that restic prints for `cat masterkey`.
fn credentials(key: &RepositoryKey) -> RusticResult<Credentials> {
    let (encrypt, mac) = key.as_bytes().split_at(32);
    let (k, r) = mac.split_at(16);
    let form = json!({
        "encrypt": base64(encrypt),
        "mac": { "k": base64(k), "r": base64(r) },
    });
    let key: MasterKey = serde_json::from_value(form)
        .map_err(|error| RusticError::with_source(RusticKind::Internal, "key form", error))?;
    Ok(Credentials::Masterkey(key))
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// The config of a new repository, as JSON: version 2, a random id and chunker polynomial.
pub fn new_config(key: &RepositoryKey) -> Result<serde_json::Value> {
    let failed = |error: Box<RusticError>| from_rustic("cannot make a config", &error);
    let mut options = ConfigOptions::default();
    options.set_version = Some(2);
    options.set_datapack_size = Some(bytesize::ByteSize(DATA_PACK_BYTES));
    options.set_datapack_size_limit = Some(bytesize::ByteSize(LARGEST_DATA_PACK_BYTES));
    let repository = repository(Arc::new(Nowhere::default()), rustic_core::NoProgressBars)
        .and_then(|new| new.init(&credentials(key)?, &KeyOptions::default(), &options))
        .map_err(failed)?;
    serde_json::to_value(repository.config()).map_err(|error| {
        Error::caused_by(ErrorKind::Internal, "cannot write the config as JSON", error)
    })
}

/// A repository that keeps nothing: `rustic_core` makes the config, we write it.
#[derive(Debug, Default)]
struct Nowhere {
    config: Mutex<Bytes>,
}

impl ReadBackend for Nowhere {
    fn location(&self) -> String {
        "nowhere".to_owned()
    }

    fn list_with_size(&self, _file_type: FileType) -> RusticResult<Vec<(Id, u32)>> {
        Ok(Vec::new())
    }

    fn read_full(&self, _file_type: FileType, _id: &Id) -> RusticResult<Bytes> {
        Ok(self.config.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    fn read_partial(
        &self,
        _file_type: FileType,
        _id: &Id,
        _cacheable: bool,
        _offset: u32,
        _length: u32,
    ) -> RusticResult<Bytes> {
        Err(RusticError::new(RusticKind::Unsupported, "a new repository holds no packs"))
    }

    fn warmup_path(&self, _file_type: FileType, _id: &Id) -> String {
        String::new()
    }
}

impl WriteBackend for Nowhere {
    fn write_bytes(
        &self,
        _file_type: FileType,
        _id: &Id,
        _cacheable: bool,
        content: BytesList,
    ) -> RusticResult<()> {
        let content = content.slice().concat();
        *self.config.lock().unwrap_or_else(PoisonError::into_inner) = content.into();
        Ok(())
    }

    fn remove(&self, _file_type: FileType, _id: &Id, _cacheable: bool) -> RusticResult<()> {
        Ok(())
    }
}
