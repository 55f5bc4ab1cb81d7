//! `wharf import`: what comes over, what is told, what is sent again, and what is never read.

mod apt;
mod charts;
mod registry;
mod yum;

use std::path::Path;

use serde_json::Value;

use crate::harness::{Ended, Place, Server};

/// A server with the project `team`, and whoever imports.
fn ready() -> (Place, Server) {
    let place = Place::new();
    let server = place.serve();
    place.login(&server);
    place.run(&["project", "create", "team"]).ok();
    (place, server)
}

fn write(place: &Place, name: &str, content: impl AsRef<[u8]>) {
    let path = place.path(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}

/// What an import says of itself, and with which code it ended.
fn import(place: &Place, args: &[&str]) -> (i32, Value) {
    let ended = place.run(&[&["import", "--output", "json"], args].concat());
    (ended.code, said(&ended))
}

fn said(ended: &Ended) -> Value {
    serde_json::from_str(&ended.out).unwrap_or_else(|error| panic!("{error}: {ended:?}"))
}

/// Sent, there, placed without sending, failed.
fn counts(told: &Value) -> [u64; 4] {
    let number = |name: &str| told[name].as_u64().unwrap();
    [number("sent"), number("there"), number("placed"), told["failed"].as_array().unwrap().len() as u64]
}

fn names(told: &Value, list: &str) -> Vec<String> {
    let mut names: Vec<_> =
        told[list].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

fn sha256(content: impl AsRef<[u8]>) -> String {
    wharf_types::Digest::sha256(content.as_ref()).hex()
}

/// What the server hands out at a path, and with which status.
fn get(server: &Server, path: &str) -> (u16, Vec<u8>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let request = reqwest::Client::new().get(format!("{}{path}", server.url));
        let accept = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, */*";
        let request = request.header("accept", accept).basic_auth("admin", Some(crate::harness::PASSWORD));
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.bytes().await.unwrap().to_vec())
    })
}

fn link(place: &Place, name: &str, to: impl AsRef<Path>) {
    std::os::unix::fs::symlink(to, place.path(name)).unwrap();
}

#[test]
fn what_is_no_folder_of_a_kind_is_said_to_be_none() {
    let (place, _server) = ready();
    write(&place, "tree/readme", "nothing");
    let refused = place.run(&["import", "tree", "team/debs"]).refused(2);
    assert!(refused.contains("nothing that can be imported is known"), "{refused}");
    assert!(place.run(&["import", "missing", "team/debs"]).refused(2).contains("missing"));
    write(&place, "aptly/db/CURRENT", "");
    write(&place, "aptly/pool/a", "");
    write(&place, "aptly/public/dists/a", "");
    assert!(place.run(&["import", "aptly", "team/debs"]).refused(2).contains("aptly publish"));
    write(&place, "reprepro/conf/distributions", "");
    assert!(place.run(&["import", "reprepro", "team/debs"]).refused(2).contains("reprepro export"));
    write(&place, "several/one/repodata/repomd.xml", "");
    assert!(place.run(&["import", "several", "team/rpms"]).refused(2).contains("one by one"));
    assert!(place.run(&["import", "several/one"]).refused(2).contains("into which repository"));
    assert!(place.run(&["import", "several/one", "Team/RPMS"]).refused(2).contains("Team/RPMS"));
    // An index that is no index is the end of it.
    assert!(place.run(&["import", "several/one", "team/rpms"]).refused(1).contains("repomd.xml"));
}
