//! What handlers answer.

use std::marker::PhantomData;

use http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION};
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;
use wharf_core::ByteStream;
use wharf_wire::{Body, Context, bytes, empty, stream};

use super::body::Json;
use super::endpoint::Form;
use super::problem::Problem;

/// <https://github.com/ndjson/ndjson-spec>
const JSON_LINES: &str = "application/x-ndjson";

/// What a handler can give.
pub(super) trait Output: Send {
    /// The status it is answered with.
    const STATUS: StatusCode;

    /// What the documentation says of its body; `None` if there is none.
    fn form() -> Option<Form>;

    /// Writes it.
    fn reply(self) -> Result<Reply, Problem>;
}

/// An answer, but for what depends on the request.
pub(super) struct Reply {
    status: StatusCode,
    content: Option<(&'static str, Content)>,
    location: Option<String>,
}

enum Content {
    Whole(bytes::Bytes),
    Flowing(Body),
}

/// One JSON value a line, made while the client takes them.
pub(super) struct Lines<T>(pub(super) ByteStream, pub(super) PhantomData<T>);

/// Something was made, and is found at this path.
pub(super) struct Created<T>(pub(super) String, pub(super) T);

/// It was done, and there is nothing to say about it.
pub(super) struct Done;

/// The same, where there may be something to say: then it is answered with 200.
pub(super) struct DoneOr<T>(pub(super) Option<T>);

/// Bytes that were made before, of this media type.
pub(super) struct Ready(pub(super) &'static str, pub(super) bytes::Bytes);

impl<T: Serialize + ToSchema + Send> Output for Json<T> {
    const STATUS: StatusCode = StatusCode::OK;

    fn form() -> Option<Form> {
        Some(Form::json::<T>())
    }

    fn reply(self) -> Result<Reply, Problem> {
        Ok(Reply { status: Self::STATUS, content: Some(json(&self.0)?), location: None })
    }
}

impl<T: Serialize + ToSchema + Send> Output for Created<T> {
    const STATUS: StatusCode = StatusCode::CREATED;

    fn form() -> Option<Form> {
        Some(Form::json::<T>())
    }

    fn reply(self) -> Result<Reply, Problem> {
        Ok(Reply { status: Self::STATUS, content: Some(json(&self.1)?), location: Some(self.0) })
    }
}

impl<T: Serialize + ToSchema + Send> Output for Lines<T> {
    const STATUS: StatusCode = StatusCode::OK;

    fn form() -> Option<Form> {
        Some(Form { media_type: JSON_LINES, ..Form::json::<T>() })
    }

    fn reply(self) -> Result<Reply, Problem> {
        let content = Some((JSON_LINES, Content::Flowing(stream(self.0))));
        Ok(Reply { status: Self::STATUS, content, location: None })
    }
}

impl Output for Done {
    const STATUS: StatusCode = StatusCode::NO_CONTENT;

    fn form() -> Option<Form> {
        None
    }

    fn reply(self) -> Result<Reply, Problem> {
        Ok(Reply { status: Self::STATUS, content: None, location: None })
    }
}

impl<T: Serialize + ToSchema + Send> Output for DoneOr<T> {
    const STATUS: StatusCode = StatusCode::NO_CONTENT;

    fn form() -> Option<Form> {
        None
    }

    fn reply(self) -> Result<Reply, Problem> {
        match self.0 {
            Some(said) => Json(said).reply(),
            None => Done.reply(),
        }
    }
}

impl Output for Ready {
    const STATUS: StatusCode = StatusCode::OK;

    fn form() -> Option<Form> {
        Some(Form { media_type: "application/json", schema: None })
    }

    fn reply(self) -> Result<Reply, Problem> {
        Ok(Reply { status: Self::STATUS, content: Some((self.0, Content::Whole(self.1))), location: None })
    }
}

impl Reply {
    /// The response.
    pub(super) fn respond(self, context: &Context) -> Response<Body> {
        let (media_type, body) = match self.content {
            Some((media_type, Content::Whole(content))) => (Some(media_type), bytes(content)),
            Some((media_type, Content::Flowing(body))) => (Some(media_type), body),
            None => (None, empty()),
        };
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        // Some answers hold secrets, and all of them age.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(media_type) = media_type {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        }
        if let Some(location) = self.location.and_then(|path| HeaderValue::from_str(&context.location(&path)).ok()) {
            headers.insert(LOCATION, location);
        }
        response
    }
}

fn json<T: Serialize>(value: &T) -> Result<(&'static str, Content), Problem> {
    let content = serde_json::to_vec(value).map_err(Problem::internal)?;
    Ok(("application/json", Content::Whole(content.into())))
}
