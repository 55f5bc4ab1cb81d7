//! Helm charts: the classic repository with its `index.yaml`, ChartMuseum's API, and the upload URLs of others.
//!
//! A chart is an OCI artifact too: what is pushed through one door is there behind the other (`artifact.rs`).

mod add;
mod archive;
mod artifact;
mod error;
mod index;
mod metadata;
mod museum;
mod operation;
mod package;
mod provenance;
mod route;
mod serve;
mod setup;
mod version;
mod yaml;

use std::io::Read;

use async_trait::async_trait;
use http::request::Parts;
use http::{Request, Response};
use wharf_auth::Permit;
use wharf_core::{
    Arrival, ArtifactForm, Contents, Core, Format, IndexError, InspectError, Publication, PushedFile, SetupBlock,
    SetupFacts,
};
use wharf_types::FormatName;
use wharf_wire::{Body, Context, Protocol, Scheme};

pub use error::Error;
pub use operation::{Dialect, Kind, Op};

use add::Upload;

/// The format's name.
pub const NAME: FormatName = FormatName::new("helm");

/// About so many bytes in a piece of the index: a hundred entries.
const PIECE: usize = 64 * 1024;

/// Helm charts.
#[derive(Debug, Clone)]
pub struct Helm {
    piece_bytes: usize,
}

impl Helm {
    /// With about so many bytes in a piece of the index.
    pub fn with_pieces_of(piece_bytes: usize) -> Self {
        Self { piece_bytes }
    }
}

impl Default for Helm {
    fn default() -> Self {
        Self::with_pieces_of(PIECE)
    }
}

#[async_trait]
impl Format for Helm {
    fn name(&self) -> FormatName {
        NAME
    }

    fn inspect(&self, file: &mut dyn Read, arrival: &Arrival) -> Result<Contents, InspectError> {
        package::inspect(file, arrival)
    }

    fn companions(&self, path: &str) -> Vec<String> {
        vec![package::provenance_path(path)]
    }

    fn artifacts(&self) -> Option<&'static dyn ArtifactForm> {
        Some(&artifact::Artifacts)
    }

    fn setup(&self, facts: &SetupFacts) -> Vec<SetupBlock> {
        setup::setup(facts)
    }

    fn push_path(&self, file: &PushedFile<'_>) -> Option<String> {
        setup::push_path(file)
    }

    async fn index(&self, publication: &mut Publication) -> Result<(), IndexError> {
        index::publish(publication, self.piece_bytes).await
    }
}

#[async_trait]
impl Protocol for Helm {
    type Op = Op;
    type Error = Error;

    fn mounts(&self) -> &'static [&'static str] {
        &["/helm", "/api/packages/*/helm", "/api/v4/projects/*/packages/helm"]
    }

    fn shared_mounts(&self) -> &'static [&'static str] {
        &["/repository/*", "/service/rest/v1/components", "/artifactory/*"]
    }

    fn scheme(&self) -> Scheme {
        Scheme::Basic
    }

    fn parse(&self, head: &Parts) -> Result<Op, Error> {
        route::parse(head)
    }

    fn scope(&self, _: &Op) -> String {
        String::new()
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
        match call.permit.op() {
            Op::Add { name, kind, file, force, wait, dialect } => {
                let (file, kind) = (file.as_deref(), *kind);
                let upload = Upload { name, kind, file, force: *force, wait: *wait, dialect: *dialect };
                // The longest way of all: apart from the others, or the compiler cannot lay the future out.
                Box::pin(call.add(&upload, &head, body)).await
            }
            Op::ReadIndex { name } => call.index(name, &head).await,
            Op::ReadFile { name, path } => call.file(name, path, &head).await,
            Op::RemoveFile { name, path } => call.remove(name, path).await,
            Op::ListCharts { name, offset, limit } => call.list(name, (*offset, *limit), &head).await,
            Op::ReadChart { name, chart } => call.versions(name, chart).await,
            Op::ReadVersion { name, chart, version } => call.describe(name, chart, version).await,
            Op::RemoveVersion { name, chart, version } => call.remove_version(name, chart, version).await,
            Op::ReadTemplates { name, chart, version } => call.templates(name, chart, version).await,
            Op::ReadValues { name, chart, version } => call.values(name, chart, version).await,
            Op::ReadSetup { name } => call.setup_page(name, &head).await,
            Op::Health { name } => call.health(name).await,
        }
    }
}

/// A request that may be answered.
struct Call<'a> {
    core: &'a Core,
    permit: Permit<Op>,
    context: &'a Context,
}
