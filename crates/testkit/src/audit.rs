//! What the audit log says, read as its readers do.

use http::Method;
use http::header::{IF_NONE_MATCH, RANGE};
use serde_json::Value;

use crate::{Answer, Client, TestServer, sha256};

impl TestServer {
    /// The lines that `query` finds, the oldest first, with what was noted until now.
    pub async fn audit(&self, query: &str) -> Vec<Value> {
        self.core().flush_accesses().await.expect("written");
        let answer = self.admin().get(&format!("/api/v1/audit?limit=1000&{query}")).await;
        let mut lines = answer.assert_status(200).json()["items"].as_array().expect("items").clone();
        lines.reverse();
        lines
    }

    /// What is said of one request, but for the sign-in.
    pub async fn audit_of(&self, answer: &Answer) -> Vec<Value> {
        let id = answer.expect_header("x-request-id");
        let lines = self.audit("").await.into_iter();
        lines.filter(|line| line["request_id"] == id && line["action"] != "login").collect()
    }

    /// Sends a request as `stranger`, who is refused, and as the administrator. The refusal has the name of what is done.
    pub async fn assert_named_alike(&self, stranger: &Client, (method, path, body): (Method, &str, Vec<u8>)) {
        let refused = stranger.request(method.clone(), path).body(body.clone()).send().await;
        let done = self.admin().request(method, path).body(body).send().await;
        assert!(refused.status.is_client_error() && done.status.is_success(), "{refused}\n{done}");
        let (denied, lines) = (self.audit_of(&refused).await, self.audit_of(&done).await);
        let [denied] = &denied[..] else { panic!("{refused}\n{denied:?}") };
        assert_eq!(denied["outcome"], "denied", "{denied}");
        let named = |line: &Value| line["action"] == denied["action"] && line["outcome"] == "ok";
        assert!(lines.iter().any(named), "{path}: {denied} is named like none of {lines:?}");
    }

    /// Has the user `name` fetch the package at `path` of `repository`: that the file and a part of it were handed out is written down
    /// by its digest, and not that somebody looked whether it is there, has it already, or asked for a part that it does not have.
    pub async fn assert_pulls_are_noted(&self, (name, puller): (&str, &Client), path: &str, repository: &str) {
        let pulled = puller.get(path).await;
        let digest = sha256(&pulled.assert_status(200).body);
        let part = async |range: &str| puller.request(Method::GET, path).header(RANGE, range).send().await;
        part("bytes=1-3").await.assert_status(206);
        part("bytes=99999999-").await.assert_status(416);
        let known = puller.request(Method::GET, path).header(IF_NONE_MATCH, pulled.expect_header("etag"));
        known.send().await.assert_status(304);
        puller.head(path).await.assert_status(200);
        let lines = self.audit(&format!("digest={digest}&actor={name}")).await;
        let [line] = &lines[..] else { panic!("{lines:?}") };
        let told = ["outcome", "repository", "credential", "address", "request_id"].map(|field| line[field].as_str());
        let id = pulled.expect_header("x-request-id");
        assert_eq!(told, ["ok", repository, "password", "127.0.0.1", id].map(Some), "{line}");
        assert_eq!(line["times"], 2, "{line}");
        assert!(line["subject"].as_str().is_some_and(|subject| path.ends_with(subject)), "{line}");
    }
}
