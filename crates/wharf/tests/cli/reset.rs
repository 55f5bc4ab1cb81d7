//! `wharf admin reset-password`.

use crate::harness::{PASSWORD, Place, http};

#[test]
fn an_administrator_gets_back_in_while_the_server_is_stopped() {
    let place = Place::new();
    place.serve().stop();
    let made = place.run(&["admin", "reset-password", "--data", "data"]).ok();
    let password = made.trim();
    assert_eq!(password.len(), 24);
    let server = place.serve_with(&[], &[]);
    let whoami = format!("{}/api/v1/whoami", server.url);
    assert_eq!(http("GET", &whoami, Some(("admin", password)), None).0, 200);
    assert_eq!(http("GET", &whoami, Some(("admin", PASSWORD)), None).0, 401);
}

#[test]
fn a_password_from_standard_input_makes_an_administrator_of_anybody() {
    let place = Place::new();
    place.serve().stop();
    let args = ["admin", "reset-password", "rescue", "--data", "data", "--password-stdin"];
    let ended = place.run_with(&args, &[], "another-long-password\n");
    assert_eq!((ended.code, &*ended.out), (0, ""));
    let server = place.serve_with(&[], &[]);
    let (status, me) =
        http("GET", &format!("{}/api/v1/whoami", server.url), Some(("rescue", "another-long-password")), None);
    assert_eq!((status, &me["server_roles"][0]), (200, &"administrator".into()));
}

#[test]
fn a_running_server_is_left_alone() {
    let place = Place::new();
    let server = place.serve();
    let refusal = place.run(&["admin", "reset-password", "--data", "data"]).refused(1);
    assert!(refusal.contains("stop the server first"), "{refusal}");
    assert_eq!(http("GET", &format!("{}/api/v1/whoami", server.url), Some(("admin", PASSWORD)), None).0, 200);
}

#[test]
fn a_wrong_data_directory_makes_no_database() {
    let place = Place::new();
    let refusal = place.run(&["admin", "reset-password", "--data", "elsewhere"]).refused(2);
    assert!(refusal.contains("there is no database at elsewhere/wharf.db"), "{refusal}");
    assert!(!place.path("elsewhere").exists());
}
