//! What stands beside packages: advisories, groups, modules.

use serde_json::json;
use wharf_testkit::TestServer;

use crate::backend::on_every_database;
use crate::shelf::{Shelf, built};

on_every_database! {
    advisories_come_in_files_and_each_replaces_its_own,
    an_advisory_is_made_of_what_the_repository_has,
    groups_of_several_files_are_one,
    modules_are_documents_of_their_own,
    a_file_is_taken_whole_or_not_at_all,
}

fn update(id: &str, title: &str) -> String {
    format!("<update type=\"bugfix\" version=\"1\"><id>{id}</id><title>{title}</title></update>")
}

async fn advisories_come_in_files_and_each_replaces_its_own(server: &TestServer) {
    let shelf = Shelf::new(server, "team/el9");
    let file = format!("<updates>{}\n{}</updates>", update("A-1", "one"), update("A-2", "two"));
    let said = shelf.put("updateinfo.xml?wait=1", file).await.assert_status(201).json();
    assert_eq!((said["added"].as_array().map(Vec::len), said["replaced"].as_u64()), (Some(2), Some(0)));
    let file = format!("<updates>{}</updates>", update("A-1", "one &amp; better"));
    let said = shelf.put("updateinfo.xml?wait=1", file).await.assert_status(201).json();
    assert_eq!(said["replaced"], 1);
    let told = shelf.metadata().await.remove("updateinfo").expect("advisories");
    let wanted = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<updates>\n{}\n{}\n</updates>\n",
        update("A-1", "one &amp; better"),
        update("A-2", "two")
    );
    assert_eq!(told, wanted);
    shelf.get("updateinfo.xml").await.assert_status(200).assert_body(&wanted);
    shelf.delete("updateinfo/A-1?wait=1").await.assert_status(204);
    shelf.delete("updateinfo/A-1").await.assert_status(404);
    shelf.delete("updateinfo/A-2?wait=1").await.assert_status(204);
    assert!(!shelf.metadata().await.contains_key("updateinfo"));
}

async fn an_advisory_is_made_of_what_the_repository_has(server: &TestServer) {
    let shelf = Shelf::new(server, "team/el9");
    let path = shelf.add(built("tool", "1.5-2", 3, "")).await;
    let advisory = json!({
        "id": "TEAM-2026:7", "title": "tool <update>", "type": "security", "severity": "Important",
        "issued": "2026-01-31T12:00:00Z", "description": "It was wrong.",
        "references": [{ "href": "https://example.com/CVE-2026-1", "id": "CVE-2026-1", "type": "cve" }],
        "packages": [path],
    });
    shelf.client.post_json(&shelf.path("advisories?wait=1"), &advisory).await.assert_status(201);
    let told = shelf.metadata().await.remove("updateinfo").expect("advisories");
    for line in [
        "<update from=\"\" status=\"final\" type=\"security\" version=\"1\">",
        "  <title>tool &lt;update&gt;</title>",
        "  <issued date=\"2026-01-31 12:00:00\"/>",
        "  <severity>Important</severity>",
        "    <reference href=\"https://example.com/CVE-2026-1\" id=\"CVE-2026-1\" title=\"\" type=\"cve\"/>",
        "        <filename>tool-1.5-2.noarch.rpm</filename>",
    ] {
        assert!(told.lines().any(|found| found == line), "{line}\n{told}");
    }
    assert!(
        told.contains("<package name=\"tool\" version=\"1.5\" release=\"2\" epoch=\"3\" arch=\"noarch\""),
        "{told}"
    );
    let unknown = json!({ "id": "X", "title": "", "type": "bugfix", "packages": ["other-1-1.noarch.rpm"] });
    shelf.client.post_json(&shelf.path("advisories"), &unknown).await.assert_status(404);
    let odd = json!({ "id": "X", "title": "", "type": "gossip", "packages": [] });
    shelf.client.post_json(&shelf.path("advisories"), &odd).await.assert_status(400);
}

async fn groups_of_several_files_are_one(server: &TestServer) {
    let shelf = Shelf::new(server, "team/el9");
    let group = |id: &str| format!("<group><id>{id}</id></group>");
    let file = |id: &str| format!("<?xml version=\"1.0\"?><comps>{}</comps>", group(id));
    shelf.put("comps.xml", file("core")).await.assert_status(201);
    shelf.put("desktop/comps.xml?wait=1", file("gui")).await.assert_status(201);
    let metadata = shelf.metadata().await;
    let wanted = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<comps>\n  {}\n  {}\n</comps>\n",
        group("core"),
        group("gui")
    );
    assert_eq!((&metadata["group"], &metadata["group_gz"]), (&wanted, &wanted));
    shelf.put("comps.xml?wait=1", file("base")).await.assert_status(201);
    shelf.delete("comps/desktop?wait=1").await.assert_status(204);
    assert!(!shelf.metadata().await["group"].contains("gui"));
    assert!(shelf.metadata().await["group"].contains("base"));
}

async fn modules_are_documents_of_their_own(server: &TestServer) {
    let shelf = Shelf::new(server, "team/el9");
    let document = |name: &str, version: u32| {
        format!("document: modulemd\nversion: 2\ndata:\n  name: {name}\n  stream: \"1\"\n  version: {version}\n")
    };
    let file = format!("---\n{}...\n---\n{}...\n", document("tool", 1), document("tool", 2));
    shelf.put("modules.yaml?wait=1", file.clone()).await.assert_status(201);
    assert_eq!(shelf.metadata().await["modules"], file);
    shelf.delete("modules/modulemd:tool:1:1?wait=1").await.assert_status(204);
    assert_eq!(shelf.metadata().await["modules"], format!("---\n{}...\n", document("tool", 2)));
}

async fn a_file_is_taken_whole_or_not_at_all(server: &TestServer) {
    let shelf = Shelf::new(server, "team/el9");
    let file = format!("<updates>{}<update><title>nameless</title></update></updates>", update("A-1", "one"));
    let refused = shelf.put("updateinfo.xml", file).await;
    refused.assert_status(400).assert_body("invalid package: it has no <id>\n");
    shelf.get("updateinfo.xml").await.assert_status(404);
    shelf.put("updateinfo.xml", vec![0xff, 0xfe]).await.assert_status(400);
    shelf.put("modules.yaml", "a: [\n").await.assert_status(400);
}
