//! What a request is: an upgrade, another one that is handed on, or one that leads nowhere.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::header::{HOST, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use axum::http::{HeaderMap, Version};
use axum::response::Response;

use super::handshake::{BadHandshake, has_host, has_token};
use super::http::{self, Style};
use super::{Gateway, refuse, upgrade};

/// Answers a request by the route that it takes.
pub(super) async fn answer(gateway: Arc<Gateway>, request: Request) -> Response {
    let rules = gateway.rules.load_full();
    let (parts, body) = request.into_parts();
    let Some(route) = rules.routes.find(&parts).cloned() else {
        gateway.metrics.unrouted.inc();
        return refuse::nowhere(rules.routes.all().map(|route| route.name()));
    };
    let is_handed_on = rules.config.http.style == Style::Pass && !wants_upgrade(&parts.headers);
    let Some(upstreams) = route.upstreams.clone().filter(|_| is_handed_on) else {
        return upgrade::answer(gateway, rules, route, parts).await;
    };
    // HTTP/1.0 has hosts only by custom.
    if parts.version != Version::HTTP_10 && !has_host(&parts) {
        gateway.metrics.handshakes_bad.inc();
        let must = "occur once, as a host and perhaps a port";
        return refuse::bad_handshake(&BadHandshake::Header { name: HOST, must });
    }
    http::pass(gateway, rules, &route, &upstreams, (parts, body)).await
}

/// Answers an upgrade of an application that embeds us and has chosen the path by itself.
pub(super) async fn upgrade(gateway: Arc<Gateway>, request: Request) -> Response {
    let rules = gateway.rules.load_full();
    let (parts, _) = request.into_parts();
    let route = rules.routes.find(&parts);
    let usual = rules.routes.usual().filter(|_| !rules.config.hands_on());
    let Some(route) = route.or(usual).cloned() else {
        gateway.metrics.unrouted.inc();
        return refuse::nowhere(rules.routes.all().map(|route| route.name()));
    };
    upgrade::answer(gateway, rules, route, parts).await
}

/// Whether a request is meant to be the opening of a WebSocket, well made or not: then it is ours to
/// check, and no backend gets to see a broken one.
fn wants_upgrade(headers: &HeaderMap) -> bool {
    has_token(headers, &UPGRADE, "websocket")
        || headers.contains_key(SEC_WEBSOCKET_KEY)
        || headers.contains_key(SEC_WEBSOCKET_VERSION)
}
