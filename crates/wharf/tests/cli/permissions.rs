//! Every role × every operation of the API, over the wire.

use serde_json::{Value, json};

use crate::harness::{PASSWORD, Place, Server, http, push};

/// Who asks, by letter: `-` nobody, `n` a user without any role, `v l s m o` viewer, puller, pusher, maintainer and owner of the
/// project `team`, `a` auditor, `c` creator, `*` administrator of the server.
const CALLERS: &str = "-nvlsmoac*";

/// Operation, a request that does no harm when it is allowed, and who may send it.
const TABLE: &[(&str, &str, &str)] = &[
    ("openapi", "GET /api/openapi.json", "-nvlsmoac*"),
    ("version", "GET /api/v1/version", "-nvlsmoac*"),
    ("server.show", "GET /api/v1/server", "a*"),
    ("jobs.list", "GET /api/v1/jobs", "a*"),
    ("jobs.retry", "POST /api/v1/jobs/99/retry", "*"),
    ("collection.show", "GET /api/v1/collection", "a*"),
    ("collection.run", "POST /api/v1/collection", "*"),
    ("collection.preview", "GET /api/v1/collection/preview", "a*"),
    (
        "collection.why",
        "GET /api/v1/collection/why/sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
        "a*",
    ),
    ("purges.list", "GET /api/v1/purges", "a*"),
    ("purges.create", "POST /api/v1/purges", "*"),
    ("backups.list", "GET /api/v1/backups", "a*"),
    ("backups.create", "POST /api/v1/backups", "*"),
    ("backups.forget", "DELETE /api/v1/backups?to=none", "*"),
    ("backups.show", "GET /api/v1/backups/99", "a*"),
    ("scrub.show", "GET /api/v1/scrub", "a*"),
    ("scrub.run", "POST /api/v1/scrub", "*"),
    ("scrub.damaged", "GET /api/v1/scrub/damaged", "a*"),
    ("events.list", "GET /api/v1/events", "a*"),
    ("bin.list", "GET /api/v1/bin", "a*"),
    ("bin.show", "GET /api/v1/bin/1", "nvlsmoac*"),
    ("audit.list", "GET /api/v1/audit", "a*"),
    ("audit.export", "GET /api/v1/audit/export", "a*"),
    ("audit.list-own", "GET /api/v1/account/audit", "nvlsmoac*"),
    ("whoami", "GET /api/v1/whoami", "nvlsmoac*"),
    ("account.change-password", "PUT /api/v1/account/password", "nvlsmoac*"),
    ("tokens.list", "GET /api/v1/account/tokens", "nvlsmoac*"),
    ("tokens.create", "POST /api/v1/account/tokens", "nvlsmoac*"),
    ("tokens.revoke", "DELETE /api/v1/account/tokens/99", "nvlsmoac*"),
    ("users.list", "GET /api/v1/users", "a*"),
    ("users.create", "POST /api/v1/users", "*"),
    ("users.show", "GET /api/v1/users/n", "a*"),
    ("users.update", "PATCH /api/v1/users/n", "*"),
    ("users.delete", "DELETE /api/v1/users/missing", "*"),
    ("users.set-password", "PUT /api/v1/users/n/password", "*"),
    ("users.set-server-roles", "PUT /api/v1/users/n/server-roles", "*"),
    ("users.list-tokens", "GET /api/v1/users/n/tokens", "a*"),
    ("users.revoke-token", "DELETE /api/v1/users/n/tokens/99", "*"),
    ("users.import", "POST /api/v1/htpasswd", "*"),
    ("groups.list", "GET /api/v1/groups", "a*"),
    ("groups.create", "POST /api/v1/groups", "*"),
    ("groups.show", "GET /api/v1/groups/missing", "a*"),
    ("groups.delete", "DELETE /api/v1/groups/missing", "*"),
    ("groups.members", "GET /api/v1/groups/missing/members", "a*"),
    ("groups.add-member", "PUT /api/v1/groups/missing/members/n", "*"),
    ("groups.remove-member", "DELETE /api/v1/groups/missing/members/n", "*"),
    ("robots.list", "GET /api/v1/robots", "a*"),
    ("robots.create", "POST /api/v1/robots", "*"),
    ("robots.show", "GET /api/v1/robots/missing", "a*"),
    ("robots.update", "PATCH /api/v1/robots/missing", "*"),
    ("robots.delete", "DELETE /api/v1/robots/missing", "*"),
    ("robots.rotate", "POST /api/v1/robots/missing/rotate", "*"),
    ("projects.list", "GET /api/v1/projects", "nvlsmoac*"),
    ("projects.create", "POST /api/v1/projects", "c*"),
    ("projects.show", "GET /api/v1/projects/team", "vlsmoa*"),
    ("projects.update", "PATCH /api/v1/projects/team", "o*"),
    ("projects.delete", "DELETE /api/v1/projects/team", "o*"),
    ("grants.list", "GET /api/v1/projects/team/grants", "moa*"),
    ("grants.put", "PUT /api/v1/projects/team/grants", "o*"),
    ("grants.remove", "DELETE /api/v1/projects/team/grants", "o*"),
    ("audit.list-project", "GET /api/v1/projects/team/audit", "moa*"),
    ("audit.export-project", "GET /api/v1/projects/team/audit/export", "moa*"),
    ("bin.list-project", "GET /api/v1/projects/team/bin", "mo*"),
    ("keyring.list", "GET /api/v1/projects/team/keyring", "vlsmoa*"),
    ("keyring.add", "POST /api/v1/projects/team/keyring", "mo*"),
    ("keyring.remove", "DELETE /api/v1/projects/team/keyring/0AB1", "mo*"),
    ("tag-rules.list", "GET /api/v1/projects/team/tag-rules", "vlsmoa*"),
    ("tag-rules.add", "POST /api/v1/projects/team/tag-rules", "mo*"),
    ("tag-rules.remove", "DELETE /api/v1/projects/team/tag-rules/missing", "mo*"),
    ("project-robots.list", "GET /api/v1/projects/team/robots", "moa*"),
    ("project-robots.create", "POST /api/v1/projects/team/robots", "o*"),
    ("project-robots.show", "GET /api/v1/projects/team/robots/missing", "moa*"),
    ("project-robots.update", "PATCH /api/v1/projects/team/robots/missing", "o*"),
    ("project-robots.delete", "DELETE /api/v1/projects/team/robots/missing", "o*"),
    ("project-robots.rotate", "POST /api/v1/projects/team/robots/missing/rotate", "o*"),
    ("repositories.list", "GET /api/v1/repositories", "nvlsmoac*"),
    ("repositories.show", "GET /api/v1/repositories/oci/team/app", "vlsmoa*"),
    ("repositories.delete", "DELETE /api/v1/repositories/oci/team/missing", "o*"),
    ("bin.list-repository", "GET /api/v1/repositories/oci/team/app/-/bin", "mo*"),
    ("bin.restore", "POST /api/v1/repositories/oci/team/app/-/bin/1/restore", "mo*"),
    ("bin.empty", "DELETE /api/v1/repositories/oci/team/app/-/bin/99", "o*"),
    ("keys.list", "GET /api/v1/repositories/oci/team/app/-/keys", "vlsmoa*"),
    ("keys.import", "POST /api/v1/repositories/oci/team/app/-/keys", "o*"),
    ("keys.export", "GET /api/v1/repositories/oci/team/app/-/keys/export", "vlsmoa*"),
    ("keys.rotate", "POST /api/v1/repositories/oci/team/app/-/keys/rotate", "o*"),
    ("keys.retire", "DELETE /api/v1/repositories/oci/team/app/-/keys/0AB1", "o*"),
    ("setup.show", "GET /api/v1/repositories/oci/team/app/-/setup", "vlsmoa*"),
    ("snapshots.list", "GET /api/v1/repositories/oci/team/app/-/snapshots", "vlsmoa*"),
    ("snapshots.create", "POST /api/v1/repositories/oci/team/app/-/snapshots", "mo*"),
    ("snapshots.show", "GET /api/v1/repositories/oci/team/app/-/snapshots/may", "vlsmoa*"),
    ("snapshots.diff", "GET /api/v1/repositories/oci/team/app/-/snapshots/may/diff", "vlsmoa*"),
    ("snapshots.publish", "POST /api/v1/repositories/oci/team/app/-/snapshots/may/publish", "mo*"),
    ("snapshots.delete", "DELETE /api/v1/repositories/oci/team/app/-/snapshots/may", "mo*"),
    ("snapshots.live", "POST /api/v1/repositories/oci/team/app/-/live", "mo*"),
    ("tags.list", "GET /api/v1/repositories/oci/team/app/-/tags", "vlsmoa*"),
    ("tags.delete", "DELETE /api/v1/repositories/oci/team/app/-/tags/missing", "mo*"),
    ("tags.history", "GET /api/v1/repositories/oci/team/app/-/tags/v1/history", "vlsmoa*"),
    ("tags.rollback", "POST /api/v1/repositories/oci/team/app/-/tags/v1/rollback", "smo*"),
    ("manifests.list", "GET /api/v1/repositories/oci/team/app/-/manifests", "vlsmoa*"),
    ("manifests.show", "GET /api/v1/repositories/oci/team/app/-/manifests/v1", "vlsmoa*"),
    ("manifests.delete", "DELETE /api/v1/repositories/oci/team/app/-/manifests/missing", "mo*"),
];

