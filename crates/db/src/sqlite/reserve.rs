//! Room kept back on the disk of the database, so that deleting works when everything else is full.
//!
//! The reserve is a file beside the database, allocated and never read. When a transaction fails for want of room, the file
//! goes and the transaction runs again; when there is plenty again, the file comes back.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{FallocateFlags, fallocate, statvfs};

/// Bytes: more than the largest group writes to the log.
const SIZE: u64 = 16 << 20;
/// Of a small disk only so much.
const SHARE: u64 = 16;
/// The reserve comes back when so many times its size are free.
const PLENTY: u64 = 4;
/// How often it is looked whether there is plenty.
const PAUSE: Duration = Duration::from_secs(10);

/// The reserve of one database.
pub(super) struct Reserve {
    /// `None` for a temporary database.
    path: Option<PathBuf>,
    held: bool,
    looked: Option<Instant>,
}

impl Reserve {
    /// Takes over the reserve of the database at `database`, or makes one if there is plenty of room.
    pub(super) fn of(database: Option<&Path>) -> Self {
        let path = database.map(|database| {
            let mut path = database.as_os_str().to_owned();
            path.push(".reserve");
            PathBuf::from(path)
        });
        // One of length zero was being made when a server died.
        let held = path.as_ref().is_some_and(|path| fs::metadata(path).is_ok_and(|file| file.len() > 0));
        let mut reserve = Self { path, held, looked: None };
        reserve.restore();
        reserve
    }

    pub(super) fn is_held(&self) -> bool {
        self.held
    }

    /// Gives its room to whoever needs it now. False if there is none to give.
    pub(super) fn release(&mut self) -> bool {
        let Some(path) = self.path.as_ref().filter(|_| self.held) else { return false };
        self.held = false;
        self.looked = Some(Instant::now());
        match fs::remove_file(path) {
            Ok(()) => {
                tracing::warn!("the disk of the database is full: its reserve is used now, make room");
                true
            }
            Err(error) => {
                tracing::error!(%error, path = %path.display(), "the reserve of the database cannot be released");
                false
            }
        }
    }

    /// Makes it again if it is gone and there is plenty of room. Asks the disk only now and then.
    pub(super) fn restore(&mut self) {
        let Some(path) = self.path.as_ref().filter(|_| !self.held) else { return };
        if self.looked.is_some_and(|looked| looked.elapsed() < PAUSE) {
            return;
        }
        let again = self.looked.replace(Instant::now()).is_some();
        match make(path) {
            Ok(made) => {
                self.held = made;
                if made && again {
                    tracing::info!("the disk of the database has room again, and its reserve is back");
                }
            }
            Err(error) => {
                tracing::warn!(%error, path = %path.display(), "the reserve of the database cannot be made");
                fs::remove_file(path).ok();
            }
        }
    }
}

fn make(path: &Path) -> io::Result<bool> {
    let disk = statvfs(path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")))?;
    let bytes = |blocks: u64| blocks.saturating_mul(disk.f_frsize);
    let size = SIZE.min(bytes(disk.f_blocks) / SHARE);
    if bytes(disk.f_bavail) < size.saturating_mul(PLENTY) {
        return Ok(false);
    }
    let file = File::create(path)?;
    match fallocate(&file, FallocateFlags::empty(), 0, size) {
        // A file system that cannot promise room would only pretend to keep it.
        Err(rustix::io::Errno::OPNOTSUPP) => fs::remove_file(path).map(|()| false),
        done => done.map(|()| true).map_err(io::Error::from),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserve_takes_room_gives_it_once_and_is_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let (database, file) = (folder.path().join("wharf.db"), folder.path().join("wharf.db.reserve"));
        assert!(Reserve::of(Some(&database)).is_held());
        assert!(fs::metadata(&file).unwrap().len() > 0);
        let mut reserve = Reserve::of(Some(&database));
        assert!(reserve.release() && !reserve.release() && !file.exists());
        reserve.restore();
        assert!(!reserve.is_held(), "the disk was looked at a moment ago");
        reserve.looked = None;
        reserve.restore();
        assert!(reserve.is_held() && file.exists());
    }

    #[test]
    fn a_temporary_database_keeps_nothing_back() {
        let mut reserve = Reserve::of(None);
        assert!(!reserve.is_held() && !reserve.release());
    }
}
