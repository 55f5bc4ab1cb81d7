//! Storages of registries.

use serde_json::{Value, json};

use super::{counts, get, import, names, ready, sha256, write};
use crate::harness::{Place, Server};

const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// A storage in the making.
struct Storage<'a>(&'a Place);

impl Storage<'_> {
    fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        write(self.0, &format!("storage/docker/registry/v2/{path}"), content);
    }

    fn blob(&self, content: &[u8]) -> String {
        let hex = sha256(content);
        self.write(&format!("blobs/sha256/{}/{hex}/data", &hex[..2]), content);
        format!("sha256:{hex}")
    }

    /// A manifest that a repository serves.
    fn manifest(&self, name: &str, content: &Value) -> String {
        let digest = self.blob(content.to_string().as_bytes());
        let hex = digest.trim_start_matches("sha256:");
        self.write(&format!("repositories/{name}/_manifests/revisions/sha256/{hex}/link"), &digest);
        digest
    }

    fn tag(&self, name: &str, tag: &str, digest: &str) {
        self.write(&format!("repositories/{name}/_manifests/tags/{tag}/current/link"), digest);
    }

    /// An image with one layer.
    fn image(&self, layer: &str, more: &Value) -> Value {
        let descriptor = |media_type: &str, content: &[u8]| json!({ "mediaType": media_type, "digest": self.blob(content), "size": content.len() });
        let mut image = json!({
            "schemaVersion": 2,
            "mediaType": IMAGE,
            "config": descriptor("application/vnd.oci.image.config.v1+json", b"{}"),
            "layers": [descriptor("application/vnd.oci.image.layer.v1.tar", layer.as_bytes())],
        });
        image.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        image
    }
}

fn manifest(server: &Server, name: &str, reference: &str) -> (u16, String) {
    let (status, content) = get(server, &format!("/v2/{name}/manifests/{reference}"));
    (status, format!("sha256:{}", sha256(content)))
}

fn descriptor(digest: &str, content: &Value) -> Value {
    json!({ "mediaType": IMAGE, "digest": digest, "size": content.to_string().len() })
}

#[test]
fn what_tags_lead_to_comes_with_what_refers_to_it() {
    let (place, server) = ready();
    let storage = Storage(&place);
    let none = json!({});
    let one = storage.image("one", &none);
    let one_digest = storage.manifest("app", &one);
    let two = storage.image("two", &none);
    let two_digest = storage.manifest("app", &two);
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [descriptor(&one_digest, &one), descriptor(&two_digest, &two)] });
    let index_digest = storage.manifest("app", &index);
    storage.tag("app", "1.0", &index_digest);
    storage.tag("app", "latest", &index_digest);
    let signature = storage
        .image("signature", &json!({ "subject": descriptor(&one_digest, &one), "artifactType": "application/x-sig" }));
    let signature_digest = storage.manifest("app", &signature);
    let left = storage.manifest("app", &storage.image("left", &none));
    // The same image again: nothing of it goes over the wire twice.
    let twin = storage.manifest("deep/er/app", &one);
    storage.tag("deep/er/app", "1", &twin);

    let (code, said) = import(&place, &["storage", "team/old"]);
    // Four manifests and their five blobs (one configuration), and the manifest of the twin with two mounted.
    assert_eq!((code, counts(&said)), (0, [9, 0, 2, 0]), "{said}");
    assert_eq!(names(&said, "passed_over"), ["app"]);
    for tag in ["1.0", "latest"] {
        assert_eq!(manifest(&server, "team/old/app", tag), (200, index_digest.clone()));
    }
    assert_eq!(manifest(&server, "team/old/app", &two_digest), (200, two_digest.clone()));
    assert_eq!(manifest(&server, "team/old/deep/er/app", "1"), (200, one_digest.clone()));
    let (_, referrers) = get(&server, &format!("/v2/team/old/app/referrers/{one_digest}"));
    assert!(String::from_utf8(referrers).unwrap().contains(&signature_digest));
    assert_eq!(manifest(&server, "team/old/app", &left).0, 404);

    let again = place.run(&["import", "storage/docker/registry/v2", "team/old"]).ok();
    assert_eq!(again, "nothing to send: all 5 are there already\n");

    // A tag that moved, a new one, and what no tag leads to.
    storage.tag("app", "latest", &two_digest);
    storage.tag("app", "2.0", &two_digest);
    let (code, said) = import(&place, &["storage", "team/old", "--untagged"]);
    assert_eq!((code, counts(&said)), (0, [2, 6, 2, 0]), "{said}");
    assert_eq!(manifest(&server, "team/old/app", "latest"), (200, two_digest.clone()));
    assert_eq!(manifest(&server, "team/old/app", &left), (200, left));
    server.stop();
}

