//! What is typed without a server.

use crate::harness::Place;

#[test]
fn a_wrong_usage_ends_with_2() {
    let place = Place::new();
    for args in
        [&["fly"][..], &["user"], &["user", "show"], &["serve", "--nonsense"], &["grant", "add", "p", "u", "king"]]
    {
        let ended = place.run(args);
        assert_eq!(ended.code, 2, "{args:?} {ended:?}");
    }
    assert_eq!(place.run(&["--help"]).code, 0);
}

#[test]
fn a_command_without_a_server_says_how_to_name_one() {
    let refusal = Place::new().run(&["project", "list"]).refused(2);
    assert!(refusal.contains("wharf login URL") && refusal.contains("WHARF_SERVER"), "{refusal}");
    let refusal = Place::new().run(&["project", "list", "--server", "127.0.0.1:1"]).refused(2);
    assert!(refusal.contains("wharf login http://127.0.0.1:1") && refusal.contains("WHARF_TOKEN"), "{refusal}");
}

#[test]
fn a_server_that_is_not_there_fails_with_1() {
    let variables = [("WHARF_TOKEN", "wft_x"), ("WHARF_SERVER", "http://127.0.0.1:1")];
    let refusal = Place::new().run_with(&["whoami"], &variables, "").refused(1);
    assert!(refusal.contains("http://127.0.0.1:1 cannot be reached") && refusal.contains("hint:"), "{refusal}");
}

#[test]
fn every_shell_has_a_completion() {
    let place = Place::new();
    for (shell, mark) in [("bash", "_wharf()"), ("zsh", "#compdef wharf"), ("fish", "complete -c wharf")] {
        let script = place.run(&["completion", shell]).ok();
        assert!(script.contains(mark) && script.contains("reset-password"), "{shell}");
    }
}

#[test]
fn the_version_is_printed_for_people_and_programs() {
    let place = Place::new();
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(place.run(&["version"]).ok(), format!("wharf {version}\n"));
    assert_eq!(place.run(&["version", "--output", "json"]).json()["version"], version);
    assert_eq!(place.run(&["--version"]).ok(), format!("wharf {version}\n"));
}

#[test]
fn a_pipe_that_is_closed_early_is_no_crash() {
    let place = Place::new();
    let mut child = place.command(&["config", "example"]).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
