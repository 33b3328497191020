//! Starts with sources that say the same as before, something else, or nothing.

mod away;
mod registry;
mod returning;

use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;

use super::*;
use wastegate_control::rollout::Actor;
use wastegate_control::rollout::audit::What;
use wastegate_control::rollout::service::Activation;
use wastegate_core::types::Tier;
use wastegate_engine::policy::load::digest;

/// How long anything may take that is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// A state directory and a watched directory.
struct World {
    state: TempDir,
    place: TempDir,
}

/// Policies that are looked after as in a server.
struct Running {
    policies: Policies,
    tasks: Tasks,
}

/// A shipped policy in other bytes: with a section that no reader uses.
fn variant(name: &str, number: u8) -> Vec<u8> {
    let mut table = shipped::table().iter();
    let (_, bytes) = table.find(|(known, _)| *known == name).unwrap();
    [*bytes, &[0, 3, 1, b'v', number]].concat()
}

impl World {
    fn new() -> Self {
        let (state, place) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        Self { state, place }
    }

    /// A server that ranks by a name, keeps state, and looks at the directory.
    fn named(&self, name: &str) -> ProgramConfig {
        let mut config = ProgramConfig::default();
        config.ranking.source = PolicySource::Shipped(name.to_owned());
        config.rollout.state_dir = Some(self.state.path().join("state"));
        config.sources.directory.path = Some(self.place.path().to_owned());
        config.sources.directory.rescan = Duration::from_millis(50);
        // The wall clock of a busy machine says nothing about a policy.
        config.policy.deadline = Duration::from_secs(1);
        config.policy.deadline_large = Duration::from_secs(2);
        config
    }

    fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(format!("{name}.wasm"))
    }

    fn put(&self, name: &str, bytes: &[u8]) {
        let new = self.place.path().join(".new");
        std::fs::write(&new, bytes).unwrap();
        std::fs::rename(new, self.path(name)).unwrap();
    }

    fn take_away(&self, name: &str) {
        std::fs::remove_file(self.path(name)).unwrap();
    }
}

async fn build(config: &ProgramConfig) -> Result<Policies, AppError> {
    Policies::build(config, &Clock::system(), &mut MetricsRegistry::new()).await
}

async fn start(config: &ProgramConfig) -> Running {
    let policies = build(config).await;
    let policies = policies.unwrap_or_else(|error| panic!("{}", chain(&error)));
    let tasks = Tasks::new();
    policies.start(&Supervisor::default(), &tasks);
    Running { policies, tasks }
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let holds = async {
        let mut often = tokio::time::interval(Duration::from_millis(10));
        while !condition() {
            often.tick().await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, holds).await;
    assert!(waited.is_ok(), "{what}");
}

impl Running {
    /// The digest of what is active at a tier; none for the built-in ranking.
    fn at(&self, tier: Tier) -> Option<String> {
        let ledger = self.policies.rollout.ledger();
        let active = ledger.active(tier)?;
        Some(ledger.revision(active).unwrap().digest.clone())
    }

    /// Whether these bytes are active at every tier.
    fn ranks_by(&self, bytes: &[u8]) -> bool {
        let wanted = digest(bytes);
        Tier::ALL
            .iter()
            .all(|tier| self.at(*tier).as_deref() == Some(&*wanted))
    }

    async fn comes_to(&self, bytes: &[u8]) {
        until("other bytes active", || self.ranks_by(bytes)).await;
    }

    /// Waits until all that lies in the directory was looked at: files are dealt with in the order of their
    /// names, and this one comes last.
    async fn has_looked(&self, world: &World, number: u8) {
        let bytes = variant("scaled-idle-timeout", number);
        world.put("scaled-idle-timeout", &bytes);
        let wanted = digest(&bytes);
        until("the last file of a look", || {
            let ledger = self.policies.rollout.ledger();
            ledger.revisions().any(|known| *known.digest == *wanted)
        })
        .await;
    }

    async fn roll_back(&self, tier: Option<Tier>) {
        let activation = Activation {
            tier,
            ..Activation::default()
        };
        let operator = Actor::operator(Some("ann"), None);
        self.policies
            .rollout
            .rollback(activation, operator)
            .await
            .unwrap();
    }

    /// What the audit log says of falling back, all in one text.
    fn fell_back(&self) -> String {
        let entries = self.policies.rollout.audit().recent(0, 1_000);
        let report = entries
            .iter()
            .filter(|entry| entry.note.what == What::FellBack);
        report
            .map(|entry| entry.note.reason.clone() + "\n")
            .collect()
    }

    async fn stop(self) {
        self.tasks.stop();
        assert!(self.tasks.wait(PATIENCE).await);
        let rollout = Arc::downgrade(&self.policies.rollout);
        drop(self.policies);
        until("the state directory is free", || {
            rollout.strong_count() == 0
        })
        .await;
    }
}
