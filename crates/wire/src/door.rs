//! From a format to something the listener can dispatch to: parse, authenticate, authorize, serve, in this order, once for all.

use std::sync::Arc;

use async_trait::async_trait;
use http::header::WWW_AUTHENTICATE;
use http::request::Parts;
use http::{HeaderValue, Request, Response, StatusCode};
use wharf_auth::{Access, Operation};
use wharf_core::{Attempt, Core, Format};
use wharf_types::{FormatName, RepoName};

use crate::{Answer, Body, Context, Credentials, Protocol, Refusal, Scheme};

/// An answer and what metrics and logs want to know of it.
pub struct Handled {
    /// For the client.
    pub response: Response<Body>,
    /// The operation's name, or `unknown` for what was not understood.
    pub operation: &'static str,
    /// Who asked; empty if that was never found out.
    pub actor: String,
    /// What the log should say beside the status.
    pub error: Option<String>,
}

/// What a format makes of a request that others may understand too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Understanding {
    /// It knows what to do, in this repository if it is about one.
    Whole(Option<RepoName>),
    /// It knows the path, and refuses the rest.
    Path,
    /// The path is none of its own.
    Nothing,
}

/// A format as the listener sees it.
#[async_trait]
pub trait Door: Send + Sync + 'static {
    /// What the format is, for `core`.
    fn format(&self) -> Arc<dyn Format>;
    /// Its short name: metric label.
    fn name(&self) -> FormatName;
    /// The path prefixes it answers: [`Protocol::mounts`].
    fn mounts(&self) -> &'static [&'static str];
    /// Those that it shares: [`Protocol::shared_mounts`].
    fn shared_mounts(&self) -> &'static [&'static str] {
        &[]
    }
    /// What it makes of a request below a prefix that it shares.
    fn understands(&self, _head: &Parts, _context: &Context) -> Understanding {
        Understanding::Nothing
    }
    /// Answers one request.
    async fn handle(&self, core: &Core, request: Request<Body>, context: &Context) -> Handled;
}

/// The door of a protocol.
pub struct Mounted<P>(Arc<P>);

impl<P: Protocol> Mounted<P> {
    /// A door for the format: the one line that adds it to a server.
    pub fn new(format: P) -> Self {
        Self(Arc::new(format))
    }
}

impl<P: Protocol> Mounted<P> {
    fn challenge(&self, operation: &P::Op, context: &Context) -> Option<HeaderValue> {
        let text = match self.0.scheme() {
            Scheme::Basic => format!("Basic realm=\"{}\", charset=\"UTF-8\"", context.service),
            Scheme::Bearer => {
                let scope = self.0.scope(operation);
                let scope = if scope.is_empty() { String::new() } else { format!(",scope=\"{scope}\"") };
                format!("Bearer realm=\"{}/token\",service=\"{}\"{scope}", context.base_url, context.service)
            }
        };
        HeaderValue::from_str(&text).ok()
    }

    fn refused(
        &self,
        refusal: Refusal,
        challenge: Option<HeaderValue>,
        context: &Context,
    ) -> (Response<Body>, Option<String>) {
        let challenge = challenge.filter(|_| refusal.wants_sign_in());
        let error = P::Error::from(refusal);
        let mut response = error.respond(context);
        if let Some(challenge) = challenge {
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        (response, error.log())
    }
}

#[async_trait]
impl<P: Protocol> Door for Mounted<P> {
    fn format(&self) -> Arc<dyn Format> {
        Arc::clone(&self.0) as Arc<dyn Format>
    }

    fn name(&self) -> FormatName {
        self.0.name()
    }

    fn mounts(&self) -> &'static [&'static str] {
        self.0.mounts()
    }

    fn shared_mounts(&self) -> &'static [&'static str] {
        self.0.shared_mounts()
    }

    fn understands(&self, head: &Parts, context: &Context) -> Understanding {
        match self.0.parse(head) {
            Ok(operation) => match operation.access() {
                Access::Repository { name, .. } => Understanding::Whole(Some(name.clone())),
                _ => Understanding::Whole(None),
            },
            Err(error) if error.respond(context).status() == StatusCode::NOT_FOUND => Understanding::Nothing,
            Err(_) => Understanding::Path,
        }
    }

    async fn handle(&self, core: &Core, request: Request<Body>, context: &Context) -> Handled {
        let (head, body) = request.into_parts();
        let operation = match self.0.parse(&head) {
            Ok(operation) => operation,
            Err(error) => {
                let response = error.respond(context);
                return Handled { response, operation: "unknown", actor: String::new(), error: error.log() };
            }
        };
        let name = operation.name();
        let mut actor = String::new();
        let permitted = async {
            let credentials = Credentials::from_headers(&head.headers)?;
            let identity = core.sign_in(credentials.presented(), context.source()).await?;
            actor = identity.subject().name();
            Ok::<_, Refusal>(core.admit(&identity, operation, context.source()).await?)
        };
        let permit = match permitted.await {
            Ok(permit) => permit,
            Err(refusal) => {
                // The operation went into the judgement. Reading the head again is for those who are refused only.
                let challenge = self.0.parse(&head).ok().and_then(|operation| self.challenge(&operation, context));
                let (response, error) = self.refused(refusal, challenge, context);
                return Handled { response, operation: name, actor, error };
            }
        };
        let request = Request::from_parts(head, body);
        let attempt = Attempt::of(&permit);
        let (response, error) = match self.0.serve(core, permit, request, context).await {
            Ok(response) => (response, None),
            Err(error) => {
                let response = error.respond(context);
                let status = response.status().as_u16();
                core.failed(attempt.as_ref(), status, &error, context.source());
                (response, error.log())
            }
        };
        Handled { response, operation: name, actor, error }
    }
}
