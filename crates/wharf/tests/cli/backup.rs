//! `wharf backup`, and `wharf backup restore` into another place.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::harness::{PASSWORD, Place, Server, http, push, upload};

const ADMIN: (&str, &str) = ("admin", PASSWORD);

/// More than lies in a row.
fn large(byte: u8) -> Vec<u8> {
    (0..100_000_u32).map(|at| byte ^ at.to_le_bytes()[usize::from(at % 7 == 0)]).collect()
}

fn pull(server: &Server, digest: &str) -> u16 {
    http("GET", &format!("{}/v2/team/app/blobs/{digest}", server.url), Some(ADMIN), None).0
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// A stopped server with an image and a blob, which it names.
fn filled(place: &Place) -> String {
    let server = place.serve();
    push(&server, ADMIN, "team/app", "v1");
    let digest = upload(&server, ADMIN, "team/app", large(1));
    assert_eq!(server.stop().code, Some(0));
    digest
}

const BACK_UP: [&str; 5] = ["backup", "--data", "data", "--to", "depot"];
const RESTORE: [&str; 6] = ["backup", "restore", "--from", "depot", "--data", "other"];

fn bring_key(place: &Place) {
    std::fs::create_dir(place.path("other")).unwrap();
    std::fs::copy(place.path("data/instance.key"), place.path("other/instance.key")).unwrap();
}

#[test]
fn a_backup_fills_an_empty_instance_that_serves_the_same() {
    let place = Place::new();
    let digest = filled(&place);
    let made = place.run(&["backup", "--data", "data", "--to", "depot", "--output", "json"]).json();
    assert_eq!((&made["blobs"], &made["missing"]), (&1.into(), &Value::Array(Vec::new())), "{made}");
    place.run(&["backup", "verify", "depot"]).ok();
    assert!(place.run(&["backup", "list", "depot"]).ok().contains(made["id"].as_str().unwrap()));

    bring_key(&place);
    place.run(&RESTORE).ok();
    let server = place.serve_with(&["--data", "other"], &[]);
    assert_eq!(pull(&server, &digest), 200);
    let manifest = format!("{}/v2/team/app/manifests/v1", server.url);
    assert_eq!(http("GET", &manifest, Some(ADMIN), None).0, 200);
    push(&server, ADMIN, "team/app", "v2");
    assert_eq!(server.stop().code, Some(0));
}

#[test]
fn a_backup_of_a_stopped_server_is_in_the_audit_log_and_in_the_backup() {
    let place = Place::new();
    filled(&place);
    place.run(&BACK_UP).ok();
    bring_key(&place);
    place.run(&RESTORE).ok();
    for data in ["data", "other"] {
        let server = place.serve_with(&["--data", data], &[]);
        let url = format!("{}/api/v1/audit?action=backup.create", server.url);
        let (_, lines) = http("GET", &url, Some(ADMIN), None);
        let line = &lines["items"][0];
        assert_eq!((&line["actor"], &line["credential"]), (&"wharf".into(), &"offline".into()), "{data}: {lines}");
        assert_eq!(line["subject"], "depot", "{data}: {lines}");
        assert_eq!(server.stop().code, Some(0));
    }
}

#[test]
fn a_restore_is_refused_without_the_key_and_into_what_is_not_empty() {
    let place = Place::new();
    filled(&place);
    place.run(&BACK_UP).ok();
    let refusal = place.run(&RESTORE).refused(1);
    assert!(refusal.contains("belongs to the instance key") && refusal.contains("other/instance.key"), "{refusal}");
    let refusal = place.run(&["backup", "restore", "--from", "depot", "--data", "data"]).refused(1);
    assert!(refusal.contains("not empty") && refusal.contains("hint:"), "{refusal}");
    let lost = [&RESTORE[..], &["--new-instance-key"]].concat();
    place.run(&lost).ok();
    let server = place.serve_with(&["--data", "other"], &[]);
    assert_eq!(http("GET", &format!("{}/v2/team/app/manifests/v1", server.url), Some(ADMIN), None).0, 200);
    drop(server);
    let refusal = place.run(&RESTORE).refused(1);
    assert!(refusal.contains("belongs to the instance key"), "{refusal}");
}

#[test]
fn a_second_backup_copies_only_what_is_new_and_pruning_leaves_what_the_last_needs() {
    let place = Place::new();
    filled(&place);
    place.run(&BACK_UP).ok();
    let first = files(&place.path("depot/blobs"));
    let written = std::fs::metadata(&first[0]).unwrap().modified().unwrap();
    let server = place.serve();
    upload(&server, ADMIN, "team/app", large(2));
    server.stop();
    place.run(&BACK_UP).ok();
    assert_eq!(std::fs::metadata(&first[0]).unwrap().modified().unwrap(), written);
    assert_eq!(files(&place.path("depot/blobs")).len(), 2);
    place.run(&["backup", "prune", "depot", "--keep", "1"]).ok();
    let left: Value = place.run(&["backup", "list", "depot", "--output", "json"]).json();
    assert_eq!(left.as_array().unwrap().len(), 1);
    place.run(&["backup", "verify", "depot"]).ok();
}

#[test]
fn damage_in_a_backup_is_found_and_is_not_restored() {
    let place = Place::new();
    filled(&place);
    place.run(&BACK_UP).ok();
    bring_key(&place);
    for folder in ["depot/blobs", "depot/snapshots"] {
        let is_data = |path: &PathBuf| !path.file_name().unwrap().to_str().unwrap().starts_with("manifest.json");
        let file = files(&place.path(folder)).into_iter().find(is_data).unwrap();
        let good = std::fs::read(&file).unwrap();
        let mut bad = good.clone();
        bad[good.len() / 2] ^= 1;
        std::fs::write(&file, bad).unwrap();
        let name = file.file_name().unwrap().to_str().unwrap();
        assert!(place.run(&["backup", "verify", "depot"]).refused(1).contains(name));
        assert!(place.run(&RESTORE).refused(1).contains("damaged"));
        std::fs::write(&file, good).unwrap();
    }
    // What was begun is not served, and goes on when it is asked for again.
    let refusal = place.run(&["serve", "--data", "other", "--listen", "127.0.0.1:0"]).refused(1);
    assert!(refusal.contains("is not finished"), "{refusal}");
    place.run(&RESTORE).ok();
    let server = place.serve_with(&["--data", "other"], &[]);
    assert_eq!(http("GET", &format!("{}/v2/team/app/manifests/v1", server.url), Some(ADMIN), None).0, 200);
}

#[test]
fn a_manifest_that_was_changed_is_found_and_is_not_restored() {
    let place = Place::new();
    filled(&place);
    place.run(&BACK_UP).ok();
    bring_key(&place);
    let file = files(&place.path("depot/snapshots")).into_iter().find(|path| path.ends_with("manifest.json")).unwrap();
    let good = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, good.replace("\"missing\": []", "\"missing\": [ ]")).unwrap();
    assert!(place.run(&["backup", "verify", "depot"]).refused(1).contains("was changed"));
    assert!(place.run(&RESTORE).refused(1).contains("was changed"));
    std::fs::write(&file, good).unwrap();
    // As an older program left it.
    std::fs::remove_file(file.with_file_name("manifest.json.sha256")).unwrap();
    place.run(&["backup", "verify", "depot"]).ok();
    place.run(&RESTORE).ok();
}

