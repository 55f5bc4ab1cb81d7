//! What is refused, and that nothing of it stays.

use wharf_testkit::TestServer;

use crate::backend::on_every_database;
use crate::shelf::{Shelf, package};

on_every_database! {
    a_bad_package_is_refused_and_leaves_nothing,
    what_is_not_there_is_not_found,
}

async fn a_bad_package_is_refused_and_leaves_nothing(server: &TestServer) {
    let shelf = Shelf::new(server, "new/el9");
    let file = package("tool", "1-1");
    let flipped = |at: usize| {
        let mut file = file.clone();
        file[at] ^= 0xff;
        file
    };
    for (file, why) in [
        (Vec::new(), "shorter than the lead"),
        (b"just a text".repeat(20), "not an RPM package"),
        (file[..file.len() / 2].to_vec(), "it ends in its"),
        (file[..file.len() - 1].to_vec(), "cut short"),
        (flipped(file.len() - 1), "damaged"),
        (flipped(96 + 8), "too much"),
    ] {
        let refused = shelf.put("upload", file).await;
        let text = refused.assert_status(400).assert_header("content-type", "text/plain; charset=utf-8").text();
        assert!(text.starts_with("invalid package: ") && text.contains(why), "{why}: {text}");
    }
    assert!(server.storage().survey(None, 100).await.expect("a survey").is_empty());
    server.admin().get("/api/v1/projects/new").await.assert_status(404);
}

async fn what_is_not_there_is_not_found(server: &TestServer) {
    let shelf = Shelf::new(server, "team/el9");
    for path in ["repodata/repomd.xml", "Packages/t/tool-1-1.noarch.rpm", "team-el9.repo", "info/tool-1-1.noarch.rpm"] {
        shelf.get(path).await.assert_status(404);
    }
    shelf.add(package("tool", "1-1")).await;
    let hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    for path in [format!("repodata/{hex}-primary.xml.gz"), "comps.xml".to_owned(), "repodata/other".to_owned()] {
        shelf.get(&path).await.assert_status(404);
    }
}
