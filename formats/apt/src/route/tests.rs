use http::Request;
use wharf_auth::{Access, Operation};

use super::*;

fn parts(method: &str, path: &str) -> Parts {
    Request::builder().method(method).uri(path).body(()).unwrap().into_parts().0
}

fn parsed(method: &str, path: &str) -> Result<Op, String> {
    parse(&parts(method, path)).map_err(|error| error.to_string())
}

#[test]
fn paths_are_operations_with_their_access() {
    let hash = "a".repeat(64);
    for (method, path, expected) in [
        ("PUT", "/apt/team/debs/pool/sid/main/upload".to_owned(), "package.add push team/debs"),
        ("PUT", "/apt/team/debs/pool/bookworm/updates/main/x.deb".to_owned(), "package.add push team/debs"),
        ("PUT", "/apt/team/debs/incoming/x.changes".to_owned(), "upload.receive push team/debs"),
        ("GET", "/apt/team/debs/pool/h/hello/hello_1.0_amd64.deb".to_owned(), "package.read pull team/debs"),
        ("HEAD", "/apt/team/debs/pool/h/hello/hello_1.0_amd64.deb".to_owned(), "package.read pull team/debs"),
        ("DELETE", "/apt/team/debs/pool/h/hello/hello_1.0_amd64.deb".to_owned(), "file.remove delete team/debs"),
        ("DELETE", "/apt/team/debs/pool/sid/main/hello/1.0/amd64".to_owned(), "package.remove delete team/debs"),
        ("DELETE", "/apt/team/debs/pool/sid/main/hello/1:1.0-1/source".to_owned(), "package.remove delete team/debs"),
        ("POST", "/apt/team/debs/pool/sid/main/hello/1.0/all?to=trixie".to_owned(), "package.copy push team/debs"),
        ("GET", "/apt/team/debs/dists/sid/InRelease".to_owned(), "index.read pull team/debs"),
        ("GET", "/apt/team/debs/dists/a/b/main/source/Sources.xz".to_owned(), "index.read pull team/debs"),
        ("GET", format!("/apt/team/debs/dists/sid/main/by-hash/SHA256/{hash}"), "index.read-by-hash pull team/debs"),
        ("PUT", "/api/packages/team/debian/pool/sid/main/upload".to_owned(), "package.add push team/debian"),
        ("DELETE", "/api/packages/team/debian/pool/sid/main/a1/1/all".to_owned(), "package.remove delete team/debian"),
        ("GET", "/apt/team/debs/key.asc".to_owned(), "keys.read view team/debs"),
        ("GET", "/api/packages/team/debian/repository.key".to_owned(), "keys.read view team/debian"),
        ("GET", "/apt/team/debs/setup".to_owned(), "setup.read view team/debs"),
        ("GET", "/api/packages/team/debian/setup".to_owned(), "setup.read view team/debian"),
        ("GET", "/apt/team/debs/settings".to_owned(), "settings.read view team/debs"),
        ("PUT", "/apt/team/debs/dists/a/b/settings".to_owned(), "settings.write configure team/debs"),
        ("DELETE", "/apt/team/debs/dists/sid/settings".to_owned(), "settings.write configure team/debs"),
        ("POST", "/repository/debs/".to_owned(), "package.add push default/debs"),
        ("POST", "/repository/team:debs".to_owned(), "package.add push team/debs"),
        ("GET", "/repository/team:debs/dists/sid/Release".to_owned(), "index.read pull team/debs"),
        ("POST", "/service/rest/v1/components?repository=team:debs".to_owned(), "package.add push team/debs"),
        (
            "PUT",
            "/api/v4/projects/team%2Fapp/packages/debian/x.deb?distribution=sid&component=main".to_owned(),
            "package.add push team/app",
        ),
        ("PUT", "/api/v4/projects/a%2Fb%2Fc/packages/debian/x.dsc".to_owned(), "upload.receive push a/b-c"),
        ("PUT", "/api/v4/projects/team/packages/debian/x.deb".to_owned(), "upload.receive push team/debian"),
        ("PUT", "/api/v4/projects/team/packages/debian/x.changes".to_owned(), "upload.receive push team/debian"),
        ("GET", "/api/v4/projects/team/packages/debian/dists/sid/Release".to_owned(), "index.read pull team/debian"),
        (
            "GET",
            "/api/v4/projects/team/packages/debian/pool/h/h/h_1_all.deb".to_owned(),
            "package.read pull team/debian",
        ),
        ("PUT", "/api/v4/projects/team/packages/debian/settings".to_owned(), "settings.write configure team/debian"),
        (
            "PUT",
            "/artifactory/debs/pool/x.deb;deb.distribution=a;deb.component=b;deb.architecture=amd64".to_owned(),
            "package.add push default/debs",
        ),
    ] {
        let op = parsed(method, &path).unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        let Access::Repository { format, name, verb } = op.access() else { panic!("{path}") };
        assert_eq!(format, crate::NAME);
        assert_eq!(format!("{} {} {}", op.name(), verb.as_str(), name.full()), expected, "{method} {path}");
    }
}

