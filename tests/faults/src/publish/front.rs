//! One address for all servers, as a load balancer has it: a connection goes to a server that runs.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Result;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use tokio::net::{TcpListener, TcpStream};

use crate::site::Site;

pub(super) struct Front {
    address: SocketAddr,
}

impl Front {
    pub(super) async fn start(site: Arc<Site>) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass(client, Arc::clone(&site)));
            }
        });
        Ok(Self { address })
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

async fn pass(mut client: TcpStream, site: Arc<Site>) {
    let mut rng = StdRng::seed_from_u64(rand::random());
    loop {
        let url = site.url(&mut rng).await;
        let Ok(mut server) = TcpStream::connect(url.trim_start_matches("http://")).await else { continue };
        // A server that dies takes its connections along, as through any balancer.
        tokio::io::copy_bidirectional(&mut client, &mut server).await.ok();
        return;
    }
}
