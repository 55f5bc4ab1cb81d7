//! How a database comes to its schema, and who may open it.

use tempfile::TempDir;
use wharf_db::catalog::{collection, generations, placements, purges};
use wharf_db::{Config, Db, Engine, Error, testing};

use crate::{open_again, put, sizes};

/// Where to open a database again and again.
struct Place {
    config: Config,
    _folder: Option<TempDir>,
}

async fn place(engine: Engine) -> Place {
    match engine {
        Engine::Sqlite => {
            let folder = tempfile::tempdir().unwrap();
            Place { config: Config::Sqlite { path: folder.path().join("wharf.db") }, _folder: Some(folder) }
        }
        Engine::Postgres => Place { config: testing::config(engine).await, _folder: None },
    }
}

wharf_db::on_both_engines! {
    with crate::migrations::place;
    opening_again_changes_nothing,
    later_steps_are_applied_to_what_is_there,
    a_step_that_fails_leaves_nothing_behind,
    a_newer_schema_is_open_to_older_programs_until_it_says_otherwise,
    the_real_schema_is_complete,
    packages_of_before_there_were_lists_are_listed,
    links_of_before_they_lay_by_digest_are_held,
}

const ONE: (i64, &str, &str) = (1, "one", "CREATE TABLE things (key @text PRIMARY KEY, size @int NOT NULL) @strict;");
const TWO: (i64, &str, &str) = (2, "two", "ALTER TABLE things ADD COLUMN note @text;");

async fn opened(place: &Place, steps: &[(i64, &'static str, &'static str)]) -> Result<Db, Error> {
    testing::open_with(&place.config, steps).await
}

async fn opening_again_changes_nothing(place: Place) {
    put(&open_again(&place.config).await, "a", 1).await.unwrap();
    assert_eq!(sizes(&open_again(&place.config).await).await, [("a".into(), 1)]);
}

async fn later_steps_are_applied_to_what_is_there(place: Place) {
    put(&opened(&place, &[ONE]).await.unwrap(), "a", 1).await.unwrap();
    let db = opened(&place, &[ONE, TWO]).await.unwrap();
    let note: Result<Option<String>, Error> = db
        .read(&(), |tx, ()| {
            Box::pin(async move { tx.query_opt("SELECT note FROM things", &[]).await?.unwrap().get(0) })
        })
        .await;
    assert_eq!(note.unwrap(), None);
}

async fn a_step_that_fails_leaves_nothing_behind(place: Place) {
    let broken = (2, "two", "ALTER TABLE things ADD COLUMN note @text; SELECT nothing FROM nowhere;");
    let error = opened(&place, &[ONE, broken]).await.unwrap_err();
    assert!(error.to_string().contains("nowhere"), "{error}");
    // The same column again: it is not there yet.
    opened(&place, &[ONE, TWO]).await.unwrap();
}

async fn a_newer_schema_is_open_to_older_programs_until_it_says_otherwise(place: Place) {
    opened(&place, &[ONE, TWO]).await.unwrap();
    put(&opened(&place, &[ONE]).await.unwrap(), "a", 1).await.unwrap();

    let contract = (3, "three", "ALTER TABLE things DROP COLUMN note; INSERT INTO schema_floor (number) VALUES (2);");
    opened(&place, &[ONE, TWO, contract]).await.unwrap();
    opened(&place, &[ONE, TWO]).await.unwrap();
    let error = opened(&place, &[ONE]).await.unwrap_err();
    assert!(matches!(error, Error::Schema { found: 3, floor: 2, newest: 1 }), "{error}");
}

