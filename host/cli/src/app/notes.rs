//! Everything that writes down, opened: journals, the activity stream, experiments.

use std::sync::Arc;

use super::error::AppError;
use super::policies::Policies;
use super::recording::Recording;
use super::{experiments, key};
use crate::config::ProgramConfig;
use wastegate::observe::activity::ActivitySink;
use wastegate::observe::config::JournalConfig;
use wastegate::observe::journal::{Journal, JournalThread};
use wastegate::observe::metrics::MetricsRegistry;
use wastegate::observe::pseudonym::Pseudonymizer;
use wastegate_control::experiment::{Experiments, Shadows};
use wastegate_core::decision::LendOrder;
use wastegate_core::types::Clock;
use wastegate_core::types::time::whole_ms;

/// By which rules everything comes about, for whoever reads the activity stream later.
pub(super) fn rules(config: &ProgramConfig, policies: &Policies) -> serde_json::Value {
    let active = policies.catalog.current();
    let about = active.as_ref().map(|policy| policy.about());
    serde_json::json!({
        "wastegate": env!("CARGO_PKG_VERSION"),
        "node": config.server.node,
        "managers_per_user": config.limits.managers_per_user,
        "reserve": config.cleanup.table.reserve,
        "keep_one": config.cleanup.table.keep_one,
        "last_tier": config.cleanup.user_last_tier,
        "proactive_from": config.cleanup.proactive_from,
        "attach_grace_ms": whole_ms(config.manager.attach_grace),
        "reconnect_grace_ms": whole_ms(config.manager.reconnect_grace),
        "ping_interval_ms": whole_ms(config.health.ping_interval),
        "pong_deadline_ms": whole_ms(config.health.pong_deadline),
        "dead_after_ms": whole_ms(config.health.dead_after),
        "temporary_slots": config.limits.temporary_slots,
        "temporary_slots_for_ms": whole_ms(config.limits.temporary_slots_for),
        "temporary_slots_cool_down_ms": whole_ms(config.limits.temporary_slots_cool_down),
        "temporary_slots_after_force":
            config.limits.temporary_slots_order == LendOrder::AfterForce,
        "displaced_hold_ms": whole_ms(config.cleanup.displaced.first),
        "displaced_hold_max_ms": whole_ms(config.cleanup.displaced.max),
        "force_per_user_max": config.cleanup.force_per_user_max,
        "force_window_ms": whole_ms(config.cleanup.force_window),
        "policy": about,
    })
}

/// The key of the file of decisions.
pub(super) const DECISIONS: &str = "observe.decisions.path";
/// The key of the file of activity.
pub(super) const ACTIVITY: &str = "observe.activity.path";

/// Everything that writes down.
pub(super) struct Notes {
    pub(super) recording: Arc<Recording>,
    pub(super) experiments: Arc<Experiments>,
    pub(super) shadows: Arc<Shadows>,
    pub(super) activity: ActivitySink,
    pub(super) threads: Vec<JournalThread>,
}

impl Notes {
    pub(super) async fn open(
        config: &ProgramConfig,
        policies: &Policies,
        clock: &Clock,
        metrics: &mut MetricsRegistry,
    ) -> Result<Self, AppError> {
        let pseudonyms = Pseudonymizer::new(key::of(config)?);
        let (experiments, shadows) =
            experiments::open(config, policies, clock, &pseudonyms).await?;
        let mut threads = Vec::new();
        let mut open = |journal: Option<&JournalConfig>, room, key| -> Result<Journal, AppError> {
            let Some(journal) = journal else {
                return Ok(Journal::disabled());
            };
            let (journal, thread) = Journal::open(journal, clock.clone())
                .map_err(|source| AppError::Journal { key, source })?;
            journal.register(metrics.room(room));
            threads.push(thread);
            Ok(journal)
        };
        let decisions = open(config.observe.decisions.as_ref(), "decisions", DECISIONS)?;
        let activity = open(config.observe.activity.as_ref(), "activity", ACTIVITY)?;
        let activity = ActivitySink::new(activity, pseudonyms.clone(), clock.clone());
        let node = &config.server.node;
        let recording = Recording::new(
            decisions,
            activity.clone(),
            pseudonyms,
            node,
            clock.clone(),
            (experiments.clone(), shadows.clone()),
        );
        Ok(Self {
            recording,
            experiments,
            shadows,
            activity,
            threads,
        })
    }
}
