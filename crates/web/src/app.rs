//! Who answers what.

mod mounts;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use http::request::Parts;
use http::{Method, Request};
use wharf_core::Core;
use wharf_wire::{Body, Context, Door, Handled, Understanding};

use crate::api::Api;
use crate::config::{AccessLog, Config, MetricsAccess};
use crate::metrics::Metrics;
use crate::vantage::Vantage;
use crate::{InvalidExternalUrl, health, home, refusal, scrape, token};
use mounts::{Mounts, is_below};

/// Everything that answers requests.
pub struct App {
    core: Core,
    doors: Vec<Box<dyn Door>>,
    api: Api,
    mounts: Mounts,
    vantage: Vantage,
    metrics: Metrics,
    metrics_access: MetricsAccess,
    access_log: AccessLog,
    longest_uri: usize,
    ready_timeout: Duration,
    stopping: AtomicBool,
}

/// Why the pieces do not make a server.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// Two formats want the same paths, or one those of the listener.
    #[error("the path prefix {0:?} is not free")]
    MountTaken(&'static str),
    /// `external_url`.
    #[error(transparent)]
    ExternalUrl(#[from] InvalidExternalUrl),
}

/// Who answers a request.
#[derive(Clone, Copy)]
pub(crate) enum Target<'a> {
    /// A format.
    Door(&'a dyn Door),
    /// One of these formats: [`App::choose`] says which.
    Shared(&'a [usize]),
    /// The JSON API.
    Api,
    /// A page of the listener itself.
    Own(Own),
    /// Nobody, and this is what is said.
    Nobody(fn() -> Handled),
}

/// The listener's own pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Own {
    Home,
    Live,
    Ready,
    Metrics,
    Token,
}

impl Own {
    fn at(path: &str) -> Option<Self> {
        match path {
            "/" => Some(Self::Home),
            "/livez" => Some(Self::Live),
            "/readyz" => Some(Self::Ready),
            "/metrics" => Some(Self::Metrics),
            "/token" => Some(Self::Token),
            _ => None,
        }
    }

    /// The operation's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Home => "home",
            Self::Live => "live",
            Self::Ready => "ready",
            Self::Metrics => "metrics",
            Self::Token => "token",
        }
    }

    /// Whether it is how others find out whether the server is well.
    pub(crate) fn is_health(self) -> bool {
        matches!(self, Self::Live | Self::Ready | Self::Metrics)
    }

    fn allows(self, method: &Method) -> bool {
        matches!(*method, Method::GET | Method::HEAD) || self == Self::Token && method == Method::POST
    }

    fn refusal(self) -> fn() -> Handled {
        match self {
            Self::Token => || refusal::method_not_allowed("GET, HEAD, POST"),
            _ => || refusal::method_not_allowed("GET, HEAD"),
        }
    }
}

impl Target<'_> {
    /// The metric label.
    pub(crate) fn format(&self) -> &'static str {
        match self {
            Self::Door(door) => door.name().as_str(),
            Self::Api => "api",
            Self::Shared(_) | Self::Own(_) | Self::Nobody(_) => "server",
        }
    }
}

impl App {
    /// Puts the pieces together.
    ///
    /// # Errors
    /// [`AppError`].
    pub fn new(core: Core, doors: Vec<Box<dyn Door>>, api: Api, config: &Config) -> Result<Arc<Self>, AppError> {
        let vantage = Vantage::new(config, core.auth().config().service.clone())?;
        let metrics = Metrics::default();
        metrics.watch_trail(&core);
        Ok(Arc::new(Self {
            mounts: Mounts::of(&doors)?,
            core,
            doors,
            api,
            vantage,
            metrics,
            metrics_access: config.metrics.clone(),
            access_log: config.access_log,
            longest_uri: config.limits.uri_bytes,
            ready_timeout: config.timeouts.ready,
            stopping: AtomicBool::new(false),
        }))
    }

