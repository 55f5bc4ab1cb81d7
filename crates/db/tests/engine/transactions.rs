//! What stays of a transaction, and what others see of it.

use tokio::runtime::Handle;
use wharf_db::{Db, Durability, Error, Tx};

use crate::{put, size_of, sizes};

wharf_db::on_both_engines! {
    with crate::open;
    a_committed_write_is_seen_by_the_next_read,
    a_write_that_returns_an_error_leaves_nothing,
    an_error_of_the_caller_comes_back_as_it_is,
    a_transaction_reads_its_own_writes,
    writes_that_fail_do_not_disturb_those_beside_them,
    concurrent_counters_end_exact,
    a_transaction_cannot_go_on_after_a_failed_statement,
    reads_cannot_write,
    a_snapshot_does_not_move,
    statements_of_a_read_see_what_was_committed_between_them,
    a_relaxed_write_is_seen_like_any_other,
    a_closure_inside_a_closure_does_not_wait_for_itself,
}

async fn a_committed_write_is_seen_by_the_next_read(db: Db) {
    put(&db, "a", 1).await.unwrap();
    assert_eq!(sizes(&db).await, [("a".into(), 1)]);
    db.ping().await.unwrap();
}

async fn a_write_that_returns_an_error_leaves_nothing(db: Db) {
    let refused: Result<(), Error> = db
        .write(Durability::Full, (), |tx, ()| {
            Box::pin(async move {
                tx.execute("INSERT INTO things (key) VALUES ('a')", &[]).await?;
                Err(Error::Corrupt { what: "just so".into() })
            })
        })
        .await;
    assert!(matches!(refused, Err(Error::Corrupt { .. })));
    assert_eq!(sizes(&db).await, []);
}

