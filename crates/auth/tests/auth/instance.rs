//! One database, one instance key.

use wharf_auth::{InstanceKey, KeyRefused, bind_instance_key};
use wharf_db::Db;
use wharf_types::Clock;

wharf_db::on_both_engines! {
    a_fresh_database_takes_the_first_key,
    another_key_is_refused,
    a_missing_key_is_refused,
}

async fn a_fresh_database_takes_the_first_key(db: Db) {
    let (key, clock) = (InstanceKey::generate(), Clock::system());
    bind_instance_key(&db, None, &clock).await.unwrap();
    bind_instance_key(&db, Some(&key), &clock).await.unwrap();
    let read_back = key.to_text().parse().unwrap();
    bind_instance_key(&db, Some(&read_back), &clock).await.unwrap();
}

async fn another_key_is_refused(db: Db) {
    let (key, other, clock) = (InstanceKey::generate(), InstanceKey::generate(), Clock::system());
    bind_instance_key(&db, Some(&key), &clock).await.unwrap();
    let refused = bind_instance_key(&db, Some(&other), &clock).await.unwrap_err();
    assert!(matches!(&refused, KeyRefused::Wrong { expected, given } if *expected == key.id() && *given == other.id()));
    assert!(refused.to_string().contains(&key.id()), "{refused}");
}

async fn a_missing_key_is_refused(db: Db) {
    let (key, clock) = (InstanceKey::generate(), Clock::system());
    bind_instance_key(&db, Some(&key), &clock).await.unwrap();
    let refused = bind_instance_key(&db, None, &clock).await.unwrap_err();
    assert!(matches!(&refused, KeyRefused::Missing { expected } if *expected == key.id()), "{refused}");
}
