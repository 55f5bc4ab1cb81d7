//! What is written down of pulls, logins and refusals.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use wharf_auth::{Role, ServerRole};
use wharf_testkit::{Client, Image, Options, TestServer, media, push_blob, sha256};

use crate::backend::{on_every_database, options};
use crate::repository::Repository;

on_every_database! {
    a_pull_is_a_line_with_everything_that_is_known_of_it,
    pulls_that_are_the_same_are_one_line,
    logins_that_failed_name_the_account_and_no_secret,
    a_refresh_token_that_is_made_is_a_line,
    a_refusal_is_a_line_of_the_project_that_it_is_about,
    a_change_that_came_to_nothing_is_written_down_too,
    a_push_that_a_tag_rule_refuses_names_the_rule,
    what_was_malformed_is_not_repeated,
    a_mount_from_where_one_may_not_read_is_a_refusal_there,
    who_brought_a_blob_is_known,
    what_is_refused_has_the_name_that_it_has_when_it_is_done,
    pages_are_whole_while_lines_are_written,
    an_export_is_what_the_pages_show,
    everybody_reads_what_they_did_themselves_and_maintainers_their_project,
    lines_are_kept_as_long_as_their_half_is,
}

async fn lines_of(client: &Client, path: &str) -> Vec<Value> {
    client.get(path).await.assert_status(200).json()["items"].as_array().expect("items").clone()
}

/// The lines that `query` finds, the oldest first.
async fn lines(server: &TestServer, query: &str) -> Vec<Value> {
    server.audit(query).await
}

fn text<'a>(line: &'a Value, field: &str) -> &'a str {
    line[field].as_str().unwrap_or_default()
}

async fn a_pull_is_a_line_with_everything_that_is_known_of_it(server: &TestServer) {
    Image::new().layer("a layer").push(&server.admin(), "team/app:v1").await;
    let robot = server.robot("team", "ci", Role::Puller).await;
    let puller = robot.with_registry_token(&["repository:team/app:pull"]).await;
    let pulled = puller.get("/v2/team/app/manifests/v1").await;
    let digest = pulled.assert_status(200).expect_header("docker-content-digest").to_owned();
    puller.head("/v2/team/app/manifests/v1").await.assert_status(200);
    puller.head(&format!("/v2/team/app/manifests/{digest}")).await.assert_status(200);
    let found = lines(server, &format!("digest={digest}&actor=team%2Bci")).await;
    let actions: Vec<_> = found.iter().map(|line| text(line, "action")).collect();
    assert_eq!(actions, ["manifest.read", "tag.resolve"]);
    let line = &found[0];
    assert_eq!((text(line, "actor"), text(line, "outcome"), text(line, "project")), ("team+ci", "ok", "team"));
    assert_eq!((text(line, "repository"), text(line, "subject")), ("team/app", "v1"));
    assert_eq!((text(line, "digest"), text(line, "address")), (digest.as_str(), "127.0.0.1"));
    assert_eq!(text(line, "request_id"), pulled.expect_header("x-request-id"));
    assert!(text(line, "credential").starts_with("registry token by token wfr_"), "{line}");
    assert_eq!((&line["times"], &line["at"]), (&Value::from(1), &line["last_at"]));
    let layer = sha256("a layer");
    puller.get(&format!("/v2/team/app/blobs/{layer}")).await.assert_status(200);
    puller.head(&format!("/v2/team/app/blobs/{layer}")).await.assert_status(200);
    let found = lines(server, &format!("digest={layer}&action=blob.read")).await;
    assert_eq!((found.len(), &found[0]["times"]), (1, &Value::from(1)));
    let logins = lines(server, "actor=team%2Bci&action=token.issue").await;
    assert_eq!((logins.len(), text(&logins[0], "outcome")), (1, "ok"));
    assert!(text(&logins[0], "credential").starts_with("token wfr_"), "{}", logins[0]);
}

