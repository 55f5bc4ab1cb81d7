//! What goes in comes out, and compares the same everywhere.

use std::time::{Duration, SystemTime};

use wharf_db::{Db, Durability, Error, FromValue, ToValue};
use wharf_types::{Algorithm, Digest, MediaType, ProjectName, SubjectName, Tag, Timestamp};

use crate::put;

wharf_db::on_both_engines! {
    with crate::open;
    values_round_trip,
    keys_compare_bytewise,
    null_is_neither_empty_nor_zero,
    large_blobs_round_trip,
    what_does_not_parse_is_corrupt_and_says_where,
    mistakes_in_a_statement_are_errors_that_name_it,
    comparisons_are_integers,
    a_parameter_may_be_used_twice,
    the_clock_of_the_database_goes_on,
}

/// Writes a value into a column and reads it back.
async fn through<T>(db: &Db, sql: (&'static str, &'static str), value: T) -> Result<T, Error>
where
    T: ToValue + FromValue + Send + Sync + 'static,
{
    db.write(Durability::Relaxed, (sql, value), |tx, ((write, read), value)| {
        Box::pin(async move {
            tx.execute("DELETE FROM things", &[]).await?;
            tx.execute(write, &[value]).await?;
            let row = tx.query_opt(read, &[]).await?;
            row.map(|row| row.get(0)).transpose()?.ok_or_else(|| Error::Corrupt { what: "no row".into() })
        })
    })
    .await
}

const TEXT: (&str, &str) = ("INSERT INTO things (key) VALUES (?1)", "SELECT key FROM things");
const INT: (&str, &str) = ("INSERT INTO things (key, size) VALUES ('a', ?1)", "SELECT size FROM things");
const BYTES: (&str, &str) = ("INSERT INTO things (key, body) VALUES ('a', ?1)", "SELECT body FROM things");

async fn values_round_trip(db: Db) {
    macro_rules! round_trips {
        ($($sql:expr => $value:expr),* $(,)?) => {$(
            let value = $value;
            assert_eq!(through(&db, $sql, value.clone()).await.unwrap(), value);
        )*};
    }
    round_trips! {
        INT => 0_i64,
        INT => i64::MAX,
        INT => u64::from(u32::MAX),
        INT => u32::MAX,
        INT => true,
        INT => Timestamp::from_millis(1_700_000_000_123),
        INT => Some(7_i64),
        TEXT => String::new(),
        TEXT => "Grüße, 世界 🚢 '?1' \\".to_owned(),
        TEXT => "v1.0".parse::<Tag>().unwrap(),
        TEXT => "application/vnd.oci.image.index.v1+json".parse::<MediaType>().unwrap(),
        TEXT => "team".parse::<ProjectName>().unwrap(),
        TEXT => "anna@example.org".parse::<SubjectName>().unwrap(),
        BYTES => Vec::<u8>::new(),
        BYTES => vec![0_u8, 255, 39, 0],
        BYTES => [7_u8; 16],
        BYTES => Digest::sha256(b"wharf"),
        BYTES => Digest::of(Algorithm::Sha512, b"wharf"),
        BYTES => None::<Digest>,
    }
}

async fn keys_compare_bytewise(db: Db) {
    let mut keys =
        ["a", "B", "-", "a-b", "ab", "a.b", "Z", "_", "é", "aB", "A", "1", "10", "9", "a/b", "~", "z", "a b"];
    for key in keys {
        put(&db, key, 1).await.unwrap();
    }
    keys.sort_unstable();
    let after: Result<Vec<String>, Error> = db
        .read(&"B", |tx, after| {
            Box::pin(async move {
                let rows = tx.query("SELECT key FROM things WHERE key > ?1 ORDER BY key", &[after]).await?;
                rows.iter().map(|row| row.get(0)).collect()
            })
        })
        .await;
    let expected: Vec<_> = keys.into_iter().filter(|key| *key > "B").collect();
    assert_eq!(after.unwrap(), expected);
}

