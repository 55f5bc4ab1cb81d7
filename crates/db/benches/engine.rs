//! How long a select takes, and how many durable writes a second fit beside each other.
//!
//! `cargo bench -p wharf-db` measures SQLite in a file under the current folder; `-- postgres` a PostgreSQL with fsync off.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark prints, and ends where it cannot go on")]

use std::time::{Duration, Instant};

use wharf_db::{Config, Db, Durability, Error, testing};
use wharf_types::Digest;

const ROWS: i64 = 50_000;
const STEPS: &[(i64, &str, &str)] = &[(
    1,
    "manifests",
    "CREATE TABLE manifests (repo @int NOT NULL, name @text NOT NULL, digest @bytes NOT NULL, size @int NOT NULL,
     media_type @text NOT NULL, PRIMARY KEY (repo, name)) @strict;
     CREATE TABLE written (id @id, name @text NOT NULL, digest @bytes NOT NULL) @strict;",
)];

#[tokio::main(flavor = "multi_thread")]
async fn main() {
    if std::env::args().any(|argument| argument == "postgres") {
        let config = testing::config(wharf_db::Engine::Postgres).await;
        measure(&testing::open_with(&config, STEPS).await.unwrap(), 2_000).await;
    } else {
        let folder = tempfile::tempdir_in(".").unwrap();
        let config = Config::Sqlite { path: folder.path().join("bench.db") };
        measure(&testing::open_with(&config, STEPS).await.unwrap(), 40_000).await;
    }
}

async fn measure(db: &Db, selects: i64) {
    fill(db).await;
    for tasks in [1, 16] {
        let (_, took) = in_parallel(db, tasks, selects, |db, i| async move { select(&db, i % ROWS).await }).await;
        print("select", tasks, selects, took);
    }
    for (durability, tasks, each) in [
        (Durability::Full, 1, 500),
        (Durability::Full, 64, 1_000),
        (Durability::Relaxed, 1, 5_000),
        (Durability::Relaxed, 64, 1_000),
    ] {
        let write = move |db: Db, i| async move { insert(&db, durability, i).await };
        let (mut each_took, took) = in_parallel(db, tasks, each, write).await;
        each_took.sort();
        print(if durability == Durability::Full { "write full" } else { "write relaxed" }, tasks, each, took);
        let at = |percent| each_took[each_took.len() * percent / 1000];
        println!("  p50 {:?}  p99 {:?}  p99.9 {:?}  max {:?}", at(500), at(990), at(999), each_took.last().unwrap());
    }
}

fn print(what: &str, tasks: i64, each: i64, took: Duration) {
    let all = Duration::from_nanos(u64::try_from(took.as_nanos()).unwrap() / u64::try_from(tasks * each).unwrap());
    println!("{what:14} {tasks:2} tasks: {all:?} each, {:.0}/s", 1.0 / all.as_secs_f64());
}

/// Runs `work` `each` times in each of `tasks` tasks; how long each run took, and all together.
async fn in_parallel<F>(
    db: &Db,
    tasks: i64,
    each: i64,
    work: impl Fn(Db, i64) -> F + Copy + Send + 'static,
) -> (Vec<Duration>, Duration)
where
    F: Future<Output = ()> + Send,
{
    let start = Instant::now();
    let running: Vec<_> = (0..tasks)
        .map(|task| {
            let db = db.clone();
            tokio::spawn(async move {
                let mut took = Vec::new();
                for i in 0..each {
                    let start = Instant::now();
                    work(db.clone(), task * 7_919 + i * 31).await;
                    took.push(start.elapsed());
                }
                took
            })
        })
        .collect();
    let mut took = Vec::new();
    for task in running {
        took.extend(task.await.unwrap());
    }
    (took, start.elapsed())
}

async fn fill(db: &Db) {
    let filled: Result<(), Error> = db
        .write(Durability::Full, (), |tx, ()| {
            Box::pin(async move {
                let sql = "INSERT INTO manifests (repo, name, digest, size, media_type) VALUES (?1, ?2, ?3, ?4, ?5)";
                for i in 0..ROWS {
                    let name = format!("v1.{i}");
                    let digest = Digest::sha256(name.as_bytes());
                    let media_type = "application/vnd.oci.image.manifest.v1+json";
                    tx.execute(sql, &[&(i % 100), &name, &digest, &1234, &media_type]).await?;
                }
                Ok(())
            })
        })
        .await;
    filled.unwrap();
}

async fn select(db: &Db, i: i64) {
    let found: Result<(Digest, i64, String), Error> = db
        .read(&(i % 100, format!("v1.{i}")), |tx, (repo, name)| {
            Box::pin(async move {
                let sql = "SELECT digest, size, media_type FROM manifests WHERE repo = ?1 AND name = ?2";
                let row = tx.query_opt(sql, &[repo, name]).await?.unwrap();
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
        })
        .await;
    found.unwrap();
}

async fn insert(db: &Db, durability: Durability, i: i64) {
    let written: Result<u64, Error> = db
        .write(durability, (format!("v1.{i}"), Digest::sha256(b"")), |tx, (name, digest)| {
            Box::pin(
                async move { tx.execute("INSERT INTO written (name, digest) VALUES (?1, ?2)", &[name, digest]).await },
            )
        })
        .await;
    written.unwrap();
}
