//! What the audit log says of a repository.

use wharf_auth::Role;
use wharf_testkit::TestServer;

use crate::backend::on_every_database;
use crate::shelf::{Shelf, package};

on_every_database! {
    who_fetched_a_package_is_known,
}

async fn who_fetched_a_package_is_known(server: &TestServer) {
    let shelf = Shelf::new(server, "team/el9");
    let path = shelf.add(package("tool", "1-1")).await;
    let paula = server.user_with("paula", Role::Puller, "team").await;
    server.assert_pulls_are_noted(("paula", &paula), &shelf.path(&path), "team/el9").await;
}
