//! What is unusual about a gateway under test.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use wastegate::gateway::identity::{IdentityError, Mode};
use wastegate::gateway::{DevIdentity, Identify, Naming, Reach};
use wastegate::manager::SharedApplication;
use wastegate::observe::config::JournalConfig;
use wastegate_cli::app::{App, AppError};
use wastegate_cli::config::{AdminListener, PolicySource, ProgramConfig};
use wastegate_cli::playground::Playground;
use wastegate_control::admin::NO_TOKEN;
use wastegate_core::decision::{Hold, Take, TierRule, TierTable};
use wastegate_core::types::{Secret, Tier, chain};

use super::server::Server;

/// Who identifies clients. In development mode everybody is believed, whatever host is asked for and
/// whatever proxy speaks: most tests are about something else than who may be at this machine.
///
/// # Errors
/// Whatever the application has to say.
pub fn identify(config: &ProgramConfig) -> Result<Arc<dyn Identify>, IdentityError> {
    if config.identity.mode != Mode::Dev {
        return wastegate_cli::app::identify(config);
    }
    Ok(Arc::new(DevIdentity {
        naming: Naming {
            key: config.identity.key.clone(),
            device: config.identity.device.clone(),
            shared: config.gateway.hands_on(),
        },
        reach: Reach::Anywhere,
    }))
}

/// A gateway that is not started yet.
pub struct Setup {
    config: ProgramConfig,
    application: SharedApplication,
    files: TempDir,
}

impl Default for Setup {
    fn default() -> Self {
        Self::new()
    }
}

impl Setup {
    /// The defaults of the product, except that nothing happens that a test did not ask for: no
    /// temporary slots, no background pass, no ration and no holds of evictions by force, no waiting
    /// at a stop, ports of the system's choice, patience with policies.
    #[must_use]
    pub fn new() -> Self {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut config = ProgramConfig {
            admin: AdminListener::On(any),
            ..ProgramConfig::default()
        };
        config.server.listen = any;
        config.limits.temporary_slots = 0;
        config.gateway.drain_readyz = Duration::ZERO;
        config.gateway.drain_spread = Duration::ZERO;
        config.cleanup.force_per_user_max = 0;
        config.cleanup.displaced = Hold::OFF;
        config.admission.takeovers_max = 0;
        config.cleanup.sweep_interval = Duration::from_secs(3_600);
        config.cleanup.proactive_from = 1_000.0;
        // The wall clock of a busy machine says nothing about a policy; fuel ends it in any case.
        config.policy.deadline = Duration::from_secs(1);
        config.policy.deadline_large = Duration::from_secs(2);
        Self {
            config,
            application: Playground.into(),
            files: TempDir::new().unwrap(),
        }
    }

    /// Everything happens that happens where the product runs: temporary slots, the background pass, rations
    /// and holds.
    #[must_use]
    pub fn as_shipped(self) -> Self {
        self.with(|config| {
            let ProgramConfig {
                limits,
                cleanup,
                admission,
                ..
            } = ProgramConfig::default();
            config.limits = limits;
            config.cleanup = cleanup;
            config.admission = admission;
        })
    }

    /// Changes settings.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut ProgramConfig)) -> Self {
        change(&mut self.config);
        self
    }

    /// Managers that one user may hold.
    #[must_use]
    pub fn limit(self, managers: u32) -> Self {
        self.with(|config| config.limits.managers_per_user = managers)
    }

    /// What still answers is never evicted.
    #[must_use]
    pub fn without_force(self) -> Self {
        self.with(|config| config.cleanup.user_last_tier = Tier::Aggressive)
    }

    /// Peers are found silent, and then dead, within about two seconds instead of minutes.
    #[must_use]
    pub fn impatient(self) -> Self {
        self.with(|config| {
            config.health.ping_interval = Duration::from_millis(400);
            config.health.pong_deadline = Duration::from_millis(300);
            config.health.dead_after = Duration::from_millis(1_500);
            config.connection.close_deadline = Duration::from_millis(300);
            config.cleanup.close_deadline = Duration::from_millis(300);
        })
    }

    /// Who does not answer a Close is cut off soon.
    #[must_use]
    pub fn short_goodbyes(self) -> Self {
        self.with(|config| config.cleanup.close_deadline = Duration::from_millis(200))
    }

    /// Changes the rules of some tiers, and how many more than needed they free.
    #[must_use]
    pub fn tiers(self, reserve: u32, change: impl Fn(Tier, &mut TierRule)) -> Self {
        self.with(|config| {
            let mut rules = config.cleanup.table.rules();
            for (tier, rule) in Tier::ALL.into_iter().zip(&mut rules) {
                change(tier, rule);
            }
            config.cleanup.table = TierTable::new(rules, reserve, false).unwrap();
        })
    }

    /// Only these tiers run, and free so many more than needed.
    #[must_use]
    pub fn only(self, tiers: &[Tier], reserve: u32) -> Self {
        self.tiers(reserve, |tier, rule| rule.enabled = tiers.contains(&tier))
    }

    /// The background pass runs this often, from this occupancy on, and takes all it may.
    #[must_use]
    pub fn proactive(self, from: f64, every: Duration) -> Self {
        self.tiers(1, |tier, rule| {
            if tier == Tier::Proactive {
                rule.take = Take::All;
            }
        })
        .with(|config| {
            config.cleanup.proactive_from = from;
            config.cleanup.sweep_interval = every;
        })
    }

    /// A shipped policy ranks.
    #[must_use]
    pub fn policy(self, name: &str) -> Self {
        self.with(|config| config.ranking.source = PolicySource::Shipped(name.to_owned()))
    }

    /// A policy of these bytes ranks.
    #[must_use]
    pub fn policy_bytes(self, bytes: &[u8]) -> Self {
        let path = self.files.path().join("policy.wasm");
        std::fs::write(&path, bytes).unwrap();
        self.with(|config| config.ranking.source = PolicySource::File(path))
    }

    /// A parameter of the policy.
    #[must_use]
    pub fn param(self, name: &str, value: f64) -> Self {
        self.with(|config| {
            config.ranking.params.insert(name.to_owned(), value);
        })
    }

    /// Decisions are written down; [`Server::stop`] returns them.
    #[must_use]
    pub fn journal(self) -> Self {
        let path = self.files.path().join("decisions.jsonl");
        self.with(|config| config.observe.decisions = Some(JournalConfig::at(path)))
    }

    /// Revisions, which policy is active, and the audit log are kept in this folder. Operators need no token.
    #[must_use]
    pub fn state_dir(self, folder: impl Into<std::path::PathBuf>) -> Self {
        let folder = folder.into();
        self.with(|config| {
            config.rollout.state_dir = Some(folder);
            config.admin_token = Secret::new(NO_TOKEN);
        })
    }

    /// Another application than the playground.
    #[must_use]
    pub fn application(mut self, application: impl Into<SharedApplication>) -> Self {
        self.application = application.into();
        self
    }

    /// Starts it.
    ///
    /// # Panics
    /// If it cannot be put together.
    pub async fn start(self) -> Server {
        self.try_start()
            .await
            .unwrap_or_else(|error| panic!("{}", chain(&error)))
    }

    /// Starts it, or says why not.
    ///
    /// # Errors
    /// Whatever the application has to say.
    pub async fn try_start(self) -> Result<Server, AppError> {
        let Self {
            config,
            application,
            files,
        } = self;
        let identify = identify(&config)?;
        let app = App::build(config, application, identify).await?;
        Ok(Server::run(app, files))
    }
}