#[test]
fn a_backup_lies_apart_from_the_storage() {
    let place = Place::new();
    filled(&place);
    let refusal = place.run(&["backup", "--data", "data", "--to", "data/../data/storage/mine"]).refused(2);
    assert!(refusal.contains("lies in the storage"), "{refusal}");
    assert!(!place.path("data/storage/mine").exists());
    let inside = place.path("data/storage/mine");
    let serving = place.run_with(
        &["serve", "--data", "data", "--listen", "127.0.0.1:0"],
        &[("WHARF_BACKUP_PATH", inside.to_str().unwrap())],
        "",
    );
    assert!(serving.refused(2).contains("lies in the storage"));
    assert!(place.run(&["backup", "list", "nowhere"]).refused(1).contains("there is no snapshot in"));
}

#[test]
fn a_snapshot_that_cannot_be_read_does_not_stand_in_the_way_of_the_others() {
    let place = Place::new();
    filled(&place);
    place.run(&BACK_UP).ok();
    let older = files(&place.path("depot/snapshots")).into_iter().find(|path| path.ends_with("manifest.json")).unwrap();
    let newer = place.run(&["backup", "--data", "data", "--to", "depot", "--output", "json"]).json();
    std::fs::write(&older, "{").unwrap();
    assert!(place.run(&["backup", "list", "depot"]).ok().contains(newer["id"].as_str().unwrap()));
    bring_key(&place);
    place.run(&RESTORE).ok();
    place.run(&["backup", "prune", "depot", "--keep", "1"]).ok();
    assert!(!older.exists());
    place.run(&["backup", "verify", "depot"]).ok();
}

