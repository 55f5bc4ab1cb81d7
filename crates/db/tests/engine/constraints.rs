//! What the schema refuses, and how callers tell it apart.

use wharf_db::{ConstraintKind, Db, Durability, Error};

wharf_db::on_both_engines! {
    with crate::open;
    a_second_row_with_the_same_key_is_a_unique_violation,
    a_reference_to_nothing_is_a_foreign_key_violation,
    a_row_that_is_pointed_at_cannot_be_deleted,
    checks_and_missing_values_are_told_apart,
    a_conflict_that_is_expected_is_no_error,
    a_value_of_another_type_is_refused,
}

async fn execute(db: &Db, sql: &'static str) -> Result<u64, Error> {
    db.write(Durability::Full, sql, |tx, sql| Box::pin(async move { tx.execute(sql, &[]).await })).await
}

async fn kind(db: &Db, sql: &'static str) -> ConstraintKind {
    match execute(db, sql).await {
        Err(Error::Constraint { kind, .. }) => kind,
        other => panic!("{sql}: {other:?}"),
    }
}

async fn a_second_row_with_the_same_key_is_a_unique_violation(db: Db) {
    execute(&db, "INSERT INTO owners (name) VALUES ('anna')").await.unwrap();
    let error = execute(&db, "INSERT INTO owners (name) VALUES ('anna')").await.unwrap_err();
    assert!(error.is_unique() && error.is_constraint() && !error.is_foreign_key(), "{error:?}");
    assert!(error.to_string().contains("owners"), "{error}");
    execute(&db, "INSERT INTO things (key) VALUES ('a')").await.unwrap();
    assert_eq!(kind(&db, "INSERT INTO things (key) VALUES ('a')").await, ConstraintKind::Unique);
}

async fn a_reference_to_nothing_is_a_foreign_key_violation(db: Db) {
    let error = execute(&db, "INSERT INTO things (key, owner_id) VALUES ('a', 99)").await.unwrap_err();
    assert!(error.is_foreign_key() && !error.is_unique(), "{error:?}");
}

async fn a_row_that_is_pointed_at_cannot_be_deleted(db: Db) {
    execute(&db, "INSERT INTO owners (id, name) VALUES (1, 'anna')").await.unwrap();
    execute(&db, "INSERT INTO things (key, owner_id) VALUES ('a', 1)").await.unwrap();
    assert_eq!(kind(&db, "DELETE FROM owners").await, ConstraintKind::ForeignKey);
    assert_eq!(execute(&db, "DELETE FROM things").await.unwrap(), 1);
    assert_eq!(execute(&db, "DELETE FROM owners").await.unwrap(), 1);
}

async fn checks_and_missing_values_are_told_apart(db: Db) {
    assert_eq!(kind(&db, "INSERT INTO things (key, size) VALUES ('a', -1)").await, ConstraintKind::Check);
    assert_eq!(kind(&db, "INSERT INTO things (key, size) VALUES ('a', NULL)").await, ConstraintKind::NotNull);
}

async fn a_conflict_that_is_expected_is_no_error(db: Db) {
    let sql = "INSERT INTO owners (name) VALUES ('anna') ON CONFLICT (name) DO NOTHING";
    assert_eq!(execute(&db, sql).await.unwrap(), 1);
    assert_eq!(execute(&db, sql).await.unwrap(), 0);
}

async fn a_value_of_another_type_is_refused(db: Db) {
    let written: Result<u64, Error> = db
        .write(Durability::Full, (), |tx, ()| {
            Box::pin(async move { tx.execute("INSERT INTO things (key, size) VALUES ('a', ?1)", &[&"many"]).await })
        })
        .await;
    assert!(written.is_err(), "{written:?}");
}
