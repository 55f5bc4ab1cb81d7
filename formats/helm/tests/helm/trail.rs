//! What the audit log says of a repository.

use http::Method;
use wharf_auth::Role;
use wharf_testkit::TestServer;

use crate::backend::on_every_database;
use crate::chart::{Museum, chart};

on_every_database! {
    who_fetched_a_chart_is_known,
    what_is_refused_has_the_name_that_it_has_when_it_is_done,
}

async fn who_fetched_a_chart_is_known(server: &TestServer) {
    let museum = Museum::new(server, "team/charts");
    museum.add(&chart("a", "1.0.0")).await;
    let paula = server.user_with("paula", Role::Puller, "team").await;
    server.assert_pulls_are_noted(("paula", &paula), &museum.path("charts/a-1.0.0.tgz"), "team/charts").await;
}

async fn what_is_refused_has_the_name_that_it_has_when_it_is_done(server: &TestServer) {
    let museum = Museum::new(server, "team/charts");
    server.project("team").await;
    let vera = server.user_with("vera", Role::Viewer, "team").await;
    let [a, b] = ["a", "b"].map(|name| chart(name, "1.0.0"));
    for (method, path, body) in [
        (Method::POST, "api/charts", a.packed()),
        (Method::PUT, "charts/b-1.0.0.tgz", b.packed()),
        (Method::POST, "api/prov", a.provenance().into()),
        (Method::GET, "charts/a-1.0.0.tgz", Vec::new()),
        (Method::DELETE, "api/charts/a/1.0.0", Vec::new()),
        (Method::DELETE, "charts/b-1.0.0.tgz", Vec::new()),
    ] {
        server.assert_named_alike(&vera, (method, &museum.path(path), body)).await;
    }
}
