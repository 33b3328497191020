//! What routes to backends can only get wrong together.

use std::collections::BTreeMap;

use super::SettingsFault;
use crate::gateway::route;

/// Routes of one configuration: each request looks through them in turn.
const ROUTES_MAX: usize = 256;

/// What is wrong with routes: each leads somewhere and to nothing that another one leads to, within the
/// limits of the node, managers, and of all connections, bytes of a message.
#[must_use]
pub fn route_faults(
    routes: &[route::Config],
    message_bytes_max: usize,
    managers_total: u32,
) -> Vec<SettingsFault> {
    let mut faults = Vec::new();
    let mut fault = |keys: &[&str], reason: &str, remedy: &str| {
        faults.push(SettingsFault {
            keys: keys.iter().map(|key| (*key).to_owned()).collect(),
            reason: reason.to_owned(),
            remedy: remedy.to_owned(),
        });
    };
    let key = |at: usize, name: &str| format!("gateway.route[{at}].{name}");
    if routes.len() > ROUTES_MAX {
        let reason = format!("there are more than {ROUTES_MAX} routes");
        fault(&[&key(ROUTES_MAX, "path")], &reason, "take some out");
    }
    let mut names = BTreeMap::new();
    for (at, route) in routes.iter().enumerate() {
        if route.upstream.is_empty() {
            let remedy = "name one, such as [\"ws://127.0.0.1:8000\"]";
            fault(&[&key(at, "upstream")], "a route leads to a server", remedy);
        }
        if let Some(first) = names.insert(route.name(), at) {
            let reason = "two routes serve the same paths of the same hosts";
            let remedy = "leave one of them out, or name its host";
            fault(&[&key(first, "path"), &key(at, "path")], reason, remedy);
        }
        let message = route.message_bytes_max.unwrap_or(message_bytes_max);
        if route.frame_bytes_max.is_some_and(|frame| frame > message) {
            let whole = match route.message_bytes_max {
                Some(_) => key(at, "message_bytes_max"),
                None => "connection.message_bytes_max".to_owned(),
            };
            let frame = key(at, "frame_bytes_max");
            let remedy = format!("set `{frame}` to at most `{whole}`");
            fault(
                &[&frame, &whole],
                "a message is at least one frame",
                &remedy,
            );
        }
        if route
            .managers_per_user
            .is_some_and(|own| own > managers_total)
        {
            let own = key(at, "managers_per_user");
            let remedy = format!("set `{own}` to at most `limits.managers_total`");
            let reason = "one user cannot hold more than the node";
            fault(&[&own, "limits.managers_total"], reason, &remedy);
        }
    }
    faults
}
