//! Commands over the API of a running server.

use crate::harness::{PASSWORD, Place, Server, http, mode, push};

const ADMIN: (&str, &str) = ("admin", PASSWORD);

fn signed_in() -> (Place, Server) {
    let place = Place::new();
    let server = place.serve();
    place.login(&server);
    (place, server)
}

fn json(place: &Place, args: &[&str]) -> serde_json::Value {
    place.run(&[args, &["--output", "json"]].concat()).json()
}

fn names(list: &serde_json::Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect()
}

#[test]
fn a_login_keeps_a_token_and_no_password_and_a_logout_ends_it() {
    let (place, server) = signed_in();
    let file = place.path(".config/wharf/credentials.json");
    let kept = std::fs::read_to_string(&file).unwrap();
    assert!(kept.contains("wft_") && !kept.contains(PASSWORD));
    assert_eq!(mode(&file), 0o600);
    assert_eq!(json(&place, &["whoami"])["name"], "admin");
    assert_eq!(json(&place, &["token", "list"]).as_array().unwrap().len(), 1);
    // A second login replaces the token of the first.
    place.login(&server);
    assert_eq!(json(&place, &["token", "list"]).as_array().unwrap().len(), 1);
    let token: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    let token = token["servers"][&server.url]["token"].as_str().unwrap().to_owned();
    place.run(&["logout"]).ok();
    assert!(place.run(&["whoami"]).refused(2).contains("wharf login"));
    let variables = [("WHARF_SERVER", &*server.url), ("WHARF_TOKEN", &*token)];
    assert!(place.run_with(&["whoami"], &variables, "").refused(1).contains("wharf login"));
}

#[test]
fn a_wrong_password_signs_nobody_in() {
    let place = Place::new();
    let server = place.serve();
    let ended = place.run_with(&["login", &server.url, "-u", "admin", "--password-stdin"], &[], "wrong-password");
    assert!(ended.refused(1).contains("unknown name or wrong password"));
    assert!(!place.path(".config").exists());
}

#[test]
fn users_are_made_changed_and_deleted() {
    let (place, server) = signed_in();
    let create = ["user", "create", "bob", "--description", "Bob", "--server-role", "creator", "--password-stdin"];
    place.run_with(&create, &[], "a-long-password").ok();
    let whoami = format!("{}/api/v1/whoami", server.url);
    let bob = || http("GET", &whoami, Some(("bob", "a-long-password")), None).0;
    assert_eq!(bob(), 200);
    assert_eq!(names(&json(&place, &["user", "list"])), ["admin", "bob"]);
    assert_eq!(json(&place, &["user", "show", "bob"])["server_roles"][0], "creator");
    place.run(&["user", "disable", "bob"]).ok();
    assert_eq!(bob(), 401);
    place.run(&["user", "enable", "bob"]).ok();
    assert_eq!(bob(), 200);
    assert_eq!(json(&place, &["user", "roles", "bob", "auditor"])["server_roles"], serde_json::json!(["auditor"]));
    place.run_with(&["user", "set-password", "bob", "--password-stdin"], &[], "another-long-password").ok();
    assert_eq!(bob(), 401);
    assert!(place.run(&["user", "create", "bob", "--no-password"]).refused(1).contains("taken"));
    assert!(place.run(&["user", "delete", "bob"]).refused(2).contains("--yes"));
    place.run(&["user", "delete", "bob", "--yes"]).ok();
    assert!(place.run(&["user", "show", "bob"]).refused(1).contains("no user \"bob\""));
    assert!(place.run(&["user", "delete", "admin", "--yes"]).refused(1).contains("last administrator"));
}

#[test]
fn ones_own_password_is_changed_by_showing_the_old_one() {
    let (place, server) = signed_in();
    let change = ["user", "change-password", "--passwords-stdin"];
    assert!(place.run_with(&change, &[], "wrong\nanother-long-password\n").refused(1).contains("old password"));
    place.run_with(&change, &[], &format!("{PASSWORD}\nanother-long-password\n")).ok();
    let whoami = format!("{}/api/v1/whoami", server.url);
    assert_eq!(http("GET", &whoami, Some(("admin", "another-long-password")), None).0, 200);
    assert_eq!(http("GET", &whoami, Some(ADMIN), None).0, 401);
    // The token of the login is no session of the old password.
    assert_eq!(json(&place, &["whoami"])["name"], "admin");
}

