//! The real program over a bucket.

use serde_json::Value;
use wharf_storage::testing;

use crate::harness::{PASSWORD, Place, Server, http, push, upload};

const ADMIN: (&str, &str) = ("admin", PASSWORD);

type Variables = Vec<(String, String)>;

/// The settings of a new part of the bucket for a section, as variables, and its name.
fn part(section: &str) -> (Variables, String) {
    part_of(section, "s3")
}

/// The same of Azure's, or of S3's.
fn part_of(section: &str, kind: &str) -> (Variables, String) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (scheme, config) = runtime.block_on(async {
        match kind {
            "azure" => ("az", testing::azure().await.config()),
            _ => ("s3", testing::s3().await.config()),
        }
    });
    let place = format!("{scheme}://{}/{}", config.bucket, config.prefix);
    let mut settings: Variables = [
        ("KIND", kind.to_owned()),
        ("BUCKET", config.bucket),
        ("PREFIX", config.prefix),
        ("ENDPOINT", config.endpoint.unwrap()),
        ("ALLOW_HTTP", "true".to_owned()),
        ("ACCESS_KEY", config.access_key.unwrap()),
        ("SECRET_KEY", config.secret_key.unwrap().0),
        ("RETRIES", "0".to_owned()),
    ]
    .map(|(name, value)| (format!("WHARF_{section}_{name}"), value))
    .into();
    settings.push(("WHARF_ADMIN_PASSWORD".to_owned(), PASSWORD.to_owned()));
    (settings, place)
}

fn settings() -> Variables {
    settings_of("s3")
}

fn settings_of(kind: &str) -> Variables {
    part_of("STORAGE", kind).0
}

