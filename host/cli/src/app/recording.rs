//! What happens to every decision: the journal, the activity stream, the notices, and whoever
//! watches. The one place where the rooms that act meet the rooms that write down.

use std::sync::{Arc, OnceLock};

use tokio::sync::broadcast;

use wastegate::admission::{self, DenialReason};
use wastegate::cleanup::{Decided, Recorder, TierRun, UserPressure, chooser};
use wastegate::gateway::notice::Notice;
use wastegate::gateway::{ConnectionEnd, ConnectionFacts, ConnectionObserver};
use wastegate::health::Round;
use wastegate::observe::activity::{self, ActivitySink};
use wastegate::observe::config::AccessLog;
use wastegate::observe::journal::Journal;
use wastegate::observe::pseudonym::Pseudonymizer;
use wastegate::registry::Registry;
use wastegate_control::experiment::{Experiments, Shadows};
use wastegate_control::history::NodeHistory;
use wastegate_control::quality::{self, Quality};
use wastegate_control::why::Memory;
use wastegate_core::decision::record::{Circumstances, Pseudonyms};
use wastegate_core::decision::{DecisionRecord, PolicyRef, Question, Row, Victim, VictimOutcome};
use wastegate_core::types::time::whole_ms;
use wastegate_core::types::{Clock, Signal, Timestamp, UserId};

/// Events that may wait for a watcher; one that is slower misses the oldest.
const WATCHED_EVENTS_MAX: usize = 1_024;

/// Something that a watcher sees.
#[derive(Debug, Clone)]
pub enum WatchedEvent {
    /// A tier ran.
    Tier {
        /// For whom; none for the node.
        user: Option<UserId>,
        /// What it did.
        run: TierRun,
        /// What its probes found, if it made any.
        round: Option<Round>,
    },
    /// A decision is complete.
    Decided(Arc<Decided>),
    /// A user's pressure level changed.
    Pressure(UserPressure),
}

/// Passes what the gateway reports to the journal, the metrics, the experiments and the shadows.
pub struct Recording {
    decisions: Journal,
    activity: ActivitySink,
    quality: Arc<Quality>,
    why: Arc<Memory>,
    history: Arc<NodeHistory>,
    pseudonyms: Pseudonymizer,
    access: AccessLog,
    node: Arc<str>,
    clock: Clock,
    /// Set once the registry exists: it is built after us.
    registry: OnceLock<Arc<Registry>>,
    experiments: Arc<Experiments>,
    shadows: Arc<Shadows>,
    events: broadcast::Sender<WatchedEvent>,
}

impl Recording {
    /// Takes notes into those journals, for a node of that name.
    #[must_use]
    pub fn new(
        decisions: Journal,
        activity: ActivitySink,
        (pseudonyms, access): (Pseudonymizer, AccessLog),
        node: &str,
        clock: Clock,
        (experiments, shadows): (Arc<Experiments>, Arc<Shadows>),
    ) -> Arc<Self> {
        Arc::new(Self {
            decisions,
            activity,
            quality: Arc::default(),
            why: Arc::new(Memory::new(clock.clone())),
            history: Arc::new(NodeHistory::new(clock.clone())),
            pseudonyms,
            access,
            node: node.into(),
            clock,
            registry: OnceLock::new(),
            experiments,
            shadows,
            events: broadcast::Sender::new(WATCHED_EVENTS_MAX),
        })
    }

    /// Tells whose sockets hear of pressure.
    pub(super) fn connect(&self, registry: Arc<Registry>) {
        // Connected once, when the application is put together.
        let _ = self.registry.set(registry);
    }

    /// What came of evictions and admissions.
    #[must_use]
    pub const fn quality(&self) -> &Arc<Quality> {
        &self.quality
    }

    /// What happened to users lately.
    #[must_use]
    pub const fn why(&self) -> &Arc<Memory> {
        &self.why
    }

    /// The node over the last day.
    #[must_use]
    pub const fn history(&self) -> &Arc<NodeHistory> {
        &self.history
    }

    /// Watches everything that happens from now on.
    #[must_use]
    pub fn watch(&self) -> broadcast::Receiver<WatchedEvent> {
        self.events.subscribe()
    }

    /// Writes down which victims turned out to have been alive.
    fn note_ends(&self, decided: &Decided) {
        let (now, decision) = (self.clock.now(), decided.question.decision);
        for (victim, outcome) in decided.plan.victims().iter().zip(&decided.outcomes) {
            let event = match outcome {
                VictimOutcome::Echoed { .. } => activity::ActivityEvent::Echo { decision },
                VictimOutcome::Gone | VictimOutcome::Aborted => {
                    activity::ActivityEvent::Silent { decision }
                }
                VictimOutcome::Spared
                | VictimOutcome::Elsewhere
                | VictimOutcome::Released
                | VictimOutcome::Undecided => {
                    continue;
                }
            };
            let Victim {
                manager, user, key, ..
            } = victim;
            self.activity.record(now, *manager, user, key, None, event);
        }
    }

    fn report(&self, event: WatchedEvent) {
        // Nobody has to watch.
        let _ = self.events.send(event);
    }
}

impl Recorder for Recording {
    fn tier_ran(&self, user: Option<&UserId>, run: &TierRun, round: Option<Round>) {
        if run.eligible > 0 && run.freed == 0 {
            self.quality.freed_nothing();
        }
        if let Some(user) = user.filter(|_| run.eligible > 0) {
            self.experiments.tier_ran(user, run.freed == 0);
        }
        self.report(WatchedEvent::Tier {
            user: user.cloned(),
            run: *run,
            round,
        });
    }

