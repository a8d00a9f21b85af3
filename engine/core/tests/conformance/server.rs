//! A real S3 server of the test's own, on loopback, or one that is there already.

use std::{
    env, fs,
    net::{SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use unstoppable_engine_core::storage::s3::{Limits, S3Address};

const ACCESS_KEY_ID: &str = "operator";
const SECRET_ACCESS_KEY: &str = "of the tests alone";
const LONGEST_START: Duration = Duration::from_secs(20);

/// versitygw over a folder.
pub struct Server {
    folder: tempfile::TempDir,
    child: Child,
    pub address: SocketAddr,
}

impl Server {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["buckets", "versions"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let address = free_address();
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let child = Command::new(program())
            .args(["--quiet", "--keep-alive", "--port", &address.to_string()])
            .args(["posix", "--versioning-dir"])
            .args([folder.path().join("versions"), folder.path().join("buckets")])
            .env("ROOT_ACCESS_KEY", ACCESS_KEY_ID)
            .env("ROOT_SECRET_KEY", SECRET_ACCESS_KEY)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .expect("versitygw starts");
        let server = Self { folder, child, address };
        server.await_answer();
        server
    }

    fn await_answer(&self) {
        let began = Instant::now();
        while TcpStream::connect(self.address).is_err() {
            let log = || fs::read_to_string(self.folder.path().join("log")).unwrap();
            assert!(began.elapsed() < LONGEST_START, "versitygw does not answer: {}", log());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Make a bucket; to this server a folder is one.
    pub fn bucket(&self, name: &str) -> PathBuf {
        let folder = self.folder.path().join("buckets").join(name);
        fs::create_dir(&folder).unwrap();
        folder
    }

    /// A place in a bucket, reached at `socket`.
    pub fn place(bucket: &str, socket: SocketAddr) -> S3Address {
        S3Address {
            endpoint: format!("http://{socket}"),
            region: "us-east-1".to_owned(),
            bucket: bucket.to_owned(),
            prefix: "www/g1".to_owned(),
            access_key_id: ACCESS_KEY_ID.to_owned(),
            secret_access_key: SECRET_ACCESS_KEY.to_owned().into(),
            is_virtual_host: false,
            ca_file: None,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A new place in a bucket of a server that is there already; None where none is named.
///
/// `S3_ENDPOINT` names it, and with it go `S3_BUCKET`, `S3_ACCESS_KEY_ID`, `S3_SECRET_ACCESS_KEY`.
pub fn place_given() -> Option<S3Address> {
    let endpoint = env::var("S3_ENDPOINT").ok()?;
    let told = |name| env::var(name).unwrap_or_else(|_| panic!("S3_ENDPOINT asks for {name}"));
    let mut random = [0; 8];
    getrandom::fill(&mut random).unwrap();
    Some(S3Address {
        endpoint,
        region: "us-east-1".to_owned(),
        bucket: told("S3_BUCKET"),
        prefix: format!("{}/g1", hex::encode(random)),
        access_key_id: told("S3_ACCESS_KEY_ID"),
        secret_access_key: told("S3_SECRET_ACCESS_KEY").into(),
        is_virtual_host: false,
        ca_file: None,
    })
}

/// The server that is there ignores the condition that keeps an object from being overwritten.
pub fn ignores_conditions() -> bool {
    env::var_os("S3_ENDPOINT").is_some() && env::var_os("S3_IGNORES_CONDITIONS").is_some()
}

/// Limits that let a test end soon.
pub fn short_limits() -> Limits {
    Limits {
        connect: Duration::from_secs(1),
        idle: Duration::from_millis(700),
        attempt: Duration::from_millis(1500),
        slowest_bytes_per_second: 1 << 20,
        patience: Duration::from_secs(4),
        first_patience: Duration::from_secs(4),
        ..Limits::default()
    }
}

fn program() -> PathBuf {
    let named = env::var_os("VERSITYGW");
    named.map(PathBuf::from).expect("VERSITYGW is what tests/servers/versitygw prints")
}

/// An address of loopback that nobody listens at just now.
fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
