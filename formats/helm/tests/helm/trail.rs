//! What the audit log says of a repository.

use wharf_auth::Role;
use wharf_testkit::TestServer;

use crate::backend::on_every_database;
use crate::chart::{Museum, chart};

on_every_database! {
    who_fetched_a_chart_is_known,
}

async fn who_fetched_a_chart_is_known(server: &TestServer) {
    let museum = Museum::new(server, "team/charts");
    museum.add(&chart("a", "1.0.0")).await;
    let paula = server.user_with("paula", Role::Puller, "team").await;
    server.assert_pulls_are_noted(("paula", &paula), &museum.path("charts/a-1.0.0.tgz"), "team/charts").await;
}
