//! SeaweedFS.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::atomic::AtomicU32;

use object_store::{ObjectStoreExt as _, PutPayload};

use super::supervised::Supervised;
use super::{StoreServer, tool, until_open};
use crate::bucket::{Config, Kind, Secret};

const ACCESS_KEY: &str = "test-access";
const SECRET_KEY: &str = "test-secret";
const BUCKET: &str = "wharf-tests";

pub(super) async fn start(open_to_all: bool) -> StoreServer {
    let folder = Supervised::folder("wharf-s3-");
    let (address, arguments) = arguments(&folder, open_to_all);
    let program = Supervised::start(folder, &tool("seaweedfs", "seaweedfs/bin/weed", "weed"), arguments);
    let bucket = Config {
        endpoint: Some(format!("http://{address}")),
        region: Some("us-east-1".to_owned()),
        path_style: true,
        access_key: Some(ACCESS_KEY.to_owned()),
        secret_key: Some(Secret(SECRET_KEY.to_owned())),
        allow_http: true,
        ..Config::new(Kind::S3, BUCKET)
    };
    let door = Config { retries: 0, ..bucket.clone() }.connect().expect("a client").store;
    until_open(&bucket, &program, async || {
        // The name of the bucket itself: that makes it. The answer has no ETag, which the client takes for an error.
        let _ = door.put(&object_store::path::Path::default(), PutPayload::default()).await;
    })
    .await;
    StoreServer { address, bucket, prefixes: AtomicU32::new(0), _program: program }
}

fn arguments(folder: &Path, open_to_all: bool) -> (SocketAddr, Vec<String>) {
    let anonymous = if open_to_all { r#",{"name":"anonymous","actions":["Admin"]}"# } else { "" };
    let identities = format!(
        r#"{{"identities":[{{"name":"test","credentials":[{{"accessKey":"{ACCESS_KEY}","secretKey":"{SECRET_KEY}"}}],"actions":["Admin"]}}{anonymous}]}}"#
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
