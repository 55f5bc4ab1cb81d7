//! What the audit log says of a repository.

use http::Method;
use wharf_auth::Role;
use wharf_testkit::TestServer;

use crate::backend::on_every_database;
use crate::shelf::{Shelf, package};

on_every_database! {
    who_fetched_a_package_is_known,
    what_is_refused_has_the_name_that_it_has_when_it_is_done,
}

async fn who_fetched_a_package_is_known(server: &TestServer) {
    let shelf = Shelf::new(server, "team/el9");
    let path = shelf.add(package("tool", "1-1")).await;
    let paula = server.user_with("paula", Role::Puller, "team").await;
    server.assert_pulls_are_noted(("paula", &paula), &shelf.path(&path), "team/el9").await;
}

async fn what_is_refused_has_the_name_that_it_has_when_it_is_done(server: &TestServer) {
    let shelf = Shelf::new(server, "team/el9");
    let path = shelf.add(package("tool", "1-1")).await;
    let vera = server.user_with("vera", Role::Viewer, "team").await;
    let update = "<updates><update type=\"bugfix\" version=\"1\"><id>A-1</id><title>one</title></update></updates>";
    let advisory = format!("{{\"id\": \"A-2\", \"title\": \"two\", \"type\": \"bugfix\", \"packages\": [\"{path}\"]}}");
    for (method, path, body) in [
        (Method::PUT, "upload", package("other", "1-1")),
        (Method::GET, &*path, Vec::new()),
        (Method::PUT, "updateinfo.xml", update.into()),
        (Method::POST, "advisories", advisory.into()),
        (Method::PUT, "settings", b"{}".to_vec()),
        (Method::DELETE, "settings", Vec::new()),
        (Method::DELETE, "updateinfo/A-1", Vec::new()),
        (Method::DELETE, &*path, Vec::new()),
    ] {
        server.assert_named_alike(&vera, (method, &shelf.path(path), body)).await;
    }
}
