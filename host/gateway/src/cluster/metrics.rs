//! The room's metrics.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use super::node::ClusterNode;
use crate::observe::metrics::begin;
use wastegate_cluster::ledger::{
    AwayRule, EnterAnswer, LedgerError, NewsKind, NodeOutcome, Stamped,
};

/// Every call of the ledger that is made.
const CALLS: [&str; 9] = [
    "beat", "enter", "leave", "lend", "publish", "read", "reassert", "receive", "send",
];
/// What came of a call.
const OUTCOMES: [&str; 7] = [
    "ok",
    "timed-out",
    "unreachable",
    "refused",
    "malformed",
    "breaker-open",
    "not-live",
];
/// What is dropped where its queue is full.
/// What nodes tell each other of users.
const NEWS: [&str; 4] = ["banned", "displaced", "forced", "returned"];
const DROPPED: [&str; 4] = ["errand", "probe", "publication", "surplus"];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    call: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AnswerLabel {
    answer: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AwayLabels {
    rule: &'static str,
    admitted: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct QueueLabel {
    queue: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct NewsLabel {
    news: &'static str,
}

/// Counters of what was asked of the ledger and of other nodes.
#[derive(Debug, Clone)]
pub struct Metrics {
    calls: Family<CallLabels, Counter>,
    enters: Family<AnswerLabel, Counter>,
    away: Family<AwayLabels, Counter>,
    reassertions: Counter,
    spared: Counter,
    dropped: Family<QueueLabel, Counter>,
    news: Family<NewsLabel, Counter>,
    commands: Arc<AtomicU64>,
}

impl Default for Metrics {
    fn default() -> Self {
        let metrics = Self {
            calls: Family::default(),
            enters: Family::default(),
            away: Family::default(),
            reassertions: Counter::default(),
            spared: Counter::default(),
            dropped: Family::default(),
            news: Family::default(),
            commands: Arc::default(),
        };
        for call in CALLS {
            begin(
                &metrics.calls,
                OUTCOMES.map(|outcome| CallLabels { call, outcome }),
            );
        }
        let answers = ["entered", "full", "blocked", "late"];
        begin(
            &metrics.enters,
            answers.map(|answer| AnswerLabel { answer }),
        );
        for rule in [AwayRule::Static, AwayRule::Open, AwayRule::Closed] {
            let rule = name(rule);
            let labels = ["yes", "no"].map(|admitted| AwayLabels { rule, admitted });
            begin(&metrics.away, labels);
        }
        begin(&metrics.dropped, DROPPED.map(|queue| QueueLabel { queue }));
        begin(&metrics.news, NEWS.map(|news| NewsLabel { news }));
        metrics
    }
}

const fn name(rule: AwayRule) -> &'static str {
    match rule {
        AwayRule::Static => "static",
        AwayRule::Open => "open",
        AwayRule::Closed => "closed",
    }
}

const fn outcome(error: &LedgerError) -> &'static str {
    match error {
        LedgerError::TimedOut(_) => "timed-out",
        LedgerError::Unreachable(_) => "unreachable",
        LedgerError::Refused(_) => "refused",
        LedgerError::Malformed(_) => "malformed",
        LedgerError::BreakerOpen => "breaker-open",
        LedgerError::NotLive => "not-live",
    }
}

impl ClusterNode {
    /// Registers all metrics of the room under `wastegate_cluster_`.
    pub fn register(self: &Arc<Self>, registry: &mut Registry) {
        self.metrics.register(registry);
        registry.register_collector(Box::new(ViewCollector(Arc::downgrade(self))));
    }
}

/// Reads what is there when it is asked: no count is kept beside it.
struct ViewCollector(Weak<ClusterNode>);

impl fmt::Debug for ViewCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ViewCollector")
    }
}

impl Collector for ViewCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let Some(node) = self.0.upgrade() else {
            return Ok(());
        };
        let gauges = [
            (
                "engine_up",
                "1 while the cluster's engine answers this node, else 0: then admissions go by `cluster.away`",
                u64::from(!node.is_away()),
            ),
            (
                "nodes",
                "Nodes of the cluster that lived at this node's last beat",
                node.nodes_seen(),
            ),
            (
                "over_limit",
                "Managers that users hold above their limits on all nodes, as far as this node knows; they leave by rank",
                node.over_limit(),
            ),
        ];
        for (name, help, value) in gauges {
            let gauge = ConstGauge::new(value);
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        }
        Ok(())
    }
}

impl Metrics {
    fn register(&self, registry: &mut Registry) {
        registry.register(
            "calls",
            "Calls of the cluster's engine, by what came of them",
            self.calls.clone(),
        );
        registry.register(
            "enters",
            "Newcomers that the engine was asked for, by its answer",
            self.enters.clone(),
        );
        registry.register(
            "away_admissions",
            "Newcomers that `cluster.away` decided on because the engine did not answer, and whether they were let in",
            self.away.clone(),
        );
        registry.register(
            "reassertions",
            "Managers that were asserted again, because the engine or this node had been away",
            self.reassertions.clone(),
        );
        registry.register(
            "spared",
            "Managers of other nodes that this one chose and that their nodes kept, because they had become active or were pinned",
            self.spared.clone(),
        );
        registry.register(
            "dropped",
            "What was not told to the engine because its queue was full; the next publication or the end of a lease makes up for it",
            self.dropped.clone(),
        );
        registry.register(
            "news",
            "What other nodes told of users: a client that has to stay away, a manager that was displaced or displaced another one, evictions that count to the ration of `force`",
            self.news.clone(),
        );
    }

    pub(super) fn called<T>(&self, call: &'static str, answer: &Result<T, LedgerError>) {
        let outcome = answer.as_ref().map_or_else(outcome, |_| "ok");
        self.calls
            .get_or_create(&CallLabels { call, outcome })
            .inc();
    }

    pub(super) fn entered(&self, answer: &Result<Stamped<EnterAnswer>, LedgerError>) {
        self.called("enter", answer);
        let Ok(answer) = answer else { return };
        let answer = match answer.answer {
            EnterAnswer::Entered { .. } => "entered",
            EnterAnswer::Full { .. } => "full",
            EnterAnswer::Blocked { .. } => "blocked",
            EnterAnswer::Late => "late",
        };
        self.enters.get_or_create(&AnswerLabel { answer }).inc();
    }

    pub(super) fn without(&self, rule: AwayRule, admits: bool) {
        let labels = AwayLabels {
            rule: name(rule),
            admitted: if admits { "yes" } else { "no" },
        };
        self.away.get_or_create(&labels).inc();
    }

    pub(super) fn asserted(&self, managers: usize) {
        self.reassertions
            .inc_by(u64::try_from(managers).unwrap_or(u64::MAX));
    }

    pub(super) fn answered(&self, outcome: NodeOutcome) {
        if outcome == NodeOutcome::Spared {
            self.spared.inc();
        }
    }

    pub(super) fn dropped(&self, queue: &'static str) {
        self.dropped.get_or_create(&QueueLabel { queue }).inc();
    }

    pub(super) fn news(&self, what: NewsKind) {
        let news = match what {
            NewsKind::Banned { .. } => "banned",
            NewsKind::Displaced { .. } => "displaced",
            NewsKind::Forced { .. } => "forced",
            NewsKind::Returned { .. } => "returned",
        };
        self.news.get_or_create(&NewsLabel { news }).inc();
    }

    pub(super) fn next_command(&self) -> u64 {
        self.commands.fetch_add(1, Ordering::Relaxed)
    }
}
