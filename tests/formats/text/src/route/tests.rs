//! URL → operation → access, for every endpoint.

use http::Request;
use wharf_auth::{Access, Operation};

use super::*;

const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn read(line: &str) -> Result<Op, Error> {
    let (method, uri) = line.split_once(' ').unwrap();
    let uri = uri.replace("HEX", HEX);
    parse(&Request::builder().method(method).uri(uri).body(()).unwrap().into_parts().0)
}

#[test]
fn every_endpoint_is_understood_and_asks_for_its_access() {
    let table = [
        ("PUT /text/team/notes/stable/upload", "package.add", "team/notes push"),
        ("POST /text/team/notes/stable/upload?wait=1", "package.add", "team/notes push"),
        ("PUT /text/team/notes/upload", "package.add", "team/notes push"),
        ("GET /text/team/notes/stable/packages/a_1.txt", "package.read", "team/notes pull"),
        ("HEAD /text/team/notes/stable/packages/a_1.txt", "package.read", "team/notes pull"),
        ("DELETE /text/team/notes/stable/packages/a_1.txt", "package.remove", "team/notes delete"),
        ("GET /text/team/notes/stable/Index", "index.read", "team/notes pull"),
        ("HEAD /text/team/notes/stable/Index.sig", "index.read", "team/notes pull"),
        ("GET /text/team/notes/stable/Release", "index.read", "team/notes pull"),
        ("GET /text/team/notes/stable/by-hash/sha256/HEX", "index.read-by-hash", "team/notes pull"),
        ("GET /text/team/notes/key", "keys.read", "team/notes view"),
        ("GET /text/team/notes/setup", "setup.read", "team/notes view"),
        // The same repositories by their other address.
        ("PUT /api/packages/team/text/notes/upload?channel=stable", "package.add", "team/notes push"),
        ("GET /api/packages/team/text/notes/stable/Index", "index.read", "team/notes pull"),
        ("DELETE /api/packages/team/text/notes/stable/packages/a_1.txt", "package.remove", "team/notes delete"),
        // One segment names a repository of the default project everywhere else.
        ("GET /text/default/notes/key", "keys.read", "notes view"),
        // Names that look like endpoints.
        ("GET /text/text/text/text/Index", "index.read", "text/text pull"),
        ("GET /text/team/notes/by-hash/packages/Index", "package.read", "team/notes pull"),
    ];
    for (line, name, access) in table {
        let op = read(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        let Access::Repository { format, name: repository, verb } = op.access() else { panic!("{line}") };
        assert_eq!((op.name(), format!("{repository} {verb}").as_str()), (name, access), "{line}");
        assert_eq!(format, crate::NAME);
    }
}

#[test]
fn the_channel_and_the_wish_to_wait_are_read() {
    let added = |line| match read(line).unwrap() {
        Op::AddPackage { channel, wait, .. } => (channel.to_string(), wait),
        other => panic!("{other:?}"),
    };
    assert_eq!(added("PUT /text/a/b/stable/upload?wait=1"), ("stable".to_owned(), true));
    assert_eq!(added("PUT /api/packages/a/text/b/upload?wait=0&channel=edge"), ("edge".to_owned(), false));
    assert_eq!(added("PUT /text/a/b/upload"), ("main".to_owned(), false));
}

#[test]
fn what_is_not_understood_is_said_so() {
    let table = [
        ("GET /text", "NoSuchPath"),
        ("GET /text/team", "NoSuchPath"),
        ("GET /text/team/notes", "NoSuchPath"),
        ("GET /text/team/notes/stable/index", "NoSuchPath"),
        ("GET /text/team/notes/stable/packages/a/b", "NoSuchPath"),
        ("GET /api/packages/team/debian/notes/key", "NoSuchPath"),
        ("GET /text/team/notes/a%2Fb/Index", "BadPath"),
        ("GET /text/team/no%00tes/key", "BadPath"),
        ("GET /text/../notes/key", "Name"),
        ("GET /text/Team/notes/key", "Name"),
        ("GET /text/team/no%20tes/key", "Name"),
        ("GET /text/team/notes/Stable/Index", "Channel"),
        ("PUT /text/team/notes/upload?channel=a/b", "Channel"),
        ("GET /text/team/notes/../packages/a.txt", "Channel"),
        ("GET /text/team/notes/stable/by-hash/md5/HEX", "Digest"),
        ("GET /text/team/notes/stable/by-hash/sha256/abc", "Digest"),
        ("GET /text/team/notes/stable/upload", "MethodNotAllowed"),
        ("PUT /text/team/notes/stable/Index", "MethodNotAllowed"),
        ("PUT /text/team/notes/stable/packages/a_1.txt", "MethodNotAllowed"),
        ("DELETE /text/team/notes/key", "MethodNotAllowed"),
    ];
    for (line, expected) in table {
        let error = read(line).expect_err(line);
        let said = format!("{error:?}");
        assert!(said.starts_with(expected), "{line}: {said}");
    }
}
