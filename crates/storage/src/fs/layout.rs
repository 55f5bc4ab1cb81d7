//! The folder as it has to be before anything is stored in it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::{Place, Tree, sync_folder};

/// Counted up when a binary that knows only the older layout would do harm.
const VERSION: &str = "1\n";

/// Why the storage in a folder could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error("{} is in use by another process; more than one needs an object store", .0.display())]
    Locked(PathBuf),
    /// The folder holds objects in a layout that this binary does not know.
    #[error("{} has storage layout {found:?}, this binary knows only {:?}", root.display(), VERSION.trim_end())]
    UnknownLayout {
        /// The folder.
        root: PathBuf,
        /// What its version file says; empty if there is none.
        found: String,
    },
    /// The folder cannot be used.
    #[error("cannot open the storage in {}", root.display())]
    Io {
        /// The folder.
        root: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
}

/// Makes what is missing and takes the lock, which the returned handle holds.
pub(super) fn prepare(tree: &Tree) -> Result<File, OpenError> {
    let failed = |source| OpenError::Io { root: tree.root.to_path_buf(), source };
    make_root(&tree.root).map_err(failed)?;
    let lock =
        OpenOptions::new().create(true).truncate(false).write(true).open(tree.path(Place::Lock)).map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(OpenError::Locked(tree.root.to_path_buf())),
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    }
    check_version(tree, failed)?;
    make_folders(tree).map_err(failed)?;
    Ok(lock)
}

/// As `mkdir -p`, with each new folder's entry in its parent synced.
fn make_root(root: &Path) -> io::Result<()> {
    let missing: Vec<&Path> =
        root.ancestors().take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists()).collect();
    fs::create_dir_all(root)?;
    for folder in missing {
        let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
        sync_folder(parent.unwrap_or(Path::new(".")))?;
    }
    Ok(())
}

/// The version file is written before anything else, so a folder with objects and without it is not ours to guess about.
fn check_version(tree: &Tree, failed: impl Fn(io::Error) -> OpenError) -> Result<(), OpenError> {
    match fs::read(tree.path(Place::Version)) {
        Ok(found) if found == VERSION.as_bytes() => Ok(()),
        Ok(found) => Err(unknown(tree, &found)),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(error)),
        Err(_) if tree.path(Place::Objects).exists() || tree.path(Place::Incoming).exists() => Err(unknown(tree, b"")),
        Err(_) => write_version(tree).map_err(failed),
    }
}

fn unknown(tree: &Tree, found: &[u8]) -> OpenError {
    let found: String = String::from_utf8_lossy(found).trim_end().chars().take(40).collect();
    OpenError::UnknownLayout { root: tree.root.to_path_buf(), found }
}

fn write_version(tree: &Tree) -> io::Result<()> {
    write_whole(tree, VERSION.as_bytes(), Place::NewVersion, Place::Version)
}

/// The identity of the storage, drawn when it is opened for the first time.
pub(super) fn identity(tree: &Tree) -> Result<String, OpenError> {
    let failed = |source| OpenError::Io { root: tree.root.to_path_buf(), source };
    match fs::read_to_string(tree.path(Place::Identity)) {
        Ok(found) => Ok(found.trim_end().to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let drawn = hex::encode(rand::random::<[u8; 16]>());
            write_whole(tree, drawn.as_bytes(), Place::NewIdentity, Place::Identity).map_err(failed)?;
            Ok(drawn)
        }
        Err(error) => Err(failed(error)),
    }
}

fn write_whole(tree: &Tree, content: &[u8], unfinished: Place<'_>, finished: Place<'_>) -> io::Result<()> {
    let unfinished = tree.path(unfinished);
    let mut file = File::create(&unfinished)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(unfinished, tree.path(finished))?;
    sync_folder(&tree.root)
}

/// Every folder that a seal will ever rename into exists from the start, and its entry in its parent is durable. Its own
/// content is what the seal syncs.
fn make_folders(tree: &Tree) -> io::Result<()> {
    let mut made = false;
    for place in [Place::Incoming, Place::Objects] {
        made |= make_folder(&tree.path(place))?;
    }
    for shard in 0..=255_u8 {
        made |= make_folder(&tree.path(Place::Shard(&format!("{shard:02x}"))))?;
    }
    if made {
        sync_folder(&tree.path(Place::Objects))?;
        sync_folder(&tree.root)?;
    }
    Ok(())
}

fn make_folder(path: &Path) -> io::Result<bool> {
    match fs::create_dir(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}
