//! A relay between the servers and their database: connections can be cut, refused and stalled.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;

/// What becomes of connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    /// They pass.
    Passes,
    /// Those that are there end, and new ones as soon as they come.
    Cuts,
    /// They stay, and nothing passes.
    Stalls,
}

/// A relay to a socket of this machine.
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    mood: Arc<watch::Sender<Mood>>,
}

impl Relay {
    pub(crate) async fn start(target: PathBuf) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let mood = Arc::new(watch::Sender::new(Mood::Passes));
        let moods = Arc::clone(&mood);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass(client, target.clone(), moods.subscribe()));
            }
        });
        Ok(Self { address, mood })
    }

    pub(crate) fn is(&self, mood: Mood) {
        self.mood.send_replace(mood);
    }
}

async fn pass(mut client: TcpStream, target: PathBuf, mut moods: watch::Receiver<Mood>) {
    let Ok(mut server) = UnixStream::connect(target).await else { return };
    loop {
        let mood = *moods.borrow_and_update();
        let changed = match mood {
            Mood::Cuts => return,
            Mood::Stalls => moods.changed().await.is_ok(),
            // Whatever is on its way when the mood changes is lost, as with a cable.
            Mood::Passes => tokio::select! {
                _ = tokio::io::copy_bidirectional(&mut client, &mut server) => false,
                changed = moods.changed() => changed.is_ok(),
            },
        };
        if !changed {
            return;
        }
    }
}