async fn a_push_that_a_tag_rule_refuses_names_the_rule(server: &TestServer) {
    let admin = server.admin();
    let image = Image::new();
    image.push(&admin, "team/app:v1").await;
    let rule = serde_json::json!({ "name": "releases", "pattern": "v*" });
    admin.post_json("/api/v1/projects/team/tag-rules", &rule).await.assert_status(201);
    let repository = Repository::new(server, "team/app");
    let other = Image::new().annotation("number", "2");
    repository.put_manifest("v1", media::MANIFEST, other.manifest()).await.assert_status(409);
    let found = lines(server, "repository=team/app&outcome=failed").await;
    assert_eq!((found.len(), text(&found[0], "subject")), (1, "v1"));
    assert!(text(&found[0], "detail").contains("releases"), "{}", found[0]);
    // What is about a number says which.
    admin
        .post_json("/api/v1/repositories/oci/team/app/-/bin/77/restore", &serde_json::json!({}))
        .await
        .assert_status(404);
    let found = lines(server, "action=bin.restore").await;
    assert_eq!((text(&found[0], "outcome"), text(&found[0], "subject")), ("failed", "77"), "{found:?}");
}

async fn what_was_malformed_is_not_repeated(server: &TestServer) {
    let path = "/api/v1/users/admin/password";
    let request = server.admin().request(http::Method::PUT, path).header_named("content-type", "application/json");
    let refused = request.body(r#""hunter2hunter2""#).send().await;
    assert!(refused.status.is_client_error() && refused.text().contains("hunter2"), "{refused}");
    let found = lines(server, "outcome=failed").await;
    assert!(!found.is_empty() && found.iter().all(|line| !line.to_string().contains("hunter2")), "{found:?}");
}

async fn a_mount_from_where_one_may_not_read_is_a_refusal_there(server: &TestServer) {
    let digest = push_blob(&server.admin(), "secret/app", "a layer").await;
    server.project("team").await;
    let pusher = server.robot("team", "ci", Role::Pusher).await;
    let path = format!("/v2/team/app/blobs/uploads/?mount={digest}&from=secret/app");
    pusher.post(&path, "").await.assert_status(202);
    let found = lines(server, "project=secret&outcome=denied").await;
    assert_eq!(found.len(), 1, "{found:?}");
    let line = &found[0];
    assert_eq!((text(line, "actor"), text(line, "action"), text(line, "digest")), ("team+ci", "blob.mount", &*digest));
    assert_eq!(text(line, "subject"), "team/app");
}

async fn pulls_that_are_the_same_are_one_line(server: &TestServer) {
    Image::new().push(&server.admin(), "app:v1").await;
    let ann = server.user_with("ann", Role::Puller, "default").await;
    for _ in 0..5 {
        ann.get("/v2/app/manifests/v1").await.assert_status(200);
    }
    // The same repository by its other name.
    ann.get("/v2/default/app/manifests/v1").await.assert_status(200);
    let found = lines(server, "action=manifest.read&actor=ann").await;
    assert_eq!((found.len(), &found[0]["times"]), (1, &Value::from(6)));
    ann.get("/v2/app/manifests/v1").await.assert_status(200);
    let found = lines(server, "action=manifest.read&actor=ann").await;
    assert_eq!(found.iter().map(|line| line["times"].as_u64().unwrap()).collect::<Vec<_>>(), [6, 1]);
    assert!(server.core().access_counts().coalesced >= 5);
}

async fn logins_that_failed_name_the_account_and_no_secret(server: &TestServer) {
    let ann = server.user("ann").await;
    ann.get("/v2/").await.assert_status(200);
    ann.get("/v2/").await.assert_status(200);
    let logins = lines(server, "action=login&actor=ann").await;
    assert_eq!((logins.len(), text(&logins[0], "credential")), (1, "password"));
    let anonymous = server.anonymous();
    anonymous.with_basic("ann", "wrong-1").get("/v2/").await.assert_status(401);
    anonymous.with_basic("hunter42", "wrong-2").get("/token?service=wharf").await.assert_status(401);
    let lost = format!("wft_{}", "x".repeat(43));
    anonymous.with_bearer(&lost).get("/api/v1/whoami").await.assert_status(401);
    anonymous.get("/v2/").await.assert_status(401);
    let found = lines(server, "action=login&outcome=denied").await;
    let told: Vec<_> = found.iter().map(|line| (text(line, "subject"), text(line, "credential"))).collect();
    assert_eq!(
        told.iter().collect::<BTreeSet<_>>(),
        [&("ann", "password"), &("", "password"), &("", "token wft_xxxx…")].into()
    );
    assert!(found.iter().all(|line| text(line, "actor") == "anonymous" && text(line, "address") == "127.0.0.1"));
    let all = Value::from(lines(server, "").await).to_string();
    for secret in ["wrong-1", "wrong-2", "hunter42", &lost, "ann's password"] {
        assert!(!all.contains(secret), "{secret} is in the log");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_credential_that_comes_from_another_address_is_a_login_again() {
    let proxy = "127.0.0.0/8".parse().expect("addresses");
    let server = TestServer::start(options().web(|web| web.trusted_proxies = vec![proxy])).await;
    server.project("team").await;
    let (ann, robot) = (server.user("ann").await, server.robot("team", "ci", Role::Puller).await);
    for (client, name) in [(&ann, "ann"), (&robot, "team%2Bci")] {
        for address in ["192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.1"] {
            let request = client.request(http::Method::GET, "/api/v1/whoami");
            request.header_named("x-forwarded-for", address).send().await.assert_status(200);
        }
        let logins = lines(&server, &format!("action=login&actor={name}")).await;
        let told: Vec<_> = logins.iter().map(|line| (text(line, "address"), &line["times"])).collect();
        assert_eq!(told, [("192.0.2.1", &Value::from(1)), ("192.0.2.2", &Value::from(1))], "{name}");
    }
}

async fn a_refresh_token_that_is_made_is_a_line(server: &TestServer) {
    let ann = server.user("ann").await;
    ann.get("/token?service=wharf").await.assert_status(200);
    assert_eq!(lines(server, "action=refresh-token.issue").await.len(), 0);
    let made = ann.get("/token?service=wharf&offline_token=true&client_id=docker").await.assert_status(200).json();
    let found = lines(server, "action=refresh-token.issue").await;
    let told: Vec<_> =
        found.iter().map(|line| (text(line, "actor"), text(line, "credential"), text(line, "address"))).collect();
    assert_eq!(told, [("ann", "password", "127.0.0.1")]);
    assert!(!Value::from(found).to_string().contains(text(&made, "refresh_token")));
}

async fn a_refusal_is_a_line_of_the_project_that_it_is_about(server: &TestServer) {
    Image::new().push(&server.admin(), "team/app:v1").await;
    let (viewer, stranger) = (server.user_with("vera", Role::Viewer, "team").await, server.user("nils").await);
    stranger.get("/v2/team/app/manifests/v1").await.assert_status(404);
    viewer.delete("/v2/team/app/manifests/v1").await.assert_status(403);
    let narrow = viewer.with_registry_token(&["repository:team/other:pull"]).await;
    narrow.get("/v2/team/app/tags/list").await.assert_status(401);
    server.anonymous().get("/v2/team/app/manifests/v1").await.assert_status(401);
    viewer.get("/api/v1/users").await.assert_status(403);
    let found = lines(server, "project=team&outcome=denied").await;
    let told: Vec<_> =
        found.iter().map(|line| (text(line, "actor"), text(line, "action"), text(line, "subject"))).collect();
    assert_eq!(told, [("nils", "manifest.read", "v1"), ("vera", "tag.delete", "v1"), ("vera", "tags.list", "")]);
    assert!(text(&found[0], "detail").starts_with("hidden"), "{}", found[0]);
    assert_eq!(lines(server, "action=users.list&outcome=denied").await.len(), 1);
    assert_eq!(lines(server, "action=users.list&outcome=denied&project=team").await.len(), 0);
}

async fn a_change_that_came_to_nothing_is_written_down_too(server: &TestServer) {
    Image::new().push(&server.admin(), "team/app:v1").await;
    let admin = server.admin();
    admin.delete("/v2/team/app/manifests/v2").await.assert_status(404);
    admin.delete("/v2/team/app/manifests/v1").await.assert_status(202);
    let found = lines(server, "repository=team/app&outcome=failed").await;
    assert_eq!((found.len(), text(&found[0], "action"), text(&found[0], "subject")), (1, "tag.delete", "v2"));
    assert_eq!(text(&found[0], "detail"), "answered 404: tag v2 is not in this repository");
    let done = lines(server, "repository=team/app&action=tag.delete&outcome=ok").await;
    assert_eq!(done.len(), 1);
}

async fn who_brought_a_blob_is_known(server: &TestServer) {
    Image::new().push(&server.admin(), "team/first:v1").await;
    let robot = server.robot("team", "ci", Role::Pusher).await;
    Image::new().layer("a layer").push(&robot, "team/app:v1").await;
    let layer = sha256("a layer");
    robot.post(&format!("/v2/team/other/blobs/uploads/?mount={layer}&from=team/app"), "").await.assert_status(201);
    let found = lines(server, &format!("digest={layer}")).await;
    let told: Vec<_> =
        found.iter().map(|line| (text(line, "actor"), text(line, "action"), text(line, "repository"))).collect();
    assert_eq!(told, [("team+ci", "blob.push", "team/app"), ("team+ci", "blob.mount", "team/other")]);
}

async fn what_is_refused_has_the_name_that_it_has_when_it_is_done(server: &TestServer) {
    let (admin, tag) = (server.admin(), "/api/v1/repositories/oci/team/app/-/tags/v1");
    let [one, two] = ["one", "two"].map(|layer| Image::new().layer(layer));
    for image in [&one, &two] {
        image.push(&admin, "team/app:v1").await;
    }
    admin.delete(&format!("/v2/team/app/manifests/{}", one.digest())).await.assert_status(202);
    let (viewer, pusher) =
        (server.user_with("vera", Role::Viewer, "team").await, server.user_with("paul", Role::Pusher, "team").await);
    viewer.delete(tag).await.assert_status(403);
    // A push is refused at its first step.
    viewer.post("/v2/team/app/blobs/uploads/", "").await.assert_status(403);
    let found = lines(server, "repository=team/app&action=blob.push&outcome=denied").await;
    assert_eq!(found.iter().map(|line| text(line, "actor")).collect::<Vec<_>>(), ["vera"]);
    // What it would need is known only when it is looked at.
    pusher.post_json(&format!("{tag}/rollback"), &serde_json::json!({})).await.assert_status(403);
    admin.post_json(&format!("{tag}/rollback"), &serde_json::json!({})).await.assert_status(200);
    admin.delete(tag).await.assert_status(204);
    for (action, refused) in [("tag.delete", "vera"), ("tag.rollback", "paul")] {
        for (outcome, actor) in [("denied", refused), ("ok", "admin")] {
            let found = lines(server, &format!("repository=team/app&action={action}&outcome={outcome}")).await;
            let actors: Vec<_> = found.iter().map(|line| text(line, "actor")).collect();
            assert_eq!(actors, [actor], "{action} {outcome}");
        }
    }
}

/// Walks through everything in small pages and says which ids it saw.
async fn walk(client: &Client, query: &str, mut between: impl AsyncFnMut()) -> Vec<String> {
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = client.get(&format!("/api/v1/audit?limit=3&{query}&after={after}")).await;
        let page = page.assert_status(200).json();
        seen.extend(page["items"].as_array().unwrap().iter().map(|line| text(line, "id").to_owned()));
        let Some(next) = page["next"].as_str() else { return seen };
        next.clone_into(&mut after);
        between().await;
    }
}

async fn pages_are_whole_while_lines_are_written(server: &TestServer) {
    for number in 0..7 {
        Image::new().layer(format!("{number}")).push(&server.admin(), &format!("team/app:v{number}")).await;
        server.admin().get(&format!("/v2/team/app/manifests/v{number}")).await.assert_status(200);
        server.core().flush_accesses().await.unwrap();
    }
    let auditor = server.user("aura").await;
    server.grant_on_server("aura", ServerRole::Auditor).await;
    let before: Vec<_> = lines(server, "repository=team/app").await;
    let before: Vec<_> = before.iter().rev().map(|line| text(line, "id").to_owned()).collect();
    assert!(before.len() >= 14, "{before:?}");
    let mut number = 0;
    let seen = walk(&auditor, "repository=team/app", async || {
        number += 1;
        server.admin().get(&format!("/v2/team/app/manifests/v{}", number % 7)).await.assert_status(200);
        Image::new().push(&server.admin(), &format!("team/app:new{number}")).await;
        server.core().flush_accesses().await.unwrap();
    });
    let seen = seen.await;
    assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), seen.len(), "a line came twice");
    assert_eq!(seen.into_iter().filter(|id| before.contains(id)).collect::<Vec<_>>(), before);
}

