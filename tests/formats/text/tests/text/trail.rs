//! Who did what.

use wharf_auth::Role;
use wharf_core::{AuditFilter, AuditLine, AuditOrder};
use wharf_testkit::{TestServer, sha256};

use crate::backend::on_every_database;
use crate::note::note;
use crate::shelf::Shelf;

on_every_database! {
    every_change_is_written_down_and_nothing_else,
    what_was_done_with_a_content_can_be_found,
}

async fn lines(server: &TestServer, filter: AuditFilter) -> Vec<AuditLine> {
    let changes = AuditFilter { outcome: Some("ok".to_owned()), ..filter };
    server.core().audit(&changes, None, AuditOrder::OldestFirst, 100).await.expect("the audit log").lines
}

fn about(name: &str) -> AuditFilter {
    AuditFilter { repository: Some(name.parse().expect("a name")), ..AuditFilter::default() }
}

async fn every_change_is_written_down_and_nothing_else(server: &TestServer) {
    server.project("team").await;
    let keeper = server.user_with("keeper", Role::Maintainer, "team").await;
    let shelf = Shelf::of(&keeper, "team/notes");
    let a = note("a", "1");
    let added = shelf.add("stable", &a).await;
    shelf.put("stable", a.file()).await.assert_status(200);
    shelf.put("stable", note("a", "1").text("other").file()).await.assert_status(409);
    shelf.put("stable", "no package").await.assert_status(400);
    shelf.verified("stable").await;
    shelf.delete(&a.path("stable")).await.assert_status(204);
    shelf.delete(&a.path("stable")).await.assert_status(404);
    let lines = lines(server, about("team/notes")).await;
    let said: Vec<_> = lines.iter().map(|line| (line.action.as_str(), line.subject.as_deref())).collect();
    let path = a.path("stable");
    let expected = [("repository.create", None), ("package.add", Some(path.as_str())), ("package.remove", Some(&path))];
    assert_eq!(said, expected);
    let line = &lines[1];
    assert_eq!((line.actor.as_str(), line.project.as_deref()), ("keeper", Some("team")));
    assert_eq!(line.digest.map(|digest| digest.to_string()), Some(sha256(a.file())));
    assert_eq!(line.address.as_deref(), Some("127.0.0.1"));
    assert_eq!(line.request_id.as_deref(), added.header("x-request-id"));
    assert!(!line.credential.is_empty());
}

async fn what_was_done_with_a_content_can_be_found(server: &TestServer) {
    let [one, other] = ["team/one", "team/other"].map(|name| Shelf::new(server, name));
    let a = note("a", "1");
    one.add("stable", &a).await;
    other.add("stable", &a).await;
    let digest = sha256(a.file()).parse().expect("a digest");
    let lines = lines(server, AuditFilter { digest: Some(digest), ..AuditFilter::default() }).await;
    let said: Vec<_> = lines.iter().map(|line| (line.action.as_str(), line.repository.as_deref())).collect();
    assert_eq!(said, [("package.add", Some("team/one")), ("package.add", Some("team/other"))]);
}
