//! How the listener's own pages say no to somebody.

use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use wharf_auth::{Refused, Rejected};
use wharf_wire::{Context, Handled, Refusal};

use crate::refusal::error;

/// Answers in the form of the distribution specification, with a challenge where signing in may help.
pub(crate) fn refuse(refusal: &Refusal, actor: String, context: &Context) -> Handled {
    let (status, code) = kind(refusal);
    let unavailable = status == StatusCode::SERVICE_UNAVAILABLE;
    let said = refusal.to_string();
    let told = if unavailable { "credentials cannot be checked now, try again in a moment" } else { &said };
    let mut response = error(status, code, told);
    if status == StatusCode::UNAUTHORIZED {
        let challenge = format!("Basic realm=\"{}\", charset=\"UTF-8\"", context.service);
        if let Ok(challenge) = HeaderValue::from_str(&challenge) {
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
    }
    if let Refusal::Rejected(Rejected::Throttled { retry_after }) = refusal {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(retry_after.as_secs().max(1)));
    }
    Handled { response, operation: "unknown", actor, error: unavailable.then_some(said) }
}

fn kind(refusal: &Refusal) -> (StatusCode, &'static str) {
    const UNAUTHORIZED: (StatusCode, &str) = (StatusCode::UNAUTHORIZED, "UNAUTHORIZED");
    const UNAVAILABLE: (StatusCode, &str) = (StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE");
    match refusal {
        Refusal::Credentials(_) => UNAUTHORIZED,
        Refusal::Rejected(rejected) => match rejected {
            Rejected::BadCredentials | Rejected::Expired | Rejected::Disabled => UNAUTHORIZED,
            Rejected::Throttled { .. } => (StatusCode::TOO_MANY_REQUESTS, "TOOMANYREQUESTS"),
            Rejected::Unavailable(_) => UNAVAILABLE,
        },
        Refusal::Refused(refused) => match refused {
            Refused::SignIn { .. } | Refused::Narrow { .. } => UNAUTHORIZED,
            Refused::Hidden { .. } | Refused::Forbidden { .. } => (StatusCode::FORBIDDEN, "DENIED"),
            Refused::Unavailable(_) => UNAVAILABLE,
        },
    }
}
