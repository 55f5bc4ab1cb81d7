//! A depot in a folder. A file is written beside its place, synced, renamed, and its folder is synced.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};

use super::{Depot, DepotError, Entry};
use crate::ByteStream;

/// Where files lie until they are whole.
const UNFINISHED: &str = "unfinished";
/// Bytes read at a time.
const CHUNK: usize = 256 * 1024;

/// A depot in a local folder, which may be mounted from elsewhere. Those who write to it take turns by [`Depot::swap`].
#[derive(Debug, Clone)]
pub struct Folder {
    root: Arc<Path>,
}

impl Folder {
    /// The depot in `root`. Nothing is made until something is written.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        // However it was put together, it has one name.
        Self { root: root.into().components().collect::<PathBuf>().into() }
    }

    fn path(&self, name: &str) -> PathBuf {
        if name.is_empty() { self.root.to_path_buf() } else { self.root.join(name) }
    }

    async fn blocking<T: Send + 'static>(
        &self,
        name: &str,
        work: impl FnOnce(&Self) -> io::Result<T> + Send + 'static,
    ) -> Result<T, DepotError> {
        let this = self.clone();
        let done = tokio::task::spawn_blocking(move || work(&this)).await;
        done.unwrap_or_else(|died| Err(io::Error::other(died))).map_err(|error| failure(name, error))
    }

    /// A file that nobody sees yet.
    fn begin(&self) -> io::Result<(PathBuf, File)> {
        let folder = self.root.join(UNFINISHED);
        make_folder(&folder)?;
        let path = folder.join(hex::encode(rand::random::<[u8; 16]>()));
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        Ok((path, file))
    }

    fn finish(&self, name: &str, unfinished: &Path, file: &File) -> io::Result<()> {
        file.sync_all()?;
        let path = self.path(name);
        let parent = path.parent().unwrap_or(&self.root);
        make_folder(parent)?;
        fs::rename(unfinished, &path)?;
        File::open(parent)?.sync_all()
    }
}

/// Makes a folder with its parents, each of which is there after a power cut.
fn make_folder(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        make_folder(parent)?;
    }
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => made?,
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}

#[async_trait]
impl Depot for Folder {
    fn place(&self) -> String {
        self.root.display().to_string()
    }

    async fn put(&self, name: &str, mut body: ByteStream) -> Result<u64, DepotError> {
        let (path, mut file) = self.blocking(name, Self::begin).await?;
        let remains = Remains(Some(path.clone()));
        let mut size = 0;
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(DepotError::Body)?;
            size += chunk.len() as u64;
            file = self
                .blocking(name, move |_| {
                    file.write_all(&chunk)?;
                    Ok(file)
                })
                .await?;
        }
        let whole = name.to_owned();
        self.blocking(name, move |this| this.finish(&whole, &path, &file)).await?;
        remains.are_kept();
        Ok(size)
    }

    async fn swap(&self, name: &str, from: Option<&[u8]>, to: &[u8]) -> Result<bool, DepotError> {
        let (from, to, whole) = (from.map(<[u8]>::to_vec), to.to_vec(), name.to_owned());
        self.blocking(name, move |this| {
            make_folder(&this.root)?;
            // Between processes. Where a folder cannot be locked, as on some network file systems, they had better not meet.
            let turn = File::open(&this.root);
            if let Ok(turn) = &turn {
                turn.lock().ok();
            }
            let path = this.path(&whole);
            let found = match fs::read(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                found => Some(found?),
            };
            if found != from {
                return Ok(false);
            }
            let (unfinished, mut file) = this.begin()?;
            let remains = Remains(Some(unfinished.clone()));
            file.write_all(&to)?;
            this.finish(&whole, &unfinished, &file)?;
            remains.are_kept();
            Ok(true)
        })
        .await
    }

    async fn get(&self, name: &str) -> Result<ByteStream, DepotError> {
        let path = self.path(name);
        let file = self.blocking(name, move |_| File::open(path)).await?;
        let chunks = stream::try_unfold(file, |mut file| async move {
            let read = tokio::task::spawn_blocking(move || {
                let mut chunk = vec![0; CHUNK];
                let length = file.read(&mut chunk)?;
                chunk.truncate(length);
                Ok((chunk, file))
            });
            let (chunk, file) = read.await.unwrap_or_else(|died| Err(io::Error::other(died)))?;
            Ok((!chunk.is_empty()).then(|| (Bytes::from(chunk), file)))
        });
        Ok(Box::pin(chunks))
    }

    async fn list(&self, folder: &str) -> Result<Vec<Entry>, DepotError> {
        let (path, top) = (self.path(folder), folder.is_empty());
        self.blocking(folder, move |_| {
            let mut found = Vec::new();
            let entries = match fs::read_dir(path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
                entries => entries?,
            };
            for entry in entries {
                let entry = entry?;
                let Ok(name) = entry.file_name().into_string() else { continue };
                if top && name == UNFINISHED {
                    continue;
                }
                let about = entry.metadata()?;
                found.push(Entry { name, size: about.is_file().then_some(about.len()) });
            }
            Ok(found)
        })
        .await
    }

    async fn remove(&self, name: &str) -> Result<(), DepotError> {
        let (path, root) = (self.path(name), Arc::clone(&self.root));
        self.blocking(name, move |_| {
            match fs::remove_file(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                removed => removed?,
            }
            // Folders that became empty say nothing to anybody.
            let mut folder = path.parent();
            while let Some(empty) = folder.filter(|folder| *folder != &*root && fs::remove_dir(folder).is_ok()) {
                folder = empty.parent();
            }
            Ok(())
        })
        .await
    }

    async fn tidy(&self) -> Result<(), DepotError> {
        let path = self.path(UNFINISHED);
        self.blocking(UNFINISHED, move |_| match fs::remove_dir_all(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        })
        .await
    }
}

/// Removes an unfinished file unless it was finished, also when its writer is dropped halfway.
struct Remains(Option<PathBuf>);

impl Remains {
    fn are_kept(mut self) {
        self.0 = None;
    }
}

impl Drop for Remains {
    fn drop(&mut self) {
        if let Some(path) = self.0.take() {
            fs::remove_file(path).ok();
        }
    }
}

fn failure(name: &str, error: io::Error) -> DepotError {
    match error.kind() {
        io::ErrorKind::NotFound => DepotError::NotFound(name.to_owned()),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => DepotError::Full(error.to_string()),
        _ => DepotError::Unavailable { name: name.to_owned(), error },
    }
}