const HIDDEN: &str = "there is nothing here that you may see";

fn admin(server: &Server, method: &str, path: &str, body: &Value) {
    let body = ("application/json", body.to_string().into_bytes());
    let (status, answer) = http(method, &format!("{}{path}", server.url), Some(("admin", PASSWORD)), Some(body));
    assert!(status < 300, "{path} {answer}");
}

fn user_name(letter: char) -> String {
    if letter == '*' { "root".to_owned() } else { letter.to_string() }
}

/// A server with the project `team`, one repository in it, and a user for each letter.
fn prepared(place: &Place) -> Server {
    let server = place.serve();
    push(&server, ("admin", PASSWORD), "team/app", "v1");
    for letter in CALLERS.chars().skip(1) {
        let server_roles = match letter {
            'a' => json!(["auditor"]),
            'c' => json!(["creator"]),
            '*' => json!(["administrator"]),
            _ => json!([]),
        };
        let name = user_name(letter);
        admin(
            &server,
            "POST",
            "/api/v1/users",
            &json!({ "name": name, "password": PASSWORD, "server_roles": server_roles }),
        );
        let role = match letter {
            'v' => "viewer",
            'l' => "puller",
            's' => "pusher",
            'm' => "maintainer",
            'o' => "owner",
            _ => continue,
        };
        admin(&server, "PUT", "/api/v1/projects/team/grants", &json!({ "kind": "user", "name": name, "role": role }));
    }
    server
}

