//! How a repository is used, said by itself. That the lines do what they say is for their programs to show: tests/clients.

use wharf_testkit::{Image, TestServer, takes_any_password};

use crate::backend::on_every_database;

on_every_database! {
    a_setup_page_takes_any_password,
}

async fn a_setup_page_takes_any_password(server: &TestServer) {
    Image::new().layer("hello").push(&server.admin(), "team/app:v1").await;
    let page = server.admin().get("/api/v1/repositories/oci/team/app/-/setup").await.assert_status(200).json();
    takes_any_password(page["text"].as_str().expect("a text")).await;
}
