//! ChartMuseum's API, with the answers that its documentation promises.

use serde_json::Value;
use wharf_testkit::TestServer;

use crate::backend::on_every_database;
use crate::chart::{Museum, chart};

on_every_database! {
    charts_are_listed_described_and_deleted,
    a_list_has_an_offset_and_a_limit,
    other_content_is_refused_unless_it_is_forced,
    templates_and_values_are_told,
    a_provenance_file_comes_after_with_or_before_its_chart,
    a_provenance_file_goes_with_its_chart,
}

async fn charts_are_listed_described_and_deleted(server: &TestServer) {
    let museum = Museum::new(server, "team/charts");
    for (name, version) in [("a", "1.0.0"), ("a", "2.0.0"), ("a", "3.0.0-rc.1"), ("b", "1.0.0+x")] {
        museum.add(&chart(name, version)).await;
    }
    let all = museum.get("api/charts").await.assert_status(200).json();
    let versions = |all: &Value, name: &str| -> Vec<String> {
        let list = all[name].as_array().cloned().unwrap_or_default();
        list.iter().map(|entry| entry["version"].as_str().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(versions(&all, "a"), ["3.0.0-rc.1", "2.0.0", "1.0.0"]);
    assert_eq!(versions(&all, "b"), ["1.0.0+x"]);
    let one = museum.get("api/charts/a").await.assert_status(200).json();
    assert_eq!(one, all["a"]);
    museum.client.head(&museum.path("api/charts/a")).await.assert_status(200);
    museum.client.head(&museum.path("api/charts/c")).await.assert_status(404);
    museum.get("api/charts/c").await.assert_status(404).assert_body("{\"error\":\"chart not found\"}");
    assert_eq!(museum.get("api/charts/a/1.0.0").await.assert_status(200).json(), all["a"][2]);
    assert_eq!(museum.get("api/charts/a/latest").await.assert_status(200).json(), all["a"][1]);
    assert_eq!(museum.get("api/charts/b/1.0.0+x").await.assert_status(200).json(), all["b"][0]);
    let unknown = museum.get("api/charts/a/9.0.0").await;
    unknown.assert_status(404).assert_body("{\"error\":\"no chart version found for a-9.0.0\"}");
    museum.delete("api/charts/a/2.0.0").await.assert_status(200).assert_body("{\"deleted\":true}");
    museum.delete("api/charts/a/2.0.0").await.assert_status(404);
    museum.delete("api/charts/a/latest").await.assert_status(404);
    assert_eq!(museum.get("api/charts/a/latest").await.assert_status(200).json(), all["a"][2]);
    assert_eq!(museum.listed().await, ["a 3.0.0-rc.1", "a 1.0.0", "b 1.0.0+x"]);
    museum.get("health").await.assert_status(200).assert_body("{\"healthy\":true}");
}

async fn a_list_has_an_offset_and_a_limit(server: &TestServer) {
    let museum = Museum::new(server, "team/charts");
    for name in ["a", "b", "c", "d"] {
        museum.add(&chart(name, "1.0.0")).await;
        museum.add(&chart(name, "2.0.0")).await;
    }
    for (query, names) in [
        ("", &["a", "b", "c", "d"][..]),
        ("?limit=2", &["a", "b"]),
        ("?offset=1&limit=2", &["b", "c"]),
        ("?offset=3", &["d"]),
        ("?offset=4", &[]),
        ("?limit=0", &[]),
    ] {
        let listed = museum.get(&format!("api/charts{query}")).await.assert_status(200).json();
        let listed = listed.as_object().expect("an object");
        assert_eq!(listed.keys().collect::<Vec<_>>(), names, "{query}");
        assert!(listed.values().all(|versions| versions.as_array().map(Vec::len) == Some(2)), "{query}");
    }
    museum.get("api/charts?limit=x").await.assert_status(400);
    // More than are read at once.
    for n in 0..300 {
        museum.add(&chart("many", &format!("0.{n}.0"))).await;
    }
    let listed = museum.get("api/charts").await.assert_status(200).json();
    assert_eq!(
        (listed["many"].as_array().map(Vec::len), listed.as_object().map(|all| all.len())),
        (Some(300), Some(5))
    );
    assert_eq!(museum.get("api/charts/many").await.json().as_array().map(Vec::len), Some(300));
    assert_eq!(museum.get("api/charts/many/latest").await.json()["version"], "0.299.0");
}

async fn other_content_is_refused_unless_it_is_forced(server: &TestServer) {
    let museum = Museum::new(server, "team/charts");
    let (old, new) = (chart("a", "1.0.0").say("description: old\n"), chart("a", "1.0.0").say("description: new\n"));
    museum.add(&old).await;
    museum.post("api/prov", old.provenance()).await.assert_status(201).assert_body("{\"saved\":true}");
    museum.add(&old).await;
    let refused = museum.post("api/charts", new.packed()).await;
    refused.assert_status(409).assert_body("{\"error\":\"chart already exists\"}");
    let form = [("chart", "a-1.0.0.tgz", &new.packed()[..])];
    museum.post_form("api/charts", &form).await.assert_status(409);
    assert_eq!(museum.get("charts/a-1.0.0.tgz").await.body, old.packed());
    museum.post_form("api/charts?force", &form).await.assert_status(201);
    assert_eq!(museum.get("charts/a-1.0.0.tgz").await.body, new.packed());
    assert_eq!(museum.index().await["entries"]["a"][0]["description"], "new");
    // What vouched for the old one says nothing of the new one.
    museum.get("charts/a-1.0.0.tgz.prov").await.assert_status(404);
}

async fn templates_and_values_are_told(server: &TestServer) {
    let museum = Museum::new(server, "team/charts");
    let a = chart("a", "1.0.0").file("values.yaml", "# how many\nreplicas: 2\n").file("templates/x.yaml", "kind: X\n");
    museum.add(&a.clone().file("charts/b/templates/y.yaml", "kind: Y\n")).await;
    museum.add(&chart("bare", "1.0.0")).await;
    let values = museum.get("api/charts/a/latest/values").await;
    values
        .assert_status(200)
        .assert_header("content-type", "application/yaml")
        .assert_body("# how many\nreplicas: 2\n");
    let told = museum.get("api/charts/a/1.0.0/templates").await.assert_status(200).json();
    let expected = serde_json::json!({
        "templates": [{ "name": "templates/x.yaml", "data": "a2luZDogWAo=" }], "values": { "replicas": 2 },
    });
    assert_eq!(told, expected);
    let none = museum.get("api/charts/bare/1.0.0/values").await;
    none.assert_status(404).assert_body("{\"error\":\"values.yaml not found\"}");
    museum.get("api/charts/bare/1.0.0/templates").await.assert_status(200);
    museum.get("api/charts/none/1.0.0/templates").await.assert_status(404);
}

async fn a_provenance_file_comes_after_with_or_before_its_chart(server: &TestServer) {
    let museum = Museum::new(server, "team/charts");
    let [a, b, c] = ["a", "b", "c"].map(|name| chart(name, "1.0.0"));
    museum.add(&a).await;
    museum.post("api/prov", a.provenance()).await.assert_status(201);
    let (package, vouched) = (b.packed(), b.provenance());
    let fields = [("prov", "b-1.0.0.tgz.prov", vouched.as_bytes()), ("chart", "b-1.0.0.tgz", &package)];
    museum.post_form("api/charts", &fields).await.assert_status(201);
    museum.client.put(&museum.path("charts/c-1.0.0.tgz"), c.packed()).await.assert_status(201);
    museum.client.put(&museum.path("charts/c-1.0.0.tgz.prov"), c.provenance()).await.assert_status(201);
    for chart in [&a, &b, &c] {
        let path = format!("charts/{}.prov", chart.file_name());
        let served = museum.get(&path).await;
        served
            .assert_status(200)
            .assert_header("content-type", "application/pgp-signature")
            .assert_body(chart.provenance());
    }
    assert_eq!(museum.listed().await, ["a 1.0.0", "b 1.0.0", "c 1.0.0"]);
    let other = a.provenance().replace("none", "other");
    let refused = museum.post("api/prov", other.clone()).await;
    refused.assert_status(409).assert_body("{\"error\":\"provenance file already exists\"}");
    museum.post("api/prov?force", other).await.assert_status(201);
    let early = museum.post("api/prov", chart("d", "1.0.0").provenance()).await;
    assert!(early.assert_status(400).text().contains("upload that first"), "{}", early.text());
    let wrong = museum.post("api/prov?force", a.clone().say("description: x\n").provenance()).await;
    assert!(wrong.assert_status(400).text().contains("here it is"), "{}", wrong.text());
}

async fn a_provenance_file_goes_with_its_chart(server: &TestServer) {
    let museum = Museum::new(server, "team/charts");
    let a = chart("a", "1.0.0");
    museum.add(&a).await;
    museum.post("api/prov", a.provenance()).await.assert_status(201);
    museum.delete("charts/a-1.0.0.tgz.prov").await.assert_status(200);
    museum.get("charts/a-1.0.0.tgz.prov").await.assert_status(404);
    museum.get("charts/a-1.0.0.tgz").await.assert_status(200);
    museum.post("api/prov", a.provenance()).await.assert_status(201);
    museum.delete("api/charts/a/1.0.0").await.assert_status(200);
    museum.get("charts/a-1.0.0.tgz.prov").await.assert_status(404);
    museum.add(&a).await;
    museum.get("charts/a-1.0.0.tgz.prov").await.assert_status(404);
}
