//! The classic repository: `index.yaml`, charts, provenance files.

use wharf_auth::Role;
use wharf_testkit::{TestServer, sha256};

use crate::backend::{on_every_database, work};
use crate::chart::{Museum, chart};

on_every_database! {
    a_chart_is_listed_with_everything_it_says,
    versions_are_listed_newest_first,
    the_index_changes_only_where_charts_do,
    nothing_new_is_nothing_published,
    charts_are_fetched_whole_and_in_parts,
    an_empty_repository_has_an_index,
    each_role_may_do_what_it_says,
    pulls_and_changes_are_written_down,
}

async fn a_chart_is_listed_with_everything_it_says(server: &TestServer) {
    let museum = Museum::new(server, "team/charts");
    let crate_ = chart("crate", "1.2.3+b.1").say(
        "appVersion: 1.10\ndescription: \"a: \\\"crate\\\"\"\nkeywords: [yes, box]\nmaintainers: [{name: Ann, email: a@b}]\n\
         dependencies: [{name: lid, version: ~1, repository: https://example.org}]\nannotations: {n: 1}\nunknown: field\n",
    );
    museum.add(&crate_).await;
    let index = museum.index().await;
    let entry = &index["entries"]["crate"][0];
    let expected = serde_json::json!({
        "apiVersion": "v2", "name": "crate", "version": "1.2.3+b.1", "appVersion": "1.10", "description": "a: \"crate\"",
        "keywords": ["yes", "box"], "maintainers": [{"name": "Ann", "email": "a@b"}], "annotations": {"n": "1"},
        "dependencies": [{"name": "lid", "version": "~1", "repository": "https://example.org"}],
        "created": entry["created"], "digest": sha256(crate_.packed()).replace("sha256:", ""),
        "urls": ["charts/crate-1.2.3+b.1.tgz"],
    });
    assert_eq!(*entry, expected);
    assert_eq!(index["apiVersion"], "v1");
    assert_eq!(index["serverInfo"]["contextPath"], "/helm/team/charts");
    let url = entry["urls"][0].as_str().expect("a URL");
    assert_eq!(museum.get(url).await.assert_status(200).body, crate_.packed());
    // A plus may be written either way.
    museum.get("charts/crate-1.2.3%2Bb.1.tgz").await.assert_status(200);
    museum.get("crate-1.2.3+b.1.tgz").await.assert_status(200);
}

async fn versions_are_listed_newest_first(server: &TestServer) {
    let museum = Museum::new(server, "team/charts");
    for (name, version) in [
        ("b", "1.0.0"),
        ("a", "1.9.0"),
        ("a", "1.10.0-rc.1"),
        ("a-b", "3.0.0"),
        ("a", "1.10.0"),
        ("a", "v2"),
        ("b", "0.1.0"),
        ("a", "1.10.0-rc.2"),
        ("7", "1.0.0"),
    ] {
        museum.add(&chart(name, version)).await;
    }
    assert_eq!(
        museum.listed().await,
        ["7 1.0.0", "a v2", "a 1.10.0", "a 1.10.0-rc.2", "a 1.10.0-rc.1", "a 1.9.0", "a-b 3.0.0", "b 1.0.0", "b 0.1.0"]
    );
}

async fn the_index_changes_only_where_charts_do(server: &TestServer) {
    let museum = Museum::new(server, "team/charts");
    let names: Vec<String> = ('a'..='z').map(|name| format!("chart-{name}")).collect();
    for name in &names {
        museum
            .add(&chart(name, "1.0.0").say("description: so that a piece holds a few of these and not all of them\n"))
            .await;
    }
    let segments = async || {
        let target = wharf_core::Target::new(wharf_helm::NAME, "team/charts".parse().expect("a name"));
        server.core().index_file(&target, "", "index.yaml").await.expect("an index").segments()
    };
    assert_eq!(museum.listed().await.len(), 26);
    let before = segments().await;
    assert!(before.len() > 8, "{before:?}");
    // The newest of a name, the oldest, one in the middle of nowhere, one gone.
    for (name, version) in [("chart-k", "2.0.0"), ("chart-k", "0.1.0"), ("chart-k2", "1.0.0")] {
        museum.add(&chart(name, version)).await;
        assert!(museum.listed().await.contains(&format!("{name} {version}")));
    }
    museum.delete("api/charts/chart-c/1.0.0").await.assert_status(200);
    let listed = museum.listed().await;
    assert_eq!(listed.len(), 28);
    assert_eq!(listed[9..14], ["chart-k 2.0.0", "chart-k 1.0.0", "chart-k 0.1.0", "chart-k2 1.0.0", "chart-l 1.0.0"]);
    let after = segments().await;
    let shared = before.iter().filter(|segment| after.contains(segment)).count();
    assert!(shared + 4 >= before.len(), "{shared} of {} segments are the same", before.len());
}

