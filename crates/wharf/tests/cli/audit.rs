//! `wharf audit`, and that a stop loses nothing of it.

use serde_json::Value;

use crate::harness::{PASSWORD, Place, http, push};

const ADMIN: (&str, &str) = ("admin", PASSWORD);

fn export(place: &Place, args: &[&str]) -> Vec<Value> {
    let text = place.run(&[&["audit", "export", "--until", "2100-01-01T00:00:00Z"], args].concat()).ok();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn what_was_noted_is_there_after_a_stop() {
    let place = Place::new();
    let server = place.serve();
    push(&server, ADMIN, "team/app", "v1");
    let manifest = format!("{}/v2/team/app/manifests/v1", server.url);
    for _ in 0..3 {
        assert_eq!(http("GET", &manifest, Some(ADMIN), None).0, 200);
    }
    assert_eq!(http("GET", &manifest, Some(("admin", "wrong")), None).0, 401);
    // At once, so that nothing was written in between.
    let stopped = server.stop();
    assert_eq!(stopped.code, Some(0), "{stopped:?}");
    let server = place.serve();
    place.login(&server);
    let pulls = export(&place, &["--action", "manifest.read"]);
    let times: u64 = pulls.iter().map(|line| line["times"].as_u64().unwrap()).sum();
    assert_eq!((times, &pulls[0]["repository"], &pulls[0]["subject"]), (3, &"team/app".into(), &"v1".into()));
    let denied = export(&place, &["--action", "login", "--outcome", "denied"]);
    assert_eq!((denied.len(), &denied[0]["subject"]), (1, &"admin".into()));
    assert!(!Value::from(denied).to_string().contains("wrong\""));
}

#[test]
fn an_export_is_carried_on_after_its_last_line() {
    let place = Place::new();
    let server = place.serve();
    place.login(&server);
    push(&server, ADMIN, "team/app", "v1");
    let all = export(&place, &["--repository", "team/app"]);
    assert!(all.len() > 1 && all.iter().all(|line| line["repository"] == "team/app"), "{all:?}");
    let first = all[0]["id"].as_str().unwrap();
    assert_eq!(export(&place, &["--repository", "team/app", "--after", first]), all[1..]);
    assert_eq!(export(&place, &["--project", "team", "--repository", "team/app"]), all);
    assert_eq!(export(&place, &["--repository", "team/app", "--since", "2090-01-01T00:00:00Z"]), [] as [Value; 0]);
    // What was done just now may not be whole yet, so it is left out unless it is asked for.
    assert_eq!(place.run(&["audit", "export", "--repository", "team/app"]).ok(), "");
    let wrong = place.run(&["audit", "export", "--outcome", "maybe"]);
    assert_eq!(wrong.code, 2, "{wrong:?}");
}

#[test]
fn everybody_sees_what_they_did_themselves() {
    let place = Place::new();
    let server = place.serve();
    place.login(&server);
    let own = place.run(&["audit", "--own", "--action", "token.create", "--output", "json"]).json();
    assert!(own.as_array().unwrap().iter().all(|line| line["actor"] == "admin"), "{own}");
    assert!(!own.as_array().unwrap().is_empty());
    let text = place.run(&["audit", "--own"]).ok();
    assert!(text.starts_with("WHEN") && text.contains("OUTCOME"), "{text}");
}
