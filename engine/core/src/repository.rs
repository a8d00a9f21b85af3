//! A repository: created once, and opened only when it is the pinned one.

use std::{collections::BTreeSet, fmt::Display, path::PathBuf, sync::Arc};

use crate::{
    birth::{Birth, BirthCertificate, Pins},
    control::Control,
    error::{Error, ErrorKind, Result},
    format::{
        config::{Config, LARGEST_CONFIG_BYTES},
        reader::Reader,
        seal::Seal,
    },
    issue::{IssueKind, Issues},
    key::RepositoryKey,
    known,
    object::{Object, ObjectId, ObjectKind},
    process,
    rustic::open::new_config,
    storage::{
        AppendStorage, ReadStorage,
        cold::{Cold, ColdPlace},
        hot::{ALIGNED_KINDS, Hot},
        local::{LocalDirectory, Maintain},
        tiered::{Listing, Tiered},
    },
    workers::{both, map_each},
};
use bytes::Bytes;

/// A birth certificate is a few hundred bytes.
const LARGEST_BIRTH_BYTES: u64 = 64 * 1024;

/// Where a repository lies: its own folders, generation included.
#[derive(Debug, Clone)]
pub struct Places {
    /// Everything.
    pub cold: ColdPlace,
    /// A cache of the metadata; the repository works without.
    pub hot: Option<PathBuf>,
}

/// What the opener may do with cold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Read.
    Read,
    /// Read and add.
    Append,
}

/// What the repository must be; None where the opener has nothing to compare with.
#[derive(Debug, Clone, Default)]
pub struct Expected {
    /// Values that were pinned when the repository was created.
    pub pins: Option<Pins>,
    /// Birth names and generation.
    pub birth: Option<Birth>,
}

/// An open repository.
pub struct Repository {
    pub(crate) tiered: Arc<Tiered>,
    pub(crate) append: Option<Arc<dyn AppendStorage>>,
    /// Where `known` lies: in hot, even where hot cannot be used as a cache.
    pub(crate) known_place: Option<LocalDirectory<Maintain>>,
    pub(crate) key: RepositoryKey,
    pub(crate) config: Bytes,
    pub(crate) issues: Arc<Issues>,
    birth: Birth,
    pins: Pins,
}

/// Create a repository in cold and its cache in hot; returns the pins to keep for ever.
/// Goes on where a creation was interrupted before its config was written, which comes last.
pub fn create(
    places: &Places,
    key: &RepositoryKey,
    birth: &Birth,
    created_at_seconds: i64,
    control: &Arc<Control>,
) -> Result<Pins> {
    process::check()?;
    let cold = places.cold.open(control)?.append;
    let cold = cold.as_ref();
    let hot = places.hot.as_ref().map(LocalDirectory::<Maintain>::new);
    refuse_existing(cold, hot.as_ref())?;

    let mut config = new_config(key)?;
    cold.create_folders()?;
    let certificate = BirthCertificate::new(birth, Config::parse(&config)?.id, created_at_seconds);
    let id = register_birth(cold, birth, &certificate, key)?;
    // Only now, when cold has its certificate, it shows if hot is the same place under another name.
    hot.as_ref().map_or(Ok(()), refuse_repository)?;
    set(&mut config, "id", id.to_hex().into());
    let seal = Seal::new(key);
    let sealed: Bytes = seal.seal(config.to_string().as_bytes())?.into();
    hot.as_ref().map_or(Ok(()), AppendStorage::create_folders)?;
    cold.create(&Object::Config, std::slice::from_ref(&sealed))?;
    if let Some(hot) = hot {
        // From the first run on nothing in cold is taken on trust.
        hot.replace(
            &Object::Known,
            known::sealed(&seal, &BTreeSet::new(), &BTreeSet::new())?.into(),
        )?;
        Hot::new(hot, Arc::default()).mend_config(&seal, &sealed)?;
    }
    Ok(Pins {
        repository_id: id,
        config_sha256: ObjectId::of(&sealed),
        key_fingerprint: key.fingerprint(),
        generation: birth.generation(),
    })
}

/// A repository has its birth certificate, a cache never: what is to be used as a cache, and
/// emptied as one, must not be somebody's repository.
pub(crate) fn refuse_repository(hot: &LocalDirectory<Maintain>) -> Result<()> {
    match hot.size(&Object::Birth) {
        Ok(Some(_)) => Err(Error::new(
            ErrorKind::InvalidInput,
            format!("{} holds a repository and cannot be the cache of one", hot.location()),
        )),
        // What cannot be read is not written to either, and its user says so.
        Ok(None) | Err(_) => Ok(()),
    }
}

