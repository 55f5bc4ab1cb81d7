//! URL → operation → access, for every endpoint.

use http::Request;
use wharf_auth::{Access, Operation, Verb};

use super::*;

const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn read(line: &str) -> Result<Op, Error> {
    let (method, uri) = line.split_once(' ').unwrap();
    let uri = uri.replace("DIGEST", DIGEST);
    parse(&Request::builder().method(method).uri(uri).body(()).unwrap().into_parts().0)
}

#[test]
fn every_endpoint_is_understood_and_asks_for_its_access() {
    let table = [
        ("GET /v2", "ping", "signed-in"),
        ("GET /v2/", "ping", "signed-in"),
        ("HEAD /v2/", "ping", "signed-in"),
        ("GET /v2/_catalog?n=5&last=a", "catalog.list", "catalog"),
        ("GET /v2/a/tags/list", "tags.list", "a view"),
        ("GET /v2/a/b/c/tags/list?n=0", "tags.list", "a/b/c view"),
        ("GET /v2/a/referrers/DIGEST?artifactType=x%2Fy", "referrers.list", "a view"),
        ("GET /v2/a/manifests/latest", "manifest.read", "a pull"),
        ("GET /v2/a/manifests/latest?ns=docker.io", "manifest.read", "a pull"),
        ("HEAD /v2/a/b/manifests/DIGEST", "manifest.read", "a/b pull"),
        ("PUT /v2/a/manifests/v1", "manifest.push", "a push"),
        ("PUT /v2/a/manifests/DIGEST?tag=v1&tag=v2", "manifest.push", "a push"),
        ("DELETE /v2/a/manifests/v1", "manifest.delete", "a delete"),
        ("GET /v2/a/blobs/DIGEST", "blob.read", "a pull"),
        ("HEAD /v2/a/blobs/DIGEST", "blob.read", "a pull"),
        ("DELETE /v2/a/blobs/DIGEST", "blob.delete", "a delete"),
        ("POST /v2/a/blobs/uploads/", "upload.begin", "a push"),
        ("POST /v2/a/blobs/uploads", "upload.begin", "a push"),
        ("POST /v2/a/blobs/uploads/?digest-algorithm=sha512", "upload.begin", "a push"),
        ("POST /v2/a/blobs/uploads/?digest=DIGEST", "blob.push", "a push"),
        ("POST /v2/a/blobs/uploads/?mount=DIGEST&from=b/c", "blob.mount", "a push"),
        ("POST /v2/a/blobs/uploads/?mount=DIGEST", "blob.mount", "a push"),
        ("GET /v2/a/blobs/uploads/1f", "upload.status", "a push"),
        ("PATCH /v2/a/blobs/uploads/1f", "upload.append", "a push"),
        ("PUT /v2/a/blobs/uploads/1f?digest=DIGEST", "upload.finish", "a push"),
        ("DELETE /v2/a/blobs/uploads/1f", "upload.cancel", "a push"),
        // Names that look like endpoints.
        ("GET /v2/tags/list/tags/list", "tags.list", "tags/list view"),
        ("GET /v2/blobs/uploads/manifests/v1", "manifest.read", "blobs/uploads pull"),
    ];
    for (line, name, access) in table {
        let op = read(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        let asked = match op.access() {
            Access::SignedIn => "signed-in".to_owned(),
            Access::Catalog => "catalog".to_owned(),
            Access::Repository { format, name, verb } => {
                assert_eq!(format, crate::NAME);
                format!("{name} {}", verb.as_str())
            }
            other => format!("{other:?}"),
        };
        assert_eq!((op.name(), asked.as_str()), (name, access), "{line}");
    }
}

#[test]
fn no_operation_that_changes_anything_is_open_to_readers() {
    for line in ["PUT /v2/a/manifests/v1", "POST /v2/a/blobs/uploads/", "DELETE /v2/a/blobs/DIGEST"] {
        let op = read(line).unwrap();
        assert!(!matches!(op.repository(), Some((_, Verb::View | Verb::Pull)) | None), "{line}");
    }
}

#[test]
fn bad_requests_get_the_code_that_fits() {
    let table = [
        ("GET /v2/nothing/here", "NoSuchEndpoint"),
        ("GET /v1/a", "NoSuchEndpoint"),
        ("GET /v2/UPPER/tags/list", "Name"),
        ("GET /v2/../../etc/passwd/tags/list", "Name"),
        ("GET /v2/a%2Fb/tags/list", "BadPath"),
        ("GET /v2/a%00/tags/list", "BadPath"),
        ("GET /v2//tags/list", "Name"),
        ("GET /v2/tags/list", "Name"),
        ("GET /v2/a/manifests/.hidden", "Tag"),
        ("GET /v2/a/manifests/sha256:baddigeststring", "Digest"),
        ("GET /v2/a/blobs/latest", "Digest"),
        ("GET /v2/a/blobs/md5:d41d8cd98f00b204e9800998ecf8427e", "Digest"),
        ("GET /v2/a/tags/list?n=many", "Page"),
        ("PUT /v2/a/blobs/uploads/1f", "DigestMissing"),
        ("POST /v2/a/blobs/uploads/?digest=x", "Digest"),
        ("POST /v2/a/blobs/uploads/?digest-algorithm=md5", "Digest"),
        ("POST /v2/a/blobs/uploads/?mount=DIGEST&from=../x", "Name"),
        ("GET /v2/a/blobs/uploads/", "MethodNotAllowed"),
        ("POST /v2/a/manifests/v1", "MethodNotAllowed"),
        ("PATCH /v2/a/blobs/DIGEST", "MethodNotAllowed"),
        ("DELETE /v2/_catalog", "MethodNotAllowed"),
        ("PUT /v2/a/manifests/DIGEST?tag=-bad", "Tag"),
    ];
    for (line, expected) in table {
        let error = format!("{:?}", read(line).expect_err(line));
        assert!(error.starts_with(expected), "{line}: {error}");
    }
}

#[test]
fn chunk_ranges_are_read_in_both_spellings() {
    let chunk = |range: &str, length: &str| {
        let head =
            Request::patch("/v2/a/blobs/uploads/1f").header("content-range", range).header("content-length", length);
        match parse(&head.body(()).unwrap().into_parts().0) {
            Ok(Op::Append { range, .. }) => Ok(range),
            other => Err(format!("{other:?}")),
        }
    };
    assert_eq!(chunk("0-1023", "1024"), Ok(Some(0..1024)));
    assert_eq!(chunk("bytes 1024-2047/4096", "1024"), Ok(Some(1024..2048)));
    for (range, length) in [("0-1023", "10"), ("5-1", "0"), ("x", "1"), ("-5", "5"), ("0-18446744073709551615", "1")] {
        assert!(chunk(range, length).is_err(), "{range} {length}");
    }
}
