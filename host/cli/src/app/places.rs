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
/// Files, look-ups of names, upgrades that are tried at two backends: a thirty-second of all, at the most
/// and at the least.
const OTHERS_MAX: usize = 512;
const OTHERS_MIN: usize = 8;
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
            plain_wanted(config),
        );
        config.operators.connections_max = places.operators;
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
    pub(super) fn tell(&self) {
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
        plain: usize,
    ) -> Self {
        let known = limit;
        let limit = limit.unwrap_or(usize::MAX);
        let OperatorSettings {
            most,
            beside: probes,
        } = settings;
        let operators = (limit / SHARE).clamp(OPERATORS_MIN.min(most), most);
        let beside = (limit / SHARE).clamp(BESIDE_MIN, BESIDE_MAX);
        let others = (limit / SHARE / 2).clamp(OTHERS_MIN, OTHERS_MAX);
        let plain = plain.min((limit / SHARE).max(PLAIN_MIN));
        // Each has one of a backend while a request is under way.
        let reserve = open + STARTS + operators + probes + beside + others + 2 * plain;
        let fitting = limit.saturating_sub(reserve) / each;
        Self {
            connections: configured.min(fitting).max(1),
            beside,
            plain,
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

/// Connections whose requests are handed on, as many as the settings allow.
fn plain_wanted(config: &ProgramConfig) -> usize {
    let gateway = &config.gateway;
    let http = &gateway.http;
    if !gateway.hands_on() || http.style == Style::Refuse {
        return 0;
    }
    match http.connections_max {
        0 => PLAIN_MAX,
        most => usize::try_from(most).unwrap_or(PLAIN_MAX),
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
            for (each, plain) in [(1, 0), (2, 4_096), (3, PLAIN_MAX)] {
                let places = Places::share(Some(limit), 12, each, 15_000, OPERATORS, plain);
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
        let fits = |limit, each| Places::share(limit, 12, each, 15_000, OPERATORS, 0).connections;
        let plain = |limit| Places::share(limit, 12, 2, 15_000, OPERATORS, 4_096).plain;
        assert_eq!((plain(None), plain(Some(20_000))), (4_096, 1_250));
        assert_eq!(fits(None, 2), 15_000);
        assert_eq!(fits(Some(1 << 20), 2), 15_000);
        assert!((9_000..10_000).contains(&fits(Some(20_000), 2)));
        assert!((60..100).contains(&fits(Some(128), 1)));
    }
}