    /// The use cases.
    pub fn core(&self) -> &Core {
        &self.core
    }

    /// The numbers of `/metrics`, to add others to.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// From now on `/readyz` says no.
    pub fn stop(&self) {
        self.stopping.store(true, Relaxed);
    }

    pub(crate) fn vantage(&self) -> &Vantage {
        &self.vantage
    }

    pub(crate) fn access_log(&self) -> AccessLog {
        self.access_log
    }

    /// Whether requests for this operation come from machines that ask again and again.
    pub(crate) fn is_chatter(&self, operation: &str) -> bool {
        [Own::Live, Own::Ready, Own::Metrics].iter().any(|own| own.name() == operation)
    }

    pub(crate) fn target(&self, request: &Request<Body>) -> Target<'_> {
        let (method, uri) = (request.method(), request.uri());
        if uri.path_and_query().is_some_and(|text| text.as_str().len() > self.longest_uri) {
            return Target::Nobody(refusal::uri_too_long);
        }
        if !is_known(method) {
            return Target::Nobody(|| refusal::method_not_allowed("GET, HEAD, POST, PUT, PATCH, DELETE"));
        }
        let path = uri.path();
        match self.mounts.doors(path) {
            [] => {}
            [door] => return Target::Door(self.doors[*door].as_ref()),
            several => return Target::Shared(several),
        }
        match Own::at(path) {
            Some(own) if own.allows(method) => Target::Own(own),
            Some(own) => Target::Nobody(own.refusal()),
            None if is_below(path, "/api") => Target::Api,
            None => Target::Nobody(refusal::not_found),
        }
    }

    /// Who of several formats answers, by the rules of [`shared_mounts`](wharf_wire::Protocol::shared_mounts).
    pub(crate) async fn choose(&self, several: &[usize], head: &Parts, context: &Context) -> Target<'_> {
        let (mut whole, mut path) = (Vec::new(), None);
        for door in several.iter().map(|door| self.doors[*door].as_ref()) {
            match door.understands(head, context) {
                Understanding::Whole(repository) => whole.push((door, repository)),
                Understanding::Path => path = path.or(Some(door)),
                Understanding::Nothing => {}
            }
        }
        if whole.len() > 1 {
            for (door, repository) in &whole {
                let Some(name) = repository else { continue };
                let there = self.core.repository(&wharf_core::Target::new(door.name(), name.clone())).await;
                if there.is_ok() {
                    return Target::Door(*door);
                }
            }
        }
        match whole.first().map(|(door, _)| *door).or(path) {
            Some(door) => Target::Door(door),
            None => Target::Nobody(refusal::not_found),
        }
    }

    pub(crate) async fn handle(&self, target: Target<'_>, request: Request<Body>, context: &Context) -> Handled {
        match target {
            Target::Door(door) => door.handle(&self.core, request, context).await,
            // On the heap, so that it does not make the task of every request as large as itself; the next likewise.
            Target::Api => Box::pin(self.api.handle(&self.core, request, context)).await,
            Target::Nobody(say) => say(),
            Target::Shared(_) => refusal::not_found(),
            Target::Own(own) => Box::pin(self.own(own, request, context)).await,
        }
    }

    async fn own(&self, own: Own, request: Request<Body>, context: &Context) -> Handled {
        let mut handled = match own {
            Own::Home => home::handle(request.headers(), context, self.metrics_access.public),
            Own::Live => health::live(),
            Own::Ready => health::ready(&self.core, self.stopping.load(Relaxed), self.ready_timeout).await,
            Own::Metrics => {
                scrape::handle(&self.core, &self.metrics, &self.metrics_access, request.headers(), context).await
            }
            Own::Token => token::handle(&self.core, request, context).await,
        };
        handled.operation = own.name();
        handled
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").field("mounts", &self.mounts).finish_non_exhaustive()
    }
}

fn is_known(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::POST | Method::PUT | Method::PATCH | Method::DELETE)
}
