//! Who may do what.

use wharf_auth::{Role, ServerRole};
use wharf_testkit::{Client, TestServer};

use crate::backend::on_every_database;
use crate::note::note;
use crate::shelf::Shelf;

on_every_database! {
    each_role_may_do_what_it_says,
    nobody_is_asked_to_sign_in_by_name_and_password,
    what_is_hidden_answers_like_what_is_missing,
    in_a_public_project_everybody_may_read,
    who_may_create_projects_creates_one_by_an_upload,
    robots_and_patterns_count_as_everywhere,
}

/// A repository with a package, and every kind of request about it.
struct Requests {
    digest: String,
}

impl Requests {
    async fn prepare(server: &TestServer) -> Self {
        server.project("team").await;
        let shelf = Shelf::new(server, "team/notes");
        shelf.add("stable", &note("there", "1")).await;
        Self { digest: shelf.verified("stable").await.digest.replace(':', "/") }
    }

    /// The answers to: setup, key, index, index by digest, package, upload, delete.
    async fn statuses(&self, who: &Client, name: &str) -> [u16; 7] {
        let shelf = Shelf::of(who, name);
        let upload = note(&format!("by-{}", who.authorization().map_or(0, |text| text.len())), "1");
        [
            shelf.get("setup").await,
            shelf.get("key").await,
            shelf.get("stable/Index").await,
            shelf.get(&format!("stable/by-hash/{}", self.digest)).await,
            shelf.get("stable/packages/there_1.txt").await,
            shelf.put("stable", upload.file()).await,
            shelf.delete(&upload.path("stable")).await,
        ]
        .map(|answer| answer.status.as_u16())
    }
}

async fn each_role_may_do_what_it_says(server: &TestServer) {
    let requests = Requests::prepare(server).await;
    let table = [
        (Role::Viewer, [200, 200, 403, 403, 403, 403, 403]),
        (Role::Puller, [200, 200, 200, 200, 200, 403, 403]),
        (Role::Pusher, [200, 200, 200, 200, 200, 201, 403]),
        (Role::Maintainer, [200, 200, 200, 200, 200, 201, 204]),
        (Role::Owner, [200, 200, 200, 200, 200, 201, 204]),
    ];
    for (role, expected) in table {
        let client = server.user_with(&format!("{role}-of-team"), role, "team").await;
        assert_eq!(requests.statuses(&client, "team/notes").await, expected, "{role}");
    }
    let outsider = server.user("outsider").await;
    assert_eq!(requests.statuses(&outsider, "team/notes").await, [404; 7]);
    let auditor = server.user("auditor").await;
    server.grant_on_server("auditor", ServerRole::Auditor).await;
    let [setup, key, .., upload, delete] = requests.statuses(&auditor, "team/notes").await;
    assert_eq!([setup, key, upload, delete], [200, 200, 403, 403]);
}

async fn nobody_is_asked_to_sign_in_by_name_and_password(server: &TestServer) {
    let requests = Requests::prepare(server).await;
    assert_eq!(requests.statuses(&server.anonymous(), "team/notes").await, [401; 7]);
    for name in ["team/notes", "team/nothing", "nowhere/notes"] {
        let asked = Shelf::of(&server.anonymous(), name).get("stable/Index").await;
        asked.assert_status(401).assert_header("www-authenticate", "Basic realm=\"wharf\", charset=\"UTF-8\"");
        asked.assert_body("sign in first\n");
    }
    let wrong = server.anonymous().with_basic("admin", "wrong");
    assert_eq!(Shelf::of(&wrong, "team/notes").get("key").await.assert_status(401).text().lines().count(), 1);
}

async fn what_is_hidden_answers_like_what_is_missing(server: &TestServer) {
    Requests::prepare(server).await;
    let outsider = server.user("outsider").await;
    let rests = ["setup", "key", "stable/Index", "stable/Release", "stable/packages/there_1.txt", "edge/Index"];
    for rest in rests {
        let ask = async |name: &str| {
            let answer = Shelf::of(&outsider, name).get(rest).await;
            let text = answer.assert_status(404).text();
            let mut headers: Vec<_> = answer.headers.keys().map(ToString::to_string).collect();
            headers.sort();
            let (project, repository) = name.split_once('/').expect("a project");
            (text.replace(name, "NAME").replace(project, "PROJECT").replace(repository, "REPOSITORY"), headers)
        };
        let hidden = ask("team/notes").await;
        assert_eq!(hidden, ask("team/nothing").await, "{rest}");
        assert_eq!(hidden, ask("nowhere/nothing").await, "{rest}");
    }
    let [there, missing] = ["team/notes", "nowhere/notes"].map(|name| Shelf::of(&outsider, name));
    let file = note("new", "1").file();
    assert_eq!(there.put("stable", file.clone()).await.status, missing.put("stable", file).await.status);
}

async fn in_a_public_project_everybody_may_read(server: &TestServer) {
    server.public_project("open").await;
    let shelf = Shelf::new(server, "open/notes");
    shelf.add("stable", &note("there", "1")).await;
    let requests = Requests { digest: shelf.verified("stable").await.digest.replace(':', "/") };
    let statuses = requests.statuses(&server.anonymous(), "open/notes").await;
    assert_eq!(statuses, [200, 200, 200, 200, 200, 401, 401]);
    let somebody = server.user("somebody").await;
    assert_eq!(requests.statuses(&somebody, "open/notes").await, [200, 200, 200, 200, 200, 403, 403]);
    Shelf::of(&server.anonymous(), "open/notes").verified("stable").await;
}

async fn who_may_create_projects_creates_one_by_an_upload(server: &TestServer) {
    let founder = server.user("founder").await;
    server.grant_on_server("founder", ServerRole::Creator).await;
    let shelf = Shelf::of(&founder, "fresh/notes");
    shelf.add("stable", &note("a", "1")).await;
    shelf.verified("stable").await;
    shelf.delete("stable/packages/a_1.txt").await.assert_status(204);
    let other = Shelf::of(&server.user("other").await, "fresh/notes");
    other.get("stable/Index").await.assert_status(404);
    other.put("stable", note("b", "1").file()).await.assert_status(404);
}

async fn robots_and_patterns_count_as_everywhere(server: &TestServer) {
    server.project("team").await;
    let robot = server.robot("team", "ci", Role::Pusher).await;
    Shelf::of(&robot, "team/notes").add("stable", &note("a", "1")).await;
    let narrow = server.user("narrow").await;
    server.grant("narrow", Role::Pusher, "team", "notes").await;
    Shelf::of(&narrow, "team/notes").put("stable", note("b", "1").file()).await.assert_status(201);
    Shelf::of(&narrow, "team/secrets").put("stable", note("b", "1").file()).await.assert_status(404);
}
