//! The gateway of the story, and beside it a plain limit: the same gateway without a tier.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::{DemoError, Options, PATIENCE};
use crate::app::{App, WatchedEvent};
use crate::config::{AdminListener, ProgramConfig};
use crate::playground::Playground;
use wastegate::gateway::DevIdentity;
use wastegate::manager::{NoApplication, SharedApplication};
use wastegate::tasks::Tasks;
use wastegate_core::decision::TierTable;
use wastegate_core::types::time::whole_ms;

/// How long a gateway of the story waits for its clients when it ends.
const CLEARED_WITHIN: Duration = Duration::from_secs(1);

/// What happens at the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AtTheLimit {
    /// Room is made, tier by tier.
    Tiers,
    /// The newcomer is refused, as by a server that only counts.
    Refusal,
}

/// A gateway that serves.
pub(super) struct Stage {
    pub(super) address: SocketAddr,
    pub(super) events: broadcast::Receiver<WatchedEvent>,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<bool>,
}

impl Stage {
    /// Starts a gateway on a free port.
    pub(super) async fn set(options: &Options, limit: AtTheLimit) -> Result<Self, DemoError> {
        let mut config = ProgramConfig {
            admin: AdminListener::Off,
            ..ProgramConfig::default()
        };
        config.server.listen.set_port(0);
        config.limits.managers_per_user = options.managers;
        // The story is about the tiers: what is lent for a while would end it before the last of them.
        config.limits.temporary_slots = 0;
        // No balancer looks at it, and no client has to come back.
        config.gateway.drain_readyz = Duration::ZERO;
        config.gateway.drain_spread = Duration::ZERO;
        config.gateway.drain = CLEARED_WITHIN;
        config.gateway.upstream = options.upstream.iter().cloned().collect();
        if limit == AtTheLimit::Refusal {
            let table = &config.cleanup.table;
            let rules = table.rules().map(|mut rule| {
                rule.enabled = false;
                rule
            });
            config.cleanup.table = TierTable::new(rules, table.reserve, table.keep_one)?;
        }
        let application: SharedApplication = match options.upstream {
            None => Playground.into(),
            Some(_) => NoApplication.into(),
        };
        let app = App::build(config, application, Arc::new(DevIdentity::default())).await?;
        let address = app.address()?;
        let events = app.core().recording().watch();
        let (stop, stopped) = oneshot::channel::<()>();
        // Not one of the gateway's own tasks: it waits for those to end.
        let serving = Tasks::new().spawn("demo-server", async move {
            // Dropped or sent: either way it is time to stop.
            app.run(async { drop(stopped.await) }).await
        });
        Ok(Self {
            address,
            events,
            stop,
            serving,
        })
    }

    /// Ends it. Its clients have gone before.
    pub(super) async fn clear(self) -> Result<(), DemoError> {
        drop(self.stop);
        timeout(PATIENCE, self.serving)
            .await
            .map_err(|_| DemoError::Waited("the gateway to stop"))?
            .ok();
        Ok(())
    }
}

/// How a newcomer fared at a plain limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct PlainLimit {
    /// Whether it was let in.
    pub admitted: bool,
    /// How long the answer took, ms.
    pub answer_ms: u64,
    /// How many of the slots clients held that were gone.
    pub held_by_silent: u32,
}

impl PlainLimit {
    pub(super) fn of(admitted: bool, took: Duration, silent: u32) -> Self {
        Self {
            admitted,
            answer_ms: whole_ms(took),
            held_by_silent: silent,
        }
    }
}
