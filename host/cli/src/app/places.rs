//! How many connections this process has room for: what is configured, or what its descriptors and its
//! memory allow, whichever is less. Claimed once at the start, and said in one line.
//!
//! Not all descriptors are for connections. What is left out keeps everything else at work when every
//! place is taken: operators, journals, look-ups, and sockets that stand beside the places.

use crate::config::ProgramConfig;
use wastegate::gateway::http::Style;
use wastegate::observe::{cgroup, descriptors, process};

/// Connections that operators may have at once at the least, however few descriptors there are; as far
/// as they are to have so many.
const OPERATORS_MIN: usize = 16;
/// Sockets without a place, at the most and at the least.
const BESIDE_MAX: usize = 1_024;
const BESIDE_MIN: usize = 8;
/// Connections whose requests are handed on, at the least where there are some.
const PLAIN_MIN: usize = 8;
/// As many as there could be where the settings have no limit of them.
const PLAIN_MAX: usize = 1 << 20;
/// Of so many descriptors one is for each of these.
const SHARE: usize = 16;
/// Of so many descriptors one is for files and look-ups of names, and one for an attempt at a second backend.
const OTHERS_SHARE: usize = 64;
/// Files and look-ups, at the most and at the least.
const OTHERS_MAX: usize = 256;
const OTHERS_MIN: usize = 8;
/// Attempts at a second backend, at the least where the settings want so many.
const HEDGES_MIN: usize = 4;
/// What a start opens after it was counted what is open: listeners, journals, the runtime.
const STARTS: usize = 16;
/// Open descriptors where the system does not tell.
const OPEN_GUESSED: usize = 32;
/// Of the memory that the control group may use, what the process may have before it makes room.
const MEMORY_SHARE: (u64, u64) = (9, 10);

/// Who has how many descriptors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Places {
    /// Places for clients' connections.
    pub(super) connections: usize,
    /// Sockets of clients beside them.
    pub(super) beside: usize,
    /// Places for connections of clients whose requests are handed on, which are no WebSockets.
    pub(super) plain: usize,
    /// Attempts at a second backend beside a first one.
    hedges: usize,
    /// Places for operators.
    operators: usize,
    /// Descriptors that no client's connection gets.
    reserve: usize,
    /// Descriptors of one connection.
    each: usize,
    /// Places for clients' connections that are configured.
    configured: usize,
    /// Descriptors that the process may have open, where the system tells.
    limit: Option<usize>,
    /// Memory from which on room is made, bytes; 0 for no limit.
    memory_bytes_max: u64,
}

/// What is configured for operators.
#[derive(Debug, Clone, Copy)]
struct OperatorSettings {
    /// Places, at the most.
    most: usize,
    /// Sockets beside them.
    beside: usize,
}

impl Places {
    /// Raises the limit of descriptors, shares them out, and puts into the settings what there is: the
    /// connections that fit, and a limit of memory where only the control group has one.
    pub(super) fn claim(config: &mut ProgramConfig) -> Self {
        let limit = descriptors::raise();
        let open = process::read().open_fds;
        let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let places = Self::share(
            limit.map(count),
            open.map_or(OPEN_GUESSED, count),
            descriptors_of_a_connection(config),
            config.limits.connections_total,
            OperatorSettings {
                most: config.operators.connections_max,
                beside: config.operators.probes_reserved,
            },
            Wanted::of(config),
        );
        config.operators.connections_max = places.operators;
        config.gateway.upstream_hedges_max = places.hedges;
        config.limits.connections_total = places.connections;
        let cleanup = &mut config.cleanup;
        if cleanup.memory_bytes_max == 0
            && let Some(limit) = cgroup::memory_limit()
        {
            let (of, all) = MEMORY_SHARE;
            cleanup.memory_bytes_max = limit / all * of;
        }
        Self {
            memory_bytes_max: cleanup.memory_bytes_max,
            ..places
        }
    }

    /// Says it, in one line.
    pub(super) fn report(&self) {
        let &Self {
            connections,
            configured,
            limit,
            reserve,
            each,
            memory_bytes_max,
            ..
        } = self;
        if connections < configured {
            tracing::warn!(
                places = connections,
                configured,
                descriptors = limit,
                reserve,
                each,
                memory_bytes_max,
                "fewer places for connections than `limits.connections_total`: raise the hard limit of open files"
            );
        } else {
            tracing::info!(
                places = connections,
                descriptors = limit,
                reserve,
                each,
                memory_bytes_max,
                "places for connections"
            );
        }
    }

