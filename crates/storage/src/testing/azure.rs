//! Azurite, with the account and the key that Microsoft gives all who develop against it.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::AtomicU32;
use std::time::{Duration, Instant};

use super::supervised::Supervised;
use super::{PATIENCE, StoreServer, tool, until_open};
use crate::bucket::{Config, Kind, Secret};

const ACCOUNT: &str = "devstoreaccount1";
const KEY: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
const CONTAINER: &str = "wharf-tests";

/// That key's signature for whoever makes containers: the client library makes none.
const MAY_MAKE: &str =
    "sv=2021-12-02&ss=b&srt=c&sp=c&se=2100-01-01T00%3A00%3A00Z&sig=dc9%2Bh%2FbSODrG5T3cmToyuoWjRfMBMUFbTGspLdNSAro%3D";

pub(super) async fn start() -> StoreServer {
    let folder = Supervised::folder("wharf-azure-");
    let data = folder.display().to_string();
    // The version of the interface is the client's, which may be newer than the server.
    let arguments = ["--blobHost", "127.0.0.1", "--blobPort", "0", "--location", &data].into_iter().chain([
        "--silent",
        "--disableTelemetry",
        "--skipApiVersionCheck",
    ]);
    let installed = "azurite/node_modules/.bin/azurite-blob";
    let program = Supervised::start(folder.clone(), &tool("azurite", installed, "azurite-blob"), arguments);
    let address = address(&program).await;
    let bucket = Config {
        endpoint: Some(format!("http://{address}/{ACCOUNT}")),
        access_key: Some(ACCOUNT.to_owned()),
        secret_key: Some(Secret(KEY.to_owned())),
        allow_http: true,
        ..Config::new(Kind::Azure, CONTAINER)
    };
    until_open(&bucket, &program, async || make_container(address)).await;
    StoreServer { address, bucket, prefixes: AtomicU32::new(0), _program: program }
}

/// It says which port it was given.
async fn address(program: &Supervised) -> SocketAddr {
    let begun = Instant::now();
    loop {
        let log = program.log();
        let said = log.split_once("successfully listens on http://").and_then(|(_, rest)| rest.lines().next());
        if let Some(address) = said.and_then(|address| address.trim().parse().ok()) {
            return address;
        }
        assert!(begun.elapsed() < PATIENCE, "Azurite does not start: {log}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn make_container(address: SocketAddr) {
    let request = format!(
        "PUT /{ACCOUNT}/{CONTAINER}?restype=container&{MAY_MAKE} HTTP/1.1\r\n\
         Host: {address}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    let mut stream = TcpStream::connect(address).expect("a server that listens");
    stream.write_all(request.as_bytes()).expect("a request that is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
}