#[test]
fn an_htpasswd_file_is_imported_line_by_line() {
    let (place, server) = signed_in();
    // htpasswd -bnBC 5 carol secret-of-carol
    let good = "carol:$2y$05$GO7P6.0lYX8tkd4uOv4kIeUIeXtMrRWyzA3T9rH5GEYQZQ8VZ9Xy6";
    let file = place.write("htpasswd", &format!("# ours\n{good}\ndave:{{SHA}}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n"));
    let ended = place.run(&["user", "import", &file, "--output", "json"]);
    assert_eq!(ended.code, 1, "{ended:?}");
    let result: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(result["created"], serde_json::json!(["carol"]));
    assert_eq!((&result["refused"][0]["line"], &result["refused"][0]["name"]), (&3.into(), &"dave".into()));
    let table = place.run(&["user", "import", &file]);
    assert!(table.out.contains("0 made, 1 there already, 1 refused"), "{table:?}");
    drop(server);
}

#[test]
fn a_long_import_counts_its_lines_on_a_terminal_and_numbers_them_as_the_file_does() {
    let (place, server) = signed_in();
    let lines: Vec<String> = (1..=450).map(|number| format!("user{number}:plain")).collect();
    let file = place.write("htpasswd", &lines.join("\n"));
    let ended = place.run(&["user", "import", &file, "--output", "json"]);
    assert!(!ended.err.contains("of 450"), "nobody is there to see it: {ended:?}");
    let result: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    let refused = result["refused"].as_array().unwrap();
    assert_eq!((refused.len(), &refused[449]["line"], &refused[449]["name"]), (450, &450.into(), &"user450".into()));
    let seen = place.run_on_a_terminal(&["user", "import", &file]);
    assert!(seen.contains("importing users") && seen.contains("0 of 450"), "{seen}");
    assert!(seen.contains("0 made, 0 there already, 450 refused"), "{seen}");
    drop(server);
}

#[test]
fn groups_carry_grants_to_their_members() {
    let (place, server) = signed_in();
    place.run_with(&["user", "create", "bob", "--password-stdin"], &[], "a-long-password").ok();
    place.run(&["project", "create", "team"]).ok();
    place.run(&["group", "create", "devs", "--description", "Developers"]).ok();
    assert_eq!(json(&place, &["group", "show", "devs"])["description"], "Developers");
    place.run(&["grant", "add", "team", "group:devs", "pusher"]).ok();
    let bob = || http("GET", &format!("{}/api/v1/projects/team", server.url), Some(("bob", "a-long-password")), None).0;
    assert_eq!(bob(), 404);
    place.run(&["group", "add", "devs", "bob"]).ok();
    assert_eq!(bob(), 200);
    assert_eq!(names(&json(&place, &["group", "members", "devs"])), ["bob"]);
    place.run(&["group", "remove", "devs", "bob"]).ok();
    assert_eq!(bob(), 404);
    place.run(&["group", "delete", "devs", "--yes"]).ok();
    assert_eq!(json(&place, &["group", "list"]), serde_json::json!([]));
}

#[test]
fn a_robot_of_a_project_pushes_with_its_secret_until_it_is_rotated() {
    let (place, server) = signed_in();
    place.run(&["project", "create", "team"]).ok();
    let made = json(&place, &["robot", "create", "team+ci", "--role", "pusher=web/**", "--expires", "90d"]);
    assert_eq!((&made["robot"]["name"], &made["robot"]["project"]), (&"team+ci".into(), &"team".into()));
    let first = made["secret"].as_str().unwrap().to_owned();
    assert!(made["robot"]["secrets"][0]["expires_at"].is_string());
    push(&server, ("team+ci", &first), "team/web/app", "v1");
    let me = |secret: &str| http("GET", &format!("{}/api/v1/whoami", server.url), Some(("team+ci", secret)), None).0;
    let second = place.run(&["robot", "rotate", "team+ci", "--overlap", "1h"]).ok().trim().to_owned();
    assert_eq!((me(&first), me(&second)), (200, 200));
    let third = place.run(&["robot", "rotate", "team+ci"]).ok().trim().to_owned();
    assert_eq!((me(&second), me(&third)), (401, 200));
    place.run(&["robot", "disable", "team+ci"]).ok();
    assert_eq!(me(&third), 401);
    place.run(&["robot", "enable", "team+ci"]).ok();
    assert_eq!(names(&json(&place, &["robot", "list", "--project", "team"])), ["team+ci"]);
    assert_eq!(json(&place, &["robot", "list"]), serde_json::json!([]));
    place.run(&["robot", "delete", "team+ci", "--yes"]).ok();
    assert_eq!(me(&third), 401);
}