    fn share(
        limit: Option<usize>,
        open: usize,
        each: usize,
        configured: usize,
        settings: OperatorSettings,
        Wanted { plain, hedges }: Wanted,
    ) -> Self {
        let known = limit;
        let limit = limit.unwrap_or(usize::MAX);
        let OperatorSettings {
            most,
            beside: probes,
        } = settings;
        let operators = (limit / SHARE).clamp(OPERATORS_MIN.min(most), most);
        let beside = (limit / SHARE).clamp(BESIDE_MIN, BESIDE_MAX);
        let others = (limit / OTHERS_SHARE).clamp(OTHERS_MIN, OTHERS_MAX);
        let hedges = hedges.min((limit / OTHERS_SHARE).max(HEDGES_MIN));
        let plain = plain.min((limit / SHARE).max(PLAIN_MIN));
        // Each has one of a backend while a request is under way.
        let reserve = open + STARTS + operators + probes + beside + others + hedges + 2 * plain;
        let fitting = limit.saturating_sub(reserve) / each;
        Self {
            connections: configured.min(fitting).max(1),
            beside,
            plain,
            hedges,
            operators,
            reserve,
            each,
            configured,
            limit: known,
            memory_bytes_max: 0,
        }
    }
}

/// The client's; the backend's, where there is one; and the backend's of a client that is lost and may
/// come back.
fn descriptors_of_a_connection(config: &ProgramConfig) -> usize {
    let gateway = &config.gateway;
    let has_backend = gateway.hands_on();
    let is_kept = has_backend && !gateway.upstream_grace.is_zero();
    1 + usize::from(has_backend) + usize::from(is_kept)
}

/// What the settings allow besides connections, where there are backends.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    /// Connections whose requests are handed on.
    plain: usize,
    /// Attempts at a second backend.
    hedges: usize,
}

impl Wanted {
    fn of(config: &ProgramConfig) -> Self {
        let gateway = &config.gateway;
        let hands_on = gateway.hands_on();
        let plain = match gateway.http.connections_max {
            _ if !hands_on || gateway.http.style == Style::Refuse => 0,
            0 => PLAIN_MAX,
            most => usize::try_from(most).unwrap_or(PLAIN_MAX),
        };
        let hedges = if hands_on {
            gateway.upstream_hedges_max
        } else {
            0
        };
        Self { plain, hedges }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPERATORS: OperatorSettings = OperatorSettings {
        most: 256,
        beside: 8,
    };

    #[test]
    fn there_is_always_something_left_for_the_rest() {
        for limit in [64, 128, 256, 1_024, 20_000, 1 << 20] {
            for (each, plain, hedges) in [(1, 0, 0), (2, 4_096, 256), (3, PLAIN_MAX, 1 << 20)] {
                let wanted = Wanted { plain, hedges };
                let places = Places::share(Some(limit), 12, each, 15_000, OPERATORS, wanted);
                assert!(hedges == 0 || places.hedges > 0, "{limit}: {places:?}");
                let clients = places.connections * each;
                let used = clients + places.reserve;
                assert!(
                    used <= limit || places.connections == 1,
                    "{limit}: {places:?}"
                );
            }
        }
    }

    #[test]
    fn what_is_configured_stands_where_it_fits() {
        let share = |limit, each, plain, hedges| {
            let wanted = Wanted { plain, hedges };
            Places::share(limit, 12, each, 15_000, OPERATORS, wanted)
        };
        let fits = |limit, each| share(limit, each, 0, 256 * (each - 1)).connections;
        let plain = |limit| share(limit, 2, 4_096, 256).plain;
        assert_eq!((plain(None), plain(Some(20_000))), (4_096, 1_250));
        assert_eq!(fits(None, 2), 15_000);
        assert_eq!(fits(Some(1 << 20), 2), 15_000);
        assert!((9_000..10_000).contains(&fits(Some(20_000), 2)));
        assert!((60..100).contains(&fits(Some(128), 1)));
    }
}