#[test]
fn tags_that_lead_elsewhere_are_left_if_asked() {
    let (place, server) = ready();
    let storage = Storage(&place);
    let none = json!({});
    let [old, new, both] = ["old", "new", "both"].map(|layer| storage.manifest("app", &storage.image(layer, &none)));
    for (tag, digest) in [("1.0", &both), ("latest", &new), ("stable", &new)] {
        storage.tag("app", tag, digest);
    }
    assert_eq!(import(&place, &["storage", "team"]).0, 0);
    // The day before, as the other server knew it; `new` has come here since.
    for (tag, digest) in [("latest", &old), ("stable", &old), ("only-there", &both)] {
        storage.tag("app", tag, digest);
    }
    let (code, dry) = import(&place, &["storage", "team", "--keep-newer", "--dry-run"]);
    assert_eq!((code, names(&dry, "left")), (0, vec!["app:latest".to_owned(), "app:stable".to_owned()]), "{dry}");
    let (code, said) = import(&place, &["storage", "team", "--keep-newer"]);
    assert_eq!((code, counts(&said)), (0, [0, 1, 1, 0]), "{said}");
    assert_eq!(said["left"][0]["digest"], new, "{said}");
    for (tag, digest) in [("1.0", &both), ("latest", &new), ("stable", &new), ("only-there", &both)] {
        assert_eq!(manifest(&server, "team/app", tag), (200, digest.clone()), "{tag}");
    }
    assert_eq!(manifest(&server, "team/app", &old).0, 404, "what only such tags lead to is not brought");
    let told = place.run(&["import", "storage", "team", "--keep-newer"]).ok();
    assert_eq!(told, "0 sent (0 B), 1 were there already, 2 tags left that lead elsewhere\n");
    // Without being asked for it, they move.
    assert_eq!(import(&place, &["storage", "team"]).0, 0);
    assert_eq!(manifest(&server, "team/app", "latest"), (200, old));
    server.stop();
}

#[test]
fn broken_and_hostile_things_are_named_and_the_others_come() {
    let (place, server) = ready();
    let storage = Storage(&place);
    let none = json!({});
    let good = storage.manifest("good", &storage.image("good", &none));
    storage.tag("good", "1", &good);
    storage.tag("good", "out", "../../../../../../secret");
    storage.write("repositories/Bad_Name/_manifests/tags/1/current/link", &good);
    // A layer that rotted, and one that is gone.
    let rotten = storage.manifest("app", &storage.image("rotten", &none));
    storage.tag("app", "rotten", &rotten);
    let hex = sha256("rotten");
    let rotten_path = format!("blobs/sha256/{}/{hex}/data", &hex[..2]);
    storage.write(&rotten_path, "ROTTEN");
    let gone = storage.manifest("app", &storage.image("gone", &none));
    storage.tag("app", "gone", &gone);
    let hex = sha256("gone");
    let gone_path = format!("blobs/sha256/{}/{hex}/data", &hex[..2]);
    std::fs::remove_file(place.path(&format!("storage/docker/registry/v2/{gone_path}"))).unwrap();
    let old = storage.manifest("app", &json!({ "schemaVersion": 1, "name": "app", "tag": "old" }));
    storage.tag("app", "old", &old);
    let (code, said) = import(&place, &["storage", "team"]);
    assert_eq!(code, 1);
    let base = "docker/registry/v2";
    let mut wanted = vec![
        "Bad_Name".to_owned(),
        "app:gone".to_owned(),
        "app:rotten".to_owned(),
        format!("app@{old}"),
        format!("{base}/{gone_path}"),
        format!("{base}/{rotten_path}"),
        "good:out".to_owned(),
    ];
    wanted.sort();
    assert_eq!(names(&said, "failed"), wanted, "{said}");
    assert_eq!(manifest(&server, "team/good", "1"), (200, good));
    assert_eq!(manifest(&server, "team/app", "rotten").0, 404);
    server.stop();
}
