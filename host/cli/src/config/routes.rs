//! What several keys of routes can get wrong together.

use super::AdminListener;
use super::cross::Check;
use wastegate::embed::route_faults;
use wastegate::gateway::upstream::Upstream;

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

    /// What the library finds wrong with routes.
    pub(super) fn routes(&mut self) {
        let routes: Vec<_> = self.draft.routes.values().cloned().collect();
        let rooms = &self.draft.rooms;
        let message = rooms.connection.message_bytes_max;
        for fault in route_faults(&routes, message, rooms.limits.managers_total) {
            self.fault(&fault);
        }
    }
}
