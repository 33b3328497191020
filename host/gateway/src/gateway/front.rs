//! What a request is: an upgrade, another one that is handed on, or one that leads nowhere; and that it is
//! one too many.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::header::{HOST, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Version};
use axum::response::Response;

use super::caps::Cap;
use super::handshake::{BadHandshake, has_host, has_token};
use super::http::{self, Style};
use super::passage::OnPassage;
use super::upgrade::Opening;
use super::{Gateway, Rules, peer, refuse};
use crate::observe::metrics::Label;

/// Answers a request by the route that it takes.
pub(super) async fn answer(gateway: Arc<Gateway>, request: Request) -> Response {
    let rules = gateway.rules.load_full();
    let (mut parts, body) = request.into_parts();
    peer::find(&mut parts, &rules.config.trusted_proxies);
    let route = rules.routes.find(&parts).cloned();
    let is_handed_on = rules.config.http.style == Style::Pass && !wants_upgrade(&parts.headers);
    let upstreams = route.as_ref().and_then(|route| route.upstreams.clone());
    let upstreams = upstreams.filter(|_| is_handed_on);
    if let Err(cap) = charge(&gateway, &rules, &parts, upstreams.is_some()) {
        return refuse::too_fast(cap);
    }
    let Some(route) = route else {
        gateway.metrics.unrouted.inc();
        return refuse::nowhere(rules.routes.all().map(|route| route.name()));
    };
    let Some(upstreams) = upstreams else {
        return match Opening::check(gateway, rules, route, parts) {
            Ok(opening) => opening.answer().await,
            Err(refusal) => *refusal,
        };
    };
    // HTTP/1.0 has hosts only by custom: there may be none, but not two.
    let may_lack = parts.version == Version::HTTP_10 && !parts.headers.contains_key(HOST);
    if !may_lack && !has_host(&parts) {
        gateway.metrics.handshakes_bad.inc();
        let must = "occur once, as a host and perhaps a port";
        return refuse::bad_handshake(&BadHandshake::Header { name: HOST, must });
    }
    if let Err(error) = route.identify.takes(&parts) {
        gateway.metrics.unidentified.inc();
        return refuse::unidentified(&error);
    }
    http::pass(gateway, rules, &route, &upstreams, (parts, body)).await
}

/// Opens an upgrade of an application that embeds us and has chosen the path by itself: it is charged to
/// its client and its handshake is checked, or this is its refusal.
pub(super) fn open(gateway: Arc<Gateway>, mut parts: Parts) -> Result<Opening, Box<Response>> {
    let rules = gateway.rules.load_full();
    peer::find(&mut parts, &rules.config.trusted_proxies);
    if let Err(cap) = charge(&gateway, &rules, &parts, false) {
        return Err(Box::new(refuse::too_fast(cap)));
    }
    let route = rules.routes.find(&parts);
    let usual = rules.routes.usual().filter(|_| !rules.config.hands_on());
    let Some(route) = route.or(usual).cloned() else {
        gateway.metrics.unrouted.inc();
        let places = rules.routes.all().map(|route| route.name());
        return Err(Box::new(refuse::nowhere(places)));
    };
    Opening::check(gateway, rules, route, parts)
}

/// Charges a request to its client, wherever it stands behind trusted proxies, unless the door has charged
/// it together with its connection. Those that are handed on have rates of their own.
fn charge(gateway: &Gateway, rules: &Rules, parts: &Parts, is_plain: bool) -> Result<(), Cap> {
    let config = &rules.config;
    let is_proxy = peer::client(parts).is_some_and(|client| config.is_trusted(client));
    let origin = peer::origin(parts).filter(|_| !is_proxy);
    let now = gateway.session.clock.now();
    let charged = if is_plain {
        let charged = gateway.http_caps.charge(origin, &config.http.rates(), now);
        charged.map_err(Cap::of_http)
    } else {
        let passage = parts.extensions.get::<OnPassage>();
        if passage.is_some_and(|OnPassage(passage)| passage.is_paid()) {
            return Ok(());
        }
        gateway.caps.charge(origin, &config.caps, now)
    };
    charged.inspect_err(|cap| {
        gateway
            .metrics
            .turned_away
            .get_or_create(&Label(*cap))
            .inc();
    })
}

/// Whether a request is meant to be the opening of a WebSocket, well made or not: then it is ours to
/// check, and no backend gets to see a broken one.
fn wants_upgrade(headers: &HeaderMap) -> bool {
    has_token(headers, &UPGRADE, "websocket")
        || headers.contains_key(SEC_WEBSOCKET_KEY)
        || headers.contains_key(SEC_WEBSOCKET_VERSION)
}
