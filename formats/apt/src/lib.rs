//! APT repositories: distributions of Debian packages, sources and installer packages, as apt, dput and the upload lines of other
//! servers know them.
//!
//! A distribution is a channel of the repository; a component and architecture is a part of it. Files lie in one pool, whichever
//! distributions list them.

mod deb;
mod error;
mod foreign;
mod form;
mod index;
mod name;
mod operation;
mod package;
mod paragraph;
mod route;
mod serve;
mod settings;
mod setup;
mod source;
mod sums;

use std::io::Read;

use async_trait::async_trait;
use http::request::Parts;
use http::{Request, Response};
use wharf_auth::Permit;
use wharf_core::{
    Arrival, Contents, Core, Format, IndexError, InspectError, Publication, PushedFile, Reissue, SetupBlock, SetupFacts,
};
use wharf_types::FormatName;
use wharf_wire::{Body, Context, Protocol, Scheme};

pub use error::Error;
pub use foreign::{Foreign, ForeignFile, ForeignRelease, Table};
pub use name::{Component, Distribution, InvalidPart};
pub use operation::{Called, Dialect, Op, Spot, Upload};
pub use settings::InvalidSettings;

/// The format's name.
pub const NAME: FormatName = FormatName::new("apt");

/// APT repositories.
#[derive(Debug, Clone)]
pub struct Apt {
    piece_bytes: usize,
}

impl Apt {
    /// With about so many bytes in a piece of an index.
    pub fn with_pieces_of(piece_bytes: usize) -> Self {
        Self { piece_bytes }
    }
}

impl Default for Apt {
    /// A piece is compressed thrice when a package in it changes, and an index of 60 000 packages has three hundred.
    fn default() -> Self {
        Self::with_pieces_of(256 * 1024)
    }
}

#[async_trait]
impl Format for Apt {
    fn name(&self) -> FormatName {
        NAME
    }

    fn inspect(&self, file: &mut dyn Read, arrival: &Arrival) -> Result<Contents, InspectError> {
        package::inspect(file, arrival)
    }

    fn setup(&self, facts: &SetupFacts) -> Vec<SetupBlock> {
        setup::setup(facts)
    }

    fn push_path(&self, file: &PushedFile<'_>) -> Option<String> {
        let ours = [".deb", ".udeb", ".ddeb"].iter().any(|ending| file.name.ends_with(ending));
        let (distribution, component) =
            (file.channel.unwrap_or(setup::DISTRIBUTION), file.section.unwrap_or(setup::COMPONENT));
        ours.then(|| format!("pool/{distribution}/{component}/upload"))
    }

    async fn index(&self, publication: &mut Publication) -> Result<(), IndexError> {
        index::publish(publication, self.piece_bytes).await
    }

    async fn reissue(&self, publication: &mut Publication, why: Reissue) -> Result<(), IndexError> {
        index::reissue(publication, why).await
    }
}

#[async_trait]
impl Protocol for Apt {
    type Op = Op;
    type Error = Error;

    fn mounts(&self) -> &'static [&'static str] {
        &["/apt", "/api/packages/*/debian", "/api/v4/projects/*/packages/debian"]
    }

    fn shared_mounts(&self) -> &'static [&'static str] {
        &["/repository/*", "/artifactory/*", "/service/rest/v1/components"]
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
            Op::Add { name, upload } => {
                let body = match upload.dialect {
                    Dialect::Form => form::package(&head.headers, body).await?,
                    _ => body,
                };
                Box::pin(call.add(name, upload, body)).await
            }
            Op::Receive { name, file_name, wait } => Box::pin(call.receive(name, file_name, *wait, body)).await,
            Op::ReadFile { name, path } => call.file(name, path, &head).await,
            Op::RemoveFile { name, path, wait } => call.remove_file(name, path, *wait).await,
            Op::Remove { name, spot, called, wait } => call.remove(name, spot, called, *wait).await,
            Op::Copy { name, spot, called, to, wait } => call.copy(name, spot, called, to, *wait).await,
            Op::ReadIndex { name, distribution, file } => call.index(name, distribution, file, &head).await,
            Op::ReadKeys { name, armored } => call.keys(name, *armored).await,
            Op::ReadSetup { name } => call.setup_page(name, &head).await,
            Op::ReadSettings { name, distribution } => call.settings(name, distribution.as_ref()).await,
            Op::WriteSettings { name, distribution, forget, wait } => {
                let body = (!*forget).then_some(body);
                call.write_settings(name, distribution.as_ref(), body, *wait).await
            }
            Op::ReadIndexByHash { name, digest } => call.index_by_hash(name, digest, &head).await,
        }
    }
}

/// A request that may be answered.
struct Call<'a> {
    core: &'a Core,
    permit: Permit<Op>,
    context: &'a Context,
}
