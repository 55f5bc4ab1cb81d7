//! What only PostgreSQL needs: a server goes away, transactions meet, callers vanish.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, Ordering};

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::{Barrier, oneshot};
use wharf_db::testing::Cluster;
use wharf_db::{Config, Db, Durability, Engine, Error, Tx};

use crate::{open, open_again, put, size_of, sizes};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_away_is_unavailable_and_works_again_when_it_is_back() {
    let cluster = Cluster::start();
    let db = open_again(&cluster.database().await).await;
    put(&db, "before", 1).await.unwrap();
    cluster.stop();
    let write = put(&db, "lost", 1).await.unwrap_err();
    assert!(write.is_unavailable(), "{write:?}");
    let ping = db.ping().await.unwrap_err();
    assert!(ping.is_unavailable(), "{ping:?}");
    cluster.resume();
    put(&db, "after", 1).await.unwrap();
    assert_eq!(sizes(&db).await, [("after".into(), 1), ("before".into(), 1)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_broke_while_idle_are_replaced_unnoticed() {
    let cluster = Cluster::start();
    let db = open_again(&cluster.database().await).await;
    put(&db, "a", 1).await.unwrap();
    cluster.stop();
    cluster.resume();
    put(&db, "b", 2).await.unwrap();
    assert_eq!(sizes(&db).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_whose_connection_breaks_is_run_again() {
    let db = open(Engine::Postgres).await;
    let runs = Arc::new(AtomicU32::new(0));
    let written: Result<(), Error> = db
        .write(Durability::Full, Arc::clone(&runs), |tx, runs| {
            Box::pin(async move {
                tx.execute("INSERT INTO things (key) VALUES ('a')", &[]).await?;
                if runs.fetch_add(1, Ordering::Relaxed) == 0 {
                    tx.query("SELECT CAST(pg_terminate_backend(pg_backend_pid()) AS TEXT)", &[]).await?;
                }
                Ok(())
            })
        })
        .await;
    written.unwrap();
    assert_eq!(runs.load(Ordering::Relaxed), 2);
    assert_eq!(sizes(&db).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_whose_connection_breaks_in_the_commit_is_run_again() {
    const END_IN_COMMIT: [&str; 2] = [
        "CREATE FUNCTION end_connection() RETURNS trigger LANGUAGE plpgsql AS
         'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END'",
        "CREATE CONSTRAINT TRIGGER ends AFTER INSERT ON things DEFERRABLE INITIALLY DEFERRED
         FOR EACH ROW EXECUTE FUNCTION end_connection()",
    ];
    let db = open(Engine::Postgres).await;
    let runs = Arc::new(AtomicU32::new(0));
    let written: Result<(), Error> = db
        .write(Durability::Full, Arc::clone(&runs), |tx, runs| {
            Box::pin(async move {
                if runs.fetch_add(1, Ordering::Relaxed) == 0 {
                    for sql in END_IN_COMMIT {
                        tx.execute(sql, &[]).await?;
                    }
                }
                tx.execute("INSERT INTO things (key) VALUES ('a') ON CONFLICT (key) DO NOTHING", &[]).await.map(drop)
            })
        })
        .await;
    written.unwrap();
    assert_eq!(runs.load(Ordering::Relaxed), 2);
    assert_eq!(sizes(&db).await.len(), 1);
}

/// Takes `mine` off duty if somebody else stays, having met the other transaction between looking and acting.
async fn leave(tx: &mut Tx<'_>, mine: &str, met: &Barrier, runs: &AtomicU32) -> Result<bool, Error> {
    let others = tx.query("SELECT key FROM things WHERE size = 1 AND key <> ?1", &[&mine]).await?;
    if runs.fetch_add(1, Ordering::Relaxed) < 2 {
        met.wait().await;
    }
    if others.is_empty() {
        return Ok(false);
    }
    tx.execute("UPDATE things SET size = 0 WHERE key = ?1", &[&mine]).await?;
    Ok(true)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_transactions_that_each_rely_on_what_the_other_changes_do_not_both_win() {
    let db = open(Engine::Postgres).await;
    put(&db, "anna", 1).await.unwrap();
    put(&db, "bert", 1).await.unwrap();
    let (met, runs) = (Arc::new(Barrier::new(2)), Arc::new(AtomicU32::new(0)));
    let leaves = ["anna", "bert"].map(|name| {
        let args = (name, Arc::clone(&met), Arc::clone(&runs));
        let db = db.clone();
        tokio::spawn(async move {
            db.write(Durability::Full, args, |tx, (name, met, runs)| Box::pin(leave(tx, name, met, runs))).await
        })
    });
    let mut left = 0;
    for leave in leaves {
        left += u32::from(leave.await.unwrap().unwrap());
    }
    assert_eq!(left, 1);
    assert!(runs.load(Ordering::Relaxed) > 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_that_goes_away_takes_its_transaction_with_it() {
    let db = open(Engine::Postgres).await;
    let (tell, told) = oneshot::channel();
    let tell = Arc::new(parking_lot::Mutex::new(Some(tell)));
    let caller = tokio::spawn({
        let db = db.clone();
        async move {
            let _: Result<(), Error> = db
                .write(Durability::Full, tell, |tx, tell| {
                    Box::pin(async move {
                        tx.execute("INSERT INTO things (key) VALUES ('a')", &[]).await?;
                        tell.lock().take().unwrap().send(()).unwrap();
                        std::future::pending().await
                    })
                })
                .await;
        }
    });
    told.await.unwrap();
    caller.abort();
    drop(caller.await);
    // Would wait for the row's lock, and then fail, if the transaction were still open or committed.
    put(&db, "a", 2).await.unwrap();
    assert_eq!(sizes(&db).await, [("a".into(), 2)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_that_takes_too_long_is_ended_and_not_tried_again() {
    let Config::Postgres { url, max_connections, connect_timeout, .. } =
        wharf_db::testing::config(Engine::Postgres).await
    else {
        panic!("not PostgreSQL")
    };
    let statement_timeout = std::time::Duration::from_millis(50);
    let db = open_again(&Config::Postgres { url, max_connections, connect_timeout, statement_timeout }).await;
    let runs = Arc::new(AtomicU32::new(0));
    let slept: Result<(), Error> = db
        .write(Durability::Full, Arc::clone(&runs), |tx, runs| {
            Box::pin(async move {
                runs.fetch_add(1, Ordering::Relaxed);
                tx.query("SELECT CAST(pg_sleep(60) AS TEXT)", &[]).await.map(drop)
            })
        })
        .await;
    assert!(slept.as_ref().is_err_and(Error::is_unavailable), "{slept:?}");
    assert_eq!(runs.load(Ordering::Relaxed), 1);
    put(&db, "a", 1).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relaxed_write_does_not_make_the_next_one_relaxed() {
    async fn setting(tx: &mut Tx<'_>) -> Result<String, Error> {
        let row = tx.query_opt("SELECT current_setting('synchronous_commit')", &[]).await?;
        row.unwrap().get(0)
    }
    let db = open(Engine::Postgres).await;
    let mut seen = Vec::new();
    for durability in [Durability::Relaxed, Durability::Full] {
        seen.push(db.write(durability, (), |tx, ()| Box::pin(setting(tx))).await.unwrap());
    }
    assert_eq!(seen, ["off", "on"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_of_different_rows_of_a_small_table_do_not_conflict() {
    let db = open(Engine::Postgres).await;
    let keys = ["a", "b"];
    for key in keys {
        put(&db, key, 0).await.unwrap();
    }
    // Now the planner knows that reading all of it is cheapest, and such a read would conflict with every write.
    let analyzed: Result<u64, Error> =
        db.write(Durability::Full, (), |tx, ()| Box::pin(async move { tx.execute("ANALYZE things", &[]).await })).await;
    analyzed.unwrap();
    let (met, runs) = (Arc::new(Barrier::new(2)), Arc::new(AtomicU32::new(0)));
    let writers = keys.map(|key| {
        let (db, args) = (db.clone(), (key, Arc::clone(&met), Arc::clone(&runs)));
        tokio::spawn(async move {
            db.write(Durability::Full, args, |tx, (key, met, runs)| Box::pin(raise(tx, key, met, runs))).await
        })
    });
    for writer in writers {
        writer.await.unwrap().unwrap();
    }
    assert_eq!(runs.load(Ordering::Relaxed), 2);
}

async fn raise(tx: &mut Tx<'_>, key: &str, met: &Barrier, runs: &AtomicU32) -> Result<(), Error> {
    let size = size_of(tx, key).await?.unwrap_or(0);
    if runs.fetch_add(1, Ordering::Relaxed) < 2 {
        met.wait().await;
    }
    tx.execute("UPDATE things SET size = ?1 WHERE key = ?2", &[&(size + 1), &key]).await.map(drop)
}

/// Long enough for the others to come between looking and acting.
async fn raise_slowly(tx: &mut Tx<'_>) -> Result<(), Error> {
    let size = size_of(tx, "a").await?.unwrap_or(0);
    tx.query("SELECT CAST(pg_sleep(0.01) AS TEXT)", &[]).await?;
    tx.execute("UPDATE things SET size = ?1 WHERE key = 'a'", &[&(size + 1)]).await.map(drop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_writers_of_one_row_none_is_refused() {
    const WRITERS: usize = 100;
    let db = open(Engine::Postgres).await;
    put(&db, "a", 0).await.unwrap();
    let writers = (0..WRITERS).map(|_| {
        let db = db.clone();
        tokio::spawn(async move { db.write(Durability::Full, (), |tx, ()| Box::pin(raise_slowly(tx))).await })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap().unwrap();
    }
    assert_eq!(sizes(&db).await, [("a".into(), WRITERS as i64)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_refuses_us_is_a_matter_of_configuration() {
    let cluster = wharf_db::testing::postgres();
    let error = Db::open(&cluster.config(&cluster.url("no_such_database"))).await.unwrap_err();
    assert!(matches!(error, Error::Config(_)), "{error:?}");
    assert!(error.to_string().contains("no_such_database"), "{error}");
}

/// What becomes of the first COMMIT that passes a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    /// It is carried out, and the answer is lost.
    Answer,
    /// It is lost.
    Question,
    /// It is lost, and the server does not notice.
    Unnoticed,
}

/// A way to the cluster's database that breaks at the first COMMIT that follows `armed`.
async fn relay(folder: std::path::PathBuf, cut: Cut, armed: Arc<AtomicBool>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = UnixStream::connect(folder.join(".s.PGSQL.5432")).await.unwrap();
            tokio::spawn(pass(client, server, cut, Arc::clone(&armed)));
        }
    });
    port
}

async fn pass(mut client: TcpStream, mut server: UnixStream, cut: Cut, armed: Arc<AtomicBool>) {
    let (mut asked, mut answered) = (vec![0; 65536], vec![0; 65536]);
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let Ok(read @ 1..) = read else { return };
                let asked = &asked[..read];
                let commits = asked.windows(7).any(|window| window == b"COMMIT\0");
                if commits && armed.swap(false, Ordering::SeqCst) {
                    match cut {
                        Cut::Answer => {
                            server.write_all(asked).await.unwrap();
                            assert!(server.read(&mut answered).await.unwrap() > 0);
                        }
                        Cut::Question => {}
                        Cut::Unnoticed => {
                            drop(client);
                            // Until the server ends it.
                            while server.read(&mut answered).await.is_ok_and(|read| read > 0) {}
                        }
                    }
                    return;
                }
                if server.write_all(asked).await.is_err() {
                    return;
                }
            }
            read = server.read(&mut answered) => {
                let Ok(read @ 1..) = read else { return };
                if client.write_all(&answered[..read]).await.is_err() {
                    return;
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_answer_is_lost_counts_once() {
    for (cut, expected_runs) in [(Cut::Answer, 1), (Cut::Question, 2), (Cut::Unnoticed, 2)] {
        let cluster = wharf_db::testing::postgres();
        let Config::Postgres { url, .. } = cluster.database().await else { unreachable!("a cluster is PostgreSQL") };
        let armed = Arc::new(AtomicBool::new(false));
        let port = relay(cluster.folder().to_owned(), cut, Arc::clone(&armed)).await;
        let (_, name) = url.rsplit_once('/').unwrap();
        let db =
            open_again(&cluster.config(&format!("postgres://wharf@127.0.0.1:{port}/{name}?sslmode=disable"))).await;
        put(&db, "a", 1).await.unwrap();
        armed.store(true, Ordering::SeqCst);
        let runs = Arc::new(AtomicU32::new(0));
        let removed: Result<u64, Error> = db
            .write(Durability::Full, Arc::clone(&runs), |tx, runs| {
                Box::pin(async move {
                    runs.fetch_add(1, Ordering::SeqCst);
                    // Neither of them comes to the same when it is done again.
                    tx.execute("INSERT INTO owners (name) VALUES ('deleted it')", &[]).await?;
                    tx.execute("DELETE FROM things WHERE key = 'a'", &[]).await
                })
            })
            .await;
        assert_eq!((removed.unwrap(), runs.load(Ordering::SeqCst)), (1, expected_runs), "{cut:?}");
        assert!(!armed.load(Ordering::SeqCst) && sizes(&db).await.is_empty(), "{cut:?}");
    }
}

/// A way to the cluster's database. At the first COMMIT that follows `armed` the server process behind it is killed, which takes
/// the whole server through recovery, and nobody gets through any more until others have written.
async fn fatal_relay(cluster: &Arc<Cluster>, name: &str, armed: Arc<AtomicI32>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let direct = open_again(&cluster.config(&cluster.url(name))).await;
    let (cluster, open) = (Arc::clone(cluster), tokio::sync::watch::Sender::new(true));
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            open.subscribe().wait_for(|open| *open).await.unwrap();
            let mut server = UnixStream::connect(cluster.folder().join(".s.PGSQL.5432")).await.unwrap();
            let (armed, open, direct) = (Arc::clone(&armed), open.clone(), direct.clone());
            tokio::spawn(async move {
                let (mut asked, mut answered) = (vec![0; 65536], vec![0; 65536]);
                loop {
                    tokio::select! {
                        read = client.read(&mut asked) => {
                            let Ok(read @ 1..) = read else { return };
                            let commits = asked[..read].windows(7).any(|window| window == b"COMMIT\0");
                            let process = if commits { armed.swap(0, Ordering::SeqCst) } else { 0 };
                            if process > 0 {
                                open.send_replace(false);
                                kill_process(Pid::from_raw(process).unwrap(), Signal::KILL).unwrap();
                                let mut written = 0;
                                while written < 20 {
                                    written += u32::from(put(&direct, &format!("other {process} {written}"), 1).await.is_ok());
                                }
                                open.send_replace(true);
                                return;
                            }
                            if server.write_all(&asked[..read]).await.is_err() {
                                return;
                            }
                        }
                        read = server.read(&mut answered) => {
                            let Ok(read @ 1..) = read else { return };
                            if client.write_all(&answered[..read]).await.is_err() {
                                return;
                            }
                        }
                    }
                }
            });
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_commit_that_is_lost_in_a_crash_does_not_count_because_its_number_is_given_again() {
    let cluster = Arc::new(Cluster::start());
    let Config::Postgres { url, .. } = cluster.database().await else { unreachable!("a cluster is PostgreSQL") };
    let (_, name) = url.rsplit_once('/').unwrap();
    let process = Arc::new(AtomicI32::new(0));
    let port = fatal_relay(&cluster, name, Arc::clone(&process)).await;
    let db = open_again(&cluster.config(&format!("postgres://wharf@127.0.0.1:{port}/{name}?sslmode=disable"))).await;
    for round in 0..3 {
        let args = (Arc::clone(&process), AtomicU32::new(0), format!("lost {round}"));
        let written: Result<(), Error> = db
            .write(Durability::Full, args, |tx, (process, runs, key)| {
                Box::pin(async move {
                    tx.execute("INSERT INTO things (key) VALUES (?1)", &[key]).await?;
                    let row = tx.query_opt("SELECT CAST(pg_backend_pid() AS BIGINT)", &[]).await?;
                    if runs.fetch_add(1, Ordering::SeqCst) == 0 {
                        process.store(i32::try_from(row.unwrap().get::<i64>(0)?).unwrap(), Ordering::SeqCst);
                    }
                    Ok(())
                })
            })
            .await;
        let there = sizes(&db).await.iter().any(|(key, _)| *key == format!("lost {round}"));
        assert_eq!(written.is_ok(), there, "{written:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_a_transaction_that_changed_something_leaves_a_row_to_ask_by() {
    let db = open(Engine::Postgres).await;
    let rows = async || {
        let counted: Result<i64, Error> = db
            .write(Durability::Full, (), |tx, ()| {
                Box::pin(async move {
                    tx.query_opt("SELECT count(*) FROM commits", &[]).await?.map_or(Ok(-1), |row| row.get(0))
                })
            })
            .await;
        counted.unwrap()
    };
    let before = rows().await;
    assert_eq!(rows().await, before);
    put(&db, "a", 1).await.unwrap();
    assert_eq!(rows().await, before + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conflict_that_the_work_finds_itself_makes_it_run_again() {
    let db = open(Engine::Postgres).await;
    let runs = Arc::new(AtomicI32::new(0));
    let written: Result<(), Error> = db
        .write(Durability::Full, Arc::clone(&runs), |tx, runs| {
            Box::pin(async move {
                tx.execute("INSERT INTO things (key) VALUES ('a')", &[]).await?;
                if runs.fetch_add(1, Ordering::SeqCst) == 0 {
                    return Err(tx.conflict("somebody else was faster"));
                }
                Ok(())
            })
        })
        .await;
    written.unwrap();
    assert_eq!((runs.load(Ordering::SeqCst), sizes(&db).await.len()), (2, 1));
}
