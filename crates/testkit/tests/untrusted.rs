//! Parsers of what strangers send, fed with what strangers might send: none may panic, and what they take must mean one thing.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_RANGE, HeaderMap, HeaderValue};
use http::request::Parts;
use http::{Method, Request};
use proptest::prelude::*;
use wharf_apt::Apt;
use wharf_auth::{Operation, Presented, parse_scope};
use wharf_core::{Arrival, Contents, Format, InspectError, Parsed};
use wharf_helm::Helm;
use wharf_oci::Oci;
use wharf_testkit::TestServer;
use wharf_types::{Digest, MediaType, Reference, RepoName, SubjectName, Tag};
use wharf_wire::{ByteRange, Credentials, Page, Protocol, decode_segment, is_unchanged};
use wharf_yum::Yum;

const HEX: &str = "[0-9a-f]{64}";

/// Text made of what a grammar is made of, in an order that it may not expect, or anything at all.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[a-z0-9]{1,4}",
        "[-._/:@%?&=,+ ]{1,3}",
        Just("sha256:".to_owned()),
        HEX.prop_map(|hex| format!("sha256:{hex}")),
        Just("%2F%2e%00".to_owned()),
        "\\PC{1,3}",
    ];
    prop_oneof![prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat()), "\\PC{0,40}"]
}

/// A value of a header: visible or not, but nothing that HTTP itself refuses.
fn header() -> impl Strategy<Value = HeaderValue> {
    let any = prop::collection::vec(prop_oneof![Just(b'\t'), 32..=126u8, 128..=255u8], 0..60);
    prop_oneof![
        any.prop_filter_map("a header", |bytes| HeaderValue::from_bytes(&bytes).ok()),
        text().prop_filter_map("a header", |text| HeaderValue::from_str(&text).ok()),
    ]
}

/// JSON of the shape of a manifest, with anything in the places that matter.
fn manifest() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        text().prop_map(|text| serde_json::json!(text).to_string()),
        HEX.prop_map(|hex| format!("\"sha256:{hex}\"")),
        Just("null".to_owned()),
        Just("1e999".to_owned()),
    ];
    let field = prop::sample::select(vec![
        "schemaVersion",
        "mediaType",
        "artifactType",
        "config",
        "layers",
        "manifests",
        "blobs",
        "subject",
        "annotations",
        "digest",
        "size",
        "urls",
        "platform",
        "fsLayers",
        "data",
    ]);
    scalar.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec((field.clone(), inner.clone()), 0..8).prop_map(|fields| {
                let fields: Vec<_> = fields.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
                format!("{{{}}}", fields.join(","))
            }),
            prop::collection::vec(inner, 0..4).prop_map(|items| format!("[{}]", items.join(","))),
        ]
    })
}

fn head(method: &str, target: &str, headers: &[(http::HeaderName, HeaderValue)]) -> Option<Parts> {
    let mut head = Request::builder().method(method).uri(target).body(()).ok()?.into_parts().0;
    head.headers.extend(headers.iter().cloned());
    Some(head)
}

/// YAML of the shape of `Chart.yaml`, with anything in the places that matter.
fn metadata() -> impl Strategy<Value = String> {
    let key = prop::sample::select(vec![
        "name",
        "version",
        "apiVersion",
        "appVersion",
        "type",
        "keywords",
        "maintainers",
        "annotations",
        "dependencies",
        "deprecated",
        "files",
        "a-1.0.0.tgz",
        "<<",
    ]);
    let value = prop_oneof![
        text(),
        prop::sample::select(vec![
            "a",
            "1.0.0",
            "v2",
            "[a, b]",
            "{a: b}",
            "&x [*x]",
            "*x",
            "|\n  text",
            "!!binary x",
            "~",
            "1e9"
        ])
        .prop_map(str::to_owned),
        HEX.prop_map(|hex| format!("sha256:{hex}")),
    ];
    prop::collection::vec((key, value), 0..8)
        .prop_map(|fields| fields.iter().map(|(key, value)| format!("{key}: {value}\n")).collect())
}

