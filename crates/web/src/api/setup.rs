//! How to use a repository.

use serde::Serialize;
use utoipa::ToSchema;

use super::body::{Json, Nothing};
use super::endpoint::Ask;
use super::problem::Problem;

/// How to use a repository.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Setup {
    /// Where clients find it.
    url: String,
    /// For each client.
    blocks: Vec<SetupBlock>,
    /// All of it as text for a shell, titles as comments.
    text: String,
}

/// What one client is to be told.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SetupBlock {
    /// The program.
    client: String,
    /// What the lines do.
    title: String,
    /// Lines for a shell; PASSWORD and FILE are to be replaced.
    lines: Vec<String>,
}

pub(super) async fn show(ask: Ask<'_>, _: Nothing) -> Result<Json<Setup>, Problem> {
    let identity = ask.permit.identity();
    let user = (!identity.is_anonymous()).then(|| identity.subject().name());
    let setup = ask.core.setup(&ask.repository()?, &ask.context.base_url, user.as_deref()).await?;
    let text = setup.text();
    let block = |block: wharf_core::SetupBlock| {
        let wharf_core::SetupBlock { client, title, lines } = block;
        SetupBlock { client, title, lines }
    };
    Ok(Json(Setup { url: setup.facts.url, blocks: setup.blocks.into_iter().map(block).collect(), text }))
}
