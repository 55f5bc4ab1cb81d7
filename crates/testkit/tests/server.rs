//! That the server of the tests is one.

use std::time::Duration;

use wharf_auth::Role;
use wharf_testkit::{Backend, Image, Index, Options, Store, TestServer, media};

async fn pushes_and_pulls_and_survives_a_restart(options: Options) {
    let server = TestServer::start(options).await;
    let image = Image::new().config(r#"{"os":"linux"}"#).layer(vec![7; 100_000]).annotation("a", "b");
    let digest = image.push(&server.admin(), "team/app:v1").await;
    let index = Index::new().image(&image, "linux/amd64");
    assert_eq!(index.push(&server.admin(), "team/app:multi").await, index.digest());
    let signature = Image::new().artifact_type("test/signature").subject(image.descriptor());
    signature.push(&server.admin(), "team/app").await;

    let server = server.restart().await;
    let reader = server.user_with("reader", Role::Puller, "team").await;
    let answer = reader.get("/v2/team/app/manifests/v1").await;
    answer.assert_status(200).assert_header("docker-content-digest", &digest).assert_body(image.manifest());
    answer.assert_header("content-type", media::MANIFEST);
    let referrers = reader.get(&format!("/v2/team/app/referrers/{digest}")).await.assert_status(200).json();
    assert_eq!(referrers["manifests"][0]["digest"], signature.digest());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_sqlite_and_files() {
    pushes_and_pulls_and_survives_a_restart(Options::new().store(Store::Files)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_postgres_and_memory() {
    pushes_and_pulls_and_survives_a_restart(Options::new().backend(Backend::Postgres)).await;
}

#[tokio::test]
async fn everybody_may_what_they_were_granted() {
    let server = TestServer::start_default().await;
    server.public_project("open").await;
    server.project("closed").await;
    let robot = server.robot("closed", "builder", Role::Pusher).await;
    Image::new().push(&robot, "closed/app:v1").await;
    let path = "/v2/closed/app/manifests/v1";
    robot.get(path).await.assert_status(200);
    server.user("stranger").await.get(path).await.assert_status(404);
    server.anonymous().get(path).await.assert_status(401);
    server.grant("stranger", Role::Puller, "closed", "app").await;
    let stranger = server.anonymous().with_basic("stranger", "stranger's password");
    stranger.get(path).await.assert_status(200);
}

#[tokio::test]
async fn time_can_be_moved() {
    let server = TestServer::start_default().await;
    let client = server.admin().with_registry_token(&[]).await;
    client.get("/v2/").await.assert_status(200);
    server.clock().advance(Duration::from_secs(3600));
    client.get("/v2/").await.assert_status(401);
}
