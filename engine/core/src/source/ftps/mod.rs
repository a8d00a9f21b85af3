//! A folder of an FTPS server as a source.

mod bounds;
mod doubts;
mod explain;
mod listings;
mod pauses;
mod place;
mod pool;
mod reading;
mod same;
mod telling;
mod visit;
mod walk;
mod worker;

use std::{
    ffi::{OsStr, OsString},
    net::IpAddr,
    os::unix::ffi::OsStrExt,
    path::Path,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

pub use self::bounds::Bounds;
pub use self::visit::{Visit, pin};
use self::{
    pauses::{Pauses, rest},
    place::Place,
    pool::Pool,
    reading::FtpsFile,
    walk::Walk,
};
use super::{Source, ahead::ReadAhead, directory::exclude, earlier::Earlier};
use crate::{
    control::Control,
    error::{Error, ErrorKind, Result},
    ftps::{Class, Connection, Fault, Limits, Server},
    issue::Issue,
    workers::lock,
};

/// How often a file is read anew though nothing about it changed, unless somebody says otherwise.
pub const USUAL_REREAD: Duration = Duration::from_hours(30 * 24);

/// How often a server may be lost, or not be there, before the first connection stands …
const MOST_LOST: u32 = 2;
/// … and how long after the first try it is tried again: whoever waits for a server that does not
/// answer at all has waited already.
const SOON: Duration = Duration::from_secs(10);

/// A folder of a server.
#[derive(Debug, Clone)]
pub struct FtpsPlace {
    /// The server.
    pub server: Server,
    /// The folder there, as the server calls it.
    pub path: Vec<u8>,
    /// Connections at most.
    pub most_connections: usize,
    /// How often each file is read anew though nothing about it changed.
    pub reread: Duration,
    /// How long the server may take, and how much it may say.
    pub limits: Limits,
    /// How much of it is read at most.
    pub bounds: Bounds,
}

/// A folder of a server that was found and can be listed.
pub struct FtpsSource {
    pool: Arc<Pool>,
    reread: Duration,
    name: OsString,
    first: Mutex<Option<Connection>>,
    earlier: Mutex<Option<Earlier>>,
}

impl FtpsSource {
    /// Log in and look for the folder; in the snapshot it is called `name`.
    /// `globs` are left out, relative to the folder, as in gitignore.
    pub fn open(
        place: &FtpsPlace,
        globs: &[String],
        name: &str,
        control: Arc<Control>,
    ) -> Result<Self> {
        let (exclude, reread) = (exclude(globs)?, place.reread);
        let (first, root, address) =
            enter(place, &control).map_err(|fault| unavailable(place, &fault))?;
        let place = Place {
            server: place.server.clone(),
            address,
            limits: place.limits.clone(),
            bounds: place.bounds,
            root,
            most_connections: place.most_connections,
            exclude,
        };
        let pool = Pool::new(place, control);
        let (first, earlier) = (Mutex::new(Some(first)), Mutex::default());
        Ok(Self { pool, reread, name: name.into(), first, earlier })
    }
}

/// Log in and go into the folder: the connection, the folder's path, and where the server is.
/// A server that is full may have room later; one that is just being started is there soon.
fn enter(
    place: &FtpsPlace,
    control: &Arc<Control>,
) -> std::result::Result<(Connection, Vec<u8>, IpAddr), Fault> {
    let address = place.server.locate()?;
    let (began, mut pauses, mut lost) = (Instant::now(), Pauses::default(), 0);
    loop {
        let fault = match enter_once(place, address, control) {
            Ok((first, root)) => return Ok((first, root, address)),
            Err(fault) => fault,
        };
        match fault.class {
            Class::Capacity if began.elapsed() > place.limits.patience => {
                return Err(fault.after(place.limits.patience));
            }
            Class::Capacity => {}
            Class::Stale | Class::Unreachable if lost < MOST_LOST && began.elapsed() < SOON => {
                lost += 1;
            }
            _ => return Err(fault),
        }
        rest(pauses.next(), || control.is_ending());
    }
}

fn enter_once(
    place: &FtpsPlace,
    address: IpAddr,
    control: &Arc<Control>,
) -> std::result::Result<(Connection, Vec<u8>), Fault> {
    let mut first = Connection::open(&place.server, address, &place.limits, control)?;
    let root = root_path(&mut first, &place.path)?;
    Ok((first, root))
}

/// The folder without a slash at its end, if one can enter it.
fn root_path(connection: &mut Connection, path: &[u8]) -> std::result::Result<Vec<u8>, Fault> {
    let trimmed = path.strip_suffix(b"/").unwrap_or(path);
    let path: &[u8] = if trimmed.is_empty() { b"/" } else { trimmed };
    let reply = connection.ask(&[b"CWD ", path].concat())?;
    match reply.is_success() {
        true => Ok(path.to_vec()),
        false => Err(Fault::refused("enter the folder", &reply)),
    }
}

fn unavailable(place: &FtpsPlace, fault: &Fault) -> Error {
    let path = crate::ftps::reply::shown(&place.path);
    failed(fault, format!("the source {}{path} cannot be opened: {}", place.server, fault.message))
}

/// A fault that ends what somebody wanted of the source, in the words for that.
fn failed(fault: &Fault, message: String) -> Error {
    let kind = match fault.class {
        Class::Cancelled => ErrorKind::Cancelled,
        _ => ErrorKind::SourceUnavailable,
    };
    Error::new(kind, message)
}

impl Source for FtpsSource {
    type File = FtpsFile;
    type Entries = ReadAhead<FtpsFile>;

    fn learn(&self, earlier: Earlier) {
        *lock(&self.earlier) = Some(earlier);
    }

    fn entries(&self) -> Self::Entries {
        if let Some(first) = lock(&self.first).take() {
            self.pool.start(first);
        }
        let (pool, reread, name) = (self.pool.clone(), self.reread, self.name.clone());
        let earlier = lock(&self.earlier).take();
        ReadAhead::of(move |batches| Walk::new(pool, reread, name, earlier, batches).run())
    }

    fn settle(&self) -> Vec<Issue> {
        self.pool.settle()
    }

    fn lost(&self) -> Option<String> {
        let fault = self.pool.shortfall().filter(|fault| fault.class != Class::Cancelled)?;
        Some(format!("the source could not be read to its end: {}", fault.message))
    }
}

fn path_of(path: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(path))
}

impl Drop for FtpsSource {
    fn drop(&mut self) {
        self.pool.end();
    }
}
