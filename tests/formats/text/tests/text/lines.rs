//! Every row of the JSON API that changes something, refused and done: both leave a line of the audit log, under one name.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use serde_json::{Value, json};
use wharf_testkit::{Answer, Backend, Client, Image, TestServer, openpgp_key, push_blob};

use crate::backend::{idle, work};
use crate::note::note;
use crate::shelf::Shelf;

/// Rows that have several names when they are done, by what they come to; who refuses them does not know it, and calls them by their own.
const OF_SEVERAL_NAMES: [&str; 5] =
    ["bin.restore", "project-robots.update", "robots.update", "users.set-server-roles", "users.update"];

const BCRYPT: &str = "$2y$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy";

/// Goes through the rows. What it has seen is not asked for again.
struct Walk {
    server: TestServer,
    /// Method and path of each row that is not for reading.
    rows: BTreeMap<String, (Method, String)>,
    /// Who may, and who may not.
    who: (Client, Client),
    seen: BTreeSet<String>,
}

impl Walk {
    async fn begin(server: TestServer) -> Self {
        let who = (server.admin(), server.user("nils").await);
        let rows = rows(&server).await;
        Self { server, rows, who, seen: BTreeSet::new() }
    }

    fn route(&self, operation: &str, places: &[(&str, &str)]) -> (Method, String) {
        let (method, path) = self.rows.get(operation).unwrap_or_else(|| panic!("{operation} is no row that changes"));
        let fill = |path: String, (place, value): &(&str, &str)| match *place {
            "?" => format!("{path}?{value}"),
            place => path.replace(&format!("{{{place}}}"), value),
        };
        let path = places.iter().fold(path.clone(), fill);
        assert!(!path.contains('{'), "{path}");
        (method.clone(), path)
    }

    /// Has somebody try a row who may not, then somebody who may, and looks for both. Gives what was answered.
    async fn does(&mut self, operation: &str, places: &[(&str, &str)], body: Value) -> Value {
        let (method, path) = self.route(operation, places);
        let refused = send(&self.who.1, &method, &path, &body).await;
        assert!([403, 404].contains(&refused.status.as_u16()), "{operation}: {refused}");
        let lines = self.server.audit_of(&refused).await;
        let [denied] = &lines[..] else { panic!("{operation} was refused with {lines:?}") };
        assert_eq!(denied["outcome"], "denied", "{denied}");
        let done = send(&self.who.0, &method, &path, &body).await;
        assert!(done.status.is_success(), "{operation}: {done}");
        let lines = self.server.audit_of(&done).await;
        assert!(!lines.is_empty(), "{operation} was done and left no line");
        for line in &lines {
            let known = ["outcome", "address", "credential"].map(|field| text(line, field));
            assert_eq!(known, ["ok", "127.0.0.1", "password"], "{line}");
        }
        let names: BTreeSet<_> = lines.iter().map(|line| text(line, "action")).collect();
        let alike = names.contains(text(denied, "action"));
        assert_eq!(alike, !OF_SEVERAL_NAMES.contains(&operation), "{denied} is {names:?} when it is done");
        self.seen.insert(operation.to_owned());
        if done.body.is_empty() { Value::Null } else { done.json() }
    }

    /// What the administrator finds at a path.
    async fn first_of(&self, path: &str) -> Value {
        let list = self.server.admin().get(path).await.assert_status(200).json();
        list["items"][0].clone()
    }
}

/// The rows of the JSON API that are not for reading.
async fn rows(server: &TestServer) -> BTreeMap<String, (Method, String)> {
    let document = server.anonymous().get("/api/openapi.json").await.assert_status(200).json();
    let mut rows = BTreeMap::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, row) in methods.as_object().expect("methods") {
            let method: Method = method.to_uppercase().parse().expect("a method");
            if method != Method::GET
                && let Some(operation) = row["operationId"].as_str()
            {
                rows.insert(operation.to_owned(), (method, path.clone()));
            }
        }
    }
    rows
}

