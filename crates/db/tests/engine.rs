//! What the engine promises, on SQLite and on PostgreSQL.
#![cfg(test)]

#[path = "engine/constraints.rs"]
mod constraints;
#[path = "engine/dump.rs"]
mod dump;
#[path = "engine/marks.rs"]
mod marks;
#[path = "engine/migrations.rs"]
mod migrations;
#[path = "engine/postgres.rs"]
mod postgres;
#[path = "engine/snapshots.rs"]
mod snapshots;
#[path = "engine/sqlite.rs"]
mod sqlite;
#[path = "engine/tls.rs"]
mod tls;
#[path = "engine/transactions.rs"]
mod transactions;
#[path = "engine/values.rs"]
mod values;

use wharf_db::{Config, Db, Durability, Engine, Error, Tx, testing};

/// A small schema with every kind of column and constraint.
const STEPS: &[(i64, &str, &str)] = &[(
    1,
    "things",
    "CREATE TABLE owners (id @id, name @text NOT NULL UNIQUE) @strict;
     CREATE TABLE things (
         key @text PRIMARY KEY,
         owner_id @int REFERENCES owners (id),
         size @int NOT NULL DEFAULT 0 CHECK (size >= 0),
         body @bytes,
         note @text
     ) @strict;",
)];

async fn open(engine: Engine) -> Db {
    open_again(&testing::config(engine).await).await
}

async fn open_again(config: &Config) -> Db {
    testing::open_with(config, STEPS).await.unwrap()
}

/// A write of one thing, in a closure as callers write them.
async fn put(db: &Db, key: &str, size: i64) -> Result<(), Error> {
    db.write(Durability::Full, (key.to_owned(), size), |tx, (key, size)| {
        Box::pin(async move {
            tx.execute("INSERT INTO things (key, size) VALUES (?1, ?2)", &[key, size]).await?;
            Ok(())
        })
    })
    .await
}

async fn size_of(tx: &mut Tx<'_>, key: &str) -> Result<Option<i64>, Error> {
    let row = tx.query_opt("SELECT size FROM things WHERE key = ?1", &[&key]).await?;
    row.map(|row| row.get(0)).transpose()
}

/// The sizes of all things in the order of their keys.
async fn sizes(db: &Db) -> Vec<(String, i64)> {
    let listed: Result<_, Error> = db
        .read(&(), |tx, ()| {
            Box::pin(async move {
                let rows = tx.query("SELECT key, size FROM things ORDER BY key", &[]).await?;
                rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
            })
        })
        .await;
    listed.unwrap()
}