#[test]
fn a_blob_that_a_backup_has_lost_can_be_left_out() {
    let place = Place::new();
    let digest = filled(&place);
    place.run(&BACK_UP).ok();
    bring_key(&place);
    std::fs::remove_file(&files(&place.path("depot/blobs"))[0]).unwrap();
    let refusal = place.run(&RESTORE).refused(1);
    assert!(refusal.contains("not in the backup") && refusal.contains("--allow-missing"), "{refusal}");
    place.run(&[&RESTORE[..], &["--allow-missing"]].concat()).ok();
    let server = place.serve_with(&["--data", "other"], &[]);
    assert_eq!(pull(&server, &digest), 404);
    assert_eq!(http("GET", &format!("{}/v2/team/app/manifests/v1", server.url), Some(ADMIN), None).0, 200);
    // Whoever has it brings it again.
    upload(&server, ADMIN, "team/app", large(1));
    assert_eq!(pull(&server, &digest), 200);
}

#[test]
fn a_damaged_blob_fails_the_backup_and_the_rest_is_in_it() {
    let place = Place::new();
    let digest = filled(&place);
    let object = files(&place.path("data/storage/objects")).remove(0);
    let mut bytes = std::fs::read(&object).unwrap();
    bytes[5] ^= 4;
    std::fs::write(&object, bytes).unwrap();
    let refusal = place.run(&BACK_UP).refused(1);
    assert!(refusal.contains(&digest) && refusal.contains("hash to"), "{refusal}");
    assert!(!place.path("depot/blobs").exists());
    bring_key(&place);
    assert!(place.run(&RESTORE).refused(1).contains("--allow-missing"));
    place.run(&[&RESTORE[..], &["--allow-missing"]].concat()).ok();
    let server = place.serve_with(&["--data", "other"], &[]);
    assert_eq!(http("GET", &format!("{}/v2/team/app/manifests/v1", server.url), Some(ADMIN), None).0, 200);
    assert_eq!(pull(&server, &digest), 404);
    // Whoever pushes it again heals it.
    assert_eq!(upload(&server, ADMIN, "team/app", large(1)), digest);
    assert_eq!(pull(&server, &digest), 200);
}

#[test]
fn a_half_backup_counts_for_nothing() {
    let place = Place::new();
    filled(&place);
    place.run(&BACK_UP).ok();
    let half = place.path("depot/snapshots/29990101T000000Z-00000000");
    std::fs::create_dir(&half).unwrap();
    std::fs::write(half.join("blobs.jsonl.zst"), "").unwrap();
    place.run(&["backup", "verify", "depot"]).ok();
    bring_key(&place);
    place.run(&RESTORE).ok();
    place.run(&["backup", "prune", "depot", "--keep", "5"]).ok();
    assert!(!half.exists());
}

#[test]
fn a_running_server_backs_itself_up_where_it_may() {
    let place = Place::new();
    let depot = place.path("depot");
    let server =
        place.serve_with(&[], &[("WHARF_ADMIN_PASSWORD", PASSWORD), ("WHARF_BACKUP_PATH", depot.to_str().unwrap())]);
    place.login(&server);
    push(&server, ADMIN, "team/app", "v1");
    let digest = upload(&server, ADMIN, "team/app", large(1));
    let made = place.run(&["backup", "--output", "json"]).json();
    assert_eq!(
        (&made["state"], &made["blobs"], &made["blobs_total"]),
        (&"done".into(), &1.into(), &1.into()),
        "{made}"
    );
    place.run(&["backup", "--to", "nightly"]).ok();
    for elsewhere in ["/elsewhere", "../elsewhere", "nightly/../../elsewhere"] {
        assert!(place.run(&["backup", "--to", elsewhere]).refused(1).contains("only into"));
    }
    assert!(place.run(&["backup", "list"]).ok().contains(made["snapshot"].as_str().unwrap()));
    let busy = place.run(&BACK_UP).refused(1);
    assert!(busy.contains("does the backup itself"), "{busy}");
    place.run(&["backup", "verify", "depot"]).ok();
    place.run(&["backup", "verify", "depot/nightly"]).ok();
    assert_eq!(server.stop().code, Some(0));
    bring_key(&place);
    place.run(&RESTORE).ok();
    let server = place.serve_with(&["--data", "other"], &[]);
    assert_eq!(pull(&server, &digest), 200);
}

