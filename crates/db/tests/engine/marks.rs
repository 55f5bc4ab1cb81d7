//! Marks end with what they mark, and with nothing else.

use wharf_db::catalog::{blobs, manifests, projects, repositories, tags};
use wharf_db::identity::epoch;
use wharf_db::{BoxFuture, Config, Db, Durability, Engine, Error, Mark, Subject, Tx, testing};
use wharf_types::{Digest, FormatName, RepoName, Timestamp};

const OCI: FormatName = FormatName::new("oci");

fn name() -> RepoName {
    "team/app".parse().unwrap()
}

fn digest(of: &str) -> Digest {
    Digest::sha256(of.as_bytes())
}

fn row(of: &str) -> manifests::Manifest {
    manifests::Manifest {
        digest: digest(of),
        media_type: "application/vnd.oci.image.manifest.v1+json".parse().unwrap(),
        artifact_type: None,
        subject: None,
        annotations: None,
        size: 1,
        pushed_at: Timestamp::default(),
    }
}

type Work = for<'a, 'c> fn(&'a mut Tx<'c>, &'a i64) -> BoxFuture<'a, Result<(), Error>>;

async fn write(db: &Db, repository: i64, work: Work) -> Result<(), Error> {
    db.write(Durability::Relaxed, repository, work).await
}

/// A repository with the manifests a and b, the tags v1 and v2, and a link to the blob a.
async fn filled(db: &Db) -> i64 {
    let made = db.write(Durability::Relaxed, (), |tx, ()| {
        Box::pin(async move {
            let at = Timestamp::default();
            let project = projects::create(tx, name().project(), false, at).await?.unwrap();
            let (id, _) = repositories::ensure(tx, project.id, OCI, &name(), at).await?;
            for of in ["a", "b"] {
                blobs::insert_content(tx, &digest(of), of.as_bytes(), at).await?;
                manifests::insert(tx, id, &row(of)).await?;
            }
            blobs::link(tx, id, &digest("a"), at).await?;
            tags::put(tx, id, &"v1".parse().unwrap(), &digest("a"), at).await?;
            tags::put(tx, id, &"v2".parse().unwrap(), &digest("a"), at).await?;
            Ok::<_, Error>(id)
        })
    });
    made.await.unwrap()
}

struct Marked {
    subject: &'static str,
    mark: Mark,
}

fn mark_all(db: &Db, id: i64) -> Vec<Marked> {
    let (name, a, b) = (name(), digest("a"), digest("b"));
    let all = [
        ("identities", Subject::Identities),
        ("repository", Subject::Repository(OCI, &name)),
        ("v1", Subject::Tag(id, "v1")),
        ("v2", Subject::Tag(id, "v2")),
        ("manifest a", Subject::Manifest(id, &a)),
        ("manifest b", Subject::Manifest(id, &b)),
        ("link a", Subject::Link(id, &a)),
        ("blob a", Subject::Blob(&a)),
        ("blob b", Subject::Blob(&b)),
    ];
    all.map(|(subject, of)| Marked { subject, mark: db.mark(&of).unwrap() }).into_iter().collect()
}

#[tokio::test]
async fn a_mark_ends_with_a_commit_that_changes_its_subject_and_with_no_other() {
    let db = Db::open(&Config::SqliteMemory).await.unwrap();
    let id = filled(&db).await;
    let cases: [(&[&str], Work); 8] = [
        (&["identities"], |tx, _| Box::pin(epoch::bump(tx))),
        (&["v1"], |tx, id| {
            Box::pin(
                async move { tags::put(tx, *id, &"v1".parse().unwrap(), &digest("b"), Timestamp::default()).await },
            )
        }),
        (&["v2"], |tx, id| Box::pin(async move { tags::remove(tx, *id, &"v2".parse().unwrap()).await.map(drop) })),
        (&["manifest a"], |tx, id| Box::pin(async move { manifests::remove(tx, *id, &digest("a")).await.map(drop) })),
        (&["link a"], |tx, id| Box::pin(async move { blobs::unlink(tx, *id, &digest("a")).await.map(drop) })),
        // Whatever statement it is, also one that is not in this crate's catalog.
        (&["blob b"], |tx, _| {
            Box::pin(async move {
                let sql = "UPDATE blobs SET content = ?2, size = 2 WHERE digest = ?1";
                tx.execute(sql, &[&digest("b"), &b"bb".as_slice()]).await.map(drop)
            })
        }),
        (&["repository"], |tx, id| {
            Box::pin(async move { repositories::mark_deleted(tx, *id, Timestamp::default()).await.map(drop) })
        }),
        (&[], |tx, _| {
            Box::pin(async move {
                projects::create(tx, &"other".parse().unwrap(), true, Timestamp::default()).await.map(drop)
            })
        }),
    ];
    for (changed, work) in cases {
        let marked = mark_all(&db, id);
        write(&db, id, work).await.unwrap();
        let ended: Vec<_> = marked.iter().filter(|it| !db.stands(&it.mark)).map(|it| it.subject).collect();
        assert_eq!(ended, changed);
    }
}

#[tokio::test]
async fn a_transaction_that_fails_leaves_everything_to_be_marked_again() {
    let db = Db::open(&Config::SqliteMemory).await.unwrap();
    let id = filled(&db).await;
    let failed = write(&db, id, |tx, id| {
        Box::pin(async move {
            tags::put(tx, *id, &"v1".parse().unwrap(), &digest("b"), Timestamp::default()).await?;
            Err(Error::Aborted)
        })
    });
    failed.await.unwrap_err();
    // The mark can be taken again: no counter is left in the middle of a change.
    assert_eq!(mark_all(&db, id).len(), 9);
    assert!(mark_all(&db, id).iter().all(|it| db.stands(&it.mark)));
}

#[tokio::test]
async fn nothing_is_marked_where_others_may_write() {
    let db = Db::open(&testing::config(Engine::Postgres).await).await.unwrap();
    assert_eq!(db.mark(&Subject::Identities), None);
}
