//! The table of DESIGN, "Directions": who may use whom. An arrow that is not in it does not belong into a Cargo.toml either.

use std::collections::BTreeMap;

use cargo_metadata::{Dependency, DependencyKind, Metadata, MetadataCommand, Package};

/// Below the first column, what it may use of our own.
const ALLOWED: &[(&str, &[&str])] = &[
    ("types", &[]),
    ("hash", &[]),
    ("storage", &["types", "hash"]),
    ("db", &["types"]),
    ("policy", &["types"]),
    ("trust", &["types"]),
    ("inventory", &["types"]),
    ("auth", &["types", "db"]),
    ("core", &["types", "storage", "db", "policy", "trust", "inventory", "auth"]),
    ("wire", &["types", "auth", "core"]),
    ("formats/*", FORMAT),
    ("web", &["types", "auth", "core", "wire"]),
];
const FORMAT: &[&str] = &["types", "auth", "core", "wire"];
/// What may use everything: the program, and what tests it from outside.
const EVERYTHING: [&str; 4] = ["wharf", "testkit", "faults", "fuzz"];
/// Crates above core may test themselves with it.
const ABOVE_CORE: [&str; 4] = ["wire", "web", "formats/*", "wharf"];

/// Crates that only some of ours may name.
const RESERVED: &[(&[&str], &[&str])] = &[
    // The object store's client asks for a method and a header in these types; a parser of headers is fed with them.
    (&["http"], &["wire", "web", "formats/*", "wharf", "storage", "fuzz"]),
    (&["http-body", "http-body-util", "hyper", "hyper-util", "axum", "tower"], &["wire", "web", "formats/*", "wharf"]),
    (&["rusqlite", "tokio-postgres", "deadpool-postgres", "tokio-postgres-rustls"], &["db"]),
    (&["object_store"], &["storage"]),
    // Only what has to may call what is not safe.
    (&["aws-lc-sys"], &["hash"]),
];

fn metadata() -> Metadata {
    MetadataCommand::new().no_deps().other_options(vec!["--offline".to_owned()]).exec().unwrap()
}

/// A crate's row in the table: its folder's name, or `formats/*`.
fn row(package: &Package) -> String {
    let mut parts = package.manifest_path.iter().rev().skip(1);
    let (folder, above) = (parts.next().unwrap(), parts.next().unwrap());
    if above == "formats" { "formats/*".to_owned() } else { folder.to_owned() }
}

fn ours(metadata: &Metadata) -> BTreeMap<String, String> {
    metadata.packages.iter().map(|package| (package.name.to_string(), row(package))).collect()
}

#[test]
fn crates_use_only_what_lies_below_them() {
    let metadata = metadata();
    let ours = ours(&metadata);
    let mut wrong = Vec::new();
    for package in &metadata.packages {
        let own = row(package);
        let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == own) else {
            assert!(EVERYTHING.contains(&&*own), "{own} has no row in the table");
            continue;
        };
        for dependency in &package.dependencies {
            let Some(used) = ours.get(&dependency.name) else { continue };
            // A crate that depends on itself turns on a feature for its own tests.
            let in_tests = *used == own || used == "testkit" && ABOVE_CORE.contains(&&*own);
            let tests_itself = dependency.kind == DependencyKind::Development && in_tests;
            if !allowed.contains(&&**used) && !tests_itself {
                wrong.push(format!("{own} -> {used} ({:?})", dependency.kind));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn the_testkit_is_in_no_program() {
    // The faults are a program of the tests.
    for package in metadata().packages.iter().filter(|package| row(package) != "faults") {
        let normal = |dependency: &&Dependency| dependency.kind == DependencyKind::Normal;
        let uses = package.dependencies.iter().filter(normal).any(|dependency| dependency.name == "wharf-testkit");
        assert!(!uses, "{}", package.name);
    }
}

#[test]
fn drivers_and_http_stay_where_they_belong() {
    let mut wrong = Vec::new();
    for package in &metadata().packages {
        let own = row(package);
        for dependency in package.dependencies.iter().filter(|dependency| dependency.kind == DependencyKind::Normal) {
            let reserved = RESERVED.iter().find(|(names, _)| names.contains(&&*dependency.name));
            if reserved.is_some_and(|(_, users)| !users.contains(&&*own)) && own != "testkit" {
                wrong.push(format!("{own} -> {}", dependency.name));
            }
        }
        let tokio = package.dependencies.iter().any(|d| d.name == "tokio" && d.kind == DependencyKind::Normal);
        assert!(own != "types" || !tokio, "types does no I/O");
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn no_crate_is_a_drawer() {
    for package in &metadata().packages {
        for word in ["common", "util", "helper", "shared", "manager", "service"] {
            assert!(!package.name.contains(word), "{}", package.name);
        }
    }
}
