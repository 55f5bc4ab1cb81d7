//! The page that says how to use a repository: HTML for browsers, text for others.

use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderValue, Response};
use maud::{DOCTYPE, Markup, html};
use wharf_auth::Identity;
use wharf_core::{Core, Setup, Target};

use crate::{Body, Context, bytes};

/// Nothing is loaded, nothing runs.
const POLICY: HeaderValue =
    HeaderValue::from_static("default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");

/// Answers `GET …/setup`: what [`Format::setup`](wharf_core::Format::setup) says, for the caller and the URL that it came by.
///
/// # Errors
/// Those of [`Core::setup`].
pub async fn setup_page(
    core: &Core,
    target: &Target,
    identity: &Identity,
    context: &Context,
    headers: &HeaderMap,
) -> wharf_core::Result<Response<Body>> {
    let user = (!identity.is_anonymous()).then(|| identity.subject().name());
    let setup = core.setup(target, &context.base_url, user.as_deref()).await?;
    let wants_page =
        headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).is_some_and(|a| a.contains("text/html"));
    let (media_type, content) = if wants_page {
        ("text/html; charset=utf-8", page(&setup).into_string())
    } else {
        ("text/plain; charset=utf-8", setup.text())
    };
    let mut response = Response::new(bytes(content));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(VARY, HeaderValue::from_static("Accept, Authorization"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    Ok(response)
}

fn page(setup: &Setup) -> Markup {
    let name = setup.facts.repository.full();
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width";
                title { (name) }
            }
            body {
                h1 { (name) }
                p { code { (setup.facts.url) } }
                @for block in &setup.blocks {
                    h2 { (block.client) ": " (block.title) }
                    pre { code { (block.lines.join("\n")) } }
                }
            }
        }
    }
}
