//! The files of one database, and who may have them open.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// The database file, held against other processes for as long as this lives.
pub(super) struct Files {
    path: PathBuf,
    /// A lock beside the file and not on it: SQLite's own locks are POSIX locks, which a process loses when it closes any
    /// other handle of the same file.
    _lock: Option<File>,
    /// Removed with everything in it when the database is closed.
    temporary: Option<tempfile::TempDir>,
}

impl Files {
    /// Takes the file at `path`, creating it readable by its owner only: it holds hashed passwords. Whatever name leads to it, the
    /// lock and SQLite's log lie beside the file itself, so that two processes see each other.
    pub(super) fn lock(path: &Path) -> Result<Self> {
        let path = &resolved(path)?;
        let mut lock_path = path.as_os_str().to_owned();
        lock_path.push(".lock");
        let lock_path = PathBuf::from(lock_path);
        let lock = private(&lock_path)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::Locked { path: path.to_owned(), lock: lock_path });
            }
            Err(TryLockError::Error(e)) => return Err(unusable(&lock_path, &e)),
        }
        let file = private(path)?;
        #[cfg(unix)]
        refuse_other_names(path, &file)?;
        Ok(Self { path: path.to_owned(), _lock: Some(lock), temporary: None })
    }

    /// A new database that nobody else can name.
    pub(super) fn temporary() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("wharf-").tempdir();
        let folder = folder.map_err(|e| unusable(&std::env::temp_dir(), &e))?;
        Ok(Self { path: folder.path().join("wharf.db"), _lock: None, temporary: Some(folder) })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether what is written is worth an fsync.
    pub(super) fn lasting(&self) -> bool {
        self.temporary.is_none()
    }
}

/// The path without symbolic links; of a file that is not there yet, its folder's.
fn resolved(path: &Path) -> Result<PathBuf> {
    match path.canonicalize() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        resolved => return resolved.map_err(|e| unusable(path, &e)),
    }
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Ok(path.to_owned()) };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    if let Ok(target) = path.read_link() {
        // To a file that is made now. Links in a circle are another error.
        return resolved(&folder.join(target));
    }
    Ok(folder.canonicalize().map_err(|e| unusable(path, &e))?.join(name))
}

/// A hard link is a name beside which another process would keep a lock and a log of its own.
#[cfg(unix)]
fn refuse_other_names(path: &Path, file: &File) -> Result<()> {
    let names = std::os::unix::fs::MetadataExt::nlink(&file.metadata().map_err(|e| unusable(path, &e))?);
    if names > 1 {
        let problem =
            format!("{} has {names} names (hard links): two servers could open it; copy it instead", path.display());
        return Err(Error::Config(problem));
    }
    Ok(())
}

fn private(path: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(|e| unusable(path, &e))
}

fn unusable(path: &Path, problem: &std::io::Error) -> Error {
    Error::Config(format!("cannot open {}: {problem}", path.display()))
}
