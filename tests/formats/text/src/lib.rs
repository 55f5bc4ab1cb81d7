//! Versioned text files: the smallest complete format. It is for tests, and a model to begin the next format from.
//!
//! A package is a header (`Name: x`, `Version: 1.2`, perhaps `Architecture: …` and others), an empty line and a text. A repository
//! has channels; each publishes an `Index` of its packages, a signed `Release` that names the index by its digest, and `Index.sig`.

mod error;
mod index;
mod operation;
mod package;
mod route;
mod serve;

use std::io::Read;

use async_trait::async_trait;
use http::request::Parts;
use http::{Request, Response};
use wharf_auth::Permit;
use wharf_core::{
    Arrival, Contents, Core, Format, IndexError, InspectError, Publication, PushedFile, SetupBlock, SetupFacts,
};
use wharf_types::FormatName;
use wharf_wire::{Body, Context, Protocol, Scheme};

pub use error::Error;
pub use operation::{Channel, InvalidChannel, KeyForm, Op};

/// The format's name.
pub const NAME: FormatName = FormatName::new("text");

/// Versioned text files.
#[derive(Debug, Clone)]
pub struct Text {
    piece_bytes: usize,
}

impl Text {
    /// With about so many bytes in a piece of the index.
    pub fn with_pieces_of(piece_bytes: usize) -> Self {
        Self { piece_bytes }
    }
}

impl Default for Text {
    fn default() -> Self {
        Self::with_pieces_of(64 * 1024)
    }
}

#[async_trait]
impl Format for Text {
    fn name(&self) -> FormatName {
        NAME
    }

    fn inspect(&self, file: &mut dyn Read, arrival: &Arrival) -> Result<Contents, InspectError> {
        package::inspect(file, arrival)
    }

    fn setup(&self, facts: &SetupFacts) -> Vec<SetupBlock> {
        serve::setup(facts)
    }

    fn push_path(&self, file: &PushedFile<'_>) -> Option<String> {
        file.name.ends_with(".txt").then(|| format!("{}/upload", file.channel.unwrap_or("main")))
    }

    async fn index(&self, publication: &mut Publication) -> Result<(), IndexError> {
        index::publish(publication, self.piece_bytes).await
    }
}

#[async_trait]
impl Protocol for Text {
    type Op = Op;
    type Error = Error;

    fn mounts(&self) -> &'static [&'static str] {
        &["/text", "/api/packages/*/text"]
    }

    fn shared_mounts(&self) -> &'static [&'static str] {
        &["/repository/*"]
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
            Op::AddPackage { name, channel, wait } => call.add_package(name, channel, *wait, body).await,
            Op::ReadPackage { name, path } => call.package(name, path, &head).await,
            Op::RemovePackage { name, channel, path, wait } => call.remove_package(name, channel, path, *wait).await,
            Op::ReadIndex { name, channel, file } => call.index(name, channel, file, &head).await,
            Op::ReadIndexByHash { name, digest } => call.index_by_hash(name, digest, &head).await,
            Op::ReadKeys { name, form } => call.keys(name, *form).await,
            Op::ReadSetup { name } => call.setup_page(name, &head).await,
        }
    }
}

/// A request that may be answered.
struct Call<'a> {
    core: &'a Core,
    permit: Permit<Op>,
    context: &'a Context,
}