fn refuse_existing(cold: &dyn AppendStorage, hot: Option<&LocalDirectory<Maintain>>) -> Result<()> {
    let places: [Option<&dyn ReadStorage>; 2] =
        [Some(cold), hot.map(|hot| hot as &dyn ReadStorage)];
    for storage in places.into_iter().flatten() {
        if storage.size(&Object::Config)?.is_some() {
            return Err(Error::new(
                ErrorKind::RepositoryExists,
                format!("there is a repository in {} already", storage.location()),
            ));
        }
    }
    Ok(())
}

/// Write `unstoppable.json`, or take the id from the one an interrupted creation left.
fn register_birth(
    cold: &dyn AppendStorage,
    birth: &Birth,
    certificate: &BirthCertificate,
    key: &RepositoryKey,
) -> Result<ObjectId> {
    let Some(existing) = cold.read(&Object::Birth)? else {
        cold.create(&Object::Birth, &[certificate.to_json(key)?.into()])?;
        return Ok(certificate.repository_id);
    };
    let place = cold.location();
    let refused = |what: String| Error::new(ErrorKind::RepositoryExists, what);
    let (certificate, born) = BirthCertificate::from_json(&existing, key).map_err(|error| {
        refused(format!("{place} was begun with another unstoppable.json: {}", error.chain()))
    })?;
    if born != *birth {
        return Err(refused(format!("{place} was begun for {}", born.snapshot_path())));
    }
    Ok(certificate.repository_id)
}

fn set(config: &mut serde_json::Value, name: &str, value: serde_json::Value) {
    if let Some(fields) = config.as_object_mut() {
        fields.insert(name.to_owned(), value);
    }
}

impl Repository {
    /// Open and check key, birth certificate and pins; nothing is written to cold.
    /// Hot is brought in line with cold, which may write to hot.
    pub fn open(
        places: &Places,
        key: &RepositoryKey,
        expected: &Expected,
        mode: Mode,
        control: &Arc<Control>,
    ) -> Result<Self> {
        process::check()?;
        expected.pins.as_ref().map_or(Ok(()), |pins| pins.check_key(key))?;
        let Cold { read, append } = places.cold.open(control)?;
        let cold = read.as_ref();
        let kinds: &[ObjectKind] = places.hot.as_ref().map_or(&[], |_| &ALIGNED_KINDS);
        // All at once: each is a request that is waited for.
        let (heads, listings) = both(
            || {
                both(
                    || read_config(cold),
                    || cold.read_at_most(&Object::Birth, LARGEST_BIRTH_BYTES),
                )
            },
            || list_all(cold, kinds),
        );
        let config = heads.0?;
        let (birth, found) = identify(cold, key, &config, heads.1, expected)?;
        let issues = Arc::<Issues>::default();
        let tiered = open_tiered(read, listings, places.hot.as_ref(), key, &config, &issues)?;
        Ok(Self {
            tiered: Arc::new(tiered),
            append: (mode == Mode::Append).then_some(append),
            known_place: places.hot.as_ref().map(LocalDirectory::new),
            key: key.clone(),
            config,
            issues,
            birth,
            pins: found,
        })
    }

    /// Who the repository was made for.
    pub fn birth(&self) -> &Birth {
        &self.birth
    }

    /// From now on wait for nothing that may come later once `control` was cancelled.
    pub fn attend(&self, control: &Arc<Control>) {
        self.tiered.cold().attend(control);
    }

    /// Reads through the cache, for the work of `control`.
    pub fn reader_for(&self, control: &Arc<Control>) -> Reader {
        self.attend(control);
        self.reader()
    }

    /// Reads through the cache.
    pub fn reader(&self) -> Reader {
        Reader::new(self.tiered.clone(), &self.key)
    }

    /// Reads cold alone: what a check must look at.
    pub fn cold_reader(&self) -> Reader {
        Reader::new(self.tiered.cold().clone(), &self.key)
    }

    /// Its pins as found; equal to those given, if any were.
    pub fn pins(&self) -> &Pins {
        &self.pins
    }
}

fn read_config(cold: &dyn ReadStorage) -> Result<Bytes> {
    let place = cold.location();
    let config = cold.read_at_most(&Object::Config, LARGEST_CONFIG_BYTES as u64)?;
    config.ok_or_else(|| {
        Error::new(ErrorKind::NoRepository, format!("there is no repository in {place}"))
    })
}

