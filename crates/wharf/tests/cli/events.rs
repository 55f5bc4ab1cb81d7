//! `wharf events`.

use std::path::Path;

use serde_json::Value;
use wharf_db::{Config, Db, Durability};

use crate::harness::{self, PASSWORD, Place, push};

const ADMIN: (&str, &str) = ("admin", PASSWORD);

/// Makes what a stopped server has told a minute older: it is held back for half of one.
fn age(database: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let db = Db::open(&Config::Sqlite { path: database.to_owned() }).await.unwrap();
        let aged: wharf_db::Result<u64> = db
            .write(Durability::Full, (), |tx, ()| {
                Box::pin(async move { tx.execute("UPDATE events SET at = at - 60000", &[]).await })
            })
            .await;
        aged.unwrap();
    });
}

#[test]
fn events_are_printed_in_order_and_carried_on_after_the_last() {
    let place = Place::new();
    let server = place.serve();
    push(&server, ADMIN, "team/app", "v1");
    push(&server, ADMIN, "team/app", "v2");
    assert_eq!(server.stop().code, Some(0));
    age(&place.path("data/wharf.db"));
    let server = place.serve();
    place.login(&server);
    let lines = |args: &[&str]| -> Vec<Value> {
        let text = place.run(&[&["events", "--lines"], args].concat()).ok();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let pushed = lines(&["--kind", "manifest.pushed"]);
    let tags: Vec<_> = pushed.iter().map(|event| &event["payload"]["tags"][0]).collect();
    assert_eq!(tags, ["v1", "v2"]);
    assert_eq!(lines(&["--kind", "manifest.pushed", "--limit", "1"]), pushed[..1]);
    assert_eq!(lines(&["--after", &pushed[0]["id"].to_string()]), pushed[1..]);
    let array = place.run(&["events", "--kind", "manifest.pushed", "--output", "json"]).json();
    assert_eq!(array, Value::from(pushed));
    let table = place.run(&["events"]).ok();
    assert!(table.starts_with("ID") && table.contains("manifest.pushed"), "{table}");
}

#[test]
fn who_follows_is_told_what_comes_also_after_the_server_was_away() {
    let place = Place::new();
    let server = place.serve();
    let address = server.url.trim_start_matches("http://").to_owned();
    place.login(&server);
    push(&server, ADMIN, "team/app", "v1");
    assert_eq!(server.stop().code, Some(0));
    age(&place.path("data/wharf.db"));
    let again = || place.serve_with(&["--listen", &address], &[]);
    let server = again();
    let mut follower = place.command(&["events", "--follow", "--kind", "manifest.pushed"]).spawn().unwrap();
    let told = harness::lines(follower.stdout.take().unwrap());
    let tag =
        || -> Value { serde_json::from_str::<Value>(&told.recv().unwrap()).unwrap()["payload"]["tags"][0].clone() };
    assert_eq!(tag(), "v1");
    push(&server, ADMIN, "team/app", "v2");
    assert_eq!(server.stop().code, Some(0));
    age(&place.path("data/wharf.db"));
    let _server = again();
    assert_eq!(tag(), "v2", "once, and what was told is not told again");
    follower.kill().unwrap();
    follower.wait().unwrap();
}
