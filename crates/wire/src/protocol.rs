//! What a format says of itself to the HTTP side.

use std::fmt::Display;

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
    /// Its dialect of errors; as text, what the audit log says of a change that was refused.
    type Error: Answer + From<Refusal> + Display;

    /// The path prefixes that are its alone: `/v2` takes `/v2` and everything below `/v2/`. A segment `*` stands for any one
    /// segment: `/api/packages/*/debian`. Of several that fit, the one with more segments answers, and then the more literal one.
    fn mounts(&self) -> &'static [&'static str];

    /// Path prefixes of the same shape that other formats may claim too, because the URL does not say the format:
    /// `/repository/*`, `/service/rest/v1/components`, `/artifactory/*`. Who answers is the first of
    ///
    /// 1. the format whose [`parse`](Protocol::parse) alone understands the request (by the file's extension, say),
    /// 2. among several that understand it, the one that has the repository named by the operation's [`Access`],
    /// 3. the first, in the order of the server's list of formats, that understands it,
    /// 4. the first whose refusal is not 404: it knows the path, and says what is wrong.
    ///
    /// So `parse` answers 404 to what another format may know. A peer's name of a repository is one segment:
    /// [`peer_repository`](crate::peer_repository) says which of ours that is. Formats should answer those who may not see a
    /// repository in the same words, so that the choice does not tell that it is there.
    ///
    /// [`Access`]: wharf_auth::Access
    fn shared_mounts(&self) -> &'static [&'static str] {
        &[]
    }

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
