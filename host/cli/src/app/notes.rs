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
use wastegate_core::types::Clock;

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
    pub(super) pseudonyms: Pseudonymizer,
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
            (pseudonyms.clone(), config.observe.log.access),
            node,
            clock.clone(),
            (experiments.clone(), shadows.clone()),
        );
        Ok(Self {
            recording,
            experiments,
            shadows,
            activity,
            pseudonyms,
            threads,
        })
    }
}
