//! One run: a seed becomes a crowd in front of a gateway, on virtual time, to the end and after.

use std::sync::Arc;
use std::time::Duration;

use wastegate::health;
use wastegate::manager::{ECHO_DEADLINES, Message};

use crate::check::Violation;
use crate::crowd::{self, Tabs};
use crate::rig::{CHATTER_BYTES, CHATTER_PAUSE, Rig};
use crate::rng::Rng;
use crate::scenario::{Chatter, DRAIN, Ending, Scenario};
use crate::seen::{Leftovers, Seen};
use crate::tally::Tally;
use crate::world::Record;

/// How often the counts are looked at while nothing else happens.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(25);
/// Last observations that are shown of a run that failed.
const LAST_EVENTS: usize = 60;

/// What became of a seed.
pub(crate) struct Outcome {
    pub(crate) seed: u64,
    pub(crate) scenario: String,
    pub(crate) log: Vec<String>,
    pub(crate) observations: u64,
    pub(crate) tally: Tally,
    pub(crate) violations: Vec<Violation>,
}

/// Runs a seed.
pub(crate) fn run(seed: u64) -> Outcome {
    run_of(Scenario::of(seed))
}

/// The same of a scenario.
pub(crate) fn run_of(scenario: Scenario) -> Outcome {
    virtual_time(simulate(scenario))
}

/// Runs something whose time is nobody's but its, to the end.
pub(crate) fn virtual_time(run: impl Future<Output = Outcome>) -> Outcome {
    virtual_time_of(run)
}

/// The same of whatever it comes to.
pub(crate) fn virtual_time_of<T>(run: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime on virtual time");
    runtime.block_on(run)
}

async fn simulate(scenario: Scenario) -> Outcome {
    let (seed, told, mut rng) = (
        scenario.seed,
        format!("{scenario:#?}"),
        scenario.rng.clone(),
    );
    let (users, lasting) = (scenario.crowd.users, scenario.crowd.lasting);
    let rig = Rig::start(scenario);
    rig.crew.spawn("sampler", sampler(rig.clone()));
    rig.crew.spawn("prober", prober(rig.clone(), rng.fork()));
    if rig.scenario.chatter == Some(Chatter::Application) {
        rig.crew.spawn("chatter", chatter(rig.clone()));
    }
    let mut everybody = Vec::new();
    for number in 1..=users {
        let tabs = Arc::<Tabs>::default();
        everybody.push(tabs.clone());
        rig.crew
            .spawn("user", crowd::user(rig.clone(), number, tabs, rng.fork()));
    }
    tokio::time::sleep(lasting).await;
    let mut left = Leftovers::default();
    if rig.scenario.ending == Ending::EverybodyLeaves {
        left.unattended = everybody_leaves(&rig, &everybody).await;
    }
    rig.crew.stop();
    rig.stop(DRAIN).await;
    left.total = rig.registry.total();
    left.users = rig.registry.users().len();
    left.tasks = rig.tasks.running();
    left.queued = rig.admission.queued();
    rig.world.see(&Seen::Finished(left));
    everybody.iter().for_each(|tabs| tabs.cut_all());
    outcome(seed, told, rig.world.finish())
}

/// What a run came to.
pub(crate) fn outcome(seed: u64, scenario: String, record: Record) -> Outcome {
    Outcome {
        seed,
        scenario,
        log: record.log,
        observations: record.observations,
        tally: record.tally,
        violations: record.violations,
    }
}

/// Breaks every transport and waits until the gateway must have noticed. Returns how many managers
/// it kept.
async fn everybody_leaves(rig: &Rig, everybody: &[Arc<Tabs>]) -> u32 {
    let scenario = &rig.scenario;
    // Whoever is on the way in or waits comes to an end first, and then finds nobody.
    let on_the_way = scenario.admission.budget + scenario.admission.queue_wait;
    for _ in 0..2 {
        everybody.iter().for_each(|tabs| tabs.cut_all());
        tokio::time::sleep(on_the_way + Duration::from_secs(15)).await;
    }
    let graces = scenario.manager.attach_grace + scenario.manager.reconnect_grace;
    let sweeps = scenario.cleanup.sweep_interval * 2;
    tokio::time::sleep(graces + sweeps + scenario.connection.close_deadline * ECHO_DEADLINES).await;
    rig.registry.total()
}

async fn sampler(rig: Arc<Rig>) {
    let stopping = rig.crew.stopping();
    while !stopping.is_cancelled() {
        rig.world.sample();
        tokio::time::sleep(SAMPLE_INTERVAL).await;
    }
}

/// Sends to everybody all the time.
async fn chatter(rig: Arc<Rig>) {
    let stopping = rig.crew.stopping();
    let message = Message::Text("x".repeat(CHATTER_BYTES).into());
    while !stopping.is_cancelled() {
        for manager in rig.registry.all() {
            manager.broadcast(&message, None);
        }
        tokio::time::sleep(CHATTER_PAUSE).await;
    }
}

/// An operator who has everybody probed now and then.
async fn prober(rig: Arc<Rig>, mut rng: Rng) {
    let (stopping, clock) = (rig.crew.stopping(), rig.world.clock.clone());
    while !stopping.is_cancelled() {
        tokio::time::sleep(rng.millis(5_000, 30_000)).await;
        let (everybody, start) = (rig.registry.all(), clock.now());
        health::probe_round(&everybody, &clock, &rig.scenario.health).await;
        let (managers, took) = (everybody.len(), clock.now().since(start));
        rig.world.see(&Seen::Probed { managers, took });
    }
}

impl Outcome {
    /// What a person needs who has to find out why.
    pub(crate) fn report(&self) -> String {
        let first = self.violations.first().map(|one| one.at);
        let stamp = |at: wastegate_core::types::Timestamp| format!("{:>9} ms", at.millis());
        let until = first.map(stamp).unwrap_or_default();
        let known = self
            .log
            .partition_point(|line| line.get(..until.len()).unwrap_or("") <= until.as_str());
        let from = known.saturating_sub(LAST_EVENTS);
        let mut text = format!("seed {} broke a promise\n{}\n", self.seed, self.scenario);
        for violation in self.violations.iter().take(10) {
            text += &format!("  {violation}\n");
        }
        text += &format!(
            "  ({} in all)\nthe last events before the first:\n",
            self.violations.len()
        );
        for line in self.log.iter().take(known).skip(from) {
            text += &format!("  {line}\n");
        }
        text += &format!(
            "repeat it with\n  WASTEGATE_SIM_SEED={} cargo test -p wastegate-tests --test simulation -- --nocapture seeds\n",
            self.seed
        );
        text
    }
}
