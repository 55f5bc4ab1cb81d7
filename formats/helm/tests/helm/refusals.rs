//! What is refused, in which words, and that nothing of it stays.

use wharf_testkit::TestServer;

use crate::backend::on_every_database;
use crate::chart::{Museum, chart, gzipped};

on_every_database! {
    what_is_no_chart_is_refused_and_leaves_nothing,
    a_form_that_makes_no_sense_is_refused,
    a_file_is_called_what_it_is,
}

async fn what_is_no_chart_is_refused_and_leaves_nothing(server: &TestServer) {
    let museum = Museum::new(server, "new/charts");
    let whole = chart("a", "1.0.0").file("values.yaml", "x: 1\n").packed();
    let bare = |more: &str| chart("a", "1.0.0").say(more).packed();
    let table: Vec<(Vec<u8>, &str)> = vec![
        (Vec::new(), "not a chart package"),
        (b"apiVersion: v2\nname: a\nversion: 1.0.0\n".to_vec(), "not a chart package"),
        (whole[..whole.len() / 2].to_vec(), "it ends in the middle"),
        (gzipped(&[0; 1024]), "the package is empty"),
        (chart("a", "one").packed(), "not a version"),
        (chart("/a", "1.0.0").packed(), "not a path inside a chart"),
        (bare("name: [x]\n"), "Chart.yaml cannot be read"),
        (bare("type: other\n"), "application or library"),
    ];
    for (file, why) in table {
        let refused = museum.post("api/charts", file).await;
        let text = refused.assert_status(400).assert_header("content-type", "application/json").json();
        assert!(text["error"].as_str().is_some_and(|said| said.contains(why)), "{why}: {text}");
    }
    server.admin().get("/api/v1/projects/new").await.assert_status(404);
}

async fn a_form_that_makes_no_sense_is_refused(server: &TestServer) {
    let museum = Museum::new(server, "team/charts");
    let a = chart("a", "1.0.0").packed();
    let empty = museum.post_form("api/charts", &[("other", "x", &b"y"[..])]).await;
    let said = "{\"error\":\"no package or provenance file found in form fields chart and prov\"}";
    empty.assert_status(400).assert_body(said);
    let twice = [("chart", "a-1.0.0.tgz", &a[..]), ("chart", "a-1.0.0.tgz", &a[..])];
    museum.post_form("api/charts", &twice).await.assert_status(400);
    let cut = museum.client.request(http::Method::POST, &museum.path("api/charts"));
    let cut = cut.header_named("content-type", "multipart/form-data; boundary=B").body("--B\r\nContent-Disp");
    cut.send().await.assert_status(400);
    let unbound = museum.client.request(http::Method::POST, &museum.path("api/charts"));
    unbound.header_named("content-type", "multipart/form-data").body("x").send().await.assert_status(400);
    let half =
        museum.post_form("api/charts", &[("chart", "b", &chart("b", "1.0.0").packed()[..]), ("prov", "p", b"x")]).await;
    assert!(half.assert_status(400).text().contains("the chart was saved"), "{}", half.text());
}

async fn a_file_is_called_what_it_is(server: &TestServer) {
    let museum = Museum::new(server, "team/charts");
    let a = chart("a", "1.0.0").packed();
    let refused = museum.client.put(&museum.path("charts/b-1.0.0.tgz"), a).await;
    assert!(refused.assert_status(400).text().contains("the file is a-1.0.0.tgz"), "{}", refused.text());
    museum.get("charts/../../../etc/passwd").await.assert_status(404);
    museum.client.put(&museum.path("index.yaml"), "x").await.assert_status(405).assert_header("allow", "GET, HEAD");
}
