//! Talking to a server over its JSON API. Paths and methods come from the server's own table, so they are written down once.

mod call;
pub(crate) mod credentials;
pub(crate) mod expiry;
mod problem;
pub(crate) mod progress;
pub(crate) mod table;

use std::path::Path;
use std::time::Duration;

use clap::ValueEnum;
use futures_util::TryStreamExt as _;
use reqwest::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE};
use serde_json::Value;

use crate::failure::{Failure, Outcome};
use crate::out;
pub(crate) use call::Call;
use call::Content;
use credentials::Credentials;
pub(crate) use problem::{refused, unreachable};

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    Table,
    /// For programs.
    Json,
}

/// Which server, and how to print what it says.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Remote {
    /// The server [default: the one of the last `wharf login`].
    #[arg(long, value_name = "URL", env = "WHARF_SERVER", global = true)]
    server: Option<String>,
    /// How to print the result.
    #[arg(long, default_value = "table", global = true)]
    pub(crate) output: Output,
}

/// By what a request proves who asks.
#[derive(Clone)]
pub(crate) enum Proof {
    /// A personal token or a robot's secret.
    Token(String),
    /// A name and a password.
    Password(String, String),
}

/// What became of a file.
pub(crate) struct Sent {
    /// Whether it was not there before.
    pub(crate) new: bool,
    /// What the server answered.
    pub(crate) status: u16,
}

/// A server and the right to talk to it.
pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
    proof: Proof,
}

impl Remote {
    /// The server to talk to, with what was remembered for it.
    pub(crate) fn client(&self) -> Outcome<Client> {
        let remembered = Credentials::read()?;
        let Some(base) = self.server.as_deref().or(remembered.current.as_deref()) else {
            return Err(Failure::usage("no server is known")
                .hint("run `wharf login URL`, or name one by --server or WHARF_SERVER"));
        };
        let base = base_url(base)?;
        let token = match std::env::var("WHARF_TOKEN") {
            Ok(token) if !token.is_empty() => token,
            _ => match remembered.of(&base) {
                Some(login) => login.token.clone(),
                None => {
                    let hint = format!("run `wharf login {base}`, or set WHARF_TOKEN");
                    return Err(Failure::usage(format!("you are not signed in to {base}")).hint(hint));
                }
            },
        };
        Client::new(base, Proof::Token(token))
    }

    /// Does something with a client, in a runtime of its own.
    pub(crate) fn run<T>(&self, work: impl AsyncFnOnce(&Client) -> Outcome<T>) -> Outcome<T> {
        let client = self.client()?;
        block_on(work(&client))
    }

    /// Prints the answer to a call about one thing.
    pub(crate) fn show(&self, call: Call<'_>, columns: table::Columns) -> Outcome {
        let found = self.run(async |client| client.send(&call).await)?;
        table::one(self.output, &found, columns)
    }

    /// Prints a list with all its pages, or its first `most` items.
    pub(crate) fn list(&self, call: Call<'_>, most: Option<usize>, columns: table::Columns) -> Outcome {
        let items = self.run(async |client| client.all(call, most).await)?;
        table::many(self.output, &items, columns)
    }

    /// Prints a list that is never long and has no pages.
    pub(crate) fn list_whole(&self, call: Call<'_>, columns: table::Columns) -> Outcome {
        let items = self.run(async |client| client.whole(&call).await)?;
        table::many(self.output, &items, columns)
    }

    /// Sends a call that changes something; `done` says so to people.
    pub(crate) fn change(&self, call: Call<'_>, done: &str) -> Outcome {
        let answer = self.run(async |client| client.send(&call).await)?;
        match self.output {
            Output::Table => out::line(done),
            Output::Json => out::line(serde_json::to_string_pretty(&answer)?),
        }
        Ok(())
    }
}

impl Client {
    /// A client of the server at `base`.
    pub(crate) fn new(base: String, proof: Proof) -> Outcome<Self> {
        let builder = reqwest::Client::builder().user_agent(concat!("wharf/", env!("CARGO_PKG_VERSION")));
        // A server that is short of memory, or whose bucket is slow, stops reading a file for longer than the library waits.
        let builder = builder.connect_timeout(Duration::from_secs(10)).tcp_user_timeout(None);
        let http = builder.build().map_err(Failure::new)?;
        Ok(Self { http, base, proof })
    }

