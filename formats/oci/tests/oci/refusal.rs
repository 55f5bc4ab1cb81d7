//! Errors as the distribution-spec writes them.

use http::StatusCode;
use serde_json::Value;
use wharf_testkit::{Answer, RawAnswer};

/// An answer that says no.
pub(crate) trait Refusal {
    /// Fails unless the answer is an error of the specification's form with this status and code. Its detail.
    #[track_caller]
    fn refused(&self, status: u16, code: &str) -> Value;
}

impl Refusal for Answer {
    #[track_caller]
    fn refused(&self, status: u16, code: &str) -> Value {
        check(self.status, self.header("content-type"), &self.body, &self.to_string(), (status, code))
    }
}

impl Refusal for RawAnswer {
    #[track_caller]
    fn refused(&self, status: u16, code: &str) -> Value {
        check(self.status, self.header("content-type"), &self.body, &format!("{self:?}"), (status, code))
    }
}

#[track_caller]
fn check(status: StatusCode, media_type: Option<&str>, body: &[u8], shown: &str, wanted: (u16, &str)) -> Value {
    assert_eq!(status.as_u16(), wanted.0, "{shown}");
    assert_eq!(media_type, Some("application/json"), "{shown}");
    let body: Value = serde_json::from_slice(body).unwrap_or_else(|error| panic!("no JSON ({error}): {shown}"));
    let errors = body["errors"].as_array().unwrap_or_else(|| panic!("no errors: {shown}"));
    assert_eq!((body.as_object().unwrap().len(), errors.len()), (1, 1), "{shown}");
    let error = errors[0].as_object().unwrap();
    assert!(error.keys().all(|key| ["code", "message", "detail"].contains(&key.as_str())), "{shown}");
    assert_eq!(error["code"], wanted.1, "{shown}");
    assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()), "{shown}");
    errors[0]["detail"].clone()
}
