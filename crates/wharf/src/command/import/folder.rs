//! The folder that is imported. What its indexes name is a stranger's text: nothing outside of the folder is ever read.

use std::fs::{File, Metadata};
use std::io::Read;
use std::path::{Component, Path, PathBuf};

use super::stop::{One, Stop};
use crate::failure::{Failure, Outcome};

/// Most bytes of an index, as it is and unpacked.
const LARGEST: u64 = 8 << 30;

/// The folder.
#[derive(Debug)]
pub(super) struct Folder {
    root: PathBuf,
}

impl Folder {
    /// A folder that is there.
    pub(super) fn open(path: &Path) -> Outcome<Self> {
        let failed = |error: std::io::Error| Failure::usage(format!("{} cannot be read: {error}", path.display()));
        let root = path.canonicalize().map_err(failed)?;
        if !root.is_dir() {
            return Err(Failure::usage(format!("{} is not a folder", path.display())));
        }
        Ok(Self { root })
    }

    /// Whether there is something at a path.
    pub(super) fn has(&self, path: &str) -> bool {
        self.inside(path).is_ok_and(|path| path.exists())
    }

    /// Where a path leads that an index names, if that is inside.
    ///
    /// # Errors
    /// For what is not there, is absolute, climbs above the folder, or is a link that leads out of it.
    pub(super) fn inside(&self, path: &str) -> Result<PathBuf, One> {
        let plain = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
        if path.is_empty() || path.contains(['\0', '\n', '\r']) || !Path::new(path).components().all(plain) {
            return Err(One::new("it is named by a path that leads out of the folder, and is not read"));
        }
        let joined = self.root.join(path);
        let found = joined.canonicalize().map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => One::new("the index names it, and it is not there"),
            _ => One::new(format!("it cannot be read: {error}")),
        })?;
        if !found.starts_with(&self.root) {
            return Err(One::new("it is a link that leads out of the folder, and is not read"));
        }
        Ok(found)
    }

    /// A file inside, and what the file system says of it.
    pub(super) fn file(&self, path: &str) -> Result<(PathBuf, Metadata), One> {
        let found = self.inside(path)?;
        let metadata = found.metadata().map_err(|error| One::new(format!("it cannot be read: {error}")))?;
        // Opening a pipe waits for whoever writes into it.
        if !metadata.is_file() {
            return Err(One::new("it is not a file"));
        }
        Ok((found, metadata))
    }

    /// The names in a folder inside, in their order; those that are no text are left out. None where there is no such folder.
    pub(super) fn names(&self, path: &str) -> Vec<String> {
        let Ok(entries) = self.folder(path).and_then(|path| path.read_dir().map_err(One::new)) else {
            return Vec::new();
        };
        let mut names: Vec<String> = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
        names.sort();
        names
    }

    /// Whether a path is a folder, and no link to one.
    pub(super) fn is_folder(&self, path: &str) -> bool {
        self.folder(path).is_ok() && self.root.join(path).symlink_metadata().is_ok_and(|metadata| metadata.is_dir())
    }

    /// Where a folder lies; the empty path is this one.
    fn folder(&self, path: &str) -> Result<PathBuf, One> {
        if path.is_empty() { Ok(self.root.clone()) } else { self.inside(path) }
    }

    /// A file of at most so many bytes.
    pub(super) fn read(&self, path: &str, most: u64) -> Result<Vec<u8>, One> {
        let (found, metadata) = self.file(path)?;
        if metadata.len() > most {
            return Err(One::new(format!("it has more than {most} bytes")));
        }
        let mut content = Vec::new();
        let read = File::open(found).and_then(|file| file.take(most).read_to_end(&mut content));
        read.map_err(|error| One::new(format!("it cannot be read: {error}")))?;
        Ok(content)
    }

    /// The content of an index, unpacked by what its name ends with.
    pub(super) fn unpacked(&self, path: &str) -> Result<Box<dyn Read + Send>, One> {
        let (found, _) = self.file(path)?;
        let file = File::open(found).map_err(|error| One::new(format!("it cannot be read: {error}")))?;
        unpacked(path, file)
    }
}

