//! Bodies of requests: of the announced form, not too long, and with known fields only.

use serde::de::DeserializeOwned;
use serde_json::Value;
use utoipa::ToSchema;
use wharf_types::MediaType;
use wharf_wire::{Body, ReadError, read_up_to};

use super::endpoint::Form;
use super::problem::Problem;
use super::spelling::nearest;

/// The most that is read of a JSON body.
const MOST_JSON: usize = 1024 * 1024;
/// The most that is read of a text: an htpasswd file of 100 000 users.
const MOST_TEXT: usize = 16 * 1024 * 1024;

/// What a handler can take.
pub(super) trait Input: Sized + Send {
    /// What the documentation says of it; `None` if there is no body.
    fn form() -> Option<Form>;

    /// Reads it.
    fn read(content_type: Option<&str>, body: Body) -> impl Future<Output = Result<Self, Problem>> + Send;
}

/// No body. One that comes all the same is not read.
pub(super) struct Nothing;

/// A JSON body.
pub(super) struct Json<T>(pub(super) T);

/// A plain text.
pub(super) struct Text(pub(super) String);

impl Input for Nothing {
    fn form() -> Option<Form> {
        None
    }

    async fn read(_content_type: Option<&str>, _body: Body) -> Result<Self, Problem> {
        Ok(Self)
    }
}

impl<T: DeserializeOwned + ToSchema + Send> Input for Json<T> {
    fn form() -> Option<Form> {
        Some(Form::json::<T>())
    }

    async fn read(content_type: Option<&str>, body: Body) -> Result<Self, Problem> {
        expect(content_type, "application/json")?;
        let content = whole(body, MOST_JSON).await?;
        let read = serde_json::from_slice(&content).map_err(|error| misread(&error.to_string()))?;
        if serde_json::from_slice(&content).is_ok_and(|value| holds_nul(&value)) {
            return Err(Problem::invalid("a text holds a NUL character"));
        }
        Ok(Self(read))
    }
}

/// PostgreSQL keeps no text with a NUL in it, and no name or description needs one.
fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(holds_nul),
        Value::Object(fields) => fields.iter().any(|(name, value)| name.contains('\0') || holds_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

impl Input for Text {
    fn form() -> Option<Form> {
        Some(Form { media_type: "text/plain", schema: None })
    }

    async fn read(content_type: Option<&str>, body: Body) -> Result<Self, Problem> {
        expect(content_type, "text/plain")?;
        let content = whole(body, MOST_TEXT).await?;
        match String::from_utf8(content.into()) {
            Ok(text) if text.contains('\0') => Err(Problem::invalid("the text holds a NUL character")),
            Ok(text) => Ok(Self(text)),
            Err(_) => Err(Problem::invalid("the body is not UTF-8")),
        }
    }
}

impl Form {
    /// JSON of this type.
    pub(super) fn json<T: ToSchema>() -> Self {
        let schema = |schemas: &mut Vec<_>| {
            schemas.push((T::name().into_owned(), T::schema()));
            T::schemas(schemas);
        };
        Self { media_type: "application/json", schema: Some((T::name(), schema)) }
    }
}

fn expect(content_type: Option<&str>, wanted: &str) -> Result<(), Problem> {
    let given = content_type.and_then(|text| MediaType::from_content_type(text).ok());
    if given.as_ref().is_some_and(|given| given.as_str().eq_ignore_ascii_case(wanted)) {
        return Ok(());
    }
    let detail = match content_type {
        Some(other) => format!("the body is {other:?}, expected {wanted}"),
        None => format!("the body has no Content-Type, expected {wanted}"),
    };
    Err(Problem::new(http::StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", detail))
}

async fn whole(body: Body, limit: usize) -> Result<bytes::Bytes, Problem> {
    read_up_to(body, limit).await.map_err(|error| match error {
        ReadError::TooLarge(_) => Problem::new(http::StatusCode::PAYLOAD_TOO_LARGE, "too-large", error),
        ReadError::Broken(_) => Problem::invalid(error),
    })
}

/// A refusal of serde, with the nearest known name where a field is unknown: it lists the known ones between backticks.
fn misread(error: &str) -> Problem {
    let mut quoted = error.split('`').skip(1).step_by(2);
    let problem = Problem::invalid(error);
    if !error.starts_with("unknown ") {
        return problem;
    }
    let suggestion = quoted.next().and_then(|unknown| nearest(unknown, quoted));
    let problem = Problem::new(http::StatusCode::BAD_REQUEST, "unknown-field", error);
    match suggestion {
        Some(known) => problem.hint(format!("did you mean {known:?}?")),
        None => problem,
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use wharf_wire::{Answer, Context};

    use super::*;

    #[test]
    fn a_nul_is_found_wherever_it_is() {
        for text in [r#""\u0000""#, r#"["a", {"b": "c\u0000"}]"#, r#"{"\u0000": 1}"#] {
            assert!(holds_nul(&serde_json::from_str(text).unwrap()), "{text}");
        }
        assert!(!holds_nul(&serde_json::from_str(r#"{"a": "\\u0000"}"#).unwrap()));
    }

    #[derive(Debug, Deserialize, ToSchema)]
    #[serde(deny_unknown_fields)]
    struct Fields {
        #[expect(dead_code, reason = "only read from JSON")]
        name: String,
        #[expect(dead_code, reason = "only read from JSON")]
        public: Option<bool>,
    }

    async fn read(content_type: Option<&str>, body: impl Into<bytes::Bytes>) -> (u16, serde_json::Value) {
        match Json::<Fields>::read(content_type, wharf_wire::bytes(body)).await {
            Ok(_) => (200, serde_json::Value::Null),
            Err(problem) => {
                let context = Context {
                    address: None,
                    request_id: "r1".into(),
                    base_url: "http://localhost".into(),
                    base_url_is_configured: false,
                    service: "wharf".into(),
                };
                let response = problem.respond(&context);
                let status = response.status().as_u16();
                let body = read_up_to(response.into_body(), 10_000).await.unwrap();
                (status, serde_json::from_slice(&body).unwrap())
            }
        }
    }

    const JSON: Option<&str> = Some("application/json; charset=utf-8");

    #[tokio::test]
    async fn an_unknown_field_is_refused_with_the_nearest_known_one() {
        let (status, problem) = read(JSON, r#"{"name":"a","pubic":true}"#).await;
        assert_eq!(
            (status, &problem["code"], &problem["hint"]),
            (400, &"unknown-field".into(), &"did you mean \"public\"?".into())
        );
        let (_, problem) = read(JSON, r#"{"name":"a","zzzzzzz":true}"#).await;
        assert_eq!(problem.get("hint"), None);
        assert_eq!(problem["request_id"], "r1");
    }

    #[tokio::test]
    async fn a_body_of_another_form_is_refused() {
        assert_eq!(read(JSON, r#"{"name":"a"}"#).await.0, 200);
        assert_eq!(read(None, r#"{"name":"a"}"#).await.0, 415);
        assert_eq!(read(Some("text/plain"), r#"{"name":"a"}"#).await.0, 415);
        assert_eq!(read(JSON, "{").await.0, 400);
        assert_eq!(read(JSON, "[".repeat(100_000)).await.0, 400);
        assert_eq!(read(JSON, vec![b' '; MOST_JSON + 1]).await.0, 413);
    }
}