#[test]
fn an_index_is_known_by_the_end_of_its_path() {
    for (tail, distribution, file) in [
        ("sid/Release", "sid", "Release"),
        ("bookworm/updates/Release.gpg", "bookworm/updates", "Release.gpg"),
        ("sid/main/binary-amd64/Packages", "sid", "main/binary-amd64/Packages"),
        ("a/b/main/binary-all/Packages.zst", "a/b", "main/binary-all/Packages.zst"),
        ("sid/main/debian-installer/binary-amd64/Packages.gz", "sid", "main/debian-installer/binary-amd64/Packages.gz"),
        ("sid/main/Contents-amd64.gz", "sid", "main/Contents-amd64.gz"),
        ("sid/contrib/source/Sources", "sid", "contrib/source/Sources"),
    ] {
        let Ok(Op::ReadIndex { distribution: read, file: of, .. }) = parsed("GET", &format!("/apt/t/d/dists/{tail}"))
        else {
            panic!("{tail}")
        };
        assert_eq!((read.as_str(), of.as_str()), (distribution, file), "{tail}");
    }
    for tail in ["", "Release", "main/binary-amd64/Packages", "sid/x", "sid/main/i18n/Translation-en", "../Release"] {
        assert!(parsed("GET", &format!("/apt/t/d/dists/{tail}")).is_err(), "{tail}");
    }
}

#[test]
fn an_upload_says_where_it_goes() {
    let upload = |method, path: &str| match parsed(method, path) {
        Ok(Op::Add { upload, .. }) => upload,
        other => panic!("{path}: {other:?}"),
    };
    let told = |upload: &Upload| {
        let spots = upload.spots.iter().map(|spot| format!("{}/{}", spot.distribution, spot.component));
        spots.collect::<Vec<_>>().join(" ")
    };
    let own = upload("PUT", "/apt/t/d/pool/sid/main/upload?distribution=trixie&distribution=sid&wait=1");
    assert_eq!((told(&own).as_str(), own.wait, own.file_name.as_str()), ("sid/main trixie/main", true, ""));
    let named = upload("PUT", "/apt/t/d/pool/sid/main/hello_1.0.orig.tar.gz");
    assert_eq!((named.file_name.as_str(), named.wait), ("hello_1.0.orig.tar.gz", false));
    let gitea = upload("PUT", "/api/packages/t/debian/pool/sid/main/upload");
    assert_eq!((gitea.dialect, gitea.wait), (Dialect::Gitea, true));
    let nexus = upload("POST", "/repository/d/?distribution=sid&component=contrib");
    assert_eq!((told(&nexus).as_str(), nexus.dialect), ("sid/contrib", Dialect::Nexus));
    assert_eq!(upload("POST", "/repository/d/").spots, []);
    let path =
        "/artifactory/d/pool/x.deb;deb.distribution=a,b;deb.component=m;deb.component=n;deb.architecture=i386,amd64";
    let artifactory = upload("PUT", path);
    assert_eq!(told(&artifactory), "a/m a/n b/m b/n");
    assert_eq!(artifactory.architectures, ["i386", "amd64"]);
}

#[test]
fn what_is_not_understood_is_refused_and_said_to_be_nobodys_where_it_may_be_another_formats() {
    for (method, path, expected) in [
        ("GET", "/apt/team", "there is nothing at this path"),
        ("GET", "/apt/team/debs/pool/../x", "there is nothing at this path"),
        ("PUT", "/apt/team/debs/pool/x.deb", "there is nothing at this path"),
        ("GET", "/apt/team/debs/pool/a%2Fb", "the path is not valid: names are plain segments"),
        ("PUT", "/apt/team/debs/pool/sid/main/x.deb;a=b", "the path is not valid: names are plain segments"),
        (
            "PATCH",
            "/apt/team/debs/pool/a/b",
            "the method is not allowed here; allowed are GET, HEAD, PUT, POST, DELETE",
        ),
        ("PUT", "/apt/team/debs/dists/sid/Release", "the method is not allowed here; allowed are GET, HEAD"),
        ("PUT", "/apt/team/debs/setup", "the method is not allowed here; allowed are GET, HEAD"),
        ("GET", "/apt/team/debs/incoming/x", "the method is not allowed here; allowed are PUT, POST"),
        ("GET", "/service/rest/v1/components?repository=debs", "there is nothing at this path"),
        ("POST", "/service/rest/v1/components", "there is nothing at this path"),
        ("PUT", "/api/v4/projects/%FF/packages/debian/x.deb", "the path is not valid: names are plain segments"),
        ("PUT", "/api/v4/projects/team/packages/debian/a%2Fb.deb", "the path is not valid: names are plain segments"),
        ("PUT", "/repository/debs/x.rpm", "there is nothing at this path"),
        ("PUT", "/artifactory/debs/x.rpm", "there is nothing at this path"),
        ("PUT", "/artifactory/debs/pool/x.tgz", "there is nothing at this path"),
        ("PUT", "/artifactory/debs/x.deb;deb.distribution=a;deb.component=b", &Error::NoParameters.to_string()),
        ("PUT", "/artifactory/debs/x.deb;deb.distribution", "the path is not valid: names are plain segments"),
        ("POST", "/apt/t/d/pool/sid/main/hello/1.0/all", &Error::NoDestination.to_string()),
    ] {
        assert_eq!(parsed(method, path).unwrap_err(), expected, "{method} {path}");
    }
    for (method, path) in [
        ("PUT", "/apt/Team/debs/pool/sid/main/upload"),
        ("PUT", "/apt/team/debs/pool/s%20id/main/upload"),
        ("PUT", "/apt/team/debs/pool/by-hash/main/upload"),
        ("GET", "/apt/team/debs/dists/sid/main/by-hash/SHA256/abc"),
        ("GET", "/apt/team/debs/dists/sid/main/by-hash/MD5Sum/00000000000000000000000000000000"),
    ] {
        assert!(parsed(method, path).is_err(), "{method} {path}");
    }
}
