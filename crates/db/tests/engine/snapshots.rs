//! Which generations go, and what snapshots keep.

use wharf_db::catalog::{generations, packages, placements, snapshots};
use wharf_db::{Db, Durability, Error, ToValue};
use wharf_types::{Digest, SubjectName, Timestamp};

wharf_db::on_both_engines! {
    generations_are_thinned_but_for_heads_and_snapshots,
    a_snapshot_is_served_and_keeps_its_packages,
}

const MINUTE: i64 = 60 * 1000;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn digest() -> Digest {
    Digest::sha256(b"a")
}

fn name(text: &str) -> SubjectName {
    text.parse().unwrap()
}

async fn prepare(db: &Db) {
    const ROWS: &[&str] = &[
        "INSERT INTO projects (id, name, created_at) VALUES (1, 'team', 1)",
        "INSERT INTO repositories (id, project_id, format, name, created_at) VALUES (1, 1, 'text', 'team/a', 1)",
        "INSERT INTO blobs (digest, size, content, created_at) VALUES (?1, 3, ?1, 1)",
    ];
    let done = db.write(Durability::Full, digest(), |tx, digest| {
        Box::pin(async move {
            for sql in ROWS {
                let with: &[&(dyn ToValue + Sync)] = if sql.contains("?1") { &[digest] } else { &[] };
                tx.execute(sql, with).await?;
            }
            Ok::<_, Error>(())
        })
    });
    done.await.unwrap();
}

/// Publishes a generation with one file, whose media type says when.
async fn publish(db: &Db, when: i64) -> i64 {
    let made = db.write(Durability::Full, when, |tx, when| {
        Box::pin(async move {
            let id = generations::create(tx, 1, "stable", "", at(*when)).await?;
            let file = generations::File {
                path: "Index".to_owned(),
                media_type: when.to_string(),
                digest: digest(),
                sha512: None,
                size: 3,
                segments: vec![digest()],
                checkpoints: Vec::new(),
            };
            generations::add_file(tx, id, 1, &file).await?;
            generations::publish(tx, 1, "stable", id, at(*when)).await?;
            Ok::<_, Error>(id)
        })
    });
    made.await.unwrap()
}

async fn create(db: &Db, text: &'static str, generation: i64) -> Option<i64> {
    let new = snapshots::NewSnapshot {
        repository: 1,
        name: name(text),
        channel: "stable".to_owned(),
        generation,
        created_by: "me".to_owned(),
        at: at(1),
    };
    db.write(Durability::Full, new, |tx, new| Box::pin(snapshots::create(tx, new))).await.unwrap()
}

async fn generations_are_thinned_but_for_heads_and_snapshots(db: Db) {
    prepare(&db).await;
    let mut ids = Vec::new();
    // One each minute of the first half hour.
    for minute in 1..=30 {
        ids.push(publish(&db, minute * MINUTE).await);
    }
    create(&db, "kept", ids[3]).await.unwrap();
    let gone = db.write(Durability::Full, (), |tx, ()| {
        Box::pin(async move {
            let mut gone = Vec::new();
            // Ten minutes before the thirtieth.
            let limits = (at(20 * MINUTE), at(0));
            for generation in generations::superfluous(tx, (1, "stable"), limits, 100).await? {
                generations::drop(tx, generation).await?;
                gone.push(generation);
            }
            assert!(generations::superfluous_anywhere(tx, limits, 100).await?.is_empty());
            Ok::<_, Error>(gone)
        })
    });
    let gone = gone.await.unwrap();
    // The n-th was followed in the minute n + 1; the last of each ten minutes stays.
    let expected: Vec<_> = [1, 2, 3, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17].map(|n: usize| ids[n - 1]).into();
    assert_eq!(gone, expected);
    let old = db.write(Durability::Full, (), |tx, ()| {
        Box::pin(async move {
            let all = (at(100 * MINUTE), at(100 * MINUTE));
            let found = generations::superfluous_anywhere(tx, all, 100).await?;
            for (_, generation) in &found {
                generations::drop(tx, *generation).await?;
            }
            generations::page(tx, 1, "stable", 100).await
        })
    });
    let left: Vec<_> = old.await.unwrap().into_iter().map(|(id, ..)| id).collect();
    assert_eq!(left, [ids[29], ids[3]], "what clients see, and the snapshot");
}

async fn served(db: &Db) -> String {
    let file = db.read(&(), |tx, ()| Box::pin(generations::served_file(tx, 1, "stable", "Index")));
    file.await.unwrap().unwrap().0.media_type
}

async fn a_snapshot_is_served_and_keeps_its_packages(db: Db) {
    prepare(&db).await;
    let first = publish(&db, 1).await;
    let package = db.write(Durability::Full, (), |tx, ()| {
        Box::pin(async move {
            let package = packages::NewPackage {
                path: "p".to_owned(),
                name: "p".to_owned(),
                version: "1".to_owned(),
                architecture: String::new(),
                digest: digest(),
                size: 3,
                sorts_as: None,
                created_at: at(1),
            };
            let id = packages::insert(tx, 1, &package).await?.unwrap();
            let (channel, position) = ("stable".to_owned(), "p".to_owned());
            placements::insert(tx, 1, id, &placements::Place { channel, part: String::new(), position }).await?;
            Ok::<_, Error>(id)
        })
    });
    let package = package.await.unwrap();
    let one = create(&db, "one", first).await.unwrap();
    assert_eq!(create(&db, "one", first).await, None, "the name is taken");
    publish(&db, 2).await;
    assert_eq!(served(&db).await, "2");
    let done = db.write(Durability::Full, (one, package), |tx, (one, package)| {
        Box::pin(async move {
            assert!(snapshots::publish(tx, 1, "stable", Some(*one)).await?);
            assert!(!snapshots::publish(tx, 1, "edge", Some(*one)).await?);
            assert!(snapshots::hold(tx, *package).await?);
            let held = snapshots::packages(tx, *one, None, 10).await?;
            assert_eq!((held.len(), held[0].name.as_str(), held[0].version.as_str()), (1, "p", "1"));
            assert!(snapshots::packages(tx, *one, held.last(), 10).await?.is_empty());
            packages::mark_removed(tx, *package, Some(at(3))).await?;
            assert!(packages::remove_forgotten(tx, 1, 10).await?.is_empty(), "the snapshot has it");
            Ok::<_, Error>(())
        })
    });
    done.await.unwrap();
    assert_eq!(served(&db).await, "1");
    let done = db.write(Durability::Full, (one, package), |tx, (one, package)| {
        Box::pin(async move {
            let found = snapshots::find(tx, 1, &name("one")).await?.unwrap();
            assert_eq!((found.id, found.packages, found.published), (*one, 1, true));
            snapshots::publish(tx, 1, "stable", None).await?;
            assert!(!snapshots::page(tx, 1, "", 10).await?[0].published);
            snapshots::delete(tx, *one).await?;
            packages::mark_removed(tx, *package, None).await?;
            assert!(packages::remove_forgotten(tx, 1, 10).await?.is_empty(), "it is back");
            packages::mark_removed(tx, *package, Some(at(3))).await?;
            let place = placements::of_package(tx, *package).await?;
            placements::remove(tx, 1, &place[0]).await?;
            assert_eq!(packages::remove_forgotten(tx, 1, 10).await?, [digest()]);
            Ok::<_, Error>(())
        })
    });
    done.await.unwrap();
    assert_eq!(served(&db).await, "2");
}
