//! Charts of these tests' own making, and a repository as somebody reaches it.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;
use tar::{Builder, Header};
use wharf_testkit::{Answer, Client, TestServer, sha256};

use crate::backend::work;

/// A chart.
#[derive(Debug, Clone)]
pub(crate) struct Chart {
    pub(crate) name: String,
    pub(crate) version: String,
    more: String,
    files: Vec<(String, String)>,
}

pub(crate) fn chart(name: &str, version: &str) -> Chart {
    Chart { name: name.to_owned(), version: version.to_owned(), more: String::new(), files: Vec::new() }
}

impl Chart {
    /// More lines of `Chart.yaml`.
    pub(crate) fn say(mut self, lines: &str) -> Self {
        self.more.push_str(lines);
        self
    }

    pub(crate) fn file(mut self, path: &str, content: &str) -> Self {
        self.files.push((path.to_owned(), content.to_owned()));
        self
    }

    pub(crate) fn file_name(&self) -> String {
        format!("{}-{}.tgz", self.name, self.version)
    }

    /// The package.
    pub(crate) fn packed(&self) -> Vec<u8> {
        let own = format!("apiVersion: v2\nname: {}\nversion: {}\n{}", self.name, self.version, self.more);
        let mut tar = Builder::new(Vec::new());
        for (path, content) in std::iter::once(("Chart.yaml", own.as_str()))
            .chain(self.files.iter().map(|(path, content)| (path.as_str(), content.as_str())))
        {
            let mut header = Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            // Past the library's own checks, which strangers do not use.
            let path = format!("{}/{path}", self.name);
            header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
            header.set_cksum();
            tar.append(&header, content.as_bytes()).expect("a tar");
        }
        gzipped(&tar.into_inner().expect("a tar"))
    }

    /// A provenance file whose signature nobody has looked at.
    pub(crate) fn provenance(&self) -> String {
        format!(
            "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\napiVersion: v2\nname: {}\nversion: {}\n\n...\nfiles:\n  {}: {}\n\
             -----BEGIN PGP SIGNATURE-----\n\nnone\n-----END PGP SIGNATURE-----\n",
            self.name,
            self.version,
            self.file_name(),
            sha256(self.packed())
        )
    }
}

pub(crate) fn gzipped(content: &[u8]) -> Vec<u8> {
    let mut gz = GzEncoder::new(Vec::new(), Compression::fast());
    gz.write_all(content).expect("memory");
    gz.finish().expect("memory")
}

/// A form with these fields: name, file name, content.
pub(crate) fn form(fields: &[(&str, &str, &[u8])]) -> (String, Vec<u8>) {
    let mut body = Vec::new();
    for (name, file, content) in fields {
        let head = format!(
            "--BOUNDARY\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"{file}\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n"
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--BOUNDARY--\r\n");
    ("multipart/form-data; boundary=BOUNDARY".to_owned(), body)
}

/// A repository and who asks for it.
pub(crate) struct Museum<'a> {
    server: &'a TestServer,
    pub(crate) client: Client,
    pub(crate) base: String,
}

impl<'a> Museum<'a> {
    pub(crate) fn new(server: &'a TestServer, name: &str) -> Self {
        Self { server, client: server.admin(), base: format!("/helm/{name}") }
    }

    pub(crate) fn of(server: &'a TestServer, client: &Client, name: &str) -> Self {
        Self { server, client: client.clone(), base: format!("/helm/{name}") }
    }

    pub(crate) fn path(&self, rest: &str) -> String {
        format!("{}/{rest}", self.base)
    }

    pub(crate) async fn get(&self, rest: &str) -> Answer {
        self.client.get(&self.path(rest)).await
    }

    pub(crate) async fn post(&self, rest: &str, body: impl Into<reqwest::Body>) -> Answer {
        self.client.post(&self.path(rest), body).await
    }

    pub(crate) async fn delete(&self, rest: &str) -> Answer {
        self.client.delete(&self.path(rest)).await
    }

    pub(crate) async fn add(&self, chart: &Chart) -> Answer {
        let answer = self.post("api/charts", chart.packed()).await;
        answer.assert_status(201).assert_body("{\"saved\":true}").clone()
    }

    pub(crate) async fn post_form(&self, rest: &str, fields: &[(&str, &str, &[u8])]) -> Answer {
        let (kind, body) = form(fields);
        let request = self.client.request(http::Method::POST, &self.path(rest));
        request.header_named("content-type", &kind).body(body).send().await
    }

    /// The index after all work is done, as text.
    pub(crate) async fn index_text(&self) -> String {
        work(self.server).await;
        self.get("index.yaml").await.assert_status(200).text()
    }

    /// The index after all work is done.
    pub(crate) async fn index(&self) -> Value {
        serde_saphyr::from_str(&self.index_text().await).expect("an index")
    }

    /// Names and versions of the index, in its order.
    pub(crate) async fn listed(&self) -> Vec<String> {
        let text = self.index_text().await;
        let index: Value = serde_saphyr::from_str(&text).expect("an index");
        let mut listed = Vec::new();
        for (name, versions) in index["entries"].as_object().expect("entries") {
            for entry in versions.as_array().expect("versions") {
                assert_eq!(entry["name"], name.as_str(), "{text}");
                listed.push(format!("{name} {}", entry["version"].as_str().expect("a version")));
            }
        }
        listed
    }
}
