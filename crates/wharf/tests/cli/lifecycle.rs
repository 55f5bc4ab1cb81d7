//! Starting and stopping.

use wharf_db::Engine;

use crate::harness::{PASSWORD, Place, http, mode, upload};

fn password_in(out: &[String]) -> Option<String> {
    let line = out.iter().find(|line| line.trim_start().starts_with("password"))?;
    line.split_whitespace().nth(1).map(str::to_owned)
}

#[test]
fn the_first_start_prints_url_and_password_and_the_second_does_not() {
    let place = Place::new();
    let server = place.serve_with(&[], &[]);
    let url = server.url.clone();
    assert!(url.starts_with("http://127.0.0.1:"), "{url}");
    let first = server.stop();
    assert_eq!(first.code, Some(0), "{first:?}");
    let host = url.strip_prefix("http://").unwrap();
    for command in [&format!("docker login -u admin {host}"), &format!("docker push {host}/demo/alpine"), "skopeo copy"]
    {
        assert!(first.out.iter().any(|line| line.contains(command)), "{command} is not in {:?}", first.out);
    }
    let password = password_in(&first.out).unwrap();
    assert_eq!(password.len(), 24);
    assert!(!first.log.iter().any(|line| line.contains(&password)), "the password is in the log");
    let server = place.serve_with(&[], &[]);
    assert_eq!(http("GET", &format!("{}/api/v1/whoami", server.url), Some(("admin", &password)), None).0, 200);
    let second = server.stop();
    assert_eq!((password_in(&second.out), second.out.len()), (None, 1), "{second:?}");
}

#[test]
fn a_password_that_is_given_counts_and_is_not_printed() {
    let place = Place::new();
    let file = place.write("password", &format!("{PASSWORD}\n"));
    let server = place.serve_with(&[], &[("WHARF_ADMIN_PASSWORD_FILE", &file)]);
    let (status, me) = http("GET", &format!("{}/api/v1/whoami", server.url), Some(("admin", PASSWORD)), None);
    assert_eq!((status, &me["name"], &me["server_roles"][0]), (200, &"admin".into(), &"administrator".into()));
    let stopped = server.stop();
    assert!(!stopped.out.iter().any(|line| line.contains(PASSWORD)), "{stopped:?}");
}

#[test]
fn another_password_at_a_later_start_does_not_count_and_is_warned_of() {
    let place = Place::new();
    place.serve().stop();
    let mut server = place.serve_with(&[], &[("WHARF_ADMIN_PASSWORD", "something else entirely")]);
    server.wait_for_log("not the one in the database");
    let whoami = format!("{}/api/v1/whoami", server.url);
    assert_eq!(http("GET", &whoami, Some(("admin", "something else entirely")), None).0, 401);
    assert_eq!(http("GET", &whoami, Some(("admin", PASSWORD)), None).0, 200);
}

#[test]
fn the_instance_key_is_private_and_the_server_does_not_start_without_it() {
    let place = Place::new();
    place.serve().stop();
    let key = place.path("data/instance.key");
    assert_eq!((mode(&key), mode(&place.path("data"))), (0o600, 0o700));
    let text = std::fs::read_to_string(&key).unwrap();
    let serve = ["serve", "--data", "data", "--listen", "127.0.0.1:0"];
    std::fs::remove_file(&key).unwrap();
    let missing = place.run(&serve).refused(1);
    assert!(missing.contains("belongs to the instance key") && missing.contains("instance.key"), "{missing}");
    assert!(!key.exists(), "a new key would hide the loss of the old one");
    let other = Place::new();
    other.serve().stop();
    std::fs::copy(other.path("data/instance.key"), &key).unwrap();
    let wrong = place.run(&serve).refused(1);
    assert!(wrong.contains("belongs to the instance key"), "{wrong}");
    std::fs::remove_file(&key).unwrap();
    let server = place.serve_with(&[], &[("WHARF_INSTANCE_KEY", text.trim())]);
    assert_eq!(server.stop().code, Some(0));
}

#[test]
fn a_second_server_on_the_same_data_is_refused() {
    let place = Place::new();
    let server = place.serve();
    let refusal = place.run(&["serve", "--data", "data", "--listen", "127.0.0.1:0"]).refused(1);
    assert!(refusal.contains("in use by another process") && refusal.contains("hint:"), "{refusal}");
    assert_eq!(server.stop().code, Some(0));
}

