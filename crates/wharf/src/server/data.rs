//! Folders and files of the data directory: for their owner only, and there after a power cut.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use crate::failure::{Failure, Outcome};

/// Makes a folder with its parents if it is not there.
pub(super) fn make_folder(path: &Path) -> Outcome {
    make_folders(path, |folder| File::open(folder)?.sync_all()).map_err(|error| {
        Failure::new(format!("the folder {} cannot be made: {error}", path.display()))
            .hint("give a data directory that this user can write to with --data")
    })
}

/// A folder is there after a power cut once its parent was synced, so each parent of a new one is, up to the first that was there.
fn make_folders(path: &Path, mut sync: impl FnMut(&Path) -> io::Result<()>) -> io::Result<()> {
    let missing: Vec<&Path> =
        path.ancestors().take_while(|folder| !folder.as_os_str().is_empty() && !folder.is_dir()).collect();
    for folder in missing.into_iter().rev() {
        match DirBuilder::new().mode(0o700).create(folder) {
            // Another process makes the same.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => {}
            made => made?,
        }
        sync(parent(folder))?;
    }
    Ok(())
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Writes a new file that only its owner can read. Fails if there is one: what it holds may be the only copy.
pub(super) fn write_secret(path: &Path, content: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(content.as_bytes())?;
    file.sync_all()?;
    File::open(parent(path))?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn each_new_folder_is_its_owners_and_is_synced_in_its_parent() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a/b/c");
        let mut synced = Vec::new();
        let mut make = || {
            make_folders(&path, |folder| {
                synced.push(folder.to_owned());
                Ok(())
            })
        };
        make().unwrap();
        make().unwrap();
        assert_eq!(synced, [root.path().to_owned(), root.path().join("a"), root.path().join("a/b")]);
        for folder in ["a", "a/b", "a/b/c"] {
            assert_eq!(std::fs::metadata(root.path().join(folder)).unwrap().permissions().mode() & 0o777, 0o700);
        }
        std::fs::write(root.path().join("file"), "").unwrap();
        assert!(make_folders(&root.path().join("file/d"), |_| Ok(())).is_err());
    }

    #[test]
    fn a_secret_is_its_owners_and_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("instance.key");
        write_secret(&path, "one").unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(write_secret(&path, "two").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one");
    }
}