fn gzipped(content: &[u8]) -> Vec<u8> {
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gz, content).expect("memory");
    gz.finish().expect("memory")
}

/// A chart package with one file.
fn packed(path: &str, content: &[u8]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    tar.append_data(&mut header, path, content).expect("memory");
    gzipped(&tar.into_inner().expect("memory"))
}

fn chart_of(file: &[u8]) -> Result<Contents, InspectError> {
    Helm::default().inspect(&mut &*file, &Arrival::default())
}

/// What was understood has a name, a version and a path that is one.
fn is_plain(inspected: Result<Contents, InspectError>) -> Result<(), TestCaseError> {
    let Ok(contents) = inspected else { return Ok(()) };
    prop_assert!(!contents.name.is_empty() && !contents.version.is_empty());
    prop_assert_eq!(contents.path.split('/').count(), 2);
    prop_assert!(contents.path.starts_with("charts/") && !contents.path.contains(char::is_control));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn a_name_that_is_taken_reads_the_same_when_it_is_written_again(text in text()) {
        if let Ok(name) = text.parse::<RepoName>() {
            prop_assert_eq!(name.to_string(), &*text);
            prop_assert_eq!(name.full().parse::<RepoName>().unwrap(), name);
        }
        if let Ok(reference) = text.parse::<Reference>() {
            prop_assert_eq!(reference.to_string(), &*text);
        }
        if let Ok(tag) = text.parse::<Tag>() {
            prop_assert!(!tag.as_str().contains(['/', ':', '%', '\0']));
        }
        if let Ok(digest) = text.parse::<Digest>() {
            prop_assert_eq!(Digest::from_bytes(&digest.to_bytes()).unwrap(), digest);
        }
        if let Ok(subject) = text.parse::<SubjectName>() {
            prop_assert_eq!(subject.as_str(), &*text);
        }
        if let Ok(media_type) = MediaType::from_content_type(&text) {
            prop_assert_eq!(MediaType::from_content_type(media_type.as_str()).unwrap(), media_type);
        }
    }

    #[test]
    fn a_digest_in_bytes_is_one_or_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        if let Ok(digest) = Digest::from_bytes(&bytes) {
            prop_assert_eq!(digest.to_bytes(), bytes);
        }
    }

    #[test]
    fn a_range_lies_inside_the_content(spec in "(bytes)?[ =]{0,2}[0-9]{0,20}-?[0-9]{0,20}[,/0-9*-]{0,6}", size in any::<u64>()) {
        for size in [size, size % 1000] {
            if let ByteRange::Part(range) = ByteRange::read(Some(&spec), size) {
                prop_assert!(range.start < range.end && range.end <= size, "{spec} of {size}: {range:?}");
            }
        }
    }

    #[test]
    fn scopes_that_were_read_read_the_same_again(text in "((repository(\\([a-z]{1,5}\\))?|registry):[a-z/:]{0,12}:[a-z,*]{0,12} ?){0,4}|\\PC{0,40}") {
        let scopes = parse_scope(&text);
        let written: Vec<String> = scopes.iter().map(ToString::to_string).collect();
        prop_assert_eq!(parse_scope(&written.join(" ")), scopes);
    }

    #[test]
    fn headers_are_understood_or_refused(value in header(), etag in text()) {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, value.clone());
        if let Ok(Credentials::Basic(user, _)) = Credentials::from_headers(&headers) {
            prop_assert!(!user.contains(':'));
        }
        headers.insert(http::header::IF_NONE_MATCH, value);
        is_unchanged(&headers, &etag);
    }

    #[test]
    fn a_segment_and_a_page_are_decoded_or_refused(text in text()) {
        if let Some(segment) = decode_segment(&text) {
            prop_assert!(text.contains('%') || segment == text);
        }
        if let Ok(page) = Page::from_query(Some(&text)) {
            let (limit, last) = (page.limit.unwrap_or(1), page.last.clone().unwrap_or_default());
            let link = Page::link("/p", limit, &last, &[]);
            let query = link.split(['?', '>']).nth(1);
            prop_assert_eq!(Page::from_query(query).unwrap(), Page { limit: Some(limit), last: Some(last) });
        }
    }

    #[test]
    fn a_request_is_an_operation_on_the_repository_it_names_or_is_refused(
        method in prop::sample::select(vec!["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]),
        path in prop::collection::vec(prop_oneof![
            text(),
            prop::sample::select(vec!["blobs", "uploads", "manifests", "tags", "list", "referrers", "_catalog", "a", "b", ""])
                .prop_map(str::to_owned),
            HEX.prop_map(|hex| format!("sha256:{hex}")),
        ], 0..7),
        query in text(),
        range in header(),
        length in any::<u64>(),
    ) {
        let headers = [(CONTENT_RANGE, range), (CONTENT_LENGTH, length.into())];
        let Some(head) = head(method, &format!("/v2/{}?{query}", path.join("/")), &headers) else { return Ok(()) };
        if let Ok(op) = Oci.parse(&head) {
            op.access();
            if let Some((name, _)) = op.repository() {
                let below = format!("/v2/{name}/");
                prop_assert!(head.uri.path().contains('%') || head.uri.path().starts_with(&below));
            }
            prop_assert!(head.method != Method::GET || !op.name().contains("delete"));
        }
    }

    #[test]
    fn a_request_for_packages_is_about_the_repository_it_names_or_is_refused(
        method in prop::sample::select(vec!["GET", "HEAD", "POST", "PUT", "DELETE"]),
        mount in prop::sample::select(vec!["/yum", "/api/packages", "/repository", "/artifactory", "/service/rest/v1/components"]),
        path in prop::collection::vec(prop_oneof![
            text(),
            prop::sample::select(vec![
                "a", "rpm", "upload", "repodata", "repomd.xml", "Packages", "package", "zstd", "info", "a-1-1.noarch.rpm", "comps.xml", "",
            ])
            .prop_map(str::to_owned),
            HEX.prop_map(|hex| format!("{hex}-primary.xml.gz")),
        ], 0..7),
        query in text(),
    ) {
        let Some(head) = head(method, &format!("{mount}/{}?{query}", path.join("/")), &[]) else { return Ok(()) };
        if let Ok(op) = Yum::default().parse(&head) {
            let told = format!("{:?}", op.access());
            prop_assert!(told.contains("Repository"), "{told}");
            prop_assert!(matches!(head.method, Method::GET | Method::HEAD) == op.name().contains("read") || op.name().contains("describe"));
        }
    }

    #[test]
    fn what_comes_for_a_repository_of_packages_is_understood_or_refused(
        bytes in prop::collection::vec(any::<u8>(), 0..400),
        xml in "(<(update|updates|comps|id|a)( a='[&;a-z<]{0,3}')?/?>|</(update|updates|comps|id|a)>|&#?[a-z0-9]{1,3};|<!--|-->|[a-z ]){0,20}",
        yaml in "(document: modulemd\n|data:\n|  name: [a-z\\[{&*!]{1,4}\n|---\n|\\.\\.\\.\n|[-:\\[{&*!|> a-z]{0,6}\n){0,12}",
    ) {
        let lead = [&[0xed, 0xab, 0xee, 0xdb], [0; 92].as_slice(), &[0x8e, 0xad, 0xe8, 1], &bytes].concat();
        for (section, content) in
            [("", bytes.as_slice()), ("", &lead), ("updateinfo", xml.as_bytes()), ("comps", xml.as_bytes()), ("modules", yaml.as_bytes())]
        {
            let arrival = Arrival { section: section.to_owned(), ..Arrival::default() };
            if let Ok(contents) = Yum::default().inspect(&mut &*content, &arrival) {
                let folder = if section.is_empty() { "Packages" } else { section };
                prop_assert!(contents.path.starts_with(folder), "{}", contents.path);
                prop_assert!(contents.path.split('/').all(|part| !part.is_empty() && part != ".."), "{}", contents.path);
            }
        }
    }

    #[test]
    fn a_manifest_is_understood_or_refused(content in manifest(), media_type in text()) {
        let media_type = MediaType::from_content_type(&media_type).ok();
        for header in [None, media_type.as_ref()] {
            if let Ok(parsed) = Parsed::read(content.as_bytes(), header) {
                prop_assert!(parsed.references() <= Parsed::MOST_REFERENCES);
                prop_assert!(parsed.annotations.is_none_or(|text| serde_json::from_str::<serde_json::Value>(&text).is_ok()));
            }
        }
    }

    #[test]
    fn a_request_for_charts_is_an_operation_or_is_refused(
        method in prop::sample::select(vec!["GET", "HEAD", "POST", "PUT", "DELETE"]),
        mount in prop::sample::select(vec!["/helm", "/api/packages", "/api/v4/projects", "/repository", "/artifactory"]),
        path in prop::collection::vec(prop_oneof![
            text(),
            prop::sample::select(vec!["api", "charts", "prov", "index.yaml", "helm", "packages", "a-1.0.0.tgz", "a", ""])
                .prop_map(str::to_owned),
        ], 0..8),
        query in text(),
    ) {
        let Some(head) = head(method, &format!("{mount}/{}?{query}", path.join("/")), &[]) else { return Ok(()) };
        if let Ok(op) = Helm::default().parse(&head) {
            op.access();
            prop_assert!(head.method != Method::GET || !op.name().ends_with(".remove") && !op.name().ends_with(".add"));
        }
    }

    #[test]
    fn a_chart_is_understood_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..600), fields in metadata(), at in any::<prop::sample::Index>(), to in any::<u8>()) {
        is_plain(chart_of(&bytes))?;
        is_plain(chart_of(&gzipped(&bytes)))?;
        is_plain(chart_of(&packed("a/Chart.yaml", &bytes)))?;
        let package = packed("a/Chart.yaml", fields.as_bytes());
        is_plain(chart_of(&package))?;
        let mut damaged = package;
        let at = at.index(damaged.len());
        damaged[at] = to;
        is_plain(chart_of(&damaged))?;
    }

    #[test]
    fn a_provenance_file_is_understood_or_refused(fields in metadata(), sums in metadata(), any in text()) {
        let signed = format!(
            "-----BEGIN PGP SIGNED MESSAGE-----\n{any}\n\n{fields}\n...\n{sums}\n-----BEGIN PGP SIGNATURE-----\n"
        );
        for text in [any, fields, signed] {
            let arrival = Arrival { section: "provenance".to_owned(), ..Arrival::default() };
            is_plain(Helm::default().inspect(&mut text.as_bytes(), &arrival))?;
        }
    }

    #[test]
    fn a_manifest_that_is_no_json_is_refused(content in prop::collection::vec(any::<u8>(), 0..60)) {
        if serde_json::from_slice::<serde_json::Value>(&content).is_err() {
            prop_assert!(Parsed::read(&content, None).is_err());
        }
    }
}

