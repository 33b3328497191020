//! The tags of the document: one for each page of the documentation.

/// What a route is about, by the page that has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::admin) enum Page {
    /// The node and the API itself.
    #[default]
    Server,
    Users,
    Why,
    Decisions,
    Events,
    Policies,
    Experiments,
    Shadows,
    Quality,
    Session,
    Probes,
    Console,
}

impl Page {
    /// All, in the order of the document.
    pub(in crate::admin) const ALL: [Self; 12] = [
        Self::Server,
        Self::Users,
        Self::Why,
        Self::Decisions,
        Self::Events,
        Self::Policies,
        Self::Experiments,
        Self::Shadows,
        Self::Quality,
        Self::Session,
        Self::Probes,
        Self::Console,
    ];

    /// The tag.
    pub(in crate::admin) const fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Users => "users",
            Self::Why => "why",
            Self::Decisions => "decisions",
            Self::Events => "events",
            Self::Policies => "policies",
            Self::Experiments => "experiments",
            Self::Shadows => "shadows",
            Self::Quality => "quality",
            Self::Session => "session",
            Self::Probes => "probes",
            Self::Console => "console",
        }
    }

    /// What its routes are for, and the page.
    pub(in crate::admin) const fn about(self) -> &'static str {
        match self {
            Self::Server => {
                "The node at this moment, its past day, its settings and its limits (docs/operators-api.md)."
            }
            Self::Users => "Users, their managers, and levers for one of them (docs/users.md).",
            Self::Why => "Why one client was disconnected or refused (docs/why.md).",
            Self::Decisions => {
                "The last decisions of cleanup, and what another policy would have ranked (docs/operators-api.md)."
            }
            Self::Events => {
                "Connections, refusals and evictions as they happen (docs/operators-api.md)."
            }
            Self::Policies => {
                "Policies, their revisions, and which one is active (docs/policies.md)."
            }
            Self::Experiments => "Policies compared on users (docs/experiments.md).",
            Self::Shadows => "Policies that rank beside the active one (docs/shadow.md).",
            Self::Quality => "What came of evictions and admissions (docs/quality.md).",
            Self::Session => "The session of a browser (docs/operators-api.md).",
            Self::Probes => "For orchestrators and Prometheus (docs/gateway.md).",
            Self::Console => "The console's page and files (docs/console.md).",
        }
    }
}
