//! What the audit log says of a repository.

use wharf_auth::Role;
use wharf_testkit::TestServer;

use crate::backend::on_every_database;
use crate::build::deb;
use crate::shop::Shop;

on_every_database! {
    who_fetched_a_package_is_known,
}

async fn who_fetched_a_package_is_known(server: &TestServer) {
    let shop = Shop::new(server, "team/debs");
    let hello = deb("hello", "1.0");
    shop.add("sid/main", &hello).await;
    let paula = server.user_with("paula", Role::Puller, "team").await;
    server.assert_pulls_are_noted(("paula", &paula), &shop.path(&hello.path()), "team/debs").await;
}