    fn evicted(&self, question: &Question, victim: &Victim, by: &PolicyRef) {
        let row = question.rows.get(victim.row as usize);
        let device = row.map_or(0.0, |row| row.signals[Signal::DeviceClass]);
        self.quality
            .evicted(self.clock.now(), of(victim, by), code(device));
        self.experiments.evicted(&victim.user);
        tracing::info!(
            tier = question.tier.name(),
            class = victim.class.name(),
            manager = %victim.manager,
            decision = %question.decision,
            reason = victim.reason,
            "evicted"
        );
    }

    fn decided(&self, decided: Decided) {
        let decided = Arc::new(decided);
        self.note_ends(&decided);
        self.why.decided(&decided);
        self.history.decided(&decided);
        for (victim, &outcome) in decided.plan.victims().iter().zip(&decided.outcomes) {
            let by = chooser(&decided.answer, victim);
            self.quality.ended(of(victim, &by), outcome);
            self.experiments.ended(&victim.user, outcome);
            self.shadows.ended(victim.manager, outcome);
        }
        if decided.answer.experiment.is_some()
            && let Some(row) = decided.question.rows.first()
        {
            let by_built_in = decided.answer.outcome.is_err();
            self.experiments.decided(&row.user, by_built_in);
        }
        if self.decisions.is_enabled() {
            let circumstances = Circumstances {
                unix_ms: self.clock.unix_ms(decided.question.now),
                node: self.node.clone(),
                engine: wastegate_engine::policy::engine::ENGINE_VERSION,
            };
            let Decided {
                question,
                answer,
                plan,
                outcomes,
            } = &*decided;
            let record = DecisionRecord::new(
                question,
                answer,
                plan,
                outcomes,
                circumstances,
                &Names(&self.pseudonyms),
            );
            // What the journal could not take it counts, and says so in its own gap.
            let _ = self.decisions.write(&record);
        }
        self.report(WatchedEvent::Decided(decided));
    }

    fn pressure_changed(&self, pressure: &UserPressure) {
        self.why.pressure(pressure);
        let notice = Notice::Pressure {
            level: pressure.change.to.name(),
            held: pressure.held,
            limit: pressure.limit,
        };
        let managers = self
            .registry
            .get()
            .map(|registry| registry.of(&pressure.user));
        for manager in managers.unwrap_or_default() {
            for port in manager.ports() {
                notice.send(&port, pressure.change.at);
            }
        }
        tracing::debug!(
            from = pressure.change.from.name(),
            to = pressure.change.to.name(),
            "pressure"
        );
        self.report(WatchedEvent::Pressure(pressure.clone()));
    }
}

impl admission::AdmissionObserver for Recording {
    fn ended(&self, ended: admission::AdmissionEnd<'_>) {
        let (quality, experiments) = (&self.quality, &self.experiments);
        self.why.admission(&ended);
        self.history.admission(&ended);
        if ended.refused.is_some_and(DenialReason::is_operators) {
            // It says nothing of limits and policies.
            return;
        }
        if let Some((evicted, away_ms)) = quality.wanted(ended.at, ended.user, ended.key) {
            experiments.returned(ended.user, evicted, away_ms);
            self.shadows.returned(ended.user, ended.key, away_ms);
        }
        let refused = ended.refused.is_some();
        quality.admission(ended.user, ended.took, ended.triggered, refused);
        experiments.admission(ended.user, ended.took, ended.triggered, refused);
    }
}

impl ConnectionObserver for Recording {
    fn attached(&self, connection: &ConnectionFacts<'_>, at: Timestamp) {
        self.why.attached(connection, at);
        self.history.attached();
    }

    fn ended(&self, connection: &ConnectionFacts<'_>, end: &ConnectionEnd) {
        self.why.ended(connection, end);
        self.history.ended();
        let (user, manager) = match self.access {
            AccessLog::Off => return,
            AccessLog::Plain => (connection.user.to_string(), connection.key.to_string()),
            AccessLog::Hashed => {
                let (user, key) = (connection.user, connection.key);
                let manager = self.pseudonyms.manager(user, key);
                (self.pseudonyms.user(user).to_string(), manager.to_string())
            }
        };
        tracing::info!(
            user,
            manager,
            connection = %connection.connection,
            from = connection.from.map(tracing::field::display),
            code = end.told.map(|(code, _)| code),
            reason = end.report.reason.name(),
            lasted_ms = whole_ms(end.lasted),
            bytes_in = end.bytes.0,
            bytes_out = end.bytes.1,
            "connection ended"
        );
    }
}

fn of<'a>(victim: &'a Victim, policy: &'a PolicyRef) -> quality::RankedVictim<'a> {
    quality::RankedVictim {
        policy,
        user: &victim.user,
        key: &victim.key,
        manager: victim.manager,
        class: victim.class,
    }
}

/// A code as a signal carries it, as the small whole number that it is.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "codes are small; what is unknown becomes 0, which is that"
)]
fn code(signal: f64) -> u8 {
    signal as u8
}

struct Names<'a>(&'a Pseudonymizer);

impl Pseudonyms for Names<'_> {
    fn user(&self, user: &UserId) -> String {
        self.0.user(user).to_string()
    }

    fn manager(&self, row: &Row) -> String {
        self.0.manager(&row.user, &row.key).to_string()
    }
}
