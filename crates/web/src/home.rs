//! `/`: what this is and how to begin, as a page for browsers and as a line for others.

use http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, VARY, X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Response};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use wharf_wire::{Context, Handled, bytes};

const VERSION: &str = env!("CARGO_PKG_VERSION");
const STYLE: &str = "\
body{max-width:46rem;margin:3rem auto;padding:0 1rem;font:1rem/1.5 system-ui,sans-serif;color:#1b2a33;background:#fff}\
pre{background:#f2f5f7;padding:.7rem 1rem;overflow-x:auto;border-radius:4px}\
h1 small{font-weight:400;color:#5a6b75}h2{font-size:1.05rem;margin:1.6rem 0 .3rem}\
@media(prefers-color-scheme:dark){body{color:#dde5ea;background:#12191e}pre{background:#1c262d}a{color:#8fc7ff}}";
/// The hash is that of [`STYLE`]; nothing else may be loaded or run.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'sha256-jMnDppoyHssrZ3GJBlCEGASq5hdL/sNkgBNuT8c/ibE='; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// How a program logs in here and brings an image.
struct Client {
    name: &'static str,
    commands: String,
}

/// Answers a request for `/`.
pub(crate) fn handle(headers: &HeaderMap, context: &Context, public_metrics: bool) -> Handled {
    let wants_page =
        headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).is_some_and(|a| a.contains("text/html"));
    let (media_type, content) = if wants_page {
        ("text/html; charset=utf-8", page(context, public_metrics).into_string())
    } else {
        ("text/plain; charset=utf-8", line(context))
    };
    let mut response = Response::new(bytes(content));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(VARY, HeaderValue::from_static("Accept"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    Handled { response, operation: "home", actor: String::new(), error: None }
}

fn line(context: &Context) -> String {
    let base = &context.base_url;
    format!("Wharf {VERSION}, a registry. Log in: docker login {}. API: {base}/api/openapi.json\n", host(context))
}

fn page(context: &Context, public_metrics: bool) -> Markup {
    let base = &context.base_url;
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width";
                title { "Wharf" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { "Wharf " small { (VERSION) } }
                p { "This is a registry: it keeps container images, Helm charts and other OCI artifacts." }
                p { "Log in and bring an image; " code { "NAME" } " is your user name, and the project " code { "team" } " is yours to replace." }
                @for client in clients(context) {
                    h2 { (client.name) }
                    pre { (client.commands) }
                }
                @if is_plain(context) {
                    p {
                        "This server is reached without TLS, so clients must be told that this is meant. Docker takes it from this machine; from "
                        "others " code { (host(context)) } " belongs into " code { "insecure-registries" } " of its daemon.json."
                    }
                }
                h2 { "More" }
                ul {
                    li { a href={ (base) "/api/openapi.json" } { "The API" } ", and the " code { "wharf" } " command over it" }
                    li {
                        a href={ (base) "/metrics" } { "Metrics" }
                        @if !public_metrics { ", for administrators, auditors and whoever has the metrics token" }
                    }
                    li { a href={ (base) "/readyz" } { "Whether the server is ready" } }
                }
            }
        }
    }
}

fn clients(context: &Context) -> Vec<Client> {
    let host = host(context);
    let flag = |flag: &'static str| if is_plain(context) { flag } else { "" };
    let (podman, skopeo) = (flag(" --tls-verify=false"), flag(" --dest-tls-verify=false"));
    let (helm, crane) = (flag(" --plain-http"), flag(" --insecure"));
    vec![
        Client {
            name: "Docker",
            commands: format!(
                "docker login -u NAME {host}\ndocker tag alpine {host}/team/alpine\ndocker push {host}/team/alpine"
            ),
        },
        Client {
            name: "Podman",
            commands: format!(
                "podman login{podman} -u NAME {host}\npodman push{podman} alpine {host}/team/alpine\npodman pull{podman} {host}/team/alpine"
            ),
        },
        Client {
            name: "Skopeo",
            commands: format!(
                "skopeo login{podman} -u NAME {host}\nskopeo copy{skopeo} --all docker://docker.io/library/alpine docker://{host}/team/alpine"
            ),
        },
        Client {
            name: "crane",
            commands: format!("crane auth login{crane} -u NAME {host}\ncrane copy{crane} alpine {host}/team/alpine"),
        },
        Client {
            name: "Helm",
            commands: format!(
                "helm registry login{helm} -u NAME {host}\nhelm push{helm} chart-1.0.0.tgz oci://{host}/team/charts"
            ),
        },
    ]
}

/// Clients of registries take a host and perhaps a port, never a path.
fn host(context: &Context) -> &str {
    let rest = context.base_url.split_once("://").map_or(context.base_url.as_str(), |(_, rest)| rest);
    rest.split('/').next().unwrap_or(rest)
}

fn is_plain(context: &Context) -> bool {
    context.base_url.starts_with("http://")
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use sha2::{Digest, Sha256};

    use super::*;

    fn context(base_url: &str) -> Context {
        Context {
            address: None,
            request_id: "1".into(),
            base_url: base_url.into(),
            base_url_is_configured: true,
            service: "wharf".into(),
        }
    }

    #[test]
    fn the_policy_allows_exactly_the_style() {
        let hash = STANDARD.encode(Sha256::digest(STYLE));
        assert!(POLICY.to_str().unwrap().contains(&format!("'sha256-{hash}'")), "expected {hash}");
    }

    #[test]
    fn commands_have_the_host_and_the_flags_it_needs() {
        let plain = page(&context("http://reg.example:5000"), false).into_string();
        assert!(plain.contains("docker login -u NAME reg.example:5000\n") && plain.contains("--tls-verify=false"));
        assert!(plain.contains("insecure-registries"));
        let secure = page(&context("https://reg.example/path"), true).into_string();
        assert!(secure.contains("docker push reg.example/team/alpine") && !secure.contains("--insecure"));
        assert!(secure.contains("https://reg.example/path/api/openapi.json") && !secure.contains("auditors"));
    }
}
