//! A bucket behind a proxy, and what is asked of it.

use std::{
    fs,
    time::{Duration, Instant},
};

use bytes::Bytes;
use unstoppable_engine_core::{
    error::{Error, ErrorKind, Result},
    object::{Object, ObjectId, ObjectKind},
    storage::{
        AppendStorage, ReadStorage,
        s3::{Append, Connection, S3},
    },
};

use super::{
    proxy::{Asked, Fault, Proxy},
    server::{Server, short_limits},
};

const SNAPSHOTS: u32 = 2500;
/// Longer than patience and one more attempt; nothing may take longer.
pub const LONGEST: Duration = Duration::from_secs(9);

/// A bucket behind a proxy.
pub struct Scene {
    _server: Server,
    pub proxy: Proxy,
    folder: std::path::PathBuf,
    pub storage: S3<Append>,
    pub pack: Object,
    pub content: Bytes,
}

/// What is asked of a storage; each is right or fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    List,
    Read,
    Range,
    Size,
    Create,
}

pub const READS: [Call; 4] = [Call::List, Call::Read, Call::Range, Call::Size];
pub const ALL: [Call; 5] = [Call::List, Call::Read, Call::Range, Call::Size, Call::Create];

impl Scene {
    pub fn new() -> Self {
        let server = Server::start();
        let folder = server.bucket("acme").join("www/g1");
        fs::create_dir_all(folder.join("snapshots")).unwrap();
        for number in 0..SNAPSHOTS {
            let id = ObjectId::of(&number.to_le_bytes());
            fs::write(folder.join("snapshots").join(id.to_hex()), "x").unwrap();
        }
        let proxy = Proxy::before(server.address);
        let place = Server::place("acme", proxy.address);
        let storage = Connection::new(&place, short_limits()).unwrap().open::<Append>();
        let content: Bytes = (0..25_000_u32).flat_map(u32::to_le_bytes).collect();
        let pack = Object::Hashed(ObjectKind::Pack, ObjectId::of(&content));
        storage.create(&pack, std::slice::from_ref(&content)).unwrap();
        Self { _server: server, proxy, folder, storage, pack, content }
    }

    /// Make a call; what it gives must be right.
    pub fn call(&self, call: Call) -> Result<()> {
        let began = Instant::now();
        let result = self.called(call);
        assert!(began.elapsed() < LONGEST, "{call:?} took {:?}", began.elapsed());
        result
    }

    fn called(&self, call: Call) -> Result<()> {
        let storage = &self.storage;
        match call {
            Call::List => {
                assert_eq!(storage.list(ObjectKind::Snapshot)?.len(), SNAPSHOTS as usize);
            }
            Call::Read => assert_eq!(storage.read(&self.pack)?.unwrap(), self.content),
            Call::Range => {
                assert_eq!(storage.read_range(&self.pack, 4, 1000)?, self.content[4..1004]);
            }
            Call::Size => {
                assert_eq!(storage.size(&self.pack)?, Some(self.content.len() as u64));
            }
            Call::Create => {
                let mut random = [0; 16];
                getrandom(&mut random);
                let content = Bytes::from(random.repeat(5000));
                let object = Object::Hashed(ObjectKind::Index, ObjectId::of(&content));
                storage.create(&object, std::slice::from_ref(&content))?;
                assert_eq!(fs::read(self.folder.join(object.path())).unwrap(), content);
            }
        }
        Ok(())
    }

    /// This fault every time: no call may succeed.
    pub fn always(&self, calls: &[Call], fault: impl Fn(&Asked) -> Fault + Send + Sync + 'static) {
        self.proxy.plan(move |asked, _| fault(asked));
        for call in calls {
            let error = self.call(*call).expect_err("an error");
            assert!(matches!(error.kind(), ErrorKind::Storage | ErrorKind::Denied), "{error:?}");
        }
        self.is_well();
    }

    /// This fault for the first request alone: every call must succeed all the same.
    pub fn once(&self, calls: &[Call], fault: &Fault) {
        for call in calls {
            let fault = fault.clone();
            self.proxy.plan(move |_, number| match number {
                0 => fault.clone(),
                _ => Fault::None,
            });
            self.call(*call).unwrap_or_else(|error| panic!("{call:?}: {}", error.chain()));
        }
    }

    /// What the last call left behind harms none.
    pub fn is_well(&self) {
        self.proxy.plan(|_, _| Fault::None);
        ALL.iter().for_each(|call| self.call(*call).unwrap());
    }

    pub fn error(&self, call: Call, fault: Fault) -> Error {
        self.proxy.plan(move |_, _| fault.clone());
        self.call(call).unwrap_err()
    }
}

fn getrandom(random: &mut [u8]) {
    use std::io::Read;
    fs::File::open("/dev/urandom").unwrap().read_exact(random).unwrap();
}
