//! Who may do what: every kind of caller and every operation, in one table.

use bytes::Bytes;
use http::Method;
use http::header::CONTENT_TYPE;
use wharf_auth::{Role, ServerRole};
use wharf_testkit::{Answer, Client, Image, TestServer, media};

use crate::backend::on_every_database;
use crate::blob::Blob;
use crate::refusal::Refusal;
use crate::repository::{Repository, with_digest};

on_every_database! {
    every_caller_is_answered_every_operation_as_the_table_says,
}

/// The operations of the protocol, as `operation.rs` names them.
const OPERATIONS: [&str; 16] = [
    "ping",
    "catalog.list",
    "tags.list",
    "referrers.list",
    "manifest.read",
    "blob.read",
    "manifest.push",
    "upload.begin",
    "blob.push",
    "blob.mount",
    "upload.status",
    "upload.append",
    "upload.finish",
    "upload.cancel",
    "manifest.delete",
    "blob.delete",
];

/// What callers are answered, in the order of the operations. `closed` and `open` are projects, the second one public.
#[rustfmt::skip]
const TABLE: &[(&str, &str, [u16; 16])] = &[
    //                           ping cat | view     pull    | push                                         | delete
    ("anonymous",       "closed", [401, 401, 401, 401, 401, 401, 401, 401, 401, 401, 401, 401, 401, 401, 401, 401]),
    ("anonymous",       "open",   [401, 401, 200, 200, 200, 200, 401, 401, 401, 401, 401, 401, 401, 401, 401, 401]),
    ("stranger",        "closed", [200, 200, 404, 404, 404, 404, 404, 404, 404, 404, 404, 404, 404, 404, 404, 404]),
    ("stranger",        "open",   [200, 200, 200, 200, 200, 200, 403, 403, 403, 403, 403, 403, 403, 403, 403, 403]),
    ("viewer",          "closed", [200, 200, 200, 200, 403, 403, 403, 403, 403, 403, 403, 403, 403, 403, 403, 403]),
    ("viewer",          "open",   [200, 200, 200, 200, 200, 200, 403, 403, 403, 403, 403, 403, 403, 403, 403, 403]),
    ("puller",          "closed", [200, 200, 200, 200, 200, 200, 403, 403, 403, 403, 403, 403, 403, 403, 403, 403]),
    ("pusher",          "closed", [200, 200, 200, 200, 200, 200, 201, 202, 201, 201, 204, 202, 201, 204, 403, 403]),
    ("maintainer",      "closed", [200, 200, 200, 200, 200, 200, 201, 202, 201, 201, 204, 202, 201, 204, 202, 202]),
    ("owner",           "closed", [200, 200, 200, 200, 200, 200, 201, 202, 201, 201, 204, 202, 201, 204, 202, 202]),
    ("elsewhere",       "closed", [200, 200, 404, 404, 404, 404, 404, 404, 404, 404, 404, 404, 404, 404, 404, 404]),
    ("robot-puller",    "closed", [200, 200, 200, 200, 200, 200, 403, 403, 403, 403, 403, 403, 403, 403, 403, 403]),
    ("robot-pusher",    "closed", [200, 200, 200, 200, 200, 200, 201, 202, 201, 201, 204, 202, 201, 204, 403, 403]),
    ("robot-elsewhere", "closed", [200, 200, 404, 404, 404, 404, 404, 404, 404, 404, 404, 404, 404, 404, 404, 404]),
    ("auditor",         "closed", [200, 200, 200, 200, 403, 403, 403, 403, 403, 403, 403, 403, 403, 403, 403, 403]),
    ("auditor",         "open",   [200, 200, 200, 200, 200, 200, 403, 403, 403, 403, 403, 403, 403, 403, 403, 403]),
    ("creator",         "closed", [200, 200, 404, 404, 404, 404, 404, 404, 404, 404, 404, 404, 404, 404, 404, 404]),
    ("administrator",   "closed", [200, 200, 200, 200, 200, 200, 201, 202, 201, 201, 204, 202, 201, 204, 202, 202]),
];

async fn callers(server: &TestServer) -> Vec<(&'static str, Client)> {
    server.project("closed").await;
    server.public_project("open").await;
    server.project("elsewhere").await;
    let mut callers = vec![("anonymous", server.anonymous()), ("administrator", server.admin())];
    callers.push(("stranger", server.user("stranger").await));
    for role in Role::ALL {
        callers.push((role.as_str(), server.user_with(role.as_str(), role, "closed").await));
    }
    callers.push(("elsewhere", server.user_with("elsewhere", Role::Owner, "elsewhere").await));
    for role in [ServerRole::Auditor, ServerRole::Creator] {
        callers.push((role.as_str(), server.user(role.as_str()).await));
        server.grant_on_server(role.as_str(), role).await;
    }
    callers.push(("robot-puller", server.robot("closed", "puller", Role::Puller).await));
    callers.push(("robot-pusher", server.robot("closed", "pusher", Role::Pusher).await));
    callers.push(("robot-elsewhere", server.robot("elsewhere", "owner", Role::Owner).await));
    callers
}

/// A request that would succeed if its caller may do it, and where one sees that it did.
struct Trial {
    method: Method,
    path: String,
    body: Bytes,
    /// A path, what it is answered before, and after.
    mark: Option<(String, u16, u16)>,
}

