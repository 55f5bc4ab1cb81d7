//! YUM and DNF: RPM packages and the metadata that `createrepo_c` would make of them.
//!
//! A repository `/yum/<project>/<repository>/` is what a client's `baseurl` names. A package lies at the path that its header makes it
//! (`package/identity.rs`); what metadata say of it is rendered once, when it comes (`package/describe.rs`), and put together
//! from pieces at each publication (`index.rs`).

mod error;
mod extra;
mod form;
mod index;
mod keep;
mod operation;
mod package;
mod route;
mod serve;
mod settings;
mod setup;
mod xml;

use std::io::Read;

use async_trait::async_trait;
use http::request::Parts;
use http::{Request, Response};
use wharf_auth::Permit;
use wharf_core::{
    Arrival, Contents, Core, Format, IndexError, InspectError, Publication, PushedFile, Reissue, SetupBlock, SetupFacts,
};
use wharf_types::FormatName;
use wharf_wire::{Body, Context, Protocol, Scheme, chunks};

pub use error::Error;
pub use extra::Extra;
pub use operation::{Dialect, Op};
pub use package::path_of;

/// The format's name.
pub const NAME: FormatName = FormatName::new("yum");

/// RPM packages.
#[derive(Debug, Clone)]
pub struct Yum {
    piece_bytes: usize,
}

impl Yum {
    /// With about so many bytes of metadata in a piece: so much is rendered and compressed again for one more package.
    pub fn with_pieces_of(piece_bytes: usize) -> Self {
        Self { piece_bytes }
    }
}

impl Default for Yum {
    fn default() -> Self {
        Self::with_pieces_of(256 * 1024)
    }
}

#[async_trait]
impl Format for Yum {
    fn name(&self) -> FormatName {
        NAME
    }

    fn inspect(&self, file: &mut dyn Read, arrival: &Arrival) -> Result<Contents, InspectError> {
        match Extra::of_part(&arrival.section) {
            Some(extra) => extra::inspect(extra, arrival.file_name.as_deref(), file),
            None => package::inspect(file),
        }
    }

    fn setup(&self, facts: &SetupFacts) -> Vec<SetupBlock> {
        setup::setup(facts)
    }

    /// What stands beside packages is known by its name: `updateinfo.xml` …
    fn push_path(&self, file: &PushedFile<'_>) -> Option<String> {
        let beside = Extra::of_file(file.name).map(|extra| extra.file().to_owned());
        beside.or_else(|| file.name.ends_with(".rpm").then(|| "upload".to_owned()))
    }

    async fn index(&self, publication: &mut Publication) -> Result<(), IndexError> {
        index::publish(publication, self.piece_bytes).await
    }

    async fn reissue(&self, publication: &mut Publication, why: Reissue) -> Result<(), IndexError> {
        index::reissue(publication, why).await
    }
}

#[async_trait]
impl Protocol for Yum {
    type Op = Op;
    type Error = Error;

    fn mounts(&self) -> &'static [&'static str] {
        &["/yum", "/api/packages/*/rpm", "/api/packages/*/rpm.repo"]
    }

    fn shared_mounts(&self) -> &'static [&'static str] {
        &["/repository/*", "/artifactory/*", "/artifactory/api/yum", "/service/rest/v1/components"]
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
            Op::AddPackage { name, dialect, wait } => {
                let content = match dialect {
                    Dialect::Form => form::package(&head.headers, body).await?,
                    _ => chunks(body),
                };
                call.add_package(name, *dialect, *wait, content).await
            }
            Op::ReadPackage { name, path } => call.package(name, path, &head).await,
            Op::DescribePackage { name, path } => call.describe(name, path).await,
            Op::RemovePackage { name, path, wait } => call.remove_package(name, path, *wait).await,
            Op::AddExtra { name, extra, called, wait } => {
                call.add_extra(name, *extra, called.as_deref(), *wait, body).await
            }
            Op::AddAdvisory { name, wait } => call.add_advisory(name, *wait, body).await,
            Op::RemoveExtra { name, extra, id, wait } => call.remove_extra(name, *extra, id, *wait).await,
            Op::Reindex { name } => call.reindex(name).await,
            Op::ReadIndex { name, file } => call.index(name, file, &head).await,
            Op::ReadIndexByHash { name, digest, file } => call.index_by_hash(name, digest, file, &head).await,
            Op::ReadMirrorList { name, file } => call.mirror_list(name, file).await,
            Op::ReadRepomdAt { name, digest } => call.repomd_at(name, digest, &head).await,
            Op::ReadSignatureAt { name, digest } => call.signature_at(name, digest).await,
            Op::ReadKeys { name } => call.keys(name).await,
            Op::ReadSettings { name } => call.settings(name).await,
            Op::WriteSettings { name, forget } => call.write_settings(name, (!*forget).then_some(body)).await,
            Op::ReadSetup { name } => call.setup_page(name, &head).await,
            Op::ReadRepoFile { name } => call.repo_file(name).await,
        }
    }
}

/// A request that may be answered.
struct Call<'a> {
    core: &'a Core,
    permit: Permit<Op>,
    context: &'a Context,
}
