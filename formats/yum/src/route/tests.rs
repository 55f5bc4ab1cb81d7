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
        ("PUT /yum/team/el9/upload", "package.add", "team/el9 push"),
        ("POST /yum/team/el9/upload?wait=1", "package.add", "team/el9 push"),
        ("PUT /yum/team/el9/foo-1-1.noarch.rpm", "package.add", "team/el9 push"),
        ("PUT /yum/team/el9/any/folder/foo.rpm", "package.add", "team/el9 push"),
        ("GET /yum/team/el9/Packages/f/foo-1-1.noarch.rpm", "package.read", "team/el9 pull"),
        ("HEAD /yum/team/el9/Packages/f/epoch-2/foo-1-1.noarch.rpm", "package.read", "team/el9 pull"),
        ("GET /yum/team/el9/foo-1-1.noarch.rpm", "package.read", "team/el9 pull"),
        ("GET /yum/team/el9/zstd/Packages/f/foo-1-1.noarch.rpm", "package.read", "team/el9 pull"),
        ("DELETE /yum/team/el9/Packages/f/foo-1-1.noarch.rpm?wait=1", "package.remove", "team/el9 delete"),
        ("GET /yum/team/el9/info/Packages/f/foo-1-1.noarch.rpm", "package.describe", "team/el9 pull"),
        ("GET /yum/team/el9/repodata/repomd.xml", "index.read", "team/el9 pull"),
        ("GET /yum/team/el9/zstd/repodata/repomd.xml", "index.read", "team/el9 pull"),
        ("GET /yum/team/el9/repodata/HEX-primary.xml.gz", "index.read-by-hash", "team/el9 pull"),
        ("HEAD /yum/team/el9/zstd/repodata/HEX-primary.xml.zst", "index.read-by-hash", "team/el9 pull"),
        ("GET /yum/team/el9/mirrorlist", "mirror-list.read", "team/el9 pull"),
        ("GET /yum/team/el9/zstd/mirrorlist", "mirror-list.read", "team/el9 pull"),
        ("GET /yum/team/el9/at/HEX/repodata/repomd.xml", "index.read-at", "team/el9 pull"),
        ("GET /yum/team/el9/at/HEX/repodata/HEX-primary.xml.zst", "index.read-by-hash", "team/el9 pull"),
        ("GET /yum/team/el9/at/HEX/Packages/f/foo-1-1.noarch.rpm", "package.read", "team/el9 pull"),
        ("GET /yum/team/el9/at/HEX/repodata/repomd.xml.asc", "signature.read-at", "team/el9 pull"),
        ("GET /yum/team/el9/repodata/repomd.xml.asc", "index.read", "team/el9 pull"),
        ("GET /yum/team/el9/zstd/repodata/repomd.xml.asc", "index.read", "team/el9 pull"),
        ("GET /yum/team/el9/repodata/repomd.xml.key", "keys.read", "team/el9 view"),
        ("GET /yum/team/el9/key.asc", "keys.read", "team/el9 view"),
        ("GET /api/packages/team/rpm/repository.key", "keys.read", "team/rpm view"),
        ("GET /yum/team/el9/settings", "settings.read", "team/el9 view"),
        ("PUT /yum/team/el9/settings", "settings.write", "team/el9 configure"),
        ("DELETE /yum/team/el9/settings", "settings.write", "team/el9 configure"),
        ("GET /yum/team/el9/setup", "setup.read", "team/el9 view"),
        ("GET /yum/team/el9/team-el9.repo", "repo-file.read", "team/el9 view"),
        // Advisories, groups, modules.
        ("PUT /yum/team/el9/updateinfo.xml", "metadata.add", "team/el9 push"),
        ("PUT /yum/team/el9/desktop/comps.xml?wait=1", "metadata.add", "team/el9 push"),
        ("POST /yum/team/el9/modules.yaml", "metadata.add", "team/el9 push"),
        ("GET /yum/team/el9/comps.xml", "index.read", "team/el9 pull"),
        ("POST /yum/team/el9/advisories", "advisory.add", "team/el9 push"),
        ("DELETE /yum/team/el9/updateinfo/RHSA-2026:0001", "metadata.remove", "team/el9 delete"),
        // Where clients of Gitea look.
        ("PUT /api/packages/team/rpm/upload", "package.add", "team/rpm push"),
        ("PUT /api/packages/team/rpm/el9/stable/upload", "package.add", "team/el9-stable push"),
        ("GET /api/packages/team/rpm.repo", "repo-file.read", "team/rpm view"),
        ("GET /api/packages/team/rpm/el9/stable.repo", "repo-file.read", "team/el9-stable view"),
        ("GET /api/packages/team/rpm/el9/repodata/repomd.xml", "index.read", "team/el9 pull"),
        ("GET /api/packages/team/rpm/el9/Packages/f/foo-1-1.noarch.rpm", "package.read", "team/el9 pull"),
        ("GET /api/packages/team/rpm/package/foo/1-1/noarch/foo-1-1.noarch.rpm", "package.read", "team/rpm pull"),
        ("DELETE /api/packages/team/rpm/el9/package/foo/2:1-1/noarch", "package.remove", "team/el9 delete"),
        // Where those of Nexus and Artifactory do.
        ("PUT /repository/el9/9/x86_64/foo-1-1.noarch.rpm", "package.add", "el9 push"),
        ("PUT /repository/team:el9/foo-1-1.noarch.rpm", "package.add", "team/el9 push"),
        ("GET /repository/team:el9/9/x86_64/foo-1-1.noarch.rpm", "package.read", "team/el9 pull"),
        ("GET /repository/team:el9/9/x86_64/repodata/repomd.xml", "index.read", "team/el9 pull"),
        ("POST /service/rest/v1/components?repository=team:el9", "package.add", "team/el9 push"),
        ("PUT /artifactory/el9/x86_64/foo-1-1.noarch.rpm;build=7", "package.add", "el9 push"),
        ("GET /artifactory/team:el9/repodata/HEX-primary.xml.gz", "index.read-by-hash", "team/el9 pull"),
        ("DELETE /artifactory/team:el9/foo-1-1.noarch.rpm", "package.remove", "team/el9 delete"),
        ("POST /artifactory/api/yum/el9?async=1", "index.ask", "el9 push"),
        // One segment names a repository of the default project everywhere else.
        ("GET /yum/default/el9/repodata/repomd.xml", "index.read", "el9 pull"),
        // Names that look like endpoints.
        ("GET /yum/zstd/repodata/repodata/repomd.xml", "index.read", "zstd/repodata pull"),
    ];
    for (line, name, access) in table {
        let op = read(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        let Access::Repository { format, name: repository, verb } = op.access() else { panic!("{line}") };
        assert_eq!((op.name(), format!("{repository} {verb}").as_str()), (name, access), "{line}");
        assert_eq!(format, crate::NAME);
    }
}