fn borrowed(settings: &[(String, String)]) -> Vec<(&str, &str)> {
    settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

const SERVE: [&str; 5] = ["serve", "--data", "data", "--listen", "127.0.0.1:0"];

#[test]
fn a_server_starts_again_over_its_bucket_and_a_second_one_on_its_sqlite_is_refused() {
    for kind in ["s3", "azure"] {
        let (place, settings) = (Place::new(), settings_of(kind));
        for _ in 0..2 {
            let server = place.serve_with(&[], &borrowed(&settings));
            let second = place.run_with(&SERVE, &borrowed(&settings), "").refused(1);
            assert!(second.contains("in use by another process"), "{second}");
            place.login(&server);
            assert_eq!(server.stop().code, Some(0));
        }
    }
}

#[test]
fn a_bucket_that_cannot_be_used_is_refused_at_the_start_and_its_setting_named() {
    let right = settings();
    for (variable, value, named) in [
        ("WHARF_STORAGE_BUCKET", "not-there", "storage.bucket names not-there"),
        ("WHARF_STORAGE_ACCESS_KEY", "somebody", "storage.access_key"),
        ("WHARF_STORAGE_SECRET_KEY", "hunter2", "storage.secret_key is refused"),
        ("WHARF_STORAGE_ENDPOINT", "http://127.0.0.1:1", "storage.endpoint cannot be reached"),
        ("WHARF_STORAGE_CA", "/not/there.pem", "storage.ca: /not/there.pem cannot be read"),
        ("WHARF_STORAGE_ALLOW_HTTP", "false", "set storage.allow_http"),
    ] {
        let mut wrong = right.clone();
        wrong.retain(|(name, _)| name != variable);
        wrong.push((variable.to_owned(), value.to_owned()));
        let ended = Place::new().run_with(&SERVE, &borrowed(&wrong), "");
        assert!(ended.code != 0 && ended.err.contains(named), "{variable}: {ended:?}");
        assert!(!ended.err.contains("hunter2") && !ended.err.contains("test-secret"), "{ended:?}");
    }
}

/// More than lies in a row.
fn large(seed: u32) -> Vec<u8> {
    (0..30_000_u32).flat_map(|at| (at ^ (seed << 16)).to_le_bytes()).collect()
}

fn pull(server: &Server, digest: &str) -> u16 {
    http("GET", &format!("{}/v2/team/app/blobs/{digest}", server.url), Some(ADMIN), None).0
}

fn bring_key(place: &Place) {
    std::fs::create_dir(place.path("other")).unwrap();
    std::fs::copy(place.path("data/instance.key"), place.path("other/instance.key")).unwrap();
}

#[test]
fn a_server_backs_itself_up_into_a_bucket_and_another_storage_is_filled_from_there() {
    for kind in ["s3", "azure"] {
        backs_itself_up_and_fills_another(kind);
    }
}

fn backs_itself_up_and_fills_another(kind: &str) {
    let (place, (settings, bucket)) = (Place::new(), part_of("BACKUP", kind));
    let variables = borrowed(&settings);
    let run = |args: &[&str]| place.run_with(args, &variables, "");
    let server = place.serve_with(&[], &variables);
    place.login(&server);
    push(&server, ADMIN, "team/app", "v1");
    let (kept, leaked) = (upload(&server, ADMIN, "team/app", large(1)), upload(&server, ADMIN, "team/app", large(2)));
    let made = place.run(&["backup", "--output", "json"]).json();
    assert_eq!((&made["state"], &made["blobs"]), (&"done".into(), &2.into()), "{made}");
    place.run(&["backup", "--to", "nightly"]).ok();
    place.run(&["backup", "--to", &format!("{bucket}/nightly")]).ok();
    let beside = format!("{bucket}0");
    for elsewhere in ["/elsewhere", "../elsewhere", "nightly/../elsewhere", "s3://other/place", "a//b", &beside] {
        assert!(place.run(&["backup", "--to", elsewhere]).refused(1).contains("only into"), "{elsewhere}");
    }
    run(&["backup", "verify", &format!("{bucket}/nightly")]).ok();
    assert!(run(&["backup", "list", &bucket]).ok().contains(made["snapshot"].as_str().unwrap()));

    // The scrub takes from there what is damaged.
    for object in walk(&place.path("data/storage/objects")) {
        let mut bytes = std::fs::read(&object).unwrap();
        bytes[5] ^= 4;
        std::fs::write(&object, bytes).unwrap();
    }
    place.run(&["scrub", "run"]).ok();
    let status = loop {
        let status = place.run(&["scrub", "status", "--output", "json"]).json();
        if !status["finished_at"].is_null() {
            break status;
        }
    };
    assert_eq!(status["damaged"], 0, "{status}");
    assert_eq!((pull(&server, &kept), pull(&server, &leaked)), (200, 200));

    // A purge is heard of there.
    place.run(&["purge", &leaked, "--reason", "a test", "--yes"]).ok();
    assert_eq!(server.stop().code, Some(0));
    bring_key(&place);
    let restore = ["backup", "restore", "--from", &bucket, "--data", "other"];
    let storage = settings_of(kind);
    let onto_a_bucket = [variables.clone(), borrowed(&storage)].concat();
    place.run_with(&restore, &onto_a_bucket, "").ok();
    let again = place.run_with(&restore, &onto_a_bucket, "").refused(1);
    assert!(again.contains("was restored into this database before"), "{again}");
    let server = place.serve_with(&["--data", "other"], &onto_a_bucket);
    assert_eq!(http("GET", &format!("{}/v2/team/app/manifests/v1", server.url), Some(ADMIN), None).0, 200);
    assert_eq!((pull(&server, &kept), pull(&server, &leaked)), (200, 404));
    push(&server, ADMIN, "team/app", "v2");
    drop(server);

    let pruned: Value = run(&["backup", "prune", &bucket, "--keep", "1", "--output", "json"]).json();
    assert_eq!((&pruned["blobs"], &pruned["halves"]), (&1.into(), &Value::Array(Vec::new())), "{pruned}");
    run(&["backup", "verify", &bucket]).ok();
}

#[test]
fn a_backup_into_a_bucket_whose_server_was_killed_goes_on_at_the_next_start() {
    let (place, (mut settings, bucket)) = (Place::new(), part("BACKUP"));
    settings.push(("WHARF_JOBS_LEASE".to_owned(), "1s".to_owned()));
    let variables = borrowed(&settings);
    let server = place.serve_with(&[], &variables);
    for seed in 0..40 {
        upload(&server, ADMIN, "team/app", large(seed));
    }
    let body = ("application/json", b"{}".to_vec());
    let (status, asked) = http("POST", &format!("{}/api/v1/backups", server.url), Some(ADMIN), Some(body));
    assert_eq!(status, 201, "{asked}");
    let state =
        |server: &Server| http("GET", &format!("{}/api/v1/backups/{}", server.url, asked["id"]), Some(ADMIN), None).1;
    while state(&server)["rows"] == 0 {}
    drop(server);
    let server = place.serve_with(&[], &variables);
    let ended = loop {
        let state = state(&server);
        if !state["finished_at"].is_null() {
            break state;
        }
    };
    assert_eq!((&ended["state"], &ended["blobs"]), (&"done".into(), &40.into()), "{ended}");
    let listed = place.run_with(&["backup", "list", &bucket, "--output", "json"], &variables, "").json();
    // Killed when all was written but the row that says so, it is written once more.
    assert!((1..=2).contains(&listed.as_array().unwrap().len()), "{listed}");
    place.run_with(&["backup", "verify", &bucket], &variables, "").ok();
}

#[test]
fn a_stopped_server_is_backed_up_into_a_bucket() {
    let (place, (settings, bucket)) = (Place::new(), part("BACKUP"));
    let server = place.serve();
    let digest = upload(&server, ADMIN, "team/app", large(1));
    server.stop();
    let variables = borrowed(&settings);
    place.run_with(&["backup", "--data", "data", "--to", &bucket], &variables, "").ok();
    bring_key(&place);
    place.run_with(&["backup", "restore", "--from", &bucket, "--data", "other"], &variables, "").ok();
    let server = place.serve_with(&["--data", "other"], &[]);
    assert_eq!(pull(&server, &digest), 200);
    let refused = place.run_with(&["backup", "list", "gs://bucket"], &variables, "").refused(2);
    assert!(refused.contains("backup.kind"), "{refused}");
}

#[test]
fn a_bucket_for_backups_that_keeps_nobody_apart_is_refused_at_the_start_and_one_that_is_away_is_not() {
    let (right, bucket) = part("BACKUP");
    let at = |endpoint: String| {
        let mut settings = right.clone();
        settings.retain(|(name, _)| name != "WHARF_BACKUP_ENDPOINT");
        settings.push(("WHARF_BACKUP_ENDPOINT".to_owned(), endpoint));
        settings
    };
    let (place, settings) = (Place::new(), at(testing::yes_man()));
    let refused = place.run_with(&SERVE, &borrowed(&settings), "").refused(1);
    assert!(refused.contains("If-None-Match") && refused.contains("check [backup]"), "{refused}");
    let offline = ["backup", "--data", "data", "--to", &bucket];
    let refused = place.run_with(&offline, &borrowed(&settings), "").refused(1);
    assert!(refused.contains("If-None-Match"), "{refused}");

    let settings = at("http://127.0.0.1:1".to_owned());
    let mut server = place.serve_with(&[], &borrowed(&settings));
    let said = server.wait_for_log("the bucket for backups cannot be used now");
    assert!(said.contains("backup.endpoint cannot be reached"), "{said}");
}

/// Every file below a folder.
fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(walk(&path)) } else { found.push(path) }
    }
    found
}
