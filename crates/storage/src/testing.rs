//! Object stores for tests: SeaweedFS speaks S3, Azurite speaks as Azure does. Each is started when the first test of a program asks
//! for it, and ends with the program.
#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot have its server has failed")]

mod azure;
mod s3;
mod supervised;

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

use tokio::sync::OnceCell;

use crate::bucket::{Bucket, Config};
use supervised::Supervised;

/// A running object store with one bucket.
#[derive(Debug)]
pub struct StoreServer {
    address: SocketAddr,
    bucket: Config,
    prefixes: AtomicU32,
    _program: Supervised,
}

/// The S3 server that all tests of this program share.
///
/// # Panics
/// If SeaweedFS is not installed or does not start.
pub async fn s3() -> &'static StoreServer {
    static SHARED: OnceCell<StoreServer> = OnceCell::const_new();
    SHARED.get_or_init(StoreServer::s3).await
}

/// The Azure server that all tests of this program share.
///
/// # Panics
/// If Azurite is not installed or does not start.
pub async fn azure() -> &'static StoreServer {
    static SHARED: OnceCell<StoreServer> = OnceCell::const_new();
    SHARED.get_or_init(StoreServer::azure).await
}

impl StoreServer {
    /// Starts SeaweedFS.
    ///
    /// # Panics
    /// If it is not installed or does not start.
    pub async fn s3() -> Self {
        s3::start(false).await
    }

    /// Starts a SeaweedFS that asks nobody for credentials.
    ///
    /// # Panics
    /// If it is not installed or does not start.
    pub async fn open_to_all() -> Self {
        s3::start(true).await
    }

    /// Starts Azurite.
    ///
    /// # Panics
    /// If it is not installed or does not start.
    pub async fn azure() -> Self {
        azure::start().await
    }

    /// A part of the bucket that nothing else uses.
    pub fn config(&self) -> Config {
        Config { prefix: format!("test-{}", self.prefixes.fetch_add(1, Relaxed)), ..self.bucket.clone() }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Calls `make` until the bucket can be opened: a server listens before it can do anything.
async fn until_open(bucket: &Config, program: &Supervised, make: impl AsyncFn()) {
    let config = Config { retries: 0, ..bucket.clone() };
    let begun = Instant::now();
    loop {
        make().await;
        match Bucket::open(&config, rand::random()).await {
            Ok(_) => return,
            Err(error) if begun.elapsed() > PATIENCE => {
                panic!("the object store does not start: {error}\n{}", program.log())
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

/// How long a server may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// A program of a tool, as tests/install-tools has installed it, or as `other` where that is found on the PATH.
fn tool(tool: &str, installed: &str, other: &str) -> PathBuf {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools");
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&paths).map(|folder| folder.join(other));
    std::iter::once(tools.join(installed))
        .chain(found)
        .find(|program| program.is_file())
        .unwrap_or_else(|| panic!("{tool} is not installed: run tests/install-tools {tool}"))
}

/// The URL of a store that says yes to everything, so that no condition holds anything up.
///
/// # Panics
/// If no port is free.
pub fn yes_man() -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut request = [0; 16 * 1024];
                while stream.read(&mut request).is_ok_and(|read| read > 0) {
                    let yes = b"HTTP/1.1 200 OK\r\nETag: \"1\"\r\nLast-Modified: Sat, 01 Jan 2000 00:00:00 GMT\r\nContent-Length: 0\r\n\r\n";
                    if stream.write_all(yes).is_err() {
                        return;
                    }
                }
            });
        }
    });
    url
}