#[derive(Debug)]
enum Refusal {
    Policy(&'static str),
    Database,
}

impl From<Error> for Refusal {
    fn from(_: Error) -> Self {
        Self::Database
    }
}

async fn an_error_of_the_caller_comes_back_as_it_is(db: Db) {
    let refused = db
        .write(Durability::Full, "held", |_, word| Box::pin(async move { Err::<(), _>(Refusal::Policy(word)) }))
        .await;
    assert!(matches!(refused, Err(Refusal::Policy("held"))));
    let failed: Result<u64, Refusal> = db
        .write(Durability::Full, (), |tx, ()| {
            Box::pin(async move { Ok(tx.execute("DELETE FROM nothing", &[]).await?) })
        })
        .await;
    assert!(matches!(failed, Err(Refusal::Database)));
}

async fn a_transaction_reads_its_own_writes(db: Db) {
    let seen: Result<_, Error> = db
        .write(Durability::Full, (), |tx, ()| {
            Box::pin(async move {
                let mut seen = vec![size_of(tx, "a").await?];
                tx.execute("INSERT INTO things (key, size) VALUES ('a', 1)", &[]).await?;
                seen.push(size_of(tx, "a").await?);
                let changed =
                    tx.query_opt("UPDATE things SET size = size + 1 WHERE key = 'a' RETURNING size", &[]).await?;
                seen.push(changed.map(|row| row.get(0)).transpose()?);
                assert_eq!(tx.execute("UPDATE things SET note = 'x' WHERE size = 2", &[]).await?, 1);
                assert_eq!(tx.execute("DELETE FROM things WHERE size = 1", &[]).await?, 0);
                Ok(seen)
            })
        })
        .await;
    assert_eq!(seen.unwrap(), [None, Some(1), Some(2)]);
}

async fn writes_that_fail_do_not_disturb_those_beside_them(db: Db) {
    let tasks: Vec<_> = (0..200_i64)
        .map(|i| {
            let db = db.clone();
            tokio::spawn(async move {
                db.write(Durability::Full, i, |tx, i| {
                    Box::pin(async move {
                        let key = format!("{i:03}");
                        tx.execute("INSERT INTO things (key, size) VALUES (?1, ?2)", &[&key, i]).await?;
                        if i % 2 == 0 { Ok(()) } else { Err(Error::Corrupt { what: "odd".into() }) }
                    })
                })
                .await
            })
        })
        .collect();
    for (i, task) in (0..).zip(tasks) {
        assert_eq!(task.await.unwrap().is_ok(), i % 2 == 0, "{i}");
    }
    let expected: Vec<_> = (0..200).step_by(2).map(|i| (format!("{i:03}"), i)).collect();
    assert_eq!(sizes(&db).await, expected);
}

async fn concurrent_counters_end_exact(db: Db) {
    put(&db, "counter", 0).await.unwrap();
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            let db = db.clone();
            tokio::spawn(async move {
                for _ in 0..25 {
                    increment(&db).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(sizes(&db).await, [("counter".into(), 100)]);
}

/// Reads, computes in the program, writes: correct only if nobody wrote in between.
async fn increment(db: &Db) -> Result<(), Error> {
    db.write(Durability::Relaxed, (), |tx, ()| {
        Box::pin(async move {
            let size = size_of(tx, "counter").await?.unwrap_or(0);
            tx.execute("UPDATE things SET size = ?1 WHERE key = 'counter'", &[&(size + 1)]).await?;
            Ok(())
        })
    })
    .await
}

async fn a_transaction_cannot_go_on_after_a_failed_statement(db: Db) {
    put(&db, "a", 1).await.unwrap();
    for go_on in [false, true] {
        let outcome: Result<(), Error> = db
            .write(Durability::Full, go_on, |tx, go_on| {
                Box::pin(async move {
                    tx.execute("INSERT INTO things (key) VALUES ('b')", &[]).await?;
                    let again = tx.execute("INSERT INTO things (key) VALUES ('a')", &[]).await;
                    assert!(again.is_err_and(|e| e.is_unique()));
                    if *go_on {
                        tx.execute("INSERT INTO things (key) VALUES ('c')", &[]).await?;
                    }
                    Ok(())
                })
            })
            .await;
        assert!(matches!(outcome, Err(Error::Aborted)), "{outcome:?}");
    }
    assert_eq!(sizes(&db).await, [("a".into(), 1)]);
}

async fn reads_cannot_write(db: Db) {
    let written: Result<u64, Error> = db
        .read(&(), |tx, ()| Box::pin(async move { tx.execute("INSERT INTO things (key) VALUES ('a')", &[]).await }))
        .await;
    assert!(matches!(written, Err(Error::Query { .. })), "{written:?}");
    let written: Result<u64, Error> =
        db.snapshot(&(), |tx, ()| Box::pin(async move { tx.execute("DELETE FROM things", &[]).await })).await;
    assert!(matches!(written, Err(Error::Query { .. })), "{written:?}");
    put(&db, "b", 2).await.unwrap();
    assert_eq!(sizes(&db).await, [("b".into(), 2)]);
}

/// Writes beside a transaction that is running: on a thread of its own, because a closure may wait for its transaction only.
fn write_beside((db, runtime): &(Db, Handle), key: &'static str) {
    let (db, runtime) = (db.clone(), runtime.clone());
    std::thread::spawn(move || runtime.block_on(put(&db, key, 1)).unwrap()).join().unwrap();
}

async fn keys_around_a_write(tx: &mut Tx<'_>, beside: &(Db, Handle)) -> Result<(Option<i64>, Option<i64>), Error> {
    let before = size_of(tx, "a").await?;
    write_beside(beside, "a");
    Ok((before, size_of(tx, "a").await?))
}

async fn a_snapshot_does_not_move(db: Db) {
    let beside = (db.clone(), Handle::current());
    let seen = db.snapshot(&beside, |tx, beside| Box::pin(keys_around_a_write(tx, beside))).await;
    assert_eq!(seen.unwrap(), (None, None));
    let after = db.read(&(), |tx, ()| Box::pin(size_of(tx, "a"))).await;
    assert_eq!(after.unwrap(), Some(1));
}

async fn statements_of_a_read_see_what_was_committed_between_them(db: Db) {
    let beside = (db.clone(), Handle::current());
    let seen = db.read(&beside, |tx, beside| Box::pin(keys_around_a_write(tx, beside))).await;
    assert_eq!(seen.unwrap(), (None, Some(1)));
}

async fn a_relaxed_write_is_seen_like_any_other(db: Db) {
    put(&db, "counter", 0).await.unwrap();
    increment(&db).await.unwrap();
    put(&db, "other", 5).await.unwrap();
    assert_eq!(sizes(&db).await, [("counter".into(), 1), ("other".into(), 5)]);
}

async fn a_closure_inside_a_closure_does_not_wait_for_itself(db: Db) {
    put(&db, "a", 1).await.unwrap();
    let inner = db
        .read(&db, |_, db| Box::pin(async move { db.snapshot(&(), |tx, ()| Box::pin(size_of(tx, "a"))).await }))
        .await;
    assert_eq!(inner.unwrap(), Some(1));
}
