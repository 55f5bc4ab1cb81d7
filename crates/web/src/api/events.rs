//! What happened, for programs that fetch it.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use wharf_core::{EventFilter, EventPage};
use wharf_types::Timestamp;

use super::body::{Json, Nothing};
use super::endpoint::{Ask, Parameter};
use super::page::{LIMIT, List, Page};
use super::problem::Problem;

/// What narrows the list.
pub(super) const FILTER: [Parameter; 3] = [
    LIMIT,
    ("after", "Goes on after the event with this `id`, or the `next` of the page before."),
    ("kind", "Only events of this kind, such as blob.damaged."),
];

/// An event.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Event {
    /// The number of it: later ones have higher numbers.
    id: i64,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Of what.
    kind: String,
    /// What is told of it, by its kind.
    #[schema(value_type = Object)]
    payload: Value,
}

/// Events are held back until every one with a lower number is there; see [`wharf_core::Core::EVENTS_SETTLE`].
pub(super) async fn list(ask: Ask<'_>, _: Nothing) -> Result<Json<List<Event>>, Problem> {
    let page = Page::of(&ask)?;
    let filter = EventFilter { kind: ask.parameter("kind")? };
    let after = page.after_number()?.unwrap_or_default();
    let EventPage { events, next } = ask.core.events(&filter, after, page.limit).await?;
    let shown = |event: wharf_core::Event| {
        let wharf_core::Event { id, at, kind, payload } = event;
        let payload = serde_json::from_str(&payload).map_err(Problem::internal)?;
        Ok(Event { id, at, kind, payload })
    };
    let items = events.into_iter().map(shown).collect::<Result<_, Problem>>()?;
    Ok(Json(List { items, next: next.map(|next| next.to_string()) }))
}