impl Trial {
    fn new(method: Method, path: impl Into<String>, body: impl Into<Bytes>) -> Self {
        Self { method, path: path.into(), body: body.into(), mark: None }
    }

    fn marked(self, path: impl Into<String>, before: u16, after: u16) -> Self {
        Self { mark: Some((path.into(), before, after)), ..self }
    }
}

/// Makes what the operation needs in the repository. Nothing is used for two trials.
async fn trial(admin: &Repository, operation: &str, number: usize) -> Trial {
    let blob = Blob::of(format!("blob {number}"));
    let image = Image::new().annotation("number", &number.to_string());
    match operation {
        "ping" => Trial::new(Method::GET, "/v2/", ""),
        "catalog.list" => Trial::new(Method::GET, "/v2/_catalog", ""),
        "tags.list" => Trial::new(Method::GET, admin.path("tags/list"), ""),
        "referrers.list" => Trial::new(Method::GET, admin.path(&format!("referrers/{}", image.digest())), ""),
        "manifest.read" => Trial::new(Method::GET, admin.path("manifests/v1"), ""),
        "blob.read" => Trial::new(Method::GET, admin.path(&format!("blobs/{}", Blob::of("{}").digest)), ""),
        "blob.push" | "blob.mount" | "blob.delete" => blob_trial(admin, operation, &blob).await,
        "manifest.push" | "manifest.delete" => manifest_trial(admin, operation, &image).await,
        "upload.begin" => Trial::new(Method::POST, admin.path("blobs/uploads/"), ""),
        "upload.status" => Trial::new(Method::GET, admin.begin().await, ""),
        "upload.append" => Trial::new(Method::PATCH, admin.begin().await, "more"),
        "upload.cancel" => {
            let upload = admin.begin().await;
            Trial::new(Method::DELETE, &upload, "").marked(upload, 204, 404)
        }
        "upload.finish" => {
            let path = with_digest(&admin.begin().await, &blob.digest);
            Trial::new(Method::PUT, path, blob.content).marked(admin.path(&format!("blobs/{}", blob.digest)), 404, 200)
        }
        other => panic!("no trial for {other}"),
    }
}

async fn blob_trial(admin: &Repository, operation: &str, blob: &Blob) -> Trial {
    let place = admin.path(&format!("blobs/{}", blob.digest));
    match operation {
        "blob.push" => {
            let path = admin.path(&format!("blobs/uploads/?digest={}", blob.digest));
            Trial::new(Method::POST, path, blob.content.clone()).marked(place, 404, 200)
        }
        "blob.mount" => {
            let source = Repository { name: admin.name.replace("/app", "/source"), ..admin.clone() };
            source.push(blob).await;
            let path = admin.path(&format!("blobs/uploads/?mount={}&from={}", blob.digest, source.name));
            Trial::new(Method::POST, path, "").marked(place, 404, 200)
        }
        _ => {
            admin.push(blob).await;
            Trial::new(Method::DELETE, &place, "").marked(place, 200, 404)
        }
    }
}

async fn manifest_trial(admin: &Repository, operation: &str, image: &Image) -> Trial {
    let place = admin.path(&format!("manifests/{}", image.digest()));
    if operation == "manifest.push" {
        return Trial::new(Method::PUT, &place, image.manifest()).marked(place, 404, 200);
    }
    image.push(&admin.client, &admin.name).await;
    Trial::new(Method::DELETE, &place, "").marked(place, 200, 404)
}

impl Trial {
    async fn ask(&self, client: &Client) -> Answer {
        let request = client.request(self.method.clone(), &self.path).header(CONTENT_TYPE, media::MANIFEST);
        request.body(self.body.clone()).send().await
    }

    /// Fails unless what was asked for has happened, or not.
    async fn assert_done(&self, admin: &Client, done: bool) {
        let Some((path, before, after)) = &self.mark else { return };
        let seen = admin.head(path).await.status.as_u16();
        assert_eq!(seen, if done { *after } else { *before }, "{path} after {} {}", self.method, self.path);
    }
}

async fn every_caller_is_answered_every_operation_as_the_table_says(server: &TestServer) {
    let callers = callers(server).await;
    for project in ["closed", "open"] {
        Image::new().push(&server.admin(), &format!("{project}/app:v1")).await;
    }
    let (mut wrong, mut number) = (Vec::new(), 0);
    for (caller, project, expected) in TABLE {
        let client = &callers.iter().find(|(name, _)| name == caller).expect("a caller of this name").1;
        let admin = Repository::new(server, &format!("{project}/app"));
        for (operation, status) in OPERATIONS.iter().zip(expected) {
            number += 1;
            let trial = trial(&admin, operation, number).await;
            let answer = trial.ask(client).await;
            if answer.status.as_u16() != *status {
                wrong.push(format!("{caller} {project} {operation}: {} instead of {status}", answer.status));
                continue;
            }
            match status {
                401 => drop(answer.refused(401, "UNAUTHORIZED")),
                403 => drop(answer.refused(403, "DENIED")),
                404 => drop(answer.refused(404, "NAME_UNKNOWN")),
                _ => {}
            }
            assert_eq!(answer.header("www-authenticate").is_some(), *status == 401, "{answer}");
            trial.assert_done(&admin.client, *status < 300).await;
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
