//! `[webhook]`: events for another service.

use super::{HOUR, MINUTE, Section};
use crate::config::shape::edge::url;
use crate::config::shape::{Credential, Switch, Words, count, millis, one_of};
use wastegate_control::webhook::WebhookKind;

pub(super) fn sections() -> Vec<Section> {
    vec![section! {
        |d| "webhook", "Events for another service, as signed requests (Standard Webhooks).";

        /// The service's URL: https, or http on this machine. Without it nothing is sent.
        restart url: url() => d.rooms.webhook.url;

        /// The secret that requests are signed with: at least 24 bytes, or `whsec_` and as many in
        /// base64.
        restart secret: Credential => d.rooms.webhook.secret;

        /// What the service is told.
        restart kinds: kinds() => d.rooms.webhook.kinds;

        /// Users and keys by name, with a sentence for each event; else users are keyed hashes, as
        /// in journals.
        restart names: Switch => d.rooms.webhook.names;

        /// How long the service has to answer.
        restart timeout_ms: millis(10, MINUTE) => d.rooms.webhook.timeout;

        /// How often a request is tried before its events are dropped.
        restart attempts_max: count(1, 100) => d.rooms.webhook.attempts_max;

        /// The pause after the first attempt. It doubles with each, up to five minutes.
        restart pause_ms: millis(10, HOUR) => d.rooms.webhook.pause;
    }]
}

fn kinds() -> Words<WebhookKind> {
    let named = WebhookKind::ALL.map(|kind| (kind.name(), kind));
    Words(one_of("kind of event", named))
}
