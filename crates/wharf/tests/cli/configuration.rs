//! Files, variables and flags.

use crate::harness::Place;

#[test]
fn what_counts_is_shown_with_where_it_was_said() {
    let place = Place::new();
    let file = place.write("wharf.toml", "[log]\nformat = \"json\"\n[listen]\naddress = \"127.0.0.1:1\"\n");
    let variables =
        [("WHARF_CONFIG", &*file), ("WHARF_LISTEN_ADDRESS", "127.0.0.1:2"), ("WHARF_METRICS_TOKEN", "geheim")];
    let args = ["config", "show", "--sources", "--data", "d"];
    let shown = place.run_with(&args, &variables, "").ok();
    let line = |name: &str| {
        shown.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name} in {shown}")).to_owned()
    };
    assert!(line("data =").ends_with("# --data"));
    assert!(line("address =").contains("127.0.0.1:2") && line("address =").ends_with("# WHARF_LISTEN_ADDRESS"));
    assert!(line("format =").ends_with("wharf.toml:2"));
    assert!(line("workers =").ends_with("# default"));
    assert!(line("token =").contains("(hidden)") && !shown.contains("geheim"));
    let json = place.run_with(&["config", "show", "--output", "json"], &variables, "").json();
    assert_eq!(json["listen.address"]["value"], "127.0.0.1:2");
    assert_eq!(json["listen.address"]["source"], "WHARF_LISTEN_ADDRESS");
    assert_eq!(json["metrics.token"]["value"], "(hidden)");
}

#[test]
fn an_unknown_key_stops_the_server_with_the_nearest_known_one() {
    let place = Place::new();
    let file = place.write("wharf.toml", "[listen]\nadress = \"127.0.0.1:1\"\n");
    for command in
        [&["serve", "--config", &*file][..], &["config", "check", &file], &["config", "show", "--config", &file]]
    {
        let refusal = place.run(command).refused(2);
        assert!(
            refusal.contains("wharf.toml:2: unknown setting listen.adress (did you mean listen.address?)"),
            "{refusal}"
        );
    }
    assert!(!place.path("wharf-data").exists());
}

#[test]
fn an_unknown_variable_stops_the_server_with_the_nearest_known_one() {
    let place = Place::new();
    let refusal = place.run_with(&["serve", "--data", "d"], &[("WHARF_LISTEN_ADRESS", "127.0.0.1:1")], "").refused(2);
    assert!(refusal.contains("did you mean WHARF_LISTEN_ADDRESS?"), "{refusal}");
    // Commands that talk to a server do not care about the server's own variables.
    let refusal = place.run_with(&["whoami"], &[("WHARF_LISTEN_ADRESS", "x")], "").refused(2);
    assert!(refusal.contains("wharf login"), "{refusal}");
}

#[test]
fn the_example_is_a_configuration_that_can_be_used() {
    let place = Place::new();
    let example = place.run(&["config", "example"]).ok();
    let file = place.write("wharf.toml", &example);
    assert!(place.run(&["config", "check", &file]).ok().contains("can be used"));
    let variables = place.run(&["config", "variables"]).ok();
    assert!(variables.contains("WHARF_ADMIN_PASSWORD_FILE") && variables.contains("WHARF_LOG "));
}

#[test]
fn a_file_that_is_named_must_be_there() {
    let refusal = Place::new().run(&["serve", "--config", "/nowhere/wharf.toml"]).refused(2);
    assert!(refusal.contains("/nowhere/wharf.toml cannot be read"), "{refusal}");
}

#[test]
fn a_bad_log_filter_is_named_with_its_origin() {
    let refusal = Place::new().run_with(&["serve", "--data", "d"], &[("WHARF_LOG", "loud=very")], "").refused(2);
    assert!(refusal.contains("WHARF_LOG"), "{refusal}");
}
