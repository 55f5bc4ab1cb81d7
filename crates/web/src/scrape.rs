//! `/metrics`.

use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Response};
use subtle::ConstantTimeEq;
use wharf_auth::{Access, Operation, ServerVerb};
use wharf_core::Core;
use wharf_wire::{Context, Credentials, Handled, Refusal, bytes};

use crate::config::MetricsAccess;
use crate::metrics::Metrics;
use crate::refused::refuse;

const OPENMETRICS: HeaderValue = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

/// Reading the metrics, where that is not for everyone.
struct Scrape;

impl Operation for Scrape {
    fn name(&self) -> &'static str {
        "metrics"
    }

    fn access(&self) -> Access<'_> {
        Access::Server(ServerVerb::InspectServer)
    }
}

/// Answers a scrape.
pub(crate) async fn handle(
    core: &Core,
    metrics: &Metrics,
    access: &MetricsAccess,
    headers: &HeaderMap,
    context: &Context,
) -> Handled {
    let mut actor = String::new();
    if !access.public
        && let Err(refusal) = permitted(core, access, headers, context, &mut actor).await
    {
        return refuse(&refusal, actor, context);
    }
    // That it is not known is no reason to say nothing about the rest.
    let space = core.space().await;
    metrics.storage(space.as_ref().ok().copied().flatten());
    metrics.database(core.database_free().ok().flatten());
    metrics.wrong_reads(core.wrong_reads());
    if let Ok(state) = core.collection_state().await {
        metrics.collection(&state, core.clock().now());
    }
    metrics.scrubbed(core.scrubbed());
    metrics.upkeep(core.upkeep().await.ok().as_ref(), core.clock().now());
    let mut response = Response::new(bytes(metrics.text().unwrap_or_default()));
    response.headers_mut().insert(CONTENT_TYPE, OPENMETRICS);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let error = space.err().map(|error| error.to_string());
    Handled { response, operation: "metrics", actor, error }
}

async fn permitted(
    core: &Core,
    access: &MetricsAccess,
    headers: &HeaderMap,
    context: &Context,
    actor: &mut String,
) -> Result<(), Refusal> {
    let credentials = Credentials::from_headers(headers)?;
    if let (Credentials::Bearer(given), Some(token)) = (&credentials, &access.token)
        && bool::from(given.as_bytes().ct_eq(token.as_bytes()))
    {
        "metrics-token".clone_into(actor);
        return Ok(());
    }
    let identity = core.sign_in(credentials.presented(), context.source()).await?;
    *actor = identity.subject().name();
    let _permit = core.admit(&identity, Scrape, context.source()).await?;
    Ok(())
}
