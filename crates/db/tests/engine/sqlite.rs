//! What only SQLite promises: a file of one process, written by one thread.

use std::future::pending;
use std::panic::panic_any;
use std::path::Path;

use parking_lot::Mutex;
use wharf_db::{Config, Db, Durability, Engine, Error, testing};

use crate::{STEPS, open, open_again, put, sizes};

fn config(folder: &Path) -> Config {
    Config::Sqlite { path: folder.join("wharf.db") }
}

#[tokio::test]
async fn concurrent_full_writes_are_all_there_when_the_file_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let db = open_again(&config(folder.path())).await;
    let tasks: Vec<_> = (0..300)
        .map(|i| {
            let db = db.clone();
            tokio::spawn(async move { put(&db, &format!("{i:03}"), i).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_eq!(sizes(&db).await.len(), 300);
    drop(db);
    assert!(!folder.path().join("wharf.db-wal").exists(), "the log was not folded into the file");
    let expected: Vec<_> = (0..300).map(|i| (format!("{i:03}"), i)).collect();
    assert_eq!(sizes(&open_again(&config(folder.path())).await).await, expected);
}

#[tokio::test]
async fn an_acknowledged_write_is_in_the_files_while_they_are_still_open() {
    let folder = tempfile::tempdir().unwrap();
    let db = open_again(&config(folder.path())).await;
    put(&db, "a", 1).await.unwrap();
    // As after kill -9: whatever the files hold at this instant, without the memory of the process.
    let copy = tempfile::tempdir().unwrap();
    for name in ["wharf.db", "wharf.db-wal"] {
        std::fs::copy(folder.path().join(name), copy.path().join(name)).unwrap();
    }
    assert_eq!(sizes(&open_again(&config(copy.path())).await).await, [("a".into(), 1)]);
}

#[tokio::test]
async fn what_was_deleted_is_in_no_file_after_a_wipe() {
    const SECRET: &str = "a secret that leaked";
    let folder = tempfile::tempdir().unwrap();
    let holds = || {
        ["wharf.db", "wharf.db-wal"].iter().any(|name| {
            let content = std::fs::read(folder.path().join(name)).unwrap();
            content.windows(SECRET.len()).any(|window| window == SECRET.as_bytes())
        })
    };
    let db = open_again(&config(folder.path())).await;
    // Enough for pages of their own, which go back to the file's free pages.
    for number in 0..200 {
        put(&db, &format!("{SECRET} {number:03} {}", "x".repeat(900)), number).await.unwrap();
    }
    assert!(holds());
    let gone = db.write(Durability::Full, (), |tx, ()| Box::pin(async { tx.execute("DELETE FROM things", &[]).await }));
    let gone: Result<u64, Error> = gone.await;
    assert_eq!(gone.unwrap(), 200);
    db.wipe().await.unwrap();
    assert!(!holds());
    put(&db, "a", 1).await.unwrap();
    assert_eq!(sizes(&db).await, [("a".into(), 1)]);
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_is_open_cannot_be_opened_by_another_name() {
    let folder = tempfile::tempdir().unwrap();
    let (file, other) = (folder.path().join("wharf.db"), tempfile::tempdir().unwrap());
    std::os::unix::fs::symlink(&file, other.path().join("wharf.db")).unwrap();
    // The first to come makes the file through the link.
    drop(open_again(&config(other.path())).await);
    let db = open_again(&config(folder.path())).await;
    put(&db, "a", 1).await.unwrap();
    assert!(!other.path().join("wharf.db.lock").exists(), "the lock lies beside the file");
    let second = testing::open_with(&config(other.path()), STEPS).await.unwrap_err();
    assert!(matches!(second, Error::Locked { .. }), "{second}");
    drop(db);
    assert_eq!(sizes(&open_again(&config(other.path())).await).await, [("a".into(), 1)]);
    std::fs::hard_link(&file, other.path().join("hard.db")).unwrap();
    let second = testing::open_with(&config(folder.path()), STEPS).await.unwrap_err();
    assert!(second.to_string().contains("hard links"), "{second}");
}

#[tokio::test]
async fn a_file_that_is_open_cannot_be_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let db = open_again(&config(folder.path())).await;
    let second = testing::open_with(&config(folder.path()), STEPS).await.unwrap_err();
    assert!(matches!(second, Error::Locked { .. }), "{second}");
    assert!(second.to_string().contains("wharf.db"), "{second}");
    put(&db, "a", 1).await.unwrap();
    drop(db);
    open_again(&config(folder.path())).await;
}

#[tokio::test]
async fn a_file_that_cannot_be_a_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = Config::Sqlite { path: folder.path().join("missing/wharf.db") };
    assert!(matches!(Db::open(&nowhere).await, Err(Error::Config(_))));
    std::fs::write(folder.path().join("wharf.db"), "no database".repeat(1000)).unwrap();
    assert!(matches!(Db::open(&config(folder.path())).await, Err(Error::Corrupt { .. })));
}

#[cfg(unix)]
#[tokio::test]
async fn the_file_is_readable_by_its_owner_only() {
    use std::os::unix::fs::MetadataExt as _;
    let folder = tempfile::tempdir().unwrap();
    let db = open_again(&config(folder.path())).await;
    put(&db, "a", 1).await.unwrap();
    for name in ["wharf.db", "wharf.db-wal"] {
        assert_eq!(std::fs::metadata(folder.path().join(name)).unwrap().mode() & 0o777, 0o600, "{name}");
    }
}

#[tokio::test]
async fn only_full_writes_wait_for_the_disk() {
    async fn synchronous(db: &Db, durability: Durability) -> i64 {
        let setting: Result<i64, Error> = db
            .write(durability, (), |tx, ()| {
                Box::pin(async move { tx.query_opt("PRAGMA synchronous", &[]).await?.unwrap().get(0) })
            })
            .await;
        setting.unwrap()
    }
    let (normal, full) = (1, 2);
    let folder = tempfile::tempdir().unwrap();
    let db = open_again(&config(folder.path())).await;
    for (durability, expected) in
        [(Durability::Relaxed, normal), (Durability::Full, full), (Durability::Relaxed, normal)]
    {
        assert_eq!(synchronous(&db, durability).await, expected);
    }
}

#[tokio::test]
async fn a_panic_in_a_transaction_does_not_end_the_writer() {
    let db = open(Engine::Sqlite).await;
    let panicked: Result<(), Error> = db
        .write(Durability::Full, (), |tx, ()| {
            Box::pin(async move {
                tx.execute("INSERT INTO things (key) VALUES ('a')", &[]).await?;
                panic_any("on purpose")
            })
        })
        .await;
    assert!(matches!(panicked, Err(Error::Panicked(message)) if message == "on purpose"));
    put(&db, "b", 2).await.unwrap();
    assert_eq!(sizes(&db).await, [("b".into(), 2)]);
}

#[tokio::test]
async fn a_closure_that_waits_for_something_else_is_an_error() {
    let db = open(Engine::Sqlite).await;
    let written: Result<(), Error> = db.write(Durability::Full, (), |_, ()| Box::pin(pending())).await;
    assert!(matches!(written, Err(Error::Suspended)), "{written:?}");
    let read: Result<(), Error> = db.snapshot(&(), |_, ()| Box::pin(pending())).await;
    assert!(matches!(read, Err(Error::Suspended)), "{read:?}");
    put(&db, "a", 1).await.unwrap();
    assert_eq!(sizes(&db).await, [("a".into(), 1)]);
}

#[tokio::test]
async fn a_write_goes_on_when_its_caller_goes_away() {
    let db = open(Engine::Sqlite).await;
    let caller = tokio::spawn({
        let db = db.clone();
        async move {
            for i in 0.. {
                put(&db, &format!("{i:06}"), i).await.unwrap();
            }
        }
    });
    put(&db, "beside", 1).await.unwrap();
    caller.abort();
    drop(caller.await);
    put(&db, "after", 1).await.unwrap();
    let keys = sizes(&db).await;
    assert!((0..).zip(&keys[..keys.len() - 2]).all(|(i, (key, size))| *key == format!("{i:06}") && *size == i));
}

#[tokio::test]
async fn the_last_handle_may_end_on_the_writer() {
    let folder = tempfile::tempdir().unwrap();
    let db = open_again(&config(folder.path())).await;
    let (started, wait_for_start) = std::sync::mpsc::channel();
    let (go_on, wait) = std::sync::mpsc::channel::<()>();
    let caller = tokio::spawn(async move {
        let args = (db.clone(), started, Mutex::new(wait));
        let written: Result<u64, Error> = db
            .write(Durability::Full, args, |tx, (_, started, wait)| {
                Box::pin(async move {
                    started.send(()).unwrap();
                    wait.lock().recv().unwrap();
                    tx.execute("INSERT INTO things (key) VALUES ('a')", &[]).await
                })
            })
            .await;
        written
    });
    tokio::task::yield_now().await;
    wait_for_start.recv().unwrap();
    caller.abort();
    assert!(caller.await.is_err_and(|e| e.is_cancelled()));
    go_on.send(()).unwrap();
    let again = loop {
        match testing::open_with(&config(folder.path()), STEPS).await {
            Ok(db) => break db,
            Err(error) => assert!(matches!(error, Error::Locked { .. }), "{error}"),
        }
    };
    assert_eq!(sizes(&again).await, [("a".into(), 0)]);
}

/// Lets the database grow by so many pages of 4 KiB and no more.
async fn allow_pages(db: &Db, sql: &'static str) {
    let allowed: Result<(), Error> =
        db.write(Durability::Full, sql, |tx, sql| Box::pin(async move { tx.query(sql, &[]).await.map(drop) })).await;
    allowed.unwrap();
}

#[tokio::test]
async fn a_full_disk_loses_nothing_that_was_acknowledged_and_ends_with_the_shortage() {
    let db = open(Engine::Sqlite).await;
    put(&db, "before", 1).await.unwrap();
    allow_pages(&db, "PRAGMA max_page_count = 40").await;
    let writes: Vec<_> = (0..20)
        .map(|i| {
            let db = db.clone();
            tokio::spawn(async move {
                let key = format!("big {i:02}");
                let wrote: Result<(), Error> = db
                    .write(Durability::Full, (key.clone(), vec![7_u8; 20_000]), |tx, (key, body)| {
                        Box::pin(async move {
                            tx.execute("INSERT INTO things (key, body) VALUES (?1, ?2)", &[key, body]).await?;
                            Ok(())
                        })
                    })
                    .await;
                (key, wrote)
            })
        })
        .collect();
    let mut acknowledged = vec!["before".to_owned()];
    let mut refused = 0;
    for write in writes {
        match write.await.unwrap() {
            (key, Ok(())) => acknowledged.push(key),
            (_, Err(error)) => {
                assert!(error.is_full(), "{error}");
                refused += 1;
            }
        }
    }
    assert!(refused > 0);
    acknowledged.sort();
    let there: Vec<_> = sizes(&db).await.into_iter().map(|(key, _)| key).collect();
    let missing: Vec<_> = acknowledged.iter().filter(|key| !there.contains(key)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    allow_pages(&db, "PRAGMA max_page_count = 1000000").await;
    put(&db, "later", 1).await.unwrap();
}

#[tokio::test]
async fn the_log_starts_again_while_writes_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let db = open_again(&config(folder.path())).await;
    let mut longest = 0;
    for _ in 0..60 {
        let wrote: Result<u64, Error> = db
            .write(Durability::Relaxed, vec![1_u8; 4 << 20], |tx, body| {
                Box::pin(async move {
                    let sql =
                        "INSERT INTO things (key, body) VALUES ('a', ?1) ON CONFLICT (key) DO UPDATE SET body = ?1";
                    tx.execute(sql, &[body]).await
                })
            })
            .await;
        wrote.unwrap();
        longest = longest.max(std::fs::metadata(folder.path().join("wharf.db-wal")).unwrap().len());
    }
    assert!(longest < 130 << 20, "{} MiB of log for one row of 4 MiB", longest >> 20);
}
