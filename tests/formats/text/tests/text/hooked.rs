//! The text format with something else happening while an index is made.

use std::io::Read;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use http::request::Parts;
use http::{Request, Response};
use wharf_auth::Permit;
use wharf_core::{Arrival, Contents, Core, Format, IndexError, InspectError, Publication};
use wharf_text::{Error, Op, Text};
use wharf_types::FormatName;
use wharf_wire::{Body, Context, Protocol, Scheme};

type Hook = Arc<dyn for<'a> Fn(&'a Publication) -> BoxFuture<'a, Result<(), IndexError>> + Send + Sync>;

/// When.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// Before a package is read.
    Before,
    /// When it is put together, before it is published.
    After,
}

/// The text format with a hook.
#[derive(Clone)]
pub(crate) struct Hooked {
    text: Text,
    when: When,
    hook: Hook,
    look: Arc<dyn Fn() + Send + Sync>,
}

impl Hooked {
    /// Does this each time an index is made.
    pub(crate) fn new(
        when: When,
        hook: impl for<'a> Fn(&'a Publication) -> BoxFuture<'a, Result<(), IndexError>> + Send + Sync + 'static,
    ) -> Self {
        Self { text: Text::with_pieces_of(600), when, hook: Arc::new(hook), look: Arc::new(|| {}) }
    }

    /// Does this too, each time a package is inspected.
    pub(crate) fn inspecting(self, look: impl Fn() + Send + Sync + 'static) -> Self {
        Self { look: Arc::new(look), ..self }
    }
}

#[async_trait]
impl Format for Hooked {
    fn name(&self) -> FormatName {
        self.text.name()
    }

    fn inspect(&self, file: &mut dyn Read, arrival: &Arrival) -> Result<Contents, InspectError> {
        (self.look)();
        self.text.inspect(file, arrival)
    }

    fn setup(&self, facts: &wharf_core::SetupFacts) -> Vec<wharf_core::SetupBlock> {
        self.text.setup(facts)
    }

    async fn index(&self, publication: &mut Publication) -> Result<(), IndexError> {
        if self.when == When::Before {
            (self.hook)(publication).await?;
        }
        self.text.index(publication).await?;
        if self.when == When::After {
            (self.hook)(publication).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Protocol for Hooked {
    type Op = Op;
    type Error = Error;

    fn mounts(&self) -> &'static [&'static str] {
        self.text.mounts()
    }

    fn shared_mounts(&self) -> &'static [&'static str] {
        self.text.shared_mounts()
    }

    fn scheme(&self) -> Scheme {
        self.text.scheme()
    }

    fn parse(&self, head: &Parts) -> Result<Op, Error> {
        self.text.parse(head)
    }

    fn scope(&self, operation: &Op) -> String {
        self.text.scope(operation)
    }

    async fn serve(
        &self,
        core: &Core,
        permit: Permit<Op>,
        request: Request<Body>,
        context: &Context,
    ) -> Result<Response<Body>, Error> {
        self.text.serve(core, permit, request, context).await
    }
}
