use std::collections::BTreeSet;

use http::Request;
use wharf_auth::{Access, Operation, Verb};
use wharf_types::{Digest, FormatName};
use wharf_wire::Answer;

use super::*;

const OCI: FormatName = FormatName::new("oci");

fn head(method: &str, url: &str) -> Parts {
    Request::builder().method(method).uri(url).body(()).unwrap().into_parts().0
}

fn parse(method: &str, url: &str) -> Result<Call, Problem> {
    Call::parse(&head(method, url), &[OCI])
}

fn status(method: &str, url: &str) -> u16 {
    let context = Context {
        address: None,
        request_id: "r".into(),
        base_url: "http://localhost".into(),
        base_url_is_configured: false,
        service: "wharf".into(),
    };
    parse(method, url).map_or_else(|problem| problem.respond(&context).status().as_u16(), |_| 200)
}

fn needs(access: Access<'_>) -> String {
    match access {
        Access::Anyone => "anyone".into(),
        Access::SignedIn => "signed in".into(),
        Access::OwnAccount => "own account".into(),
        Access::Catalog => "catalog".into(),
        Access::Server(verb) => format!("server: {verb}"),
        Access::Project { project, verb } => format!("project {project}: {verb}"),
        Access::Repository { format, name, verb } => format!("{format} {name}: {verb}"),
    }
}

/// Every route: URL → operation → access.
const ROUTES: &str = include_str!("routes.txt");

#[test]
fn every_url_is_its_operation_and_asks_for_its_access() {
    let mut seen = BTreeSet::new();
    for line in ROUTES.lines() {
        let mut columns = line.split(" | ").map(str::trim);
        let (method, url) = columns.next().unwrap().split_once(' ').unwrap();
        let call = parse(method, url.trim()).unwrap_or_else(|problem| panic!("{line}: {problem:?}"));
        assert_eq!((Some(call.name()), Some(&*needs(call.access()))), (columns.next(), columns.next()), "{line}");
        seen.insert(call.name());
    }
    let missing: Vec<_> = table::TABLE.iter().map(|row| row.operation).filter(|name| !seen.contains(name)).collect();
    assert_eq!(missing, [""; 0], "rows of the table without a line in routes.txt");
    assert_eq!(seen.len(), table::TABLE.len(), "two rows with one operation");
}

#[test]
fn a_row_about_a_project_or_repository_names_it_in_its_path() {
    use endpoint::Rule;
    for row in table::TABLE.iter() {
        let places: Vec<_> = path::places(row.path).collect();
        match row.rule {
            Rule::Project(_) => assert!(places.contains(&"project"), "{}", row.operation),
            Rule::Repository(_) => assert!(places.starts_with(&["format", "repository"]), "{}", row.operation),
            _ => assert!(!places.contains(&"project") && !places.contains(&"repository"), "{}", row.operation),
        }
    }
}

#[test]
fn what_changes_something_is_never_open_to_those_who_only_look() {
    use endpoint::Rule;
    for row in table::TABLE.iter().filter(|row| row.method != Method::GET) {
        let looks = match row.rule {
            Rule::Anyone | Rule::SignedIn | Rule::Catalog => true,
            Rule::Project(verb) | Rule::Repository(verb) => matches!(verb, Verb::View | Verb::Pull | Verb::ReadAudit),
            Rule::Server(verb) => verb.as_str().starts_with("list") || verb.as_str().starts_with("inspect"),
            Rule::OwnAccount => false,
        };
        assert!(!looks, "{}", row.operation);
    }
}

#[test]
fn what_is_no_route_is_refused_before_anybody_is_asked_who_they_are() {
    for (method, url, expected) in [
        ("GET", "/api/v1/nothing", 404),
        ("GET", "/api/v1/users/", 404),
        ("GET", "/api/v1/repositories/oci/a/-/tags/v1", 405),
        ("DELETE", "/api/v1/users", 405),
        ("GET", "/api/v1/users/a%2Fb", 404),
        ("GET", "/api/v1/users/%00", 404),
        ("GET", "/api/v1/projects/UPPER", 400),
        ("GET", "/api/v1/projects/..", 400),
        ("GET", "/api/v1/repositories/rpm/a", 400),
        ("GET", "/api/v1/repositories/oci/a/../b", 400),
        ("DELETE", "/api/v1/repositories/oci/a/-/tags/.x", 400),
        ("GET", "/api/v1/repositories/oci/a/-/manifests/sha256:zz", 400),
        ("DELETE", "/api/v1/account/tokens/one", 400),
        ("GET", "/api/v1/users?limit=1&limit=2", 400),
        ("GET", "/api/v1/users?limt=1", 400),
        ("GET", "/api/v1/version?x=1", 400),
    ] {
        assert_eq!(status(method, url), expected, "{method} {url}");
    }
}

#[test]
fn what_can_be_got_can_be_asked_for_without_its_body() {
    for row in table::TABLE.iter().filter(|row| row.method == Method::GET) {
        let digest = Digest::sha256(b"");
        let url = row.path.replace("{format}", "oci").replace("{tag}", "v1").replace("{reference}", "v1");
        let url = url.replace("{digest}", &digest.to_string());
        let url =
            url.split('/').map(|part| if part.starts_with('{') { "1" } else { part }).collect::<Vec<_>>().join("/");
        assert_eq!(parse("HEAD", &url).map(|call| call.name()).ok(), Some(row.operation), "{url}");
    }
    assert_eq!(status("HEAD", "/api/v1/jobs/1/retry"), 405);
}

#[test]
fn a_route_is_found_by_its_operation() {
    let found = route("grants.put").unwrap();
    assert_eq!((found.method, found.path), (Method::PUT, "/api/v1/projects/{project}/grants"));
    assert!(route("grants.fly").is_none());
}

#[test]
fn the_document_describes_every_row() {
    let document = serde_json::to_value(openapi::document(&table::TABLE)).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    for row in table::TABLE.iter() {
        let path = row.path.replace("+}", "}");
        let operation = &document["paths"][&path][row.method.as_str().to_lowercase()];
        assert_eq!(operation["operationId"], row.operation, "{path}");
        let named = |kind: &str| -> Vec<&str> {
            let all = operation["parameters"].as_array().map_or(&[][..], Vec::as_slice);
            all.iter()
                .filter(|parameter| parameter["in"] == kind)
                .filter_map(|parameter| parameter["name"].as_str())
                .collect()
        };
        assert_eq!(named("path"), path::places(row.path).collect::<Vec<_>>(), "{path}");
        assert_eq!(named("query"), row.query.iter().map(|(name, _)| *name).collect::<Vec<_>>(), "{path}");
    }
}

#[test]
fn every_schema_that_the_document_refers_to_is_in_it() {
    let document = openapi::document(&table::TABLE).to_json().unwrap();
    let value: serde_json::Value = serde_json::from_str(&document).unwrap();
    let schemas = value["components"]["schemas"].as_object().unwrap();
    let referred: BTreeSet<&str> =
        document.split("#/components/schemas/").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    let missing: Vec<_> = referred.iter().filter(|name| !schemas.contains_key(**name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(schemas.len() > 20, "{:?}", schemas.keys());
    for (name, schema) in schemas {
        let fields = schema["properties"].as_object().into_iter().flatten();
        for (field, shape) in fields {
            let documented = shape.get("description").is_some() || field == "items";
            assert!(documented, "{name}.{field} says nothing of itself");
        }
    }
}