/// Lines of a control file, or what may stand in one.
fn control() -> impl Strategy<Value = String> {
    let field = prop::sample::select(vec![
        "Package",
        "Source",
        "Version",
        "Architecture",
        "Files",
        "Checksums-Sha256",
        "Section",
        "Package-Type",
        "X",
    ]);
    let hash = HEX.prop_map(|hex| format!("\n {hex} 12 hello_1.orig.tar.gz\n {hex} 3 ../x"));
    let value =
        prop_oneof![text(), Just("hello".to_owned()), Just("1:1.0-1".to_owned()), Just("amd64".to_owned()), hash];
    let line = prop_oneof![
        4 => (field, value).prop_map(|(field, value)| format!("{field}: {value}\n")),
        1 => "[ \t.a\n-]{0,4}\n",
        1 => Just("-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n".to_owned()),
        1 => Just("-----BEGIN PGP SIGNATURE-----\n\n-----END PGP SIGNATURE-----\n".to_owned()),
    ];
    prop::collection::vec(line, 0..9).prop_map(|lines| lines.concat())
}

/// An ar(5) archive of a .deb with these inner archives.
fn deb(ending: &str, control: &[u8], data: &[u8]) -> Vec<u8> {
    let mut bytes = b"!<arch>\n".to_vec();
    let (first, second) = (format!("control.tar{ending}"), format!("data.tar{ending}"));
    for (name, content) in [("debian-binary", &b"2.0\n"[..]), (&first, control), (&second, data)] {
        let size = content.len();
        bytes.extend(format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{size:<10}`\n", 0, 0, 0, 100_644).into_bytes());
        bytes.extend_from_slice(content);
        bytes.resize(bytes.len().next_multiple_of(2), b'\n');
    }
    bytes
}

/// A tar header for a file of this path, size and kind, and content that may not have that size.
fn tar_entry(path: &str, size: &str, kind: u8, content: &[u8]) -> Vec<u8> {
    let mut header = [0; 512];
    for (at, text) in [(0, path), (100, "0000644"), (124, size), (257, "ustar  ")] {
        let text = &text.as_bytes()[..text.len().min(99)];
        header[at..at + text.len()].copy_from_slice(text);
    }
    header[148..156].fill(b' ');
    header[156] = kind;
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    let mut bytes = [&header[..], content].concat();
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

fn arrival(brings: &str) -> Arrival {
    let section = format!(r#"{{"brings":{brings},"component":"main","file_name":"hello_1.orig.tar.gz"}}"#);
    Arrival { channel: "sid".into(), section, ..Arrival::default() }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn a_debian_package_goes_into_the_pool_or_is_refused(
        control in control(),
        path in prop_oneof![Just("./control".to_owned()), text()],
        size in prop_oneof![2 => Just(None), 1 => "[0-7]{1,11}".prop_map(Some)],
        kind in prop::sample::select(b"05125LKxgS\0".to_vec()),
        noise in prop::collection::vec(any::<u8>(), 0..600),
        ending in prop::sample::select(vec!["", ".gz", ".xz", ".zst", ".lzma", ".rar"]),
        cut in any::<prop::sample::Index>(),
    ) {
        let size = size.unwrap_or_else(|| format!("{:o}", control.len()));
        let inner = [tar_entry(&path, &size, kind, control.as_bytes()), vec![0; 1024]].concat();
        let data = [tar_entry("./usr/a", &size, kind, &noise), vec![0; 1024]].concat();
        let good = tar_entry("./control", &format!("{:o}", control.len()), b'0', control.as_bytes());
        for file in [deb("", &inner, &data), deb("", &[good, vec![0; 1024]].concat(), &data), deb(ending, &noise, &noise)] {
            for file in [&file[..], &file[..cut.index(file.len())]] {
                if let Ok(contents) = Apt::default().inspect(&mut &*file, &arrival("\"Binary\"")) {
                    prop_assert!(contents.path.starts_with("pool/") && !contents.path.contains(".."));
                    prop_assert!(contents.fragments.values().all(|said| !said.windows(2).any(|pair| pair == b"\n\n")));
                }
            }
        }
    }

    #[test]
    fn a_debian_source_goes_into_the_pool_or_is_refused(control in control(), noise in prop::collection::vec(any::<u8>(), 0..60)) {
        for file in [control.as_bytes(), &noise] {
            for brings in ["\"Source\"", "\"SourceFile\"", r#"{"Waiting":"incoming/a"}"#, "\"Other\""] {
                if let Ok(contents) = Apt::default().inspect(&mut &*file, &arrival(brings)) {
                    prop_assert!(!contents.path.contains(".."), "{}", contents.path);
                }
            }
        }
    }

    #[test]
    fn a_request_for_an_apt_repository_is_an_operation_or_is_refused(
        method in prop::sample::select(vec!["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]),
        mount in prop::sample::select(vec!["apt/t/d", "api/packages/t/debian", "repository/d", "artifactory/t:d", "apt"]),
        path in prop::collection::vec(prop_oneof![
            text(),
            prop::sample::select(vec![
                "dists", "pool", "incoming", "settings", "sid", "main", "by-hash", "SHA256", "binary-amd64", "Packages.xz",
                "Release", "upload", "hello", "1.0", "amd64", "x.deb;deb.distribution=a;deb.component=b;deb.architecture=c", "",
            ]).prop_map(str::to_owned),
        ], 0..7),
        query in text(),
    ) {
        let Some(head) = head(method, &format!("/{mount}/{}?{query}", path.join("/")), &[]) else { return Ok(()) };
        if let Ok(op) = Apt::default().parse(&head) {
            op.access();
            prop_assert!(head.method != Method::GET || op.name().ends_with("read") || op.name() == "index.read-by-hash");
        }
    }
}

/// A server, and a runtime to ask it in: these parsers are not to be had without one.
fn with_server(fact: impl AsyncFnOnce(TestServer)) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(async { fact(TestServer::start_default().await).await });
}

/// So many texts, the same in each run.
fn texts(strategy: impl Strategy<Value = String>, count: usize) -> Vec<String> {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    (0..count).map(|_| strategy.new_tree(&mut runner).expect("a value").current()).collect()
}

#[test]
fn a_token_that_was_not_signed_here_is_nobody() {
    with_server(async |server| {
        let auth = server.core().auth();
        let signed = server.admin().with_registry_token(&["repository:team/app:pull"]).await;
        let signed = signed.authorization().unwrap().split_once(' ').unwrap().1.to_owned();
        assert!(auth.authenticate(Presented::Bearer(&signed), None).await.is_ok());
        let parts: Vec<&str> = signed.split('.').collect();
        let forged = texts("[A-Za-z0-9_-]{0,80}", 300).into_iter().enumerate().map(|(index, piece)| {
            let mut parts = parts.clone();
            parts[index % 3] = &piece;
            parts.join(".")
        });
        let flipped = (0..signed.len()).map(|at| {
            let mut bytes = signed.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            String::from_utf8(bytes).unwrap()
        });
        // The last character of a part has bits that say nothing: another one may stand for the same bytes.
        let ends: Vec<usize> = signed.match_indices('.').map(|(at, _)| at - 1).chain([signed.len() - 1]).collect();
        let flipped = flipped.enumerate().filter(|(at, _)| !ends.contains(at)).map(|(_, token)| token);
        for token in forged.chain(flipped).chain(texts(text(), 300)) {
            let known = auth.authenticate(Presented::Bearer(&token), None).await;
            assert!(known.is_err(), "{token:?}");
        }
    });
}

#[test]
fn an_htpasswd_file_of_anything_makes_nobody_by_accident() {
    with_server(async |server| {
        let line = prop_oneof![
            text(),
            (text(), "[./A-Za-z0-9]{50,56}").prop_map(|(name, rest)| format!("{name}:$2y$05${rest}")),
            ("[a-z]{1,6}", text()).prop_map(|(name, hash)| format!("{name}:{hash}")),
        ];
        for file in texts(prop::collection::vec(line, 0..6).prop_map(|lines| lines.join("\n")), 100) {
            let request = server
                .admin()
                .request(Method::POST, "/api/v1/htpasswd")
                .header(http::header::CONTENT_TYPE, "text/plain");
            let answer = request.body(file.clone()).send().await;
            assert!(answer.status.as_u16() < 500, "{file:?}: {answer}");
            let made = if answer.status == 200 { answer.json()["created"].as_array().map_or(0, Vec::len) } else { 0 };
            assert!(made <= file.matches("$2y$05$").count(), "{file:?}: {answer}");
        }
    });
}
