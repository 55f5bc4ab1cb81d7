//! One row of the table: route, access, documentation and handler at once.

use std::borrow::Cow;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use http::{Method, StatusCode};
use utoipa::openapi::{RefOr, Schema};
use wharf_auth::{Permit, ServerVerb, Verb};
use wharf_core::Core;
use wharf_types::FormatName;
use wharf_wire::{Body, Context};

use super::answer::{Output, Reply};
use super::body::Input;
use super::call::Call;
use super::problem::Problem;

/// What a row asks of the caller. The project or repository is the one in the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    Anyone,
    SignedIn,
    OwnAccount,
    Catalog,
    Server(ServerVerb),
    Project(Verb),
    Repository(Verb),
}

/// A row of the table.
pub(super) struct Endpoint {
    pub(super) method: Method,
    pub(super) path: &'static str,
    pub(super) operation: &'static str,
    pub(super) rule: Rule,
    pub(super) summary: &'static str,
    pub(super) query: &'static [Parameter],
    pub(super) request: Option<Form>,
    pub(super) response: Option<Form>,
    pub(super) status: StatusCode,
    pub(super) run: Run,
}

/// A parameter of the query: its name and what it is for.
pub(super) type Parameter = (&'static str, &'static str);

/// A body's media type and schema.
pub(super) struct Form {
    pub(super) media_type: &'static str,
    pub(super) schema: Option<(Cow<'static, str>, Schemas)>,
}

/// Writes a schema and those it refers to.
pub(super) type Schemas = fn(&mut Vec<(String, RefOr<Schema>)>);

/// What a handler is given: proof that it may act, what it acts on, and what surrounds the request.
pub(super) struct Ask<'a> {
    pub(super) permit: Permit<Call>,
    pub(super) core: &'a Core,
    pub(super) context: &'a Context,
    pub(super) formats: &'a [FormatName],
    pub(super) content_type: Option<String>,
}

type Run = Arc<dyn for<'a> Fn(Ask<'a>, Body) -> BoxFuture<'a, Result<Reply, Problem>> + Send + Sync>;

/// An `async fn(Ask<'_>, I) -> Result<O, Problem>`.
pub(super) trait Handler<'a, I, O>: Copy + Send + Sync + 'static {
    type Doing: Future<Output = Result<O, Problem>> + Send + 'a;

    fn handle(self, ask: Ask<'a>, input: I) -> Self::Doing;
}

impl<'a, I, O, F, D> Handler<'a, I, O> for F
where
    F: Fn(Ask<'a>, I) -> D + Copy + Send + Sync + 'static,
    D: Future<Output = Result<O, Problem>> + Send + 'a,
{
    type Doing = D;

    fn handle(self, ask: Ask<'a>, input: I) -> D {
        self(ask, input)
    }
}

/// A row. What the handler takes and gives is what the documentation says of it.
pub(super) fn row<I: Input, O: Output>(
    method: Method,
    path: &'static str,
    operation: &'static str,
    rule: Rule,
    handler: impl for<'a> Handler<'a, I, O>,
    summary: &'static str,
) -> Endpoint {
    let run: Run = Arc::new(move |ask, body| {
        Box::pin(async move {
            let input = I::read(ask.content_type.as_deref(), body).await?;
            handler.handle(ask, input).await?.reply()
        })
    });
    let (request, response, status) = (I::form(), O::form(), O::STATUS);
    Endpoint { method, path, operation, rule, summary, query: &[], request, response, status, run }
}

impl Endpoint {
    /// With these parameters in the query.
    pub(super) fn query(self, query: &'static [Parameter]) -> Self {
        Self { query, ..self }
    }
}
