//! What happens to users, as it happens: `GET /v1/events`, as server-sent events (WHATWG HTML, section 9.2).
//!
//! A stream has no queue of its own: it keeps the number of the last event that it sent, and takes the next ones
//! from the memory. One that reads too slowly for the memory hears of a gap and goes on.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::sse::{Event as Sent, KeepAlive, Sse};
use futures_util::Stream;
use futures_util::stream::{self, StreamExt as _};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Interval, MissedTickBehavior};

use super::api::Admin;
use super::openapi::{Operation, OperationInput, Page, Schemas};
use super::policies::extract::Asked;
use super::policies::refusal::Refusal;
use super::routes::Routes;
use crate::why::{Event, EventFilter, FactKind};
use wastegate_core::types::UserId;

/// Streams that are open at once; the next one is refused with 503.
pub const STREAMS_MAX: usize = 16;
/// The least time between two looks of a stream: a storm of events is sent in batches.
const LOOKS_EVERY: Duration = Duration::from_millis(250);
/// After how much silence a comment says that the stream is there.
const COMMENT_AFTER: Duration = Duration::from_secs(15);
/// Where a client says what it has seen.
const LAST_EVENT_ID: &str = "last-event-id";

/// The route of the stream.
pub(super) fn routes() -> Routes {
    Routes::of(Page::Events)
        .get(
            "/v1/events",
            "Connections, refusals, evictions and changes as they happen, as server-sent events.",
            events,
        )
        .refuses(&[StatusCode::UNPROCESSABLE_ENTITY])
}

/// Which events are wanted.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct EventsQuery {
    /// Their kinds, joined by commas; without it all. There are `connected`, `ended`, `refused`,
    /// `evicted`, `pressure` and `change`.
    #[serde(default)]
    #[schemars(example = &"refused,evicted")]
    kinds: String,
    /// Only those about this user.
    #[schemars(length(min = 1, max = 256), example = &"ann")]
    user: Option<String>,
}

impl EventsQuery {
    fn filter(&self) -> Result<EventFilter, Refusal> {
        let kinds: Vec<String> = self
            .kinds
            .split(',')
            .map(str::trim)
            .filter(|kind| !kind.is_empty())
            .map(str::to_owned)
            .collect();
        if let Some(unknown) = kinds
            .iter()
            .find(|kind| !FactKind::NAMES.contains(&kind.as_str()))
        {
            let known = FactKind::NAMES.join(", ");
            return Err(Refusal::unusable(format!(
                "`kinds` names `{unknown}`, which is no kind of event: give some of {known}"
            )));
        }
        let user = self.user.as_deref().map(UserId::new).transpose();
        let user =
            user.map_err(|error| Refusal::unusable(format!("`user` names no user: {error}")))?;
        Ok(EventFilter { kinds, user })
    }
}

/// The number of an event, with the process that it is of.
fn id(begun_unix_ms: u64, number: u64) -> String {
    format!("{begun_unix_ms:x}-{number}")
}

/// What a client has seen, by its header: none where it says nothing, an error where that is of another process.
struct Seen(Option<Result<u64, ()>>);

impl FromRequestParts<Arc<Admin>> for Seen {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, admin: &Arc<Admin>) -> Result<Self, Infallible> {
        let header = parts.headers.get(LAST_EVENT_ID);
        let text = header.and_then(|header| header.to_str().ok());
        Ok(Self(text.filter(|text| !text.is_empty()).map(|text| {
            let (begun, number) = text.split_once('-').ok_or(())?;
            let is_ours = u64::from_str_radix(begun, 16) == Ok(admin.why.begun_unix_ms());
            let number: u64 = number.parse().map_err(|_| ())?;
            let is_there = is_ours && number <= admin.why.last();
            is_there.then_some(number).ok_or(())
        })))
    }
}

impl OperationInput for Seen {
    fn describe(operation: &mut Operation, _: &mut Schemas) {
        let about = "The `id` of the last event that the client has; the stream goes on behind it.";
        let schema = json!({ "type": "string", "examples": ["19ad0a1b2c3-42"] });
        operation.takes("header", LAST_EVENT_ID, about, false, &schema);
    }
}

/// One client's stream.
struct Reader {
    admin: Arc<Admin>,
    filter: EventFilter,
    news: watch::Receiver<u64>,
    seen: u64,
    missed: bool,
    /// The pace of its looks.
    looks: Interval,
    _place: OwnedSemaphorePermit,
}

async fn events(
    State(admin): State<Arc<Admin>>,
    Asked(query): Asked<EventsQuery>,
    Seen(seen): Seen,
) -> Result<Sse<impl Stream<Item = Result<Sent, Infallible>>>, Refusal> {
    let filter = query.filter()?;
    let place = admin.streams.clone().try_acquire_owned().map_err(|_| {
        Refusal::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "too-many-streams",
            format!("{STREAMS_MAX} streams of events are open: close one"),
        )
    })?;
    let mut looks = tokio::time::interval(LOOKS_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let news = admin.why.news();
    let last = admin.why.last();
    let reader = Reader {
        news,
        filter,
        // A client that says nothing begins with what comes next.
        seen: seen.and_then(Result::ok).unwrap_or(last),
        missed: matches!(seen, Some(Err(()))),
        looks,
        _place: place,
        admin,
    };
    let batches = stream::unfold(reader, |mut reader| async move {
        let batch = reader.next().await?;
        Some((stream::iter(batch), reader))
    });
    let kept = KeepAlive::new().interval(COMMENT_AFTER);
    Ok(Sse::new(batches.flatten().map(Ok)).keep_alive(kept))
}

impl Reader {
    /// The next events, as soon as there are some; none once the server stops.
    async fn next(&mut self) -> Option<Vec<Sent>> {
        let stopping = self.admin.tasks.stopping().clone();
        let leaving = self.admin.leaving.clone();
        loop {
            tokio::select! {
                _ = self.looks.tick() => {}
                () = stopping.cancelled() => return None,
                () = leaving.cancelled() => return None,
            }
            self.news.mark_unchanged();
            let found = self.admin.why.after(self.seen, &self.filter);
            self.seen = found.seen;
            let gap = std::mem::take(&mut self.missed) || found.missed;
            let gap = gap.then(|| Sent::default().event("gap").data("{\"missed\":true}"));
            let begun = self.admin.why.begun_unix_ms();
            let events = found.events.iter().filter_map(|event| sent(event, begun));
            let batch: Vec<Sent> = gap.into_iter().chain(events).collect();
            if !batch.is_empty() {
                return Some(batch);
            }
            if found.is_more {
                continue;
            }
            tokio::select! {
                changed = self.news.changed() => changed.ok()?,
                () = stopping.cancelled() => return None,
                () = leaving.cancelled() => return None,
            }
        }
    }
}

fn sent(event: &Event, begun_unix_ms: u64) -> Option<Sent> {
    let sent = Sent::default()
        .id(id(begun_unix_ms, event.number))
        .event(&event.line.kind);
    // Its fields are texts and numbers: writing them cannot fail.
    sent.json_data(event).ok()
}
