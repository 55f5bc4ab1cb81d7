//! The server itself.

use std::sync::LazyLock;

use bytes::Bytes;
use serde::Serialize;
use utoipa::ToSchema;

use super::answer::Ready;
use super::body::{Json, Nothing};
use super::endpoint::Ask;
use super::openapi;
use super::problem::Problem;
use super::table::TABLE;

/// What runs here.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Version {
    /// The name of the program.
    name: &'static str,
    /// Its version.
    version: &'static str,
}

/// The state of the server.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Server {
    /// The version of the program.
    version: &'static str,
    /// The URL under which clients reach it, as far as it knows.
    url: String,
    /// The formats it has.
    formats: Vec<String>,
    /// Free bytes in the storage, where that is known.
    storage_free_bytes: Option<u64>,
    /// All bytes of the storage, where that is known.
    storage_total_bytes: Option<u64>,
    /// Free bytes on the disk of the SQLite database.
    database_free_bytes: Option<u64>,
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

pub(super) async fn version(_: Ask<'_>, _: Nothing) -> Result<Json<Version>, Problem> {
    Ok(Json(Version { name: "wharf", version: VERSION }))
}

pub(super) async fn show(ask: Ask<'_>, _: Nothing) -> Result<Json<Server>, Problem> {
    let space = ask.core.space().await?;
    Ok(Json(Server {
        version: VERSION,
        url: ask.context.base_url.clone(),
        formats: ask.formats.iter().map(ToString::to_string).collect(),
        storage_free_bytes: space.as_ref().map(|space| space.free),
        storage_total_bytes: space.as_ref().map(|space| space.total),
        database_free_bytes: ask.core.database_free()?,
    }))
}

pub(super) async fn openapi(_: Ask<'_>, _: Nothing) -> Result<Ready, Problem> {
    static DOCUMENT: LazyLock<Result<Bytes, String>> = LazyLock::new(|| {
        let document = openapi::document(&TABLE).to_json();
        document.map(Bytes::from).map_err(|error| error.to_string())
    });
    DOCUMENT.clone().map(|document| Ready("application/json", document)).map_err(Problem::internal)
}