async fn links_of_before_they_lay_by_digest_are_held(place: Place) {
    let mut digests = [b"one", b"two", b"six"].map(|content| wharf_types::Digest::sha256(content));
    digests.sort_unstable();
    let old = Db::open_at(&place.config, 18).await.unwrap();
    let filled = old.write(wharf_db::Durability::Full, digests, |tx, digests| {
        Box::pin(async move {
            tx.execute("INSERT INTO projects (id, name, created_at) VALUES (1, 'team', 1)", &[]).await?;
            for (id, name) in [(1_i64, "team/a"), (2, "team/b")] {
                let sql =
                    "INSERT INTO repositories (id, project_id, format, name, created_at) VALUES (?1, 1, 'text', ?2, 1)";
                tx.execute(sql, &[&id, &name]).await?;
            }
            for (at, digest) in (7_i64..).zip(&*digests) {
                let sql = "INSERT INTO blobs (digest, size, content, created_at) VALUES (?1, 3, ?1, 1)";
                tx.execute(sql, &[digest]).await?;
                // The second is the other repository's too, and hidden there.
                let sql = "INSERT INTO blob_links (repository_id, digest, created_at) VALUES (1, ?1, ?2)";
                tx.execute(sql, &[digest, &at]).await?;
            }
            let sql = "INSERT INTO blob_links (repository_id, digest, created_at, expiring_at) VALUES (2, ?1, 5, 6)";
            tx.execute(sql, &[&digests[1]]).await?;
            Ok::<_, Error>(())
        })
    });
    filled.await.unwrap();
    drop(old);
    let db = Db::open(&place.config).await.unwrap();
    let found = db.read(&digests, |tx, digests| {
        Box::pin(async move {
            let first = purges::links_of(tx, 1, None, 2).await?;
            let rest = purges::links_of(tx, 1, first.last(), 2).await?;
            let held: Vec<_> = first.iter().chain(&rest).map(|held| held.digest).collect();
            let links = collection::links_to(tx, &digests[1], 10).await?;
            Ok::<_, Error>((held, links))
        })
    });
    let (held, links) = found.await.unwrap();
    assert_eq!(held, digests);
    let links: Vec<_> = links
        .iter()
        .map(|link| (link.repository, link.created_at.as_millis(), link.expiring_at.map(|at| at.as_millis())))
        .collect();
    assert_eq!(links, [(1, 8, None), (2, 5, Some(6))]);
}

async fn packages_of_before_there_were_lists_are_listed(place: Place) {
    const OF_BEFORE: &[&str] = &[
        "INSERT INTO projects (id, name, created_at) VALUES (1, 'team', 1)",
        "INSERT INTO repositories (id, project_id, format, name, created_at) VALUES (1, 1, 'text', 'team/a', 1)",
        "INSERT INTO blobs (digest, size, content, created_at) VALUES (?1, 3, ?1, 1)",
        "INSERT INTO packages (repository_id, path, name, version, architecture, digest, size, channel, fragment, created_at)
         VALUES (1, 'stable/p', 'p', '1', '', ?1, 3, 'stable', ?1, 1)",
        "INSERT INTO generations (id, repository_id, channel, created_at) VALUES (1, 1, 'stable', 1)",
        "INSERT INTO generation_files (generation_id, path, repository_id, media_type, digest, size)
         VALUES (1, 'Index', 1, 'text/plain', ?1, 3)",
        "INSERT INTO generation_heads (repository_id, channel, generation_id) VALUES (1, 'stable', 1)",
    ];
    let digest = wharf_types::Digest::sha256(b"old");
    let old = Db::open_at(&place.config, 9).await.unwrap();
    let filled = old.write(wharf_db::Durability::Full, digest, |tx, digest| {
        Box::pin(async move {
            for sql in OF_BEFORE {
                let with: &[&(dyn wharf_db::ToValue + Sync)] = if sql.contains("?1") { &[digest] } else { &[] };
                tx.execute(sql, with).await?;
            }
            Ok::<_, Error>(())
        })
    });
    filled.await.unwrap();
    drop(old);
    let db = Db::open(&place.config).await.unwrap();
    let found = db.read(&(), |tx, ()| {
        Box::pin(async move {
            let stretch = placements::Stretch {
                channel: "stable".to_owned(),
                part: String::new(),
                kind: "index".to_owned(),
                from: String::new(),
                until: None,
            };
            let listed = placements::page(tx, 1, &stretch, 10).await?;
            let file = generations::current_file(tx, 1, "stable", "Index").await?;
            Ok::<_, Error>((listed, file))
        })
    });
    let (listed, file) = found.await.unwrap();
    let [placements::Listed { position, package, fragment }] = listed.as_slice() else { panic!("{listed:?}") };
    assert_eq!(
        (position.as_str(), package.sorts_as.as_deref(), package.digest),
        ("stable/p", Some("stable/p"), digest)
    );
    assert_eq!(fragment.len(), package.digest.raw().len() + 1, "the bytes that it had");
    assert_eq!(file.unwrap().0.checkpoints, Vec::<u8>::new());
}

