//! One parallel round of probes under one deadline, for any number of managers.

use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use super::Config;
use super::answering::ignores_pings;
use super::backlog::could_answer;
use super::kernel::tcp_view;
use super::verdict::judge;
use crate::manager::{Manager, Port};
use wastegate_core::types::{Clock, Health, Timestamp};

/// What a round found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Round {
    /// Connections that were asked.
    pub asked: usize,
    /// Those that answered, with anything at all.
    pub answered: usize,
    /// Those that the kernel had given up already.
    pub gone: usize,
    /// Connections that were found silent a moment ago.
    pub fresh: usize,
    /// Connections whose client is known to answer no ping: only the kernel was asked.
    pub unaskable: usize,
    /// Connections left out because the round's budget was spent.
    pub left_out: usize,
}

/// Probes every connection of these managers, but those found silent a moment ago, all at once. Takes one
/// round trip, and at most [`Config::probe_deadline`]. What it finds is kept in the connections'
/// vitals, from where [`super::assess`] reads it.
pub async fn probe_round(managers: &[Arc<Manager>], clock: &Clock, config: &Config) -> Round {
    let start = clock.now();
    let mut round = Round::default();
    let mut waiting = FuturesUnordered::new();
    let mut asked: Vec<(Arc<Port>, Option<u64>)> = Vec::new();
    for manager in managers {
        // Our own side: the answer is that the mailbox moves, which the assessment looks at. Where
        // something waits already, that has to move, and however often a manager is probed its
        // mailbox does not fill.
        if manager.mailbox.oldest_since().is_none() {
            let _ = manager.mailbox.noop(start);
        }
        for port in manager.ports() {
            match open(&port, config, start) {
                Opening::Fresh => round.fresh += 1,
                Opening::Gone => {
                    port.vitals.gone(start);
                    round.gone += 1;
                }
                Opening::Unaskable => round.unaskable += 1,
                Opening::Ask(_) if asked.len() >= config.probe_connections_max => {
                    round.left_out += 1;
                }
                Opening::Ask(acked) => {
                    port.vitals.ask_for_ping();
                    asked.push((port.clone(), acked));
                    waiting.push(async move { port.vitals.received_since(start).await });
                }
            }
        }
    }
    round.asked = asked.len();
    let everyone = async { while waiting.next().await.is_some() {} };
    let _ = tokio::time::timeout(config.probe_deadline, everyone).await;

    let now = clock.now();
    for (port, acked) in asked {
        if port.vitals.received_at() >= start {
            round.answered += 1;
        } else if could_answer(&port, start, acked) {
            port.vitals.probe_failed(now);
        }
    }
    round
}

enum Opening {
    /// It was found silent a moment ago.
    Fresh,
    /// The kernel knows better than any ping.
    Gone,
    /// Its client answers no ping, so that a round would only wait for it.
    Unaskable,
    /// It has to be asked; with the kernel's count of what it has acknowledged until now.
    Ask(Option<u64>),
}

fn open(port: &Port, config: &Config, now: Timestamp) -> Opening {
    let evidence = judge(port, config, now);
    // Bad news that is young is not asked for again: it would only cost the deadline once more.
    // Good news always is: a peer that is there answers within a round trip, and a peer that fell
    // silent a second ago is just what a round is for.
    let bad = !matches!(evidence.health, Health::Alive | Health::Unknown);
    let age = match evidence.health {
        // Its kernel was asked just now, however long ago it began; a ping would not get through.
        Health::Stalled => std::time::Duration::ZERO,
        _ => now.since(evidence.at),
    };
    if port.is_closing() || (bad && age < config.evidence_age) {
        return Opening::Fresh;
    }
    let view = port.socket.upgrade().and_then(|socket| tcp_view(&socket));
    if view.is_some_and(|view| view.is_gone()) {
        Opening::Gone
    } else if ignores_pings(port, config, now) {
        Opening::Unaskable
    } else {
        Opening::Ask(view.map(|view| view.acked_bytes))
    }
}
