//! What a format says of itself to the HTTP side.

use async_trait::async_trait;
use http::request::Parts;
use http::{Request, Response};
use wharf_auth::{Operation, Permit, Refused, Rejected};
use wharf_core::{Core, Format};

use crate::{Body, Context, InvalidCredentials};

/// How a client is asked to sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// By a token of this server's `/token` (Docker registry token authentication). Basic is taken all the same.
    Bearer,
    /// By name and password.
    Basic,
}

/// Why a request did not reach its handler.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The header makes no sense.
    #[error(transparent)]
    Credentials(#[from] InvalidCredentials),
    /// The credentials are not good.
    #[error(transparent)]
    Rejected(#[from] Rejected),
    /// They are good, and do not allow this.
    #[error(transparent)]
    Refused(#[from] Refused),
}

impl Refusal {
    /// Whether signing in (again, or with a wider token) may help: then the answer is 401 with a challenge.
    pub fn wants_sign_in(&self) -> bool {
        match self {
            Self::Credentials(_) => true,
            Self::Rejected(rejected) => !matches!(rejected, Rejected::Throttled { .. } | Rejected::Unavailable { .. }),
            Self::Refused(refused) => matches!(refused, Refused::SignIn { .. } | Refused::Narrow { .. }),
        }
    }
}

/// An error that knows how its dialect says it. Two messages: one for the client, one for the log.
pub trait Answer: Send {
    /// For the client. A challenge is added by the door where signing in may help.
    fn respond(&self, context: &Context) -> Response<Body>;
    /// For the log, when the fault is ours or worth an operator's eye.
    fn log(&self) -> Option<String>;
}

/// How a format speaks HTTP.
#[async_trait]
pub trait Protocol: Format {
    /// One enum of every request it understands: route, access, metric label and audit verb at once.
    type Op: Operation + Send + Sync + 'static;
    /// Its dialect of errors.
    type Error: Answer + From<Refusal>;

    /// The path prefixes it answers: `/v2` takes `/v2` and everything below `/v2/`.
    fn mounts(&self) -> &'static [&'static str];

    /// How clients sign in.
    fn scheme(&self) -> Scheme;

    /// What a request asks for. Pure: no credentials, no state.
    ///
    /// # Errors
    /// What is not understood, in the format's dialect; answered without looking at credentials.
    fn parse(&self, head: &Parts) -> Result<Self::Op, Self::Error>;

    /// The scopes a token must have for the operation, as the challenge names them; empty where none is asked for.
    fn scope(&self, operation: &Self::Op) -> String;

    /// Does what was permitted.
    ///
    /// # Errors
    /// In the format's dialect.
    async fn serve(
        &self,
        core: &Core,
        permit: Permit<Self::Op>,
        request: Request<Body>,
        context: &Context,
    ) -> Result<Response<Body>, Self::Error>;
}