async fn null_is_neither_empty_nor_zero(db: Db) {
    let nulls: Result<_, Error> = db
        .write(Durability::Relaxed, (), |tx, ()| {
            Box::pin(async move {
                let (none, empty) = (None::<String>, Some(String::new()));
                tx.execute("INSERT INTO things (key, note) VALUES ('none', ?1), ('empty', ?2)", &[&none, &empty])
                    .await?;
                let row = tx.query_opt("SELECT key, body FROM things WHERE note IS NULL", &[]).await?.unwrap();
                let missing = row.get::<Vec<u8>>(1);
                assert!(matches!(missing, Err(Error::Corrupt { .. })), "{missing:?}");
                Ok((row.get::<String>(0)?, row.get::<Option<Vec<u8>>>(1)?))
            })
        })
        .await;
    assert_eq!(nulls.unwrap(), ("none".to_owned(), None));
}

async fn large_blobs_round_trip(db: Db) {
    let body: Vec<u8> = (0..4 << 20).map(|i: u32| (i % 251) as u8).collect();
    assert!(through(&db, BYTES, body.clone()).await.unwrap() == body);
}

async fn what_does_not_parse_is_corrupt_and_says_where(db: Db) {
    put(&db, "not a tag", 1).await.unwrap();
    let read: Result<Tag, Error> = db
        .read(&(), |tx, ()| {
            Box::pin(async move { tx.query_opt("SELECT size, key FROM things", &[]).await?.unwrap().get(1) })
        })
        .await;
    let message = read.unwrap_err().to_string();
    assert!(message.contains("column 1 of: SELECT size, key FROM things"), "{message}");
    assert!(message.contains("not a tag"), "{message}");
}

async fn mistakes_in_a_statement_are_errors_that_name_it(db: Db) {
    for (sql, params) in [
        ("SELECT nothing FROM things", 0),
        ("SELECT key FROM things WHERE key = ?1", 0),
        ("SELECT key FROM things WHERE key = ?1", 2),
        ("SELEKT", 0),
    ] {
        let failed: Result<(), Error> = db
            .read(&(sql, params), |tx, (sql, params)| {
                Box::pin(async move {
                    let all: [&(dyn ToValue + Sync); 2] = [&"a", &"b"];
                    tx.query(sql, &all[..*params]).await.map(drop)
                })
            })
            .await;
        let message = failed.unwrap_err().to_string();
        assert!(message.contains(sql), "{message}");
    }
}

async fn comparisons_are_integers(db: Db) {
    put(&db, "a", 5).await.unwrap();
    let seen: Result<_, Error> = db
        .read(&(), |tx, ()| {
            Box::pin(async move {
                let sql =
                    "SELECT EXISTS (SELECT 1 FROM things), size > 7, count(*), CAST(sum(size) AS BIGINT) FROM things
                           GROUP BY size";
                let row = tx.query_opt(sql, &[]).await?.unwrap();
                Ok((row.get::<bool>(0)?, row.get::<bool>(1)?, row.get::<u64>(2)?, row.get::<i64>(3)?))
            })
        })
        .await;
    assert_eq!(seen.unwrap(), (true, false, 1, 5));
}

async fn a_parameter_may_be_used_twice(db: Db) {
    put(&db, "a", 5).await.unwrap();
    let found: Result<i64, Error> = db
        .read(&"a", |tx, key| {
            Box::pin(async move {
                let sql = "SELECT count(*) FROM things WHERE key = ?1 AND size >= ?2 AND (size <= ?2 OR key > ?1)";
                tx.query_opt(sql, &[key, &5]).await?.unwrap().get(0)
            })
        })
        .await;
    assert_eq!(found.unwrap(), 1);
}

async fn the_clock_of_the_database_goes_on(db: Db) {
    let times: Result<_, Error> = db
        .write(Durability::Relaxed, (), |tx, ()| Box::pin(async move { Ok((tx.now().await?, tx.now().await?)) }))
        .await;
    let (first, second) = times.unwrap();
    assert!(first <= second);
    let here = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    assert!(Timestamp::default().after(here).since(first) < Duration::from_secs(60));
}