async fn an_export_is_what_the_pages_show(server: &TestServer) {
    for number in 0..3 {
        Image::new().push(&server.admin(), &format!("team/app:v{number}")).await;
        server.admin().get(&format!("/v2/team/app/manifests/v{number}")).await.assert_status(200);
    }
    server.clock().advance(Duration::from_secs(31));
    let pages = lines(server, "repository=team/app").await;
    let export = async |query: &str| -> Vec<Value> {
        let answer = server.admin().get(&format!("/api/v1/audit/export?{query}")).await;
        assert_eq!(answer.assert_status(200).expect_header("content-type"), "application/x-ndjson");
        let text = String::from_utf8(answer.body.to_vec()).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'));
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    assert_eq!(export("repository=team/app").await, pages);
    let (first, rest) = pages.split_at(2);
    assert_eq!(export(&format!("repository=team/app&after={}", text(&first[1], "id"))).await, rest);
    let until = text(&pages[3], "at");
    let older: Vec<_> = pages.iter().filter(|line| text(line, "at") < until).cloned().collect();
    assert_eq!(export(&format!("repository=team/app&until={until}")).await, older);
    // What is younger may not be whole yet.
    server.admin().get("/v2/team/app/tags/list").await.assert_status(200);
    server.admin().get("/v2/team/app/manifests/v0").await.assert_status(200);
    server.core().flush_accesses().await.unwrap();
    assert_eq!(export("repository=team/app").await, pages);
}

async fn everybody_reads_what_they_did_themselves_and_maintainers_their_project(server: &TestServer) {
    Image::new().push(&server.admin(), "team/app:v1").await;
    Image::new().push(&server.admin(), "other/app:v1").await;
    let maintainer = server.user_with("mia", Role::Maintainer, "team").await;
    let nils = server.user("nils").await;
    for name in ["team", "other"] {
        nils.get(&format!("/v2/{name}/app/manifests/v1")).await.assert_status(404);
    }
    server.core().flush_accesses().await.unwrap();
    let own = lines_of(&nils, "/api/v1/account/audit").await;
    assert!(own.iter().all(|line| text(line, "actor") == "nils"));
    let actions: BTreeSet<_> = own.iter().map(|line| text(line, "action")).collect();
    assert_eq!(actions, BTreeSet::from(["login", "manifest.read"]));
    let theirs = lines_of(&maintainer, "/api/v1/projects/team/audit?limit=1000").await;
    assert!(theirs.iter().all(|line| text(line, "project") == "team"));
    assert!(theirs.iter().any(|line| text(line, "actor") == "nils" && text(line, "outcome") == "denied"));
    maintainer.get("/api/v1/projects/other/audit").await.assert_status(404);
    maintainer.get("/api/v1/audit/export").await.assert_status(403);
    nils.get("/api/v1/account/audit?actor=mia").await.assert_status(400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_finds_no_room_is_counted_and_the_log_says_so() {
    let server = TestServer::start(options().core(|core| core.access_lines = 8)).await;
    Image::new().push(&server.admin(), "team/app:v1").await;
    server.core().flush_accesses().await.unwrap();
    let ann = server.user_with("ann", Role::Puller, "team").await;
    for number in 0..20 {
        ann.delete(&format!("/v2/team/app/manifests/v{number}")).await.assert_status(403);
    }
    let counts = server.core().access_counts();
    assert_eq!((counts.held, counts.capacity), (8, 8));
    assert_eq!(counts.dropped, 13, "20 refusals and a login in 8 places");
    let found = lines(&server, "action=audit.drop").await;
    assert_eq!((found.len(), &found[0]["times"], text(&found[0], "outcome")), (1, &Value::from(13), "failed"));
    // Then there is room again.
    ann.get("/v2/team/app/manifests/v1").await.assert_status(200);
    assert_eq!(lines(&server, "action=manifest.read").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_shows_no_credential_cannot_crowd_out_who_does() {
    let server = TestServer::start(options().core(|core| core.access_lines = 8)).await;
    server.public_project("open").await;
    Image::new().push(&server.admin(), "open/app:v1").await;
    server.core().flush_accesses().await.unwrap();
    let (anonymous, admin) =
        (server.anonymous().with_registry_token(&["repository:open/app:pull"]).await, server.admin());
    for number in 0..20 {
        anonymous.get(&format!("/v2/closed{number}/app/manifests/v1")).await.assert_status(401);
    }
    assert_eq!(server.core().access_counts().held, 4);
    admin.get("/v2/open/app/manifests/v1").await.assert_status(200);
    assert_eq!(lines(&server, "action=manifest.read&actor=admin").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_writes_down_what_was_noted() {
    let server = TestServer::start(Options::new()).await;
    Image::new().push(&server.admin(), "team/app:v1").await;
    server.admin().get("/v2/team/app/manifests/v1").await.assert_status(200);
    assert!(server.core().access_counts().held > 0);
    let server = server.restart().await;
    assert_eq!(server.core().access_counts().held, 0);
    let found = lines_of(&server.admin(), "/api/v1/audit?action=manifest.read").await;
    assert_eq!(found.len(), 1);
}

async fn lines_are_kept_as_long_as_their_half_is(server: &TestServer) {
    const HOUR: Duration = Duration::from_secs(3600);
    const DAY: Duration = Duration::from_secs(24 * 3600);
    Image::new().push(&server.admin(), "team/app:old").await;
    server.admin().get("/v2/team/app/manifests/old").await.assert_status(200);
    let before = lines(server, "repository=team/app").await;
    let brought = before.iter().filter(|line| text(line, "action") == "blob.push").count();
    assert!(brought > 0);
    server.clock().advance(91 * DAY);
    server.admin().get("/v2/team/app/manifests/old").await.assert_status(200);
    server.core().sweep().await.unwrap();
    let found = lines(server, "repository=team/app&outcome=ok").await;
    assert_eq!(found.len(), before.len() - brought, "a pull went and a pull came");
    assert_eq!(found.iter().filter(|line| text(line, "action") == "manifest.read").count(), 1);
    server.clock().advance(640 * DAY + HOUR);
    server.core().sweep().await.unwrap();
    assert_eq!(lines(server, "repository=team/app").await.len(), 0);
}