/// Sends a request that gets no further than the handler: what takes a body is given one of the wrong form.
fn ask(server: &Server, letter: char, request: &str) -> (u16, Value) {
    let (method, path) = request.split_once(' ').unwrap();
    let name = user_name(letter);
    let user = (letter != '-').then_some((&*name, PASSWORD));
    let body = (method != "GET" && method != "DELETE").then(|| ("image/png", b"{}".to_vec()));
    http(method, &format!("{}{path}", server.url), user, body)
}

#[test]
fn every_role_may_do_what_the_table_says_and_nothing_else() {
    let place = Place::new();
    let server = prepared(&place);
    let mut wrong = Vec::new();
    for (operation, request, allowed) in TABLE {
        let mut may = String::new();
        for letter in CALLERS.chars() {
            let (status, answer) = ask(&server, letter, request);
            assert!(status < 500, "{operation} by {letter}: {answer}");
            let hidden = answer["detail"] == HIDDEN;
            match (status, letter) {
                (401, '-') => {}
                (404, 'n' | 'c') if hidden => {}
                (403, _) if letter != '-' => {}
                (401, _) => wrong.push(format!("{operation}: {letter} is asked to sign in")),
                (404, _) if hidden => wrong.push(format!("{operation}: {letter} is told that there is nothing")),
                _ => may.push(letter),
            }
        }
        if may != *allowed {
            wrong.push(format!("{operation}: allowed to {may:?}, not {allowed:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_table_has_every_operation_and_its_route() {
    for (operation, request, _) in TABLE {
        let route = wharf_web::api::route(operation).unwrap_or_else(|| panic!("{operation}"));
        assert!(request.starts_with(&format!("{} ", route.method)), "{operation}");
    }
    let place = Place::new();
    let server = place.serve();
    let (_, document) = http("GET", &format!("{}/api/openapi.json", server.url), None, None);
    let paths = document["paths"].as_object().unwrap().values();
    let mut documented: Vec<_> = paths
        .flat_map(|path| path.as_object().unwrap().values())
        .filter_map(|operation| operation["operationId"].as_str())
        .collect();
    let mut listed: Vec<_> = TABLE.iter().map(|(operation, ..)| *operation).collect();
    documented.sort_unstable();
    listed.sort_unstable();
    assert_eq!(documented, listed);
}

#[test]
fn what_is_hidden_answers_like_what_is_not_there() {
    let place = Place::new();
    let server = prepared(&place);
    for (there, missing) in [
        ("GET /api/v1/projects/team", "GET /api/v1/projects/none"),
        ("DELETE /api/v1/projects/team", "DELETE /api/v1/projects/none"),
        ("GET /api/v1/projects/team/grants", "GET /api/v1/projects/none/grants"),
        ("GET /api/v1/repositories/oci/team/app/-/tags", "GET /api/v1/repositories/oci/none/app/-/tags"),
        ("DELETE /api/v1/repositories/oci/team/app", "DELETE /api/v1/repositories/oci/none/app"),
    ] {
        let plain = |request: &str| {
            let (status, mut answer) = ask(&server, 'n', request);
            answer["request_id"].take();
            (status, answer.to_string().replace("none", "team"))
        };
        assert_eq!(plain(there), plain(missing), "{there}");
        assert_eq!(plain(there).0, 404);
    }
}
