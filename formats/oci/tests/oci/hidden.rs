//! A repository that one may not see answers like one that does not exist, byte for byte.

use http::Method;
use http::header::CONTENT_TYPE;
use wharf_auth::Role;
use wharf_testkit::{Client, Image, TestServer, media};

use crate::backend::on_every_database;
use crate::blob::{Blob, unknown};
use crate::repository::Repository;

on_every_database! {
    a_hidden_project_answers_like_a_missing_one,
    a_hidden_repository_answers_like_a_missing_one,
}

/// Every request that can be made about a repository, for what is there in the hidden one.
fn requests(name: &str, upload: &str) -> Vec<(Method, String)> {
    let (image, blob) = (Image::new().digest(), Blob::of("{}").digest);
    let get = [
        "tags/list".to_owned(),
        "tags/list?n=1".to_owned(),
        format!("referrers/{image}"),
        "manifests/v1".to_owned(),
        "manifests/v2".to_owned(),
        format!("manifests/{image}"),
        format!("blobs/{blob}"),
        format!("blobs/{}", unknown()),
        format!("blobs/uploads/{upload}"),
    ];
    let reads = get.iter().flat_map(|rest| [(Method::GET, rest.clone()), (Method::HEAD, rest.clone())]);
    let writes = [
        (Method::PUT, "manifests/v1".to_owned()),
        (Method::PUT, format!("manifests/{image}?tag=v3")),
        (Method::POST, "blobs/uploads/".to_owned()),
        (Method::POST, format!("blobs/uploads/?digest={blob}")),
        (Method::POST, format!("blobs/uploads/?mount={blob}")),
        (Method::POST, format!("blobs/uploads/?mount={blob}&from=team/web")),
        (Method::PATCH, format!("blobs/uploads/{upload}")),
        (Method::PUT, format!("blobs/uploads/{upload}?digest={blob}")),
        (Method::DELETE, format!("blobs/uploads/{upload}")),
        (Method::DELETE, "manifests/v1".to_owned()),
        (Method::DELETE, format!("manifests/{image}")),
        (Method::DELETE, format!("blobs/{blob}")),
    ];
    reads.chain(writes).map(|(method, rest)| (method, format!("/v2/{name}/{rest}"))).collect()
}

/// All that an answer says, with the repository's name and what is of the moment taken out.
async fn said(client: &Client, (method, path): &(Method, String), name: &str) -> String {
    let request = client.request(method.clone(), path).header(CONTENT_TYPE, media::MANIFEST);
    let answer = request.body(Image::new().manifest()).send().await;
    let of_the_moment = |key: &str| ["x-request-id", "date"].contains(&key);
    let headers = answer.headers.iter().filter(|(key, _)| !of_the_moment(key.as_str()));
    let headers: Vec<String> = headers.map(|(key, value)| format!("{key}: {}", value.to_str().unwrap())).collect();
    let said = format!("{}\n{}\n\n{}", answer.status, headers.join("\n"), answer.text());
    let (project, _) = name.split_once('/').unwrap();
    let generic = said.replace(name, "NAME").replace(project, "PROJECT");
    // Uploads are refused under their own name too.
    assert!(!generic.contains("hidden") && !generic.contains("absent"), "{generic}");
    generic
}

/// The two names must be of one length, or the length of the answer would differ.
async fn assert_alike(client: &Client, upload: &str, (hidden, absent): (&str, &str)) {
    assert_eq!(hidden.len(), absent.len());
    for (one, other) in requests(hidden, upload).iter().zip(&requests(absent, upload)) {
        let (one_said, other_said) = (said(client, one, hidden).await, said(client, other, absent).await);
        assert_eq!(one_said, other_said, "{} {}", one.0, one.1);
        let refused = one_said.starts_with("404") || one_said.starts_with("401");
        assert!(refused, "{} {}: {one_said}", one.0, one.1);
    }
}

/// Something to hide, and an upload under way in it.
async fn hide(server: &TestServer, name: &str) -> String {
    let repository = Repository::new(server, name);
    Image::new().push(&repository.client, &format!("{name}:v1")).await;
    let upload = repository.begin().await;
    upload.rsplit('/').next().unwrap().to_owned()
}

async fn a_hidden_project_answers_like_a_missing_one(server: &TestServer) {
    let upload = hide(server, "hidden/app").await;
    server.project("team").await;
    let stranger = server.user("stranger").await;
    let owner = server.user_with("otto", Role::Owner, "team").await;
    let robot = server.robot("team", "ci", Role::Owner).await;
    let anonymous = server.anonymous();
    let with_token = anonymous.with_registry_token(&["repository:team/web:pull"]).await;
    let wide = ["repository:hidden/app:pull,push,delete repository:absent/app:pull,push,delete"];
    let token_of_stranger = stranger.with_registry_token(&wide).await;
    for client in [&stranger, &owner, &robot, &anonymous, &with_token, &token_of_stranger] {
        assert_alike(client, &upload, ("hidden/app", "absent/app")).await;
    }
    Repository::new(server, "hidden/app").get("manifests/v1").await.assert_status(200);
}

async fn a_hidden_repository_answers_like_a_missing_one(server: &TestServer) {
    let upload = hide(server, "team/hidden").await;
    hide(server, "team/web/ui").await;
    let partly = server.user("pia").await;
    server.grant("pia", Role::Owner, "team", "web/**").await;
    let token = partly.with_registry_token(&["repository:team/hidden:* repository:team/absent:*"]).await;
    for client in [&partly, &token] {
        assert_alike(client, &upload, ("team/hidden", "team/absent")).await;
    }
    partly.get("/v2/team/web/ui/manifests/v1").await.assert_status(200);
}
