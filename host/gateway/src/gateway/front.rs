//! What a request is: an upgrade, another one that is handed on, or one that leads nowhere; and that it is
//! one too many.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::request::Parts;
use axum::response::Response;
use futures_util::future::BoxFuture;

use super::caps::Cap;
#[cfg(feature = "upstream")]
use super::http;
use super::passage::OnPassage;
use super::peer::ClientNetwork;
use super::route::Route;
use super::upgrade::Opening;
use super::{Gateway, Rules, peer, refuse, traced};
use crate::observe::metrics::Label;
use crate::observe::spans;

/// Answers a request by the route that it takes.
pub(super) async fn answer(gateway: Arc<Gateway>, request: Request) -> Response {
    let rules = gateway.rules.load_full();
    let (mut parts, body) = request.into_parts();
    peer::find(&mut parts, &rules.config.trusted_proxies);
    let route = rules.routes.find(&parts).cloned();
    #[cfg(feature = "upstream")]
    if let Some(route) = &route
        && let Some(upstreams) = http::wanted(&rules, route, &parts)
    {
        let upstreams = upstreams.clone();
        return http::answer(gateway, rules, route, &upstreams, (parts, body)).await;
    }
    let answered = if gateway.is_traced() {
        answer_traced(gateway, rules, route, parts).await
    } else {
        match open_route(gateway, rules, route, parts) {
            Ok(opening) => opening.answer().await,
            Err(refusal) => *refusal,
        }
    };
    drop(body);
    answered
}

/// [`open`], and the answer, where handshakes are traced.
pub(super) fn open_traced(gateway: Arc<Gateway>, mut parts: Parts) -> BoxFuture<'static, Response> {
    let (rules, route) = chosen(&gateway, &mut parts);
    answer_traced(gateway, rules, route, parts)
}

/// Answers an upgrade within its span, if this one is traced. In memory of its own, so that where nothing is traced
/// none is held for it and nothing is moved.
fn answer_traced(
    gateway: Arc<Gateway>,
    rules: Arc<Rules>,
    route: Option<Arc<Route>>,
    mut parts: Parts,
) -> BoxFuture<'static, Response> {
    let span = traced::begin(&gateway, route.as_deref(), &mut parts);
    Box::pin(spans::around(span, async {
        let answered = match open_route(gateway, rules, route, parts) {
            Ok(opening) => opening.answer().await,
            Err(refusal) => *refusal,
        };
        traced::answered(&answered);
        answered
    }))
}

/// The route that an application which embeds us leads a request to.
fn chosen(gateway: &Gateway, parts: &mut Parts) -> (Arc<Rules>, Option<Arc<Route>>) {
    let rules = gateway.rules.load_full();
    peer::find(parts, &rules.config.trusted_proxies);
    let route = rules.routes.find(parts);
    let route = route.or_else(|| rules.routes.application()).cloned();
    (rules, route)
}

/// Opens an upgrade of an application that embeds us and has chosen the path by itself: it is charged to
/// its client and its handshake is checked, or this is its refusal.
pub(super) fn open(gateway: Arc<Gateway>, mut parts: Parts) -> Result<Opening, Box<Response>> {
    let (rules, route) = chosen(&gateway, &mut parts);
    open_route(gateway, rules, route, parts)
}

fn open_route(
    gateway: Arc<Gateway>,
    rules: Arc<Rules>,
    route: Option<Arc<Route>>,
    parts: Parts,
) -> Result<Opening, Box<Response>> {
    if let Err(cap) = charge(&gateway, &rules, &parts) {
        return Err(Box::new(refuse::too_fast(cap)));
    }
    let Some(route) = route else {
        gateway.metrics.unrouted.inc();
        let places = rules.routes.all().map(|route| route.name());
        return Err(Box::new(refuse::nowhere(places)));
    };
    Opening::check(gateway, rules, route, parts)
}

/// Charges an upgrade to its client, wherever it stands behind trusted proxies, unless the door has charged
/// it together with its connection.
fn charge(gateway: &Gateway, rules: &Rules, parts: &Parts) -> Result<(), Cap> {
    let passage = parts.extensions.get::<OnPassage>();
    if passage.is_some_and(|OnPassage(passage)| passage.is_paid()) {
        return Ok(());
    }
    let (origin, now) = (charged(rules, parts), gateway.session.clock.now());
    let charged = gateway.caps.charge(origin, &rules.config.caps, now);
    charged.inspect_err(|cap| turned_away(gateway, *cap))
}

/// To whom a request is charged: to nobody if a proxy sends it and does not say for whom.
pub(super) fn charged(rules: &Rules, parts: &Parts) -> Option<ClientNetwork> {
    let is_proxy = peer::client(parts).is_some_and(|client| rules.config.is_trusted(client));
    peer::origin(parts).filter(|_| !is_proxy)
}

/// Counts a request that is over a cap.
pub(super) fn turned_away(gateway: &Gateway, cap: Cap) {
    let metrics = &gateway.metrics;
    metrics.turned_away.get_or_create(&Label(cap)).inc();
}
