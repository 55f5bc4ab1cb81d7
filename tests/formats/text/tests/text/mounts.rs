//! Two addresses, one repository; and two formats, two repositories.

use wharf_auth::Role;
use wharf_testkit::{AWKWARD_PASSWORD, Image, TestServer};

use crate::backend::on_every_database;
use crate::note::{index_of, note};
use crate::shelf::Shelf;

on_every_database! {
    both_addresses_lead_to_one_repository,
    a_shared_address_leads_there_too,
    repositories_of_two_formats_may_have_one_name,
    a_setup_page_says_what_to_copy,
}

async fn both_addresses_lead_to_one_repository(server: &TestServer) {
    let here = Shelf::new(server, "team/notes");
    let there = here.at_other_address();
    let notes = ["a", "b"].map(|name| note(name, "1"));
    here.add("stable", &notes[0]).await;
    let upload = "/api/packages/team/text/notes/upload?channel=stable&wait=1";
    let posted = server.admin().post(upload, notes[1].file()).await;
    assert_eq!(posted.assert_status(201).location(), here.path(&notes[1].path("stable")));
    assert_eq!(here.verified("stable").await, there.verified("stable").await);
    assert_eq!(here.verified("stable").await.index, index_of("stable", &notes));
    assert_eq!(here.keys().await, there.keys().await);
    there.get(&notes[0].path("stable")).await.assert_status(200).assert_body(notes[0].file());
    there.delete(&format!("{}?wait=1", notes[0].path("stable"))).await.assert_status(204);
    assert_eq!(here.index("stable").await, notes[1].entry("stable"));
    server.admin().put("/api/packages/team/text/notes/upload?wait=1", note("c", "1").file()).await.assert_status(201);
    assert_eq!(here.index("main").await, note("c", "1").entry("main"));
    // What is not ours below the same prefix is nobody's, and the API stays where it is.
    server.admin().get("/api/packages/team/debian/notes/key").await.assert_status(404);
    server.admin().get("/api/v1/projects/team").await.assert_status(200);
    server.anonymous().get("/api/packages/team/text/notes/key").await.assert_status(401);
}

async fn a_shared_address_leads_there_too(server: &TestServer) {
    let shelf = Shelf::new(server, "team/notes");
    let notes = ["a", "b"].map(|name| note(name, "1"));
    let put = async |path: &str, note: &crate::note::Note| server.admin().put(path, note.file()).await;
    put("/repository/team:notes/stable/whatever.txt?wait=1", &notes[0]).await.assert_status(201);
    put("/repository/team%3Anotes/stable/other.txt?wait=1", &notes[1]).await.assert_status(201);
    assert_eq!(shelf.verified("stable").await.index, index_of("stable", &notes));
    put("/repository/team:notes/stable/whatever.md", &notes[0]).await.assert_status(404);
    put("/repository/team:Notes/stable/whatever.txt", &notes[0]).await.assert_status(400);
    server.admin().get("/repository/team:notes/stable/whatever.txt").await.assert_status(405);
    server.anonymous().put("/repository/team:notes/stable/a.txt", notes[0].file()).await.assert_status(401);
}

async fn repositories_of_two_formats_may_have_one_name(server: &TestServer) {
    let shelf = Shelf::new(server, "team/notes");
    let a = note("a", "1");
    shelf.add("stable", &a).await;
    server.admin().get("/v2/team/notes/tags/list").await.assert_status(404);
    Image::new().layer("hello").push(&server.admin(), "team/notes:v1").await;
    server.admin().get("/v2/team/notes/tags/list").await.assert_status(200);
    // The bytes of a package are no blob of the image repository of the same name.
    let digest = wharf_testkit::sha256(a.file());
    server.admin().get(&format!("/v2/team/notes/blobs/{digest}")).await.assert_status(404);
    assert_eq!(shelf.verified("stable").await.index, a.entry("stable"));
}

async fn a_setup_page_says_what_to_copy(server: &TestServer) {
    let shelf = Shelf::new(server, "team/notes");
    shelf.add("stable", &note("a", "1")).await;
    let jo = server.user_with_password("jo", AWKWARD_PASSWORD).await;
    server.grant("jo", Role::Owner, "team", "**").await;
    let page = jo.get(&shelf.path("setup")).await;
    let text = page.assert_status(200).assert_header("content-type", "text/plain; charset=utf-8").text();
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("FILE"), note("b", "1").file()).expect("a file");
    // Exactly these lines do what they say.
    let script = text.replace("PASSWORD", AWKWARD_PASSWORD);
    let ran = tokio::process::Command::new("sh").args(["-e", "-c", &script]).current_dir(folder.path()).output().await;
    let ran = ran.expect("a shell");
    assert!(ran.status.success(), "{text}\n{}", String::from_utf8_lossy(&ran.stderr));
    assert!(String::from_utf8_lossy(&ran.stdout).contains(&note("a", "1").entry("stable")), "{text}");
    assert!(folder.path().join("team-notes.asc").exists());
    assert_eq!(shelf.verified("stable").await.index, index_of("stable", &["a", "b"].map(|name| note(name, "1"))));
    let html = server
        .admin()
        .request(reqwest::Method::GET, &shelf.path("setup"))
        .header_named("accept", "text/html")
        .send()
        .await;
    html.assert_status(200).assert_header("content-type", "text/html; charset=utf-8");
    assert!(html.text().contains("<pre>"), "{}", html.text());
    server.anonymous().get(&shelf.path("setup")).await.assert_status(401);
}
