//! The HTTP side of the server: a listener that slow and hostile clients cannot hold, dispatch to the doors of formats and to
//! the JSON API, and the few pages of its own: `/`, `/token`, `/livez`, `/readyz`, `/metrics`.
//!
//! A connection goes through [`Listener`] (seats, TLS, timeouts); each of its requests is given its surroundings (address, base
//! URL, request id), handed to whoever has mounted its path, and written down once when its answer has gone.

pub mod api;
mod app;
mod config;
mod exchange;
mod health;
mod home;
mod listener;
mod metrics;
mod refusal;
mod refused;
mod request_id;
mod scrape;
mod token;
mod vantage;

pub use app::{App, AppError};
pub use config::{AccessLog, Config, Limits, MetricsAccess, ProxyHeaders, Timeouts, Tls};
pub use listener::{ListenError, Listener, TlsError, serve};
pub use metrics::Metrics;
pub use vantage::InvalidExternalUrl;