#[test]
fn a_second_server_on_the_same_postgres_with_a_disk_of_its_own_is_refused() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let wharf_db::Config::Postgres { url, .. } = runtime.block_on(wharf_db::testing::config(Engine::Postgres)) else {
        panic!("not PostgreSQL")
    };
    let variables = [("WHARF_ADMIN_PASSWORD", PASSWORD), ("WHARF_DATABASE_URL", &*url)];
    let place = Place::new();
    let serve = ["serve", "--data", "second", "--listen", "127.0.0.1:0"];
    let first = place.serve_with(&[], &variables);
    std::fs::create_dir(place.path("second")).unwrap();
    std::fs::copy(place.path("data/instance.key"), place.path("second/instance.key")).unwrap();
    for _ in 0..2 {
        let refusal = place.run_with(&serve, &variables, "").refused(1);
        assert!(refusal.contains("another storage than the one this database was used with"), "{refusal}");
    }
    // The first is none the worse for it.
    let digest = upload(&first, ("admin", PASSWORD), "team/app", vec![7; 100_000]);
    assert_eq!(first.stop().code, Some(0));
    let first = place.serve_with(&[], &variables);
    let blob = format!("{}/v2/team/app/blobs/{digest}", first.url);
    assert_eq!(http("GET", &blob, Some(("admin", PASSWORD)), None).0, 200);
}

#[test]
fn a_new_database_is_refused_over_a_storage_that_holds_something() {
    let place = Place::new();
    let server = place.serve();
    upload(&server, ("admin", PASSWORD), "team/app", vec![7; 100_000]);
    assert_eq!(server.stop().code, Some(0));
    std::fs::remove_file(place.path("data/wharf.db")).unwrap();
    let refusal = place.run(&["serve", "--data", "data", "--listen", "127.0.0.1:0"]).refused(1);
    assert!(refusal.contains("not empty, and this database has never seen it"), "{refusal}");
}

#[test]
fn a_taken_address_is_refused_before_a_password_is_made() {
    let place = Place::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ended = place.run(&["serve", "--data", "data", "--listen", &address]);
    assert_eq!(ended.out, "");
    let refusal = ended.refused(1);
    assert!(refusal.contains(&address) && refusal.contains("--listen"), "{refusal}");
    let server = place.serve_with(&[], &[]);
    assert!(password_in(&server.stop().out).is_some());
}

#[test]
fn sigterm_and_sigint_stop_gracefully_and_sighup_does_not_stop() {
    for name in ["TERM", "INT"] {
        let place = Place::new();
        let mut server = place.serve();
        server.wait_for_log("ready");
        server.signal("HUP");
        assert_eq!(http("GET", &format!("{}/livez", server.url), None, None).0, 200);
        server.signal(name);
        server.wait_for_log("stopped");
        assert_eq!(server.ended(), Some(0));
    }
}

#[test]
fn log_lines_are_json_when_asked_for() {
    let place = Place::new();
    let server = place.serve_with(&["--log-format", "json"], &[("WHARF_ADMIN_PASSWORD", PASSWORD)]);
    http("GET", &format!("{}/api/v1/whoami", server.url), Some(("admin", PASSWORD)), None);
    let stopped = server.stop();
    assert!(!stopped.log.is_empty());
    for line in &stopped.log {
        serde_json::from_str::<serde_json::Value>(line).unwrap_or_else(|_| panic!("{line} is not JSON"));
    }
    assert!(stopped.log.iter().any(|line| line.contains("whoami") && line.contains("request_id")), "{stopped:?}");
    assert!(!stopped.log.iter().any(|line| line.contains(PASSWORD)));
}

#[test]
fn a_server_in_memory_leaves_nothing_behind() {
    let place = Place::new();
    let variables = [("WHARF_ADMIN_PASSWORD", PASSWORD), ("WHARF_STORAGE_KIND", "memory")];
    let server = place.serve_with(&["--database", "sqlite::memory:"], &variables);
    assert_eq!(http("GET", &format!("{}/readyz", server.url), None, None).0, 200);
    server.stop();
    assert!(!place.path("data").exists());
}

#[test]
fn a_server_with_a_certificate_speaks_https_and_commands_check_it() {
    let place = Place::new();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let (certificate, key) =
        (place.write("tls.crt", &made.cert.pem()), place.write("tls.key", &made.signing_key.serialize_pem()));
    let flags = ["--tls-certificate", &*certificate, "--tls-key", &*key];
    let server = place.serve_with(&flags, &[("WHARF_ADMIN_PASSWORD", PASSWORD)]);
    assert!(server.url.starts_with("https://127.0.0.1:"), "{}", server.url);
    let login = ["login", &server.url, "-u", "admin", "--password-stdin"];
    let refusal = place.run_with(&login, &[], PASSWORD).refused(1);
    assert!(refusal.contains("certificate") && refusal.contains("SSL_CERT_FILE"), "{refusal}");
    let trusting = [("SSL_CERT_FILE", &*certificate)];
    place.run_with(&login, &trusting, PASSWORD).ok();
    assert!(place.run_with(&["whoami"], &trusting, "").ok().contains("admin"));
    server.signal("HUP");
    assert!(place.run_with(&["whoami"], &trusting, "").ok().contains("admin"));
}