#[test]
fn a_server_without_a_place_for_backups_says_so() {
    let place = Place::new();
    let server = place.serve();
    place.login(&server);
    assert!(place.run(&["backup"]).refused(1).contains("backup.path"));
}

/// Waits until a pass of the scrub has come to its end.
fn scrubbed(place: &Place) -> Value {
    place.run(&["scrub", "run"]).ok();
    loop {
        let status = place.run(&["scrub", "status", "--output", "json"]).json();
        if !status["finished_at"].is_null() {
            return status;
        }
    }
}

/// Flips a bit of the only object.
fn damage(place: &Place) {
    let object = files(&place.path("data/storage/objects")).remove(0);
    let mut bytes = std::fs::read(&object).unwrap();
    bytes[5] ^= 4;
    std::fs::write(&object, bytes).unwrap();
}

#[test]
fn the_scrub_finds_a_flipped_bit_and_whoever_pushes_the_blob_heals_it() {
    let place = Place::new();
    let server = place.serve();
    place.login(&server);
    let digest = upload(&server, ADMIN, "team/app", large(1));
    assert_eq!(scrubbed(&place)["damaged"], 0);
    damage(&place);
    let status = scrubbed(&place);
    assert_eq!((&status["blobs"], &status["damaged"]), (&1.into(), &1.into()), "{status}");
    let listed = place.run(&["scrub", "list", "--output", "json"]).json();
    assert_eq!(listed[0]["digest"], digest);
    assert_eq!(pull(&server, &digest), 404);
    assert_eq!(upload(&server, ADMIN, "team/app", large(1)), digest);
    assert_eq!(pull(&server, &digest), 200);
    assert_eq!(place.run(&["scrub", "list", "--output", "json"]).json(), Value::Array(Vec::new()));
}

#[test]
fn a_blob_that_was_away_is_served_again_when_it_is_back() {
    let place = Place::new();
    let server = place.serve();
    place.login(&server);
    let digest = upload(&server, ADMIN, "team/app", large(1));
    let (file, aside) = (files(&place.path("data/storage/objects")).remove(0), place.path("aside"));
    std::fs::rename(&file, &aside).unwrap();
    assert_eq!(scrubbed(&place)["damaged"], 1);
    assert_eq!(pull(&server, &digest), 404);
    std::fs::rename(&aside, &file).unwrap();
    assert_eq!(scrubbed(&place)["damaged"], 0);
    assert_eq!(pull(&server, &digest), 200);
}

#[test]
fn the_scrub_takes_a_damaged_blob_again_from_the_backup() {
    let place = Place::new();
    let depot = place.path("depot");
    let server =
        place.serve_with(&[], &[("WHARF_ADMIN_PASSWORD", PASSWORD), ("WHARF_BACKUP_PATH", depot.to_str().unwrap())]);
    place.login(&server);
    let digest = upload(&server, ADMIN, "team/app", large(1));
    place.run(&["backup"]).ok();
    damage(&place);
    assert_eq!(scrubbed(&place)["damaged"], 0);
    assert_eq!(pull(&server, &digest), 200);
    let stopped = server.stop();
    assert!(stopped.log.iter().any(|line| line.contains("taken again from the backup")), "{stopped:?}");
}

#[test]
fn the_schema_of_a_database_is_told_without_changing_it() {
    let place = Place::new();
    assert!(place.run(&["db", "status", "--data", "data"]).refused(2).contains("there is no database"));
    place.serve().stop();
    let status = place.run(&["db", "status", "--data", "data", "--output", "json"]).json();
    assert_eq!(status["schema"], status["known"], "{status}");
    assert!(status["floor"].as_i64() <= status["known"].as_i64(), "{status}");
    assert!(place.run(&["db", "status", "--data", "data"]).ok().contains("up to date"));
}