async fn send(client: &Client, method: &Method, path: &str, body: &Value) -> Answer {
    let request = client.request(method.clone(), path);
    let request = match body {
        Value::Null => request,
        Value::String(text) => request.header_named("content-type", "text/plain").body(text.clone()),
        body => request.json(body),
    };
    request.send().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_row_of_the_api_that_changes_something_leaves_a_line_done_or_refused() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let depot = tempfile::tempdir().expect("a folder");
        let server = TestServer::start(idle().depot(depot.path()).backend(backend)).await;
        let mut walk = Walk::begin(server).await;
        projects_and_their_rules(&mut walk).await;
        users_and_groups(&mut walk).await;
        robots(&mut walk).await;
        tags_and_the_bin(&mut walk).await;
        keys_and_snapshots(&mut walk).await;
        work_of_the_server(&mut walk).await;
        own_account(&mut walk).await;
        let rows: BTreeSet<_> = walk.rows.keys().cloned().collect();
        assert_eq!(walk.seen, rows, "rows that nobody has looked at: have them done here");
    }
}

async fn projects_and_their_rules(walk: &mut Walk) {
    let team = ("project", "team");
    walk.server.user("ann").await;
    walk.does("projects.create", &[], json!({ "name": "team" })).await;
    walk.does("projects.create", &[], json!({ "name": "spare" })).await;
    walk.does("projects.update", &[team], json!({ "public": false })).await;
    walk.does("projects.delete", &[("project", "spare")], Value::Null).await;
    walk.does("grants.put", &[team], json!({ "kind": "user", "name": "ann", "role": "viewer" })).await;
    walk.does("grants.remove", &[team, ("?", "kind=user&name=ann")], Value::Null).await;
    walk.does("tag-rules.add", &[team], json!({ "name": "releases", "pattern": "r*" })).await;
    walk.does("tag-rules.remove", &[team, ("rule", "releases")], Value::Null).await;
    let key = STANDARD.encode(openpgp_key("Ann <ann@example.org>").public);
    walk.does("keyring.add", &[team], json!({ "keys": key })).await;
    let key = walk.first_of("/api/v1/projects/team/keyring").await;
    walk.does("keyring.remove", &[team, ("key", text(&key, "fingerprint"))], Value::Null).await;
}

async fn users_and_groups(walk: &mut Walk) {
    let (bea, devs) = (("user", "bea"), ("group", "devs"));
    walk.does("users.create", &[], json!({ "name": "bea", "password": "bea's password" })).await;
    walk.does("users.import", &[], Value::from(format!("carl:{BCRYPT}\n"))).await;
    for disabled in [true, false] {
        walk.does("users.update", &[bea], json!({ "disabled": disabled })).await;
    }
    for roles in [json!(["auditor"]), json!([])] {
        walk.does("users.set-server-roles", &[bea], json!({ "server_roles": roles })).await;
    }
    walk.does("users.set-password", &[bea], json!({ "password": "another password" })).await;
    let theirs = walk.server.anonymous().with_basic("bea", "another password");
    theirs.post_json("/api/v1/account/tokens", &json!({ "name": "laptop" })).await.assert_status(201);
    let token = walk.first_of("/api/v1/users/bea/tokens").await["id"].to_string();
    walk.does("users.revoke-token", &[bea, ("token", &token)], Value::Null).await;
    walk.does("groups.create", &[], json!({ "name": "devs" })).await;
    walk.does("groups.add-member", &[devs, ("member", "bea")], Value::Null).await;
    walk.does("groups.remove-member", &[devs, ("member", "bea")], Value::Null).await;
    walk.does("groups.delete", &[devs], Value::Null).await;
    walk.does("users.delete", &[bea], Value::Null).await;
}

async fn robots(walk: &mut Walk) {
    for (of, places, new) in [
        ("robots", &[("robot", "ci")][..], json!({ "name": "ci" })),
        ("project-robots", &[("project", "team"), ("robot", "ci")], json!({ "name": "ci", "grants": [] })),
    ] {
        walk.does(&format!("{of}.create"), places, new).await;
        for disabled in [true, false] {
            walk.does(&format!("{of}.update"), places, json!({ "disabled": disabled })).await;
        }
        walk.does(&format!("{of}.rotate"), places, json!({})).await;
        walk.does(&format!("{of}.delete"), places, Value::Null).await;
    }
}

