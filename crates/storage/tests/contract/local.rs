//! What only the local storage promises, and how the two that can be full are.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::task::Poll;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use tempfile::TempDir;
use tokio::sync::oneshot;
use wharf_storage::{Error, Progress, Storage, fs::Fs, fs::OpenError, memory::Memory};

use crate::facts::{append, body, is_not_found, key, read, store};

fn open(folder: &TempDir) -> Fs {
    Fs::open(folder.path().join("deep/storage")).unwrap()
}

#[tokio::test]
async fn an_unsealed_object_goes_on_after_a_restart() {
    let folder = TempDir::new().unwrap();
    let storage = open(&folder);
    let progress = append(&storage, &key(1), &Progress::default(), "before ").await;
    append(&storage, &key(1), &progress, "unacknowledged").await;
    drop(storage);
    let storage = open(&folder);
    let progress = append(&storage, &key(1), &progress, "after").await;
    storage.seal(&key(1), &progress).await.unwrap();
    assert_eq!(read(&storage, &key(1)).await.unwrap(), "before after");
}

#[tokio::test]
async fn a_sealed_object_is_there_after_a_restart() {
    let folder = TempDir::new().unwrap();
    let progress = store(&open(&folder), &key(1), "abc").await;
    let storage = open(&folder);
    assert_eq!(read(&storage, &key(1)).await.unwrap(), "abc");
    storage.seal(&key(1), &progress).await.unwrap();
}

#[tokio::test]
async fn what_was_sealed_is_one_file_under_its_key() {
    let folder = TempDir::new().unwrap();
    let storage = open(&folder);
    store(&storage, &key(5), "abc").await;
    let root = folder.path().join("deep/storage");
    let file = root.join("objects/02").join(key(5).as_str());
    assert_eq!(std::fs::read(file).unwrap(), b"abc");
    assert_eq!(root.join("incoming").read_dir().unwrap().count(), 0);
}

#[test]
fn a_second_open_is_refused_and_names_the_folder() {
    let folder = TempDir::new().unwrap();
    let first = open(&folder);
    let root = folder.path().join("deep/storage");
    let refused = Fs::open(root.clone()).unwrap_err();
    assert!(matches!(&refused, OpenError::Locked(locked) if *locked == root), "{refused:?}");
    assert!(refused.to_string().starts_with(&root.display().to_string()), "{refused}");
    drop(first);
    open(&folder);
}

#[test]
fn an_unknown_layout_is_refused_and_left_alone() {
    let folder = TempDir::new().unwrap();
    drop(open(&folder));
    let root = folder.path().join("deep/storage");
    std::fs::write(root.join("VERSION"), "2\n").unwrap();
    let refused = Fs::open(root.clone()).unwrap_err();
    assert!(matches!(&refused, OpenError::UnknownLayout { found, .. } if found == "2"), "{refused:?}");
    assert_eq!(std::fs::read(root.join("VERSION")).unwrap(), b"2\n");
    std::fs::remove_file(root.join("VERSION")).unwrap();
    assert!(matches!(Fs::open(root).unwrap_err(), OpenError::UnknownLayout { .. }));
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("file"), "").unwrap();
    let refused = Fs::open(folder.path().join("file/storage")).unwrap_err();
    assert!(matches!(&refused, OpenError::Io { .. }) && refused.to_string().contains("file/storage"), "{refused}");
}

#[tokio::test]
async fn a_writer_that_was_dropped_does_not_disturb_the_next() {
    let folder = TempDir::new().unwrap();
    let storage = open(&folder);
    // The body stalls for ever, and the append is dropped with a batch on its way to the disk, as when a client goes away.
    let (stalls, stalled) = oneshot::channel();
    let mut stalls = Some(stalls);
    let stall = stream::poll_fn(move |_| {
        stalls.take().map(|stalls| stalls.send(()));
        Poll::Pending
    });
    let endless = stream::iter([Ok(Bytes::from(vec![7; 1 << 20]))]).chain(stall);
    let (key, start) = (key(1), Progress::default());
    tokio::select! {
        appended = storage.append(&key, &start, Box::pin(endless)) => panic!("{appended:?}"),
        reached = stalled => reached.unwrap(),
    }
    let progress = loop {
        match storage.append(&key, &start, body(&["new"])).await {
            Ok(appended) => break appended.progress,
            Err(Error::Unavailable(busy)) if busy.kind() == io::ErrorKind::ResourceBusy => {
                tokio::task::yield_now().await
            }
            Err(error) => panic!("{error}"),
        }
    };
    storage.seal(&key, &progress).await.unwrap();
    assert_eq!(read(&storage, &key).await.unwrap(), "new");
}

#[tokio::test]
async fn foreign_files_are_not_surveyed() {
    let folder = TempDir::new().unwrap();
    let storage = open(&folder);
    std::fs::write(folder.path().join("deep/storage/objects/00/notes.txt"), "").unwrap();
    assert_eq!(storage.survey(None, 10).await.unwrap(), []);
}

#[tokio::test]
async fn the_room_on_the_disk_is_known() {
    let folder = TempDir::new().unwrap();
    let space = open(&folder).space().await.unwrap().unwrap();
    assert!(space.total > 0 && space.free <= space.total, "{space:?}");
    assert_eq!(Memory::new().space().await.unwrap(), None);
}

/// A file system of one megabyte.
struct TinyDisk(PathBuf);

impl TinyDisk {
    /// Nothing where mounting is not allowed.
    fn mount(folder: &Path) -> Option<Self> {
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(folder).output();
        mount.is_ok_and(|output| output.status.success()).then(|| Self(folder.to_path_buf()))
    }
}

impl Drop for TinyDisk {
    fn drop(&mut self) {
        Command::new("umount").arg(&self.0).status().ok();
    }
}

#[tokio::test]
async fn a_full_disk_is_told_and_what_is_there_stays() {
    let folder = TempDir::new().unwrap();
    let Some(disk) = TinyDisk::mount(folder.path()) else {
        println!("skipped: a file system cannot be mounted here");
        return;
    };
    let storage = Fs::open(disk.0.join("storage")).unwrap();
    fills_up(&storage).await;
    drop(storage);
}

#[tokio::test]
async fn a_full_memory_is_told_and_what_is_there_stays() {
    fills_up(&Memory::with_capacity(1 << 20)).await;
}

async fn fills_up(storage: &dyn Storage) {
    store(storage, &key(1), "abc").await;
    let begun = append(storage, &key(2), &Progress::default(), "begun ").await;
    let chunks = || Box::pin(stream::iter((0..300).map(|_| Ok(Bytes::from(vec![7; 4_096])))));
    let refused = storage.append(&key(2), &begun, chunks()).await;
    assert!(matches!(refused, Err(Error::Full(_))), "{refused:?}");
    assert_eq!(read(storage, &key(1)).await.unwrap(), "abc");
    // The object is where it was, and room is left again for what is smaller.
    assert!(storage.space().await.unwrap().unwrap().free > 500_000);
    let progress = append(storage, &key(2), &begun, "and ended").await;
    storage.seal(&key(2), &progress).await.unwrap();
    assert_eq!(read(storage, &key(2)).await.unwrap(), "begun and ended");
    let refused = storage.append(&key(3), &Progress::default(), chunks()).await;
    assert!(matches!(refused, Err(Error::Full(_))), "{refused:?}");
    storage.discard(&key(3), &Progress::default()).await.unwrap();
    assert!(is_not_found(storage.seal(&key(3), &Progress::default()).await));
}
