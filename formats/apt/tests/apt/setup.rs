//! How a repository is used, said by itself. That the lines do what they say is for their programs to show: tests/clients.

use wharf_testkit::TestServer;

use crate::backend::on_every_database;
use crate::build::deb;
use crate::shop::Shop;

on_every_database! {
    a_setup_page_says_what_to_copy,
}

async fn a_setup_page_says_what_to_copy(server: &TestServer) {
    let shop = Shop::new(server, "team/debs");
    shop.add("sid/contrib", &deb("hello", "1.0")).await;
    let (private, public) = server.setup_pages("/apt/team/debs").await;
    assert!(
        private.contains(&format!("URIs: {}/apt/team/debs\nSuites: sid\nComponents: contrib\n", server.url())),
        "{private}"
    );
    assert!(private.contains("login viewer-of-team password $password"), "{private}");
    assert!(public.contains("Signed-By: /etc/apt/keyrings/team-debs.asc"), "{public}");
}
