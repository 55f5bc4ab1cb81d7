//! What the audit log says of a repository.

use http::Method;
use wharf_auth::Role;
use wharf_testkit::TestServer;

use crate::backend::on_every_database;
use crate::build::deb;
use crate::shop::Shop;

on_every_database! {
    who_fetched_a_package_is_known,
    what_is_refused_has_the_name_that_it_has_when_it_is_done,
}

async fn who_fetched_a_package_is_known(server: &TestServer) {
    let shop = Shop::new(server, "team/debs");
    let hello = deb("hello", "1.0");
    shop.add("sid/main", &hello).await;
    let paula = server.user_with("paula", Role::Puller, "team").await;
    server.assert_pulls_are_noted(("paula", &paula), &shop.path(&hello.path()), "team/debs").await;
}

async fn what_is_refused_has_the_name_that_it_has_when_it_is_done(server: &TestServer) {
    let shop = Shop::new(server, "team/debs");
    let [hello, other] = ["hello", "other"].map(|name| deb(name, "1.0"));
    shop.add("sid/main", &other).await;
    let vera = server.user_with("vera", Role::Viewer, "team").await;
    let settings = b"{}".to_vec();
    for (method, path, body) in [
        (Method::PUT, "pool/sid/main/upload", hello.bytes()),
        (Method::GET, &*hello.path(), Vec::new()),
        (Method::POST, "pool/sid/main/other/1.0/amd64?to=trixie", Vec::new()),
        (Method::PUT, "incoming/hello_1.0_amd64.deb", hello.bytes()),
        (Method::PUT, "settings", settings.clone()),
        (Method::PUT, "dists/sid/settings", settings),
        (Method::DELETE, "settings", Vec::new()),
        (Method::DELETE, "pool/sid/main/hello/1.0/amd64", Vec::new()),
        (Method::DELETE, &*other.path(), Vec::new()),
    ] {
        server.assert_named_alike(&vera, (method, &shop.path(path), body)).await;
    }
}
