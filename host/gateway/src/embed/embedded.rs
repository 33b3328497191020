//! A gateway that is put together: started, given other settings, stopped.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRef;
use wastegate_core::types::Clock;

use super::drain::Drain;
use super::{BuildError, Settings};
use crate::admission::Admission;
use crate::cleanup::Cleaner;
use crate::cluster::ClusterNode;
use crate::connection::ConnectionContext;
use crate::gateway::{self, Gateway, Identifiers};
use crate::health;
use crate::registry::Registry;
use crate::tasks::{Supervisor, Tasks};

/// Between two looks at how many log lines were left out.
const LEFT_OUT_REPORT_EVERY: Duration = Duration::from_secs(1);

/// A gateway, connected.
#[derive(Clone)]
#[non_exhaustive]
pub struct Embedded {
    /// What answers requests; its `upgrade` is an axum handler.
    pub gateway: Arc<Gateway>,
    /// Which managers there are.
    pub registry: Arc<Registry>,
    /// The cleanup of this gateway.
    pub cleaner: Arc<Cleaner>,
    /// What lets upgrades in.
    pub admission: Arc<Admission>,
    /// What all connections share: limits, clock, faults.
    pub session: Arc<ConnectionContext>,
    /// How verdicts on peers are made.
    pub health: health::Config,
    /// Where moments come from.
    pub clock: Clock,
    /// The group of tasks that connections run in.
    pub tasks: Tasks,
    /// What keeps the background workers running.
    pub supervisor: Supervisor,
    /// This node as one of its cluster, if it is in one.
    pub cluster: Option<Arc<ClusterNode>>,
    /// What it was built with, for checks of what replaces a part.
    pub(super) settings: Arc<Settings>,
}

/// An [`Embedded`] as the state of a router: handlers may take an [`Upgrade`](gateway::Upgrade).
impl FromRef<Embedded> for Arc<Gateway> {
    fn from_ref(embedded: &Embedded) -> Self {
        embedded.gateway.clone()
    }
}

impl Embedded {
    /// Starts the background work: the proactive cleanup, looks at backends, and what is told once a second.
    /// Admission works without it.
    pub fn start(&self) {
        if let Some(cluster) = &self.cluster {
            cluster.start(&self.supervisor);
        }
        self.cleaner.start();
        let gateway = self.gateway.clone();
        #[cfg(feature = "upstream")]
        self.supervisor.run(&self.tasks, "upstreams", {
            let gateway = gateway.clone();
            move || gateway.clone().watch_upstreams()
        });
        self.supervisor.run(&self.tasks, "left-out", move || {
            let gateway = gateway.clone();
            async move {
                loop {
                    tokio::time::sleep(LEFT_OUT_REPORT_EVERY).await;
                    gateway.report_left_out();
                    crate::observe::logging::report_left_out();
                }
            }
        });
    }

    /// Answers requests by other settings of the gateway from now on; connections that are there stay as they
    /// are. The certificate's files stay too, as does what the other rooms were built with: how many
    /// connections there may be, and how long a manager waits for its client (`upstream_grace`).
    ///
    /// # Errors
    /// [`BuildError`] with what to mend, as at the start; nothing changed.
    pub fn replace(
        &self,
        config: gateway::Config,
        identify: &Identifiers,
        expiry_grace: Duration,
    ) -> Result<(), BuildError> {
        let settings = Settings {
            gateway: config,
            expiry_grace,
            ..Settings::clone(&self.settings)
        };
        let faults = settings.faults();
        if !faults.is_empty() {
            return Err(BuildError::Settings(faults));
        }
        let config = settings.gateway;
        self.gateway.replace(config, identify, expiry_grace)?;
        Ok(())
    }

    /// Takes no new connection any more, closes managers a part at a time (`gateway.drain_spread`), and waits
    /// for what is open, at most for `gateway.drain`. True if everything ended by itself.
    pub async fn stop(&self) -> bool {
        let config = self.gateway.config();
        self.tasks.stop();
        let drain = Drain {
            registry: &self.registry,
            tasks: &self.tasks,
            clock: &self.clock,
            spread: config.drain_spread,
            within: config.drain,
        };
        let drained = drain.run().await;
        if let Some(cluster) = &self.cluster {
            cluster.leave().await;
        }
        if !drained {
            tracing::warn!(
                tasks = self.tasks.running(),
                "did not end within the drain time"
            );
        }
        drained
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embed::Builder;
    use crate::manager::NoApplication;

    #[tokio::test]
    async fn what_a_start_refuses_a_replacement_refuses_and_changes_nothing() {
        let embedded = Builder::new(NoApplication).build().unwrap();
        let replace = |drain| {
            let config = gateway::Config {
                drain,
                ..gateway::Config::default()
            };
            embedded.replace(config, &Identifiers::default(), Duration::ZERO)
        };
        replace(Duration::from_secs(7)).unwrap();
        let day = Duration::from_secs(86_400);
        let fault = replace(day).unwrap_err().to_string();
        assert!(fault.starts_with("`gateway.drain_ms`: "), "{fault}");
        assert_eq!(embedded.gateway.config().drain, Duration::from_secs(7));
    }
}
