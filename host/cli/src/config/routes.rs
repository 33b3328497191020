//! What several keys of routes can get wrong together.

use std::collections::BTreeMap;

use super::AdminListener;
use super::cross::Check;
use wastegate::gateway::upstream::Upstream;

/// Routes of a configuration: each request looks through them in turn.
const ROUTES_MAX: usize = 256;

impl Check<'_> {
    /// No backend is this server itself: its clients would come back for ever, or be operators.
    pub(super) fn backends(&mut self) {
        self.leads_elsewhere(
            "gateway.upstream",
            &self.draft.rooms.gateway.upstream.clone(),
        );
        for (at, route) in self.draft.routes.clone() {
            let key = format!("gateway.route[{at}].upstream");
            self.leads_elsewhere(&key, &route.upstream);
        }
    }

    fn leads_elsewhere(&mut self, key: &str, upstreams: &[Upstream]) {
        let leads_to = |listener| upstreams.iter().any(|one| one.is_listener(listener));
        let remedy = "name the server behind the gateway, or listen at another port";
        if leads_to(self.draft.rooms.server.listen) {
            let reason = "the gateway would hand its clients to itself";
            self.conflict(&[key, "server.listen"], reason, remedy);
        }
        if let AdminListener::On(admin) = self.draft.rooms.admin
            && leads_to(admin)
        {
            let reason = "the gateway would hand its clients to the operators' listener";
            self.conflict(&[key, "admin.listen"], reason, remedy);
        }
    }

    /// Each leads somewhere, and to nothing that another one leads to.
    pub(super) fn routes(&mut self) {
        let routes = self.draft.routes.clone();
        let key = |at: usize, name: &str| format!("gateway.route[{at}].{name}");
        if routes.len() > ROUTES_MAX {
            let reason = format!("there are more than {ROUTES_MAX} routes");
            let last = key(ROUTES_MAX, "path");
            self.conflict(&[&last], &reason, "take some out");
        }
        let mut names = BTreeMap::new();
        for (at, route) in routes {
            if route.upstream.is_empty() {
                let upstream = key(at, "upstream");
                let remedy = "name one, such as [\"ws://127.0.0.1:8000\"]";
                self.conflict(&[&upstream], "a route leads to a server", remedy);
            }
            if let Some(first) = names.insert(route.name(), at) {
                let reason = "two routes serve the same paths of the same hosts";
                let paths = [key(first, "path"), key(at, "path")];
                let paths = paths.each_ref().map(String::as_str);
                self.conflict(&paths, reason, "leave one of them out, or name its host");
            }
            let of_all = self.draft.rooms.connection.message_bytes_max;
            let message = route.message_bytes_max.unwrap_or(of_all);
            if route.frame_bytes_max.is_some_and(|frame| frame > message) {
                let whole = match route.message_bytes_max {
                    Some(_) => key(at, "message_bytes_max"),
                    None => "connection.message_bytes_max".to_owned(),
                };
                let frame = key(at, "frame_bytes_max");
                let remedy = format!("set `{frame}` to at most `{whole}`");
                self.conflict(
                    &[&frame, &whole],
                    "a message is at least one frame",
                    &remedy,
                );
            }
            let total = self.draft.rooms.limits.managers_total;
            if route.managers_per_user.is_some_and(|own| own > total) {
                let own = key(at, "managers_per_user");
                let remedy = format!("set `{own}` to at most `limits.managers_total`");
                let reason = "one user cannot hold more than the node";
                self.conflict(&[&own, "limits.managers_total"], reason, &remedy);
            }
        }
    }
}
