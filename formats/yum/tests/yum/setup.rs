//! How a repository is used, said by itself. That the lines do what they say is for their programs to show: tests/clients.

use wharf_testkit::TestServer;

use crate::backend::on_every_database;
use crate::shelf::{Shelf, package};

on_every_database! {
    a_setup_page_says_what_to_copy,
}

async fn a_setup_page_says_what_to_copy(server: &TestServer) {
    let shelf = Shelf::new(server, "team/el9");
    shelf.add(package("hello", "1.0")).await;
    let (private, public) = server.setup_pages("/yum/team/el9").await;
    assert!(private.contains("\nusername=viewer-of-team\npassword=$password\n"), "{private}");
    assert!(public.contains(&format!("mirrorlist={}/yum/team/el9/mirrorlist\n", server.url())), "{public}");
}