/// What is packed as the end of its name says.
pub(super) fn unpacked(name: &str, packed: impl Read + Send + 'static) -> Result<Box<dyn Read + Send>, One> {
    let reader: Box<dyn Read + Send> = match name.rsplit('.').next() {
        Some("gz") => Box::new(flate2::read::MultiGzDecoder::new(packed)),
        Some("xz") => Box::new(liblzma::read::XzDecoder::new_multi_decoder(packed)),
        Some("zst") => Box::new(zstd::Decoder::new(packed).map_err(One::new)?),
        Some("bz2") => {
            return Err(One::new("it is packed with bzip2, which nothing makes any more: pack it with gzip"));
        }
        _ => Box::new(packed),
    };
    Ok(Box::new(reader.take(LARGEST)))
}

/// A whole text of at most so many bytes.
pub(super) fn text(mut reader: impl Read, most: u64) -> Result<String, One> {
    let mut text = String::new();
    let count = (&mut reader).take(most + 1).read_to_string(&mut text);
    match count.map_err(|error| One::new(format!("it cannot be read: {error}")))? as u64 {
        count if count > most => Err(One::new(format!("it has more than {most} bytes"))),
        _ => Ok(text),
    }
}

/// One path below another; the empty one is the folder itself.
pub(super) fn below(folder: &str, name: &str) -> String {
    if folder.is_empty() || folder == "." { name.to_owned() } else { format!("{folder}/{name}") }
}

/// Work on files that would keep everything else waiting.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, One> + Send + 'static,
) -> Result<T, Stop> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => Ok(done?),
        Err(error) => Err(Stop::All(Failure::new(error))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_outside_is_read() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("tree");
        std::fs::create_dir_all(root.join("pool")).unwrap();
        std::fs::write(place.path().join("secret"), "secret").unwrap();
        std::fs::write(root.join("pool/a.deb"), "a").unwrap();
        let link = |from: &str, to: &str| std::os::unix::fs::symlink(to, root.join(from)).unwrap();
        link("pool/out.deb", "../../secret");
        link("pool/away", "/etc");
        link("pool/in.deb", "a.deb");
        link("pool/gone.deb", "nowhere");
        let folder = Folder::open(&root).unwrap();
        for path in ["pool/a.deb", "./pool/a.deb", "pool/in.deb", "pool//a.deb"] {
            assert!(folder.file(path).is_ok(), "{path}");
        }
        for path in [
            "../secret",
            "pool/../../secret",
            "pool/../pool/a.deb",
            "/etc/passwd",
            "pool/out.deb",
            "pool/away/passwd",
            "pool/gone.deb",
            "pool",
            "",
            "pool/a.deb\0",
        ] {
            assert!(folder.file(path).is_err(), "{path:?}");
        }
    }

    #[test]
    fn an_index_is_unpacked_by_its_name() {
        use std::io::Write;
        let place = tempfile::tempdir().unwrap();
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gz.write_all(b"said").unwrap();
        for (name, content) in [
            ("a", b"said".to_vec()),
            ("a.gz", gz.finish().unwrap()),
            ("a.zst", zstd::encode_all(&b"said"[..], 0).unwrap()),
        ] {
            std::fs::write(place.path().join(name), content).unwrap();
            let folder = Folder::open(place.path()).unwrap();
            assert_eq!(text(folder.unpacked(name).unwrap(), 10).unwrap(), "said", "{name}");
            assert!(text(folder.unpacked(name).unwrap(), 3).is_err());
        }
        std::fs::write(place.path().join("a.xz"), "no xz").unwrap();
        assert!(text(Folder::open(place.path()).unwrap().unpacked("a.xz").unwrap(), 10).is_err());
    }
}