#[test]
fn a_server_wide_robot_is_granted_roles_like_anybody() {
    let (place, server) = signed_in();
    place.run(&["project", "create", "team"]).ok();
    assert!(
        place.run(&["robot", "create", "server+mirror", "--role", "puller"]).refused(2).contains("wharf grant add")
    );
    assert!(place.run(&["robot", "create", "mirror"]).code == 2);
    let secret = place.run(&["robot", "create", "server+mirror"]).ok().trim().to_owned();
    let seen =
        || http("GET", &format!("{}/api/v1/projects/team", server.url), Some(("server+mirror", &secret)), None).0;
    assert_eq!(seen(), 404);
    place.run(&["grant", "add", "team", "robot:server+mirror", "puller"]).ok();
    assert_eq!(seen(), 200);
    // Another project's robots are not reached by the path of this one.
    place.run(&["project", "create", "other"]).ok();
    place.run(&["robot", "create", "other+ci", "--role", "pusher"]).ok();
    let url = format!("{}/api/v1/projects/team/robots/ci", server.url);
    assert_eq!(http("GET", &url, Some(ADMIN), None).0, 404);
    assert!(place.run(&["grant", "add", "team", "robot:other+ci", "puller"]).refused(1).contains("own project"));
}

#[test]
fn a_token_does_no_more_than_its_limits_and_ends_when_revoked() {
    let (place, server) = signed_in();
    push(&server, ADMIN, "team/app", "v1");
    let made = json(&place, &["token", "create", "reader", "--limit", "pull:team/**", "--expires", "30d"]);
    let (secret, id) = (made["secret"].as_str().unwrap(), made["token"]["id"].to_string());
    let variables = [("WHARF_SERVER", &*server.url), ("WHARF_TOKEN", secret)];
    let run = |args: &[&str]| place.run_with(args, &variables, "");
    assert!(run(&["tag", "list", "team/app"]).ok().contains("v1"));
    assert!(run(&["tag", "delete", "team/app", "v1", "--yes"]).refused(1).contains("limited"));
    assert!(run(&["user", "list"]).refused(1).contains("limited"));
    assert!(run(&["token", "list"]).refused(1).contains("limited"));
    place.run(&["token", "revoke", &id, "--yes"]).ok();
    assert_eq!(run(&["whoami"]).code, 1);
    // Administrators see and end the tokens of others.
    place.run_with(&["user", "create", "bob", "--password-stdin"], &[], "a-long-password").ok();
    let body = ("application/json", br#"{"name":"mine"}"#.to_vec());
    let url = format!("{}/api/v1/account/tokens", server.url);
    let (status, made) = http("POST", &url, Some(("bob", "a-long-password")), Some(body));
    assert_eq!(status, 201);
    assert_eq!(names(&json(&place, &["token", "list", "--user", "bob"])), ["mine"]);
    place.run(&["token", "revoke", &made["token"]["id"].to_string(), "--user", "bob", "--yes"]).ok();
    assert_eq!(json(&place, &["token", "list", "--user", "bob"]), serde_json::json!([]));
}

#[test]
fn projects_are_made_published_and_deleted_when_empty() {
    let (place, server) = signed_in();
    place.run(&["project", "create", "team"]).ok();
    assert!(place.run(&["project", "create", "team"]).refused(1).contains("exists already"));
    push(&server, ADMIN, "team/app", "v1");
    let anonymous = || http("GET", &format!("{}/v2/team/app/manifests/v1", server.url), None, None).0;
    assert_eq!(anonymous(), 401);
    assert_eq!(json(&place, &["project", "show", "team"])["public"], false);
    assert_eq!(json(&place, &["project", "publish", "team"])["public"], true);
    assert_eq!(json(&place, &["project", "hide", "team"])["public"], false);
    assert!(place.run(&["project", "delete", "team", "--yes"]).refused(1).contains("still has repositories"));
    assert_eq!(names(&json(&place, &["project", "list"])), ["team"]);
    place.run(&["project", "create", "empty"]).ok();
    place.run(&["project", "delete", "empty", "--yes"]).ok();
    assert_eq!(names(&json(&place, &["project", "list"])), ["team"]);
}

#[test]
fn grants_are_given_changed_and_taken() {
    let (place, _server) = signed_in();
    place.run(&["user", "create", "bob", "--no-password"]).ok();
    place.run(&["project", "create", "team"]).ok();
    place.run(&["grant", "add", "team", "bob", "puller"]).ok();
    place.run(&["grant", "add", "team", "bob", "pusher", "--repositories", "web/**"]).ok();
    place.run(&["grant", "add", "team", "bob", "viewer"]).ok();
    let list = json(&place, &["grant", "list", "team"]);
    let roles: Vec<_> = list.as_array().unwrap().iter().filter(|grant| grant["name"] == "bob").collect();
    let held: Vec<_> =
        roles.iter().map(|grant| (grant["role"].as_str().unwrap(), grant["pattern"].as_str().unwrap())).collect();
    assert_eq!(held, [("viewer", "**"), ("pusher", "web/**")]);
    place.run(&["grant", "remove", "team", "bob", "--repositories", "web/**", "--yes"]).ok();
    assert!(
        place
            .run(&["grant", "remove", "team", "bob", "--repositories", "web/**", "--yes"])
            .refused(1)
            .contains("no grant")
    );
    assert!(place.run(&["grant", "add", "team", "nobody", "puller"]).refused(1).contains("no user \"nobody\""));
    assert!(
        place.run(&["grant", "add", "team", "bob", "puller", "--repositories", "a//b"]).refused(1).contains("pattern")
    );
}

#[test]
fn repositories_tags_and_manifests_are_listed_and_deleted() {
    let (place, server) = signed_in();
    push(&server, ADMIN, "team/deep/app", "v1");
    push(&server, ADMIN, "team/deep/app", "v2");
    push(&server, ADMIN, "single", "v1");
    assert_eq!(names(&json(&place, &["repo", "list"])), ["single", "team/deep/app"]);
    assert_eq!(names(&json(&place, &["repo", "list", "--project", "team"])), ["team/deep/app"]);
    assert_eq!(json(&place, &["repo", "list", "--project", "missing"]), serde_json::json!([]));
    assert_eq!(json(&place, &["repo", "show", "single"])["project"], "default");
    assert_eq!(names(&json(&place, &["tag", "list", "team/deep/app"])), ["v1", "v2"]);
    let manifest = json(&place, &["manifest", "show", "team/deep/app", "v1"]);
    assert_eq!(manifest["tags"], serde_json::json!(["v1", "v2"]));
    place.run(&["tag", "delete", "team/deep/app", "v2", "--yes"]).ok();
    let history = json(&place, &["tag", "history", "team/deep/app", "v2"]);
    assert_eq!((&history[0]["new"], &history[0]["old"]), (&serde_json::Value::Null, &manifest["digest"]));
    assert!(place.run(&["manifest", "delete", "team/deep/app", "v1", "--yes"]).refused(1).contains("by digest"));
    let digest = manifest["digest"].as_str().unwrap();
    place.run(&["manifest", "delete", "team/deep/app", digest, "--yes"]).ok();
    assert_eq!(json(&place, &["manifest", "list", "team/deep/app"]), serde_json::json!([]));
    place.run(&["repo", "delete", "team/deep/app", "--yes"]).ok();
    assert!(place.run(&["repo", "show", "team/deep/app"]).refused(1).contains("does not exist"));
    let log = json(&place, &["audit", "--project", "team"]);
    let actions: Vec<_> = log.as_array().unwrap().iter().map(|line| line["action"].as_str().unwrap()).collect();
    assert!(actions.contains(&"repository.delete") && actions.contains(&"tag.delete"), "{actions:?}");
    assert!(log.as_array().unwrap().iter().all(|line| line["project"] == "team"));
    let one = json(&place, &["audit", "--repository", "single", "--limit", "1"]);
    assert_eq!(one.as_array().unwrap().len(), 1);
    place.run(&["job", "list", "--dead"]).ok();
}

#[test]
fn long_lists_are_fetched_page_by_page() {
    let (place, server) = signed_in();
    let user = |number: usize| format!("user{number:03}");
    for number in 0..25 {
        let body = format!(r#"{{"name":"{}"}}"#, user(number)).into_bytes();
        let url = format!("{}/api/v1/users", server.url);
        assert_eq!(http("POST", &url, Some(ADMIN), Some(("application/json", body))).0, 201);
    }
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let url = format!("{}/api/v1/users?limit=10&after={after}", server.url);
        let (status, page) = http("GET", &url, Some(ADMIN), None);
        assert_eq!(status, 200);
        seen.extend(names(&page["items"]).into_iter().map(str::to_owned));
        let Some(next) = page["next"].as_str() else { break };
        next.clone_into(&mut after);
    }
    assert_eq!(seen.len(), 26);
    assert_eq!(json(&place, &["user", "list"]).as_array().unwrap().len(), 26);
    assert_eq!(http("GET", &format!("{}/api/v1/users?limit=0", server.url), Some(ADMIN), None).0, 400);
}
