//! The JSON API: everything about the server that is neither a setting nor goods.
//!
//! One table (`table.rs`) is route, access, documentation and handler. A request becomes an operation, which is authenticated
//! and authorized exactly like the operations of formats, and a handler gets the permit or does not run.

mod account;
mod actions;
mod answer;
mod audit;
mod backups;
mod bin;
mod body;
mod call;
mod collection;
mod endpoint;
mod events;
mod grants;
mod groups;
mod jobs;
mod keys;
mod manifests;
mod openapi;
mod page;
mod path;
mod problem;
mod projects;
mod purge;
mod refused;
mod repositories;
mod robots;
mod server;
mod setup;
mod snapshots;
mod spelling;
mod table;
mod tag_rules;
mod tags;
mod tokens;
mod users;

use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{Method, Request, Response};
use wharf_auth::Operation;
use wharf_core::{Attempt, Core};
use wharf_types::FormatName;
use wharf_wire::{Answer, Body, Context, Credentials, Handled, Refusal};

use call::Call;
use endpoint::Ask;
use problem::Problem;

/// The JSON API under `/api`.
#[derive(Debug, Clone)]
pub struct Api {
    formats: Vec<FormatName>,
}

/// Where an operation is found: for clients of the API, so that its paths are written down once.
#[derive(Debug, Clone)]
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path, with places such as `{project}`; `{repository+}` takes a name with its slashes.
    pub path: &'static str,
}

/// The route of an operation such as `projects.create`.
pub fn route(operation: &str) -> Option<Route> {
    let row = table::TABLE.iter().find(|row| row.operation == operation)?;
    Some(Route { method: row.method.clone(), path: row.path })
}

impl Api {
    /// An API that knows repositories of these formats.
    pub fn new(formats: Vec<FormatName>) -> Self {
        Self { formats }
    }

    /// Answers one request.
    pub async fn handle(&self, core: &Core, request: Request<Body>, context: &Context) -> Handled {
        let (head, body) = request.into_parts();
        let call = match Call::parse(&head, &self.formats) {
            Ok(call) => call,
            Err(problem) => {
                let (response, error) = refuse(&problem, context);
                return Handled { response, operation: "unknown", actor: String::new(), error };
            }
        };
        let (operation, mut actor) = (call.name(), String::new());
        let outcome = self.serve(core, call, &head, body, context, &mut actor).await;
        let (response, error) = match outcome {
            Ok(response) => (response, None),
            Err(problem) => refuse(&problem, context),
        };
        Handled { response, operation, actor, error }
    }

    async fn serve(
        &self,
        core: &Core,
        call: Call,
        head: &Parts,
        body: Body,
        context: &Context,
        actor: &mut String,
    ) -> Result<Response<Body>, Problem> {
        let run = call.endpoint.run.clone();
        let credentials = Credentials::from_headers(&head.headers).map_err(Refusal::from)?;
        let identity = core.sign_in(credentials.presented(), context.source()).await.map_err(Refusal::from)?;
        *actor = identity.subject().name();
        let permit = core.admit(&identity, call, context.source()).await.map_err(Refusal::from)?;
        let attempt = Attempt::of(&permit);
        let content_type = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned);
        match run(Ask { permit, core, context, formats: &self.formats, content_type }, body).await {
            Ok(reply) => Ok(reply.respond(context)),
            Err(problem) => {
                core.failed(attempt.as_ref(), problem.status().as_u16(), &problem.detail(), context.source());
                Err(problem)
            }
        }
    }
}

fn refuse(problem: &Problem, context: &Context) -> (Response<Body>, Option<String>) {
    (problem.respond(context), problem.log())
}

#[cfg(test)]
mod tests;