async fn tags_and_the_bin(walk: &mut Walk) {
    let [one, two] = ["one", "two"].map(|layer| Image::new().layer(layer));
    for image in [&one, &two] {
        image.push(&walk.server.admin(), "team/app:v1").await;
    }
    let app = [("format", "oci"), ("repository", "team/app")];
    let v1 = [app[0], app[1], ("tag", "v1")];
    walk.does("tags.rollback", &v1, json!({})).await;
    walk.does("tags.delete", &v1, Value::Null).await;
    let entry = walk.first_of("/api/v1/bin").await["id"].to_string();
    walk.does("bin.restore", &[app[0], app[1], ("entry", &entry)], json!({})).await;
    walk.does("manifests.delete", &[app[0], app[1], ("reference", &two.digest())], Value::Null).await;
    let entry = walk.first_of("/api/v1/bin").await["id"].to_string();
    walk.does("bin.empty", &[app[0], app[1], ("entry", &entry)], Value::Null).await;
    walk.does("repositories.delete", &app, Value::Null).await;
}

async fn keys_and_snapshots(walk: &mut Walk) {
    let (format, repository) = (("format", "text"), ("repository", "team/notes"));
    let notes = [format, repository];
    Shelf::new(&walk.server, "team/notes").put("stable", note("a", "1").file()).await.assert_status(201);
    work(&walk.server).await;
    let first = walk.does("keys.rotate", &notes, json!({})).await;
    let key = STANDARD.encode(openpgp_key("notes <notes@example.org>").secret);
    walk.does("keys.import", &notes, json!({ "key": key })).await;
    walk.does("keys.retire", &[format, repository, ("key", text(&first, "fingerprint"))], Value::Null).await;
    work(&walk.server).await;
    let may = [format, repository, ("snapshot", "may")];
    walk.does("snapshots.create", &notes, json!({ "name": "may", "channel": "stable" })).await;
    walk.does("snapshots.publish", &may, Value::Null).await;
    walk.does("snapshots.live", &notes, json!({ "channel": "stable" })).await;
    walk.does("snapshots.delete", &may, Value::Null).await;
}

async fn work_of_the_server(walk: &mut Walk) {
    walk.does("backups.create", &[], json!({})).await;
    work(&walk.server).await;
    walk.does("backups.forget", &[("?", "to=")], Value::Null).await;
    walk.does("scrub.run", &[], Value::Null).await;
    walk.does("collection.run", &[], Value::Null).await;
    let secret = push_blob(&walk.server.admin(), "team/app", "a secret").await;
    walk.does("purges.create", &[], json!({ "digest": secret, "reason": "a test" })).await;
    work(&walk.server).await;
    Shelf::new(&walk.server, "team/notes").put("stable", note("b", "1").file()).await.assert_status(201);
    walk.server.execute("UPDATE jobs SET dead_at = 1").await;
    let dead = walk.first_of("/api/v1/jobs?state=dead").await["id"].to_string();
    walk.does("jobs.retry", &[("job", &dead)], Value::Null).await;
}

/// Who has signed in may change the account, unless it is by a token for repositories.
async fn own_account(walk: &mut Walk) {
    let ann = walk.server.anonymous().with_basic("ann", "ann's password");
    walk.who = (ann.clone(), ann.with_registry_token(&[]).await);
    walk.does("tokens.create", &[], json!({ "name": "laptop" })).await;
    let token = walk.first_of("/api/v1/users/ann/tokens").await["id"].to_string();
    walk.does("tokens.revoke", &[("token", &token)], Value::Null).await;
    let change = json!({ "old": "ann's password", "new": "another password" });
    walk.does("account.change-password", &[], change).await;
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_else(|| panic!("no {field} in {value}"))
}
