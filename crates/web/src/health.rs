//! `/livez` and `/readyz`: for whoever starts, stops and balances servers. They say what is wrong, and the log why.

use std::time::Duration;

use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};
use serde_json::{Value, json};
use tokio::time::timeout;
use wharf_core::{Core, Error};
use wharf_wire::{Handled, bytes};

/// The process answers. A server that is not ready must not be restarted for it, so nothing else is asked here.
pub(crate) fn live() -> Handled {
    report(StatusCode::OK, &json!({ "status": "live" }), None)
}

/// Whether requests should be sent here.
pub(crate) async fn ready(core: &Core, stopping: bool, patience: Duration) -> Handled {
    if stopping {
        return unready("stopping", "the server is stopping", None);
    }
    match timeout(patience, core.ready()).await {
        Ok(Ok(())) => report(StatusCode::OK, &json!({ "status": "ready" }), None),
        Ok(Err(error)) => {
            let reason = match &error {
                Error::Db(_) => "the database does not answer",
                Error::Storage(_) => "the storage does not answer",
                _ => "the server is not ready",
            };
            unready("unavailable", reason, Some(error.to_string()))
        }
        Err(_) => unready("unavailable", "the database or the storage does not answer in time", None),
    }
}

fn unready(status: &str, reason: &str, error: Option<String>) -> Handled {
    report(StatusCode::SERVICE_UNAVAILABLE, &json!({ "status": status, "reason": reason }), error)
}

fn report(status: StatusCode, content: &Value, error: Option<String>) -> Handled {
    let mut response = Response::new(bytes(content.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Handled { response, operation: "unknown", actor: String::new(), error }
}