/// The birth names and the pins of what lies there, if they agree with each other and `pins`.
fn identify(
    cold: &dyn ReadStorage,
    key: &RepositoryKey,
    config: &Bytes,
    certificate: Result<Option<Bytes>>,
    expected: &Expected,
) -> Result<(Birth, Pins)> {
    let config_sha256 = ObjectId::of(config);
    let pins = expected.pins.as_ref();
    if let Some(pins) = pins {
        compare(cold, "config", &pins.config_sha256, &config_sha256)?;
    }
    let head = open_config(cold, key, config)?;
    let (certificate, birth) = open_birth(cold, key, certificate)?;
    compare(cold, "repository id", &certificate.repository_id, &head.id)?;
    if let Some(expected) = &expected.birth {
        compare(cold, "birth", expected, &birth)?;
    }
    if let Some(pins) = pins {
        compare(cold, "repository id", &pins.repository_id, &head.id)?;
        compare(cold, "generation", &pins.generation, &birth.generation())?;
    }
    let found = Pins {
        repository_id: head.id,
        config_sha256,
        key_fingerprint: key.fingerprint(),
        generation: birth.generation(),
    };
    Ok((birth, found))
}

/// The birth certificate; whatever is wrong with it, this is not the repository that was created.
fn open_birth(
    cold: &dyn ReadStorage,
    key: &RepositoryKey,
    read: Result<Option<Bytes>>,
) -> Result<(BirthCertificate, Birth)> {
    let place = cold.location();
    let broken = |what: String| Error::new(ErrorKind::PinBroken, what);
    let bytes = read
        .map_err(|error| match error.kind() {
            ErrorKind::Damaged => broken(error.chain()),
            _ => error,
        })?
        .ok_or_else(|| broken(format!("unstoppable.json is missing in {place}")))?;
    BirthCertificate::from_json(&bytes, key)
        .map_err(|error| broken(format!("unstoppable.json in {place}: {}", error.chain())))
}

/// The objects of each kind, listed at the same time.
fn list_all(cold: &dyn ReadStorage, kinds: &[ObjectKind]) -> Result<Vec<(ObjectKind, Listing)>> {
    map_each(kinds.len(), kinds.to_vec(), |kind| Ok((kind, cold.list(kind)?)))
}

/// Refuse what differs from what it must be.
fn compare<T: PartialEq + Display>(
    cold: &dyn ReadStorage,
    what: &str,
    expected: &T,
    found: &T,
) -> Result<()> {
    if expected == found {
        return Ok(());
    }
    let place = cold.location();
    Err(Error::new(
        ErrorKind::PinBroken,
        format!(
            "the repository in {place} is not the pinned one: {what} is {found}, expected {expected}"
        ),
    ))
}

/// The config; a key that does not open it is named.
fn open_config(cold: &dyn ReadStorage, key: &RepositoryKey, sealed: &Bytes) -> Result<Config> {
    Config::open(sealed, &Seal::new(key)).map_err(|error| {
        let (name, place) = (key.fingerprint(), cold.location());
        let message = match error.kind() {
            ErrorKind::WrongKey => {
                format!("the key {name} does not open the repository in {place}")
            }
            _ => format!("the config of the repository in {place} cannot be used"),
        };
        Error::caused_by(error.kind(), message, error)
    })
}

/// Cold with hot in front, ready for use. Hot is only a cache: where it cannot be used, that is
/// told and the work goes on with cold alone, which will fail on its own if cold was at fault.
fn open_tiered(
    cold: Arc<dyn ReadStorage>,
    listings: Result<Vec<(ObjectKind, Listing)>>,
    hot: Option<&PathBuf>,
    key: &RepositoryKey,
    config: &Bytes,
    issues: &Arc<Issues>,
) -> Result<Tiered> {
    let Some(hot) = hot.map(LocalDirectory::<Maintain>::new) else {
        return Ok(Tiered::new(cold, None));
    };
    refuse_repository(&hot)?;
    let place = hot.location();
    let hot = Hot::new(hot, issues.clone());
    let aligned = listings.and_then(|listings| {
        hot.align(cold.as_ref(), &listings, &Seal::new(key), config)?;
        Ok(listings)
    });
    match aligned {
        Ok(listings) => Ok(Tiered::new(cold, Some(hot)).with_listings(listings)),
        Err(error) => {
            let message = format!("{place} cannot be used: {}", error.chain());
            issues.add(IssueKind::HotIncomplete, "", message);
            Ok(Tiered::new(cold, None))
        }
    }
}