#[test]
fn the_file_that_is_meant_is_found() {
    let path = |line| match read(line).unwrap() {
        Op::ReadPackage { path, .. } => path,
        Op::ReadIndex { file, .. } => file.to_owned(),
        Op::ReadIndexByHash { digest, file, .. } => format!("{digest} {file}"),
        other => panic!("{other:?}"),
    };
    assert_eq!(path("GET /yum/a/b/Packages/f/Foo-1-1.noarch.rpm"), "Packages/f/Foo-1-1.noarch.rpm");
    assert_eq!(path("GET /yum/a/b/el9/Foo-1-1.noarch.rpm"), "Packages/f/Foo-1-1.noarch.rpm");
    assert_eq!(path("GET /yum/a/b/repodata/repomd.xml"), REPOMD);
    assert_eq!(path("GET /yum/a/b/zstd/repodata/repomd.xml"), REPOMD_ZSTD);
    assert_eq!(path("GET /yum/a/b/repodata/HEX-other.xml.gz"), format!("sha256:{HEX} other.xml.gz"));
}

#[test]
fn what_is_not_understood_is_refused() {
    let status = |line| read(line).map(|op| op.name()).map_err(|error| error.status().as_u16());
    for line in [
        "GET /yum",
        "GET /yum/team",
        "GET /yum/team/el9/",
        "GET /yum/team/el9/repodata/primary.xml.gz",
        "GET /yum/team/el9/repodata/abc-primary.xml.gz",
        "GET /yum/team/el9/foo.rpm",
        "DELETE /yum/team/el9/foo.txt",
        // What may be of another format.
        "PUT /repository/el9/foo.deb",
        "GET /repository/el9/",
        "PUT /artifactory/el9/foo-1.tgz",
        "GET /service/rest/v1/components?repository=el9",
        "POST /service/rest/v1/components",
        "GET /api/packages/team/rpm/other",
    ] {
        assert_eq!(status(line), Err(404), "{line}");
    }
    for line in ["GET /yum/Team/el9/upload", "GET /yum/team/el9/a%2Fb-1-1.noarch.rpm"] {
        assert_eq!(status(line), Err(400), "{line}");
    }
    for line in [
        "GET /yum/team/el9/upload",
        "PUT /yum/team/el9/setup",
        "PUT /yum/team/el9/repodata/repomd.xml",
        "PUT /yum/team/el9/foo.txt",
    ] {
        assert_eq!(status(line), Err(405), "{line}");
    }
}