async fn the_real_schema_is_complete(place: Place) {
    Db::open(&place.config).await.unwrap();
    Db::open(&place.config).await.unwrap().ping().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_that_start_together_apply_each_step_once() {
    let place = place(Engine::Postgres).await;
    let starts: Vec<_> = (0..4)
        .map(|_| {
            let config = place.config.clone();
            tokio::spawn(async move { testing::open_with(&config, &[ONE, TWO]).await })
        })
        .collect();
    for start in starts {
        start.await.unwrap().unwrap().ping().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_program_goes_on_while_newer_ones_change_the_schema() {
    let place = place(Engine::Postgres).await;
    let older = opened(&place, &[ONE]).await.unwrap();
    put(&older, "a", 1).await.unwrap();
    assert_eq!(sizes(&older).await.len(), 1);
    let newer = opened(&place, &[ONE, TWO]).await.unwrap();
    put(&older, "b", 2).await.unwrap();
    put(&newer, "c", 3).await.unwrap();
    assert_eq!((sizes(&older).await.len(), sizes(&newer).await.len()), (3, 3));
    let status = wharf_db::Status::of(&place.config).await.unwrap();
    assert_eq!((status.schema, status.floor), (2, 0));
    assert!(status.clients.iter().any(|client| client.name.starts_with("wharf ")), "{status:?}");
    let contract = (3, "three", "ALTER TABLE things DROP COLUMN note; INSERT INTO schema_floor (number) VALUES (2);");
    opened(&place, &[ONE, TWO, contract]).await.unwrap();
    put(&older, "d", 4).await.unwrap();
    assert_eq!(sizes(&older).await.len(), 4);
    let refusal = opened(&place, &[ONE]).await.unwrap_err().to_string();
    assert!(refusal.contains("schema 3") && refusal.contains("this one knows 1"), "{refusal}");
    assert_eq!(wharf_db::Status::of(&place.config).await.unwrap().floor, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_that_waits_for_a_long_reader_does_not_make_others_wait_with_it() {
    type Release = std::sync::Mutex<Option<tokio::sync::oneshot::Receiver<()>>>;
    let place = place(Engine::Postgres).await;
    let older = opened(&place, &[ONE]).await.unwrap();
    put(&older, "a", 1).await.unwrap();
    let (release, released) = tokio::sync::oneshot::channel();
    let (reads, begun) = (older.clone(), std::sync::Arc::new(tokio::sync::Notify::new()));
    let args: (Release, _) = (std::sync::Mutex::new(Some(released)), std::sync::Arc::clone(&begun));
    let reader = tokio::spawn(async move {
        let read: Result<(), Error> = reads
            .snapshot(&args, |tx, (released, begun)| {
                Box::pin(async move {
                    tx.query("SELECT size FROM things", &[]).await?;
                    begun.notify_one();
                    let released = released.lock().unwrap().take();
                    if let Some(released) = released {
                        released.await.ok();
                    }
                    Ok(())
                })
            })
            .await;
        read
    });
    begun.notified().await;
    let config = place.config.clone();
    let newer = tokio::spawn(async move { testing::open_with(&config, &[ONE, TWO]).await });
    for number in 0..50 {
        put(&older, &format!("b{number}"), 1).await.unwrap();
    }
    assert_eq!(sizes(&older).await.len(), 51);
    release.send(()).unwrap();
    reader.await.unwrap().unwrap();
    newer.await.unwrap().unwrap();
}
