//! How a repository is used, said by itself. That the lines do what they say is for their programs to show: tests/clients.

use wharf_testkit::TestServer;

use crate::backend::on_every_database;
use crate::chart::{Museum, chart};

on_every_database! {
    a_setup_page_says_what_to_copy,
}

async fn a_setup_page_says_what_to_copy(server: &TestServer) {
    let museum = Museum::new(server, "team/charts");
    museum.add(&chart("crate", "1.0.0")).await;
    let (private, public) = server.setup_pages("/helm/team/charts").await;
    let added = format!("helm repo add team-charts '{}/helm/team/charts'", server.url());
    assert!(private.contains(&format!("{added} --username 'viewer-of-team' --password-stdin\n")), "{private}");
    assert!(public.contains(&format!("{added}\n")), "{public}");
}
