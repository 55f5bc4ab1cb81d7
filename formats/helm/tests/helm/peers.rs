//! The upload URLs of other servers, by the lines of their documentation.

use http::Method;
use wharf_testkit::TestServer;

use crate::backend::{on_every_database, work};
use crate::chart::{Museum, chart, form};

on_every_database! {
    giteas_lines_work,
    gitlabs_lines_work,
    nexuss_lines_work,
    artifactorys_lines_work,
    chartmuseums_lines_with_several_repositories_work,
}

async fn giteas_lines_work(server: &TestServer) {
    let (admin, a) = (server.admin(), chart("a", "1.0.0"));
    admin.post("/api/packages/team/helm/api/charts", a.packed()).await.assert_status(201);
    work(server).await;
    let index = admin.get("/api/packages/team/helm/index.yaml").await.assert_status(200).text();
    assert!(index.contains("charts/a-1.0.0.tgz"), "{index}");
    admin.get("/api/packages/team/helm/charts/a-1.0.0.tgz").await.assert_status(200);
    admin.get("/api/packages/team/helm/a-1.0.0.tgz").await.assert_status(200);
    assert_eq!(Museum::new(server, "team/helm").listed().await, ["a 1.0.0"]);
}

async fn gitlabs_lines_work(server: &TestServer) {
    let (admin, a) = (server.admin(), chart("a", "1.0.0"));
    let (kind, body) = form(&[("chart", "a-1.0.0.tgz", &a.packed())]);
    for project in ["team", "team%2Fapp"] {
        let path = format!("/api/v4/projects/{project}/packages/helm/api/stable/charts");
        let request = admin.request(Method::POST, &path).header_named("content-type", &kind).body(body.clone());
        request.send().await.assert_status(201);
        work(server).await;
        admin.get(&format!("/api/v4/projects/{project}/packages/helm/stable/index.yaml")).await.assert_status(200);
        admin
            .get(&format!("/api/v4/projects/{project}/packages/helm/stable/charts/a-1.0.0.tgz"))
            .await
            .assert_status(200);
    }
    assert_eq!(Museum::new(server, "team/app/stable").listed().await, ["a 1.0.0"]);
}

async fn nexuss_lines_work(server: &TestServer) {
    let (admin, a, b) = (server.admin(), chart("a", "1.0.0"), chart("b", "1.0.0"));
    admin.put("/repository/team:charts/a-1.0.0.tgz", a.packed()).await.assert_status(201);
    admin.put("/repository/team:charts/a-1.0.0.tgz.prov", a.provenance()).await.assert_status(201);
    let (kind, body) = form(&[("helm.asset", "b-1.0.0.tgz", &b.packed())]);
    let request = admin.request(Method::POST, "/service/rest/v1/components?repository=team:charts");
    request.header_named("content-type", &kind).body(body).send().await.assert_status(201);
    work(server).await;
    admin.get("/repository/team:charts/index.yaml").await.assert_status(200);
    admin.get("/repository/team:charts/charts/a-1.0.0.tgz").await.assert_status(200);
    assert_eq!(Museum::new(server, "team/charts").listed().await, ["a 1.0.0", "b 1.0.0"]);
    // A project that has to be there already is a user's own choice: one segment is the default project.
    admin.put("/repository/charts/a-1.0.0.tgz", a.packed()).await.assert_status(201);
    assert_eq!(Museum::new(server, "default/charts").listed().await, ["a 1.0.0"]);
}

async fn artifactorys_lines_work(server: &TestServer) {
    let (admin, a) = (server.admin(), chart("a", "1.0.0"));
    let saved = admin.put("/artifactory/team:charts/folder/a-1.0.0.tgz;build=7", a.packed()).await;
    let told = saved.assert_status(201).json();
    assert_eq!(told["path"], "/charts/a-1.0.0.tgz");
    assert_eq!(
        format!("sha256:{}", told["checksums"]["sha256"].as_str().expect("a sum")),
        wharf_testkit::sha256(a.packed())
    );
    work(server).await;
    for path in ["/artifactory/api/helm/team:charts/index.yaml", "/artifactory/team:charts/index.yaml"] {
        admin.get(path).await.assert_status(200);
    }
    admin.get("/artifactory/api/helm/team:charts/charts/a-1.0.0.tgz").await.assert_status(200);
    admin.get(told["downloadUri"].as_str().expect("a URI")).await.assert_status(200);
}

async fn chartmuseums_lines_with_several_repositories_work(server: &TestServer) {
    let (admin, a) = (server.admin(), chart("a", "1.0.0"));
    admin.post("/helm/api/team/charts/charts", a.packed()).await.assert_status(201);
    admin.post("/helm/api/team/charts/prov", a.provenance()).await.assert_status(201);
    assert_eq!(Museum::new(server, "team/charts").listed().await, ["a 1.0.0"]);
}