    /// The server's URL.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// Sends a request; the answer is null if there is nothing to say.
    pub(crate) async fn send(&self, call: &Call<'_>) -> Outcome<Value> {
        let response = self.ask(call).await?;
        let content = response.bytes().await.map_err(|error| problem::unreachable(&self.base, &error))?;
        if content.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&content).map_err(|_| problem::no_wharf(&self.base))
    }

    /// Sends a request and prints its answer as it comes. An answer that breaks off is a failure: half a copy is none.
    pub(crate) async fn copy(&self, call: &Call<'_>) -> Outcome {
        let mut response = self.ask(call).await?;
        while let Some(chunk) = response.chunk().await.map_err(|error| problem::unreachable(&self.base, &error))? {
            out::result(&chunk).map_err(|error| Failure::new(format!("the result cannot be written: {error}")))?;
        }
        Ok(())
    }

    /// Sends a file by PUT to a path of a format, under a bar where somebody is there to see it. It is read as it is sent.
    pub(crate) async fn put_file(&self, path: &str, file: &Path, what: &str) -> Outcome<Sent> {
        let unread = |error: std::io::Error| Failure::usage(format!("{} cannot be read: {error}", file.display()));
        let open = tokio::fs::File::open(file).await.map_err(unread)?;
        let size = open.metadata().await.map_err(unread)?.len();
        let bar = progress::bar_for_people(what).unwrap_or_else(indicatif::ProgressBar::hidden);
        bar.set_length(size);
        let counted = bar.clone();
        let chunks = tokio_util::io::ReaderStream::with_capacity(open, 256 * 1024)
            .inspect_ok(move |chunk| counted.inc(chunk.len() as u64));
        let request = self.http.put(format!("{}{path}", self.base)).header(CONTENT_LENGTH, size);
        let request = self.proven(request).body(reqwest::Body::wrap_stream(chunks));
        let response = request.send().await.map_err(|error| problem::unreachable(&self.base, &error));
        bar.finish_and_clear();
        let response = response?;
        let status = response.status();
        let content = response.bytes().await.map_err(|error| problem::unreachable(&self.base, &error))?;
        if !status.is_success() {
            return Err(problem::refused(&self.base, status, &content, what));
        }
        Ok(Sent { new: status != reqwest::StatusCode::OK, status: status.as_u16() })
    }

    /// A request to a path, with the proof of who asks.
    pub(crate) fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        self.proven(self.http.request(method, format!("{}{path}", self.base)))
    }

    fn proven(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        match &self.proof {
            Proof::Token(token) => request.bearer_auth(token),
            Proof::Password(user, password) => request.basic_auth(user, Some(password)),
        }
    }

    /// Sends a request; what was refused is a failure.
    async fn ask(&self, call: &Call<'_>) -> Outcome<reqwest::Response> {
        let Some(route) = wharf_web::api::route(call.operation) else {
            return Err(Failure::new(format!("this program knows no operation {}", call.operation)));
        };
        let url = format!("{}{}", self.base, call.path(route.path));
        let request = self.http.request(route.method, url).query(&call.query).header(ACCEPT, "application/json");
        let request = self.proven(request);
        let request = match &call.body {
            Some(Content::Json(body)) => request.json(body),
            Some(Content::Text(text)) => request.header(CONTENT_TYPE, "text/plain; charset=utf-8").body(text.clone()),
            None => request,
        };
        let response = request.send().await.map_err(|error| problem::unreachable(&self.base, &error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let content = response.bytes().await.map_err(|error| problem::unreachable(&self.base, &error))?;
        Err(problem::told(&self.base, status, &content))
    }

    /// The items of a list, page after page.
    pub(crate) async fn all(&self, mut call: Call<'_>, most: Option<usize>) -> Outcome<Vec<Value>> {
        const PAGE: usize = 1000;
        let most = most.unwrap_or(usize::MAX);
        let mut items = Vec::new();
        call = call.with("limit", Some(most.clamp(1, PAGE)));
        loop {
            let mut page = self.send(&call).await?;
            if let Some(Value::Array(found)) = page.get_mut("items").map(Value::take) {
                items.extend(found);
            }
            let Some(next) = page["next"].as_str().filter(|_| items.len() < most).map(str::to_owned) else { break };
            call.query.retain(|(name, _)| *name != "after");
            call.query.push(("after", next));
        }
        items.truncate(most);
        Ok(items)
    }

    /// The items of a list that has no pages.
    pub(crate) async fn whole(&self, call: &Call<'_>) -> Outcome<Vec<Value>> {
        match self.send(call).await?["items"].take() {
            Value::Array(items) => Ok(items),
            _ => Ok(Vec::new()),
        }
    }
}

/// A server's URL as it was typed, made whole: without a scheme it is HTTPS, save on this machine.
pub(crate) fn base_url(typed: &str) -> Outcome<String> {
    let whole = if typed.contains("://") {
        typed.to_owned()
    } else {
        let host = typed.split('/').next().unwrap_or(typed);
        let local = host.starts_with("localhost") || host.starts_with("127.") || host.starts_with("[::1]");
        format!("{}://{typed}", if local { "http" } else { "https" })
    };
    let url = url::Url::parse(&whole).map_err(|error| Failure::usage(format!("{typed} is not a URL: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(Failure::usage(format!("{typed} is not the URL of a server"))
            .hint("it looks like https://registry.example.com"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            Failure::usage("a URL with a name or password in it ends up in logs and histories").hint("use -u USER")
        );
    }
    Ok(whole.trim_end_matches('/').to_owned())
}

/// Runs one thing to its end.
pub(crate) fn block_on<T>(work: impl Future<Output = Outcome<T>>) -> Outcome<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

/// Makes sure that something that cannot be undone is meant.
pub(crate) fn confirm(yes: bool, what: &str) -> Outcome {
    if yes {
        return Ok(());
    }
    if !out::somebody_is_there() {
        return Err(Failure::usage(format!("this would {what}")).hint("say --yes if that is what you want"));
    }
    out::ask(&format!("This will {what}. Type yes to go on:"));
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    if answer.trim() == "yes" { Ok(()) } else { Err(Failure::new("nothing was done")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_without_a_scheme_is_https_save_on_this_machine() {
        for (typed, whole) in [
            ("localhost:5000", "http://localhost:5000"),
            ("127.0.0.1:5000/", "http://127.0.0.1:5000"),
            ("registry.example.com", "https://registry.example.com"),
            ("http://10.0.0.1:5000", "http://10.0.0.1:5000"),
        ] {
            assert_eq!(base_url(typed).unwrap(), whole);
        }
        for typed in ["ftp://x", "https://me:secret@x", "https://"] {
            assert!(base_url(typed).is_err(), "{typed}");
        }
    }
}
