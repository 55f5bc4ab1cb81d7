//! A place for backups in which somebody meddles.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use wharf_storage::{ByteStream, Depot, DepotError, Entry};

type Meddle = Box<dyn Fn(String) -> BoxFuture<'static, ()> + Send + Sync>;

/// A place for backups. Before a file is written or read, what was given is done.
pub struct Meddler {
    depot: Arc<dyn Depot>,
    writing: Meddle,
    reading: Meddle,
}

impl Meddler {
    /// Does `meddle`, which is told the file's name, before each file is written.
    pub fn over(
        depot: Arc<dyn Depot>,
        meddle: impl Fn(String) -> BoxFuture<'static, ()> + Send + Sync + 'static,
    ) -> Arc<dyn Depot> {
        Arc::new(Self { depot, writing: Box::new(meddle), reading: Box::new(nothing) })
    }

    /// Does `meddle`, which is told the file's name, before each file is read.
    pub fn below(
        depot: Arc<dyn Depot>,
        meddle: impl Fn(String) -> BoxFuture<'static, ()> + Send + Sync + 'static,
    ) -> Arc<dyn Depot> {
        Arc::new(Self { depot, writing: Box::new(nothing), reading: Box::new(meddle) })
    }
}

#[async_trait]
impl Depot for Meddler {
    fn place(&self) -> String {
        self.depot.place()
    }

    async fn put(&self, name: &str, body: ByteStream) -> Result<u64, DepotError> {
        (self.writing)(name.to_owned()).await;
        self.depot.put(name, body).await
    }

    async fn swap(&self, name: &str, from: Option<&[u8]>, to: &[u8]) -> Result<bool, DepotError> {
        self.depot.swap(name, from, to).await
    }

    async fn get(&self, name: &str) -> Result<ByteStream, DepotError> {
        (self.reading)(name.to_owned()).await;
        self.depot.get(name).await
    }

    async fn list(&self, folder: &str) -> Result<Vec<Entry>, DepotError> {
        self.depot.list(folder).await
    }

    async fn remove(&self, name: &str) -> Result<(), DepotError> {
        self.depot.remove(name).await
    }

    async fn tidy(&self) -> Result<(), DepotError> {
        self.depot.tidy().await
    }
}

fn nothing(_: String) -> BoxFuture<'static, ()> {
    Box::pin(std::future::ready(()))
}