async fn nothing_new_is_nothing_published(server: &TestServer) {
    let museum = Museum::new(server, "team/charts");
    let a = chart("a", "1.0.0");
    museum.add(&a).await;
    museum.add(&chart("b", "1.0.0")).await;
    let before = museum.index_text().await;
    museum.add(&a).await;
    assert_eq!(work(server).await, 0, "the same chart again");
    museum.delete("api/charts/b/1.0.0").await.assert_status(200);
    museum.delete("api/charts/a/1.0.0").await.assert_status(200);
    server.clock().advance(std::time::Duration::from_secs(1));
    let empty = museum.index_text().await;
    assert!(empty != before && empty.contains("\nentries: {}\n"), "{empty}");
}

async fn charts_are_fetched_whole_and_in_parts(server: &TestServer) {
    let museum = Museum::new(server, "team/charts");
    let a = chart("a", "1.0.0").file("values.yaml", &"x: 1\n".repeat(10_000));
    museum.add(&a).await;
    let whole = museum.get("charts/a-1.0.0.tgz").await;
    assert_eq!(whole.assert_status(200).assert_header("content-type", "application/gzip").body, a.packed());
    let head = museum.client.head(&museum.path("charts/a-1.0.0.tgz")).await;
    head.assert_status(200).assert_header("content-length", &a.packed().len().to_string());
    let tag = whole.expect_header("etag").to_owned();
    let again = museum.client.request(http::Method::GET, &museum.path("charts/a-1.0.0.tgz"));
    again.header_named("if-none-match", &tag).send().await.assert_status(304);
    let part = museum.client.request(http::Method::GET, &museum.path("charts/a-1.0.0.tgz"));
    assert_eq!(part.header_named("range", "bytes=2-5").send().await.assert_status(206).body, a.packed()[2..=5]);
    museum.get("charts/a-2.0.0.tgz").await.assert_status(404);
}

async fn an_empty_repository_has_an_index(server: &TestServer) {
    server.project("team").await;
    let museum = Museum::new(server, "team/new");
    let index = museum.index().await;
    assert_eq!(index["entries"], serde_json::json!({}));
    assert_eq!(index["serverInfo"]["contextPath"], "/helm/team/new");
    Museum::new(server, "nowhere/new").get("index.yaml").await.assert_status(404);
    let outsider = server.user("outsider").await;
    Museum::of(server, &outsider, "team/new").get("index.yaml").await.assert_status(404);
    Museum::of(server, &server.anonymous(), "team/new").get("index.yaml").await.assert_status(401);
}

async fn each_role_may_do_what_it_says(server: &TestServer) {
    server.project("team").await;
    Museum::new(server, "team/charts").add(&chart("there", "1.0.0")).await;
    work(server).await;
    let table = [
        (Role::Viewer, [200, 403, 403, 403, 403, 403]),
        (Role::Puller, [200, 200, 200, 200, 403, 403]),
        (Role::Pusher, [200, 200, 200, 200, 201, 403]),
        (Role::Maintainer, [200, 200, 200, 200, 201, 200]),
    ];
    for (role, expected) in table {
        let client = server.user_with(&format!("{role}-of-team"), role, "team").await;
        let museum = Museum::of(server, &client, "team/charts");
        let own = chart(&format!("by-{role}"), "1.0.0");
        let statuses = [
            museum.get("health").await,
            museum.get("index.yaml").await,
            museum.get("charts/there-1.0.0.tgz").await,
            museum.get("api/charts").await,
            museum.post("api/charts", own.packed()).await,
            museum.delete(&format!("api/charts/{}/1.0.0", own.name)).await,
        ]
        .map(|answer| answer.status.as_u16());
        assert_eq!(statuses, expected, "{role}");
    }
}

async fn pulls_and_changes_are_written_down(server: &TestServer) {
    let museum = Museum::new(server, "team/charts");
    let a = chart("a", "1.0.0");
    museum.add(&a).await;
    museum.get("charts/a-1.0.0.tgz").await.assert_status(200);
    museum.delete("api/charts/a/1.0.0").await.assert_status(200);
    server.core().flush_accesses().await.expect("a database");
    let filter = wharf_core::AuditFilter {
        repository: Some("team/charts".parse().expect("a name")),
        outcome: Some("ok".to_owned()),
        ..wharf_core::AuditFilter::default()
    };
    let page = server.core().audit(&filter, None, wharf_core::AuditOrder::OldestFirst, 100).await.expect("lines");
    let actions: Vec<_> = page.lines.iter().map(|line| line.action.as_str()).collect();
    for action in ["package.add", "chart.read", "package.remove"] {
        assert!(actions.contains(&action), "{actions:?}");
    }
}
