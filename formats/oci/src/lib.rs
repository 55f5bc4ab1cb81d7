//! OCI: the distribution-spec 1.1 over the manifests, tags, referrers and blobs of `core`. Sections are cited as `end-N`.

mod error;
mod list;
mod manifest;
mod operation;
mod pull;
mod route;
mod setup;
mod upload;

use std::io::Read;

use async_trait::async_trait;
use http::request::Parts;
use http::{Request, Response};
use wharf_auth::{Permit, Scope, Verb};
use wharf_core::{Arrival, Contents, Core, Format, IndexError, InspectError, Publication, SetupBlock, SetupFacts};
use wharf_types::{FormatName, RepoName};
use wharf_wire::{Body, Context, Protocol, Scheme};

pub use error::Error;
pub use operation::Op;

/// The format's name.
pub const NAME: FormatName = FormatName::new("oci");

/// Container images and other OCI artifacts.
#[derive(Debug, Clone, Copy, Default)]
pub struct Oci;

#[async_trait]
impl Format for Oci {
    fn name(&self) -> FormatName {
        NAME
    }

    /// OCI content comes as blobs and manifests, never as one package.
    fn inspect(&self, _: &mut dyn Read, _: &Arrival) -> Result<Contents, InspectError> {
        Err(InspectError("OCI repositories take manifests, not packages".to_owned()))
    }

    /// What stands before the colon of a tag.
    fn address(&self, server: &str, repository: &RepoName) -> String {
        let (_, place) = server.split_once("://").unwrap_or(("", server));
        let host = place.split('/').next().unwrap_or(place);
        format!("{host}/{}", repository.full())
    }

    /// Without a route of its own: the distribution-spec has no room for one below `/v2`.
    fn setup(&self, facts: &SetupFacts) -> Vec<SetupBlock> {
        setup::setup(facts)
    }

    /// Tags are the index, and they are rows.
    async fn index(&self, _: &mut Publication) -> Result<(), IndexError> {
        Ok(())
    }
}

#[async_trait]
impl Protocol for Oci {
    type Op = Op;
    type Error = Error;

    fn mounts(&self) -> &'static [&'static str] {
        &["/v2"]
    }

    fn scheme(&self) -> Scheme {
        Scheme::Bearer
    }

    fn parse(&self, head: &Parts) -> Result<Op, Error> {
        route::parse(head)
    }

    fn scope(&self, operation: &Op) -> String {
        match operation {
            Op::Ping => String::new(),
            Op::Catalog { .. } => Scope::catalog().to_string(),
            // A client that fetches a token for a mount can have one that is good for both ends.
            Op::Mount { name, from: Some(from), .. } => {
                let ends = [(name, Verb::Push), (from, Verb::Pull)];
                let scopes = ends.iter().filter_map(|(name, verb)| Scope::needed(NAME, name, *verb));
                scopes.map(|scope| scope.to_string()).collect::<Vec<_>>().join(" ")
            }
            other => match other.repository() {
                Some((name, verb)) => Scope::needed(NAME, name, verb).map(|s| s.to_string()).unwrap_or_default(),
                None => String::new(),
            },
        }
    }

    async fn serve(
        &self,
        core: &Core,
        permit: Permit<Op>,
        request: Request<Body>,
        context: &Context,
    ) -> Result<Response<Body>, Error> {
        let call = Call { core, permit, context };
        let (head, body) = request.into_parts();
        // A request's task is as large as the largest of these, and is moved about: only pulls are worth being in it.
        match call.permit.op() {
            Op::Ping => Ok(pull::pong()),
            Op::Catalog { .. } => Box::pin(list::catalog(call)).await,
            Op::Tags { .. } => Box::pin(list::tags(call)).await,
            Op::Referrers { .. } => Box::pin(list::referrers(call)).await,
            Op::ReadManifest { .. } => pull::manifest(&call, &head).await,
            Op::ReadBlob { .. } => pull::blob(&call, &head).await,
            Op::PutManifest { .. } => Box::pin(manifest::put(call, &head, body)).await,
            Op::DeleteManifest { .. } => Box::pin(manifest::delete(call)).await,
            Op::DeleteBlob { .. } => Box::pin(manifest::delete_blob(call)).await,
            Op::BeginUpload { .. } => Box::pin(upload::begin(call)).await,
            Op::UploadWhole { .. } => Box::pin(upload::whole(call, body)).await,
            Op::Mount { .. } => Box::pin(upload::mount(call)).await,
            Op::UploadStatus { .. } => Box::pin(upload::status(call)).await,
            Op::Append { .. } => Box::pin(upload::append(call, body)).await,
            Op::FinishUpload { .. } => Box::pin(upload::finish(call, body)).await,
            Op::CancelUpload { .. } => Box::pin(upload::cancel(call)).await,
        }
    }
}

/// A request that may be answered.
struct Call<'a> {
    core: &'a Core,
    permit: Permit<Op>,
    context: &'a Context,
}
