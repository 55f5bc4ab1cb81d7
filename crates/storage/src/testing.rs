//! An S3 server for tests: SeaweedFS, started when the first test of a program asks for it and ended with the program.
#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot have its server has failed")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

use object_store::{ObjectStoreExt as _, PutPayload};
use tokio::sync::OnceCell;

use crate::bucket::{Bucket, Config, Kind, Secret};

const SUPERVISOR: &str = include_str!("testing/supervisor.sh");

const ACCESS_KEY: &str = "test-access";
const SECRET_KEY: &str = "test-secret";
const BUCKET: &str = "wharf-tests";

/// A running S3 server with one bucket.
#[derive(Debug)]
pub struct S3Server {
    address: SocketAddr,
    supervisor: Child,
    prefixes: AtomicU32,
}

/// The server that all tests of this program share.
///
/// # Panics
/// If SeaweedFS is not installed or does not start.
pub async fn s3() -> &'static S3Server {
    static SHARED: OnceCell<S3Server> = OnceCell::const_new();
    SHARED.get_or_init(S3Server::start).await
}

impl S3Server {
    /// Starts a server.
    ///
    /// # Panics
    /// If SeaweedFS is not installed or does not start.
    pub async fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("wharf-s3-").tempdir().expect("a temporary folder").keep();
        let (address, arguments) = arguments(&folder);
        let mut supervisor = Command::new("sh");
        supervisor.arg("-c").arg(SUPERVISOR).arg("supervisor").arg(&folder).arg(program()).args(arguments);
        // A group of its own: an interrupt from the terminal is for the tests, whose end the supervisor sees.
        std::os::unix::process::CommandExt::process_group(&mut supervisor, 0);
        let supervisor =
            supervisor.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("a shell");
        let server = Self { address, supervisor, prefixes: AtomicU32::new(0) };
        server.make_bucket(&folder).await;
        server
    }

    /// A part of the bucket that nothing else uses.
    pub fn config(&self) -> Config {
        Config {
            prefix: format!("test-{}", self.prefixes.fetch_add(1, Relaxed)),
            endpoint: Some(format!("http://{}", self.address)),
            region: Some("us-east-1".to_owned()),
            path_style: true,
            access_key: Some(ACCESS_KEY.to_owned()),
            secret_key: Some(Secret(SECRET_KEY.to_owned())),
            allow_http: true,
            ..Config::new(Kind::S3, BUCKET)
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    async fn make_bucket(&self, folder: &Path) {
        let config = Config { prefix: String::new(), retries: 0, ..self.config() };
        let door = config.connect().expect("a client").store;
        let begun = Instant::now();
        // It listens before it can do anything.
        loop {
            // The name of the bucket itself: that makes it. The answer has no ETag, which the client takes for an error.
            let _ = door.put(&object_store::path::Path::default(), PutPayload::default()).await;
            match Bucket::open(&config, rand::random()).await {
                Ok(_) => return,
                Err(error) if begun.elapsed() > Duration::from_secs(60) => {
                    let log = fs::read_to_string(folder.join("log")).unwrap_or_default();
                    panic!("the S3 server does not start: {error}\n{log}")
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        self.supervisor.stdin = None;
        self.supervisor.wait().ok();
    }
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

fn program() -> PathBuf {
    let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/seaweedfs/bin/weed");
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&paths).map(|folder| folder.join("weed"));
    std::iter::once(installed)
        .chain(found)
        .find(|program| program.is_file())
        .expect("SeaweedFS is not installed: run tests/install-tools seaweedfs")
}

fn arguments(folder: &Path) -> (SocketAddr, Vec<String>) {
    let identities = format!(
        r#"{{"identities":[{{"name":"test","credentials":[{{"accessKey":"{ACCESS_KEY}","secretKey":"{SECRET_KEY}"}}],"actions":["Admin"]}}]}}"#
    );
    let credentials = folder.join("s3.json");
    fs::write(&credentials, identities).expect("written credentials");
    // All held until the last is known, so that they differ.
    let held: Vec<_> = (0..8).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port")).collect();
    let ports: Vec<u16> = held.iter().map(|held| held.local_addr().expect("an address").port()).collect();
    let names = ["master.port", "volume.port", "filer.port", "s3.port"];
    let mut arguments: Vec<String> = [
        "server",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        "-filer",
        "-s3",
        "-s3.iam=false",
        "-s3.autoCreateBucket=false",
    ]
    .into_iter()
    .chain(["-s3.port.iceberg=0", "-s3.port.lance=0", "-master.volumeSizeLimitMB=1024", "-volume.max=0"])
    .chain(["-master.telemetry=false", "-volume.minFreeSpace=0"])
    .map(str::to_owned)
    .collect();
    for (name, ports) in names.iter().zip(ports.chunks(2)) {
        arguments.push(format!("-{name}={}", ports[0]));
        arguments.push(format!("-{name}.grpc={}", ports[1]));
    }
    arguments.push(format!("-dir={}", folder.display()));
    arguments.push(format!("-s3.config={}", credentials.display()));
    ((Ipv4Addr::LOCALHOST, ports[6]).into(), arguments)
}
