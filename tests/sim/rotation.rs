//! One client too many for an hour: live clients that obey, that hurry, and both.
//!
//! All of them answer all the time, so every eviction is one of a live client. What comes back by
//! itself must not rotate the others for ever: how many go in an hour is bounded by the server.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::tungstenite::protocol::Role;
use wastegate::registry::Permit;
use wastegate::{admission, cleanup, connection, health, manager};
use wastegate_core::types::{DeviceId, ManagerKey, Tier, UserId};

use crate::mind::Mind;
use crate::pipe::{self, Shape};
use crate::rig::Rig;
use crate::rng::Rng;
use crate::run::{Outcome, outcome, virtual_time};
use crate::scenario::{DRAIN, Scenario};
use crate::seen::{Leftovers, Seen};
use crate::truth::Peer;

/// How long they try.
const HOUR: Duration = Duration::from_secs(3_600);
/// Live managers of a user that its returning ones displace in an hour, by `decision::displaced` with
/// the settings as they ship.
const RETURNS_MAX: u64 = 10;
/// Close codes from here on say "not by yourself".
const TERMINAL: u16 = 4_500;

/// What clients do when they are sent away or refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manners {
    /// All do as `docs/protocol.md` asks.
    Obedient,
    /// All come back after a pause of their own, whatever they are told.
    Hasty,
    /// Some of both.
    Mixed,
}

/// What became of an hour.
pub(crate) struct Hour {
    pub(crate) outcome: Outcome,
    /// Live managers that may be evicted in it.
    pub(crate) allowed: u64,
}

/// A user with more clients than places, for an hour.
pub(crate) fn hour(seed: u64, manners: Manners) -> Hour {
    let mut rng = Rng::new(seed);
    let limit = *rng.pick(&[1, 2, 5, 20]);
    let extra = rng.few(1, 3);
    let scenario = as_shipped(seed, limit, &mut rng);
    let returning = if manners == Manners::Obedient {
        0
    } else {
        RETURNS_MAX
    };
    Hour {
        outcome: virtual_time(crowded(scenario, manners, limit + extra, rng)),
        allowed: u64::from(extra) + returning,
    }
}

/// The settings as they ship, but for the limit; temporary slots are there or not.
pub(crate) fn as_shipped(seed: u64, limit: u32, rng: &mut Rng) -> Scenario {
    let mut scenario = Scenario::of(seed);
    scenario.mind = Mind::BuiltIn;
    scenario.manager = manager::Config::default();
    scenario.connection = connection::Config::default();
    scenario.health = health::Config::default();
    scenario.admission = admission::Config::default();
    scenario.cleanup = cleanup::Config::default();
    scenario.limits = wastegate::registry::SlotLimits {
        managers_per_user: limit,
        ..Default::default()
    };
    if rng.chance(50) {
        scenario.limits.temporary_slots = 0;
    }
    scenario.rules.managers_per_user = limit;
    scenario.rules.enabled = Tier::ALL.into_iter().collect();
    scenario.rules.user_last_tier = Tier::Force;
    scenario.rules.node_last_tier = Tier::Aggressive;
    scenario.rules.reserve = 1;
    scenario.rules.keep_one = false;
    scenario.rules.force_rationed = true;
    scenario
}

async fn crowded(scenario: Scenario, manners: Manners, clients: u32, mut rng: Rng) -> Outcome {
    let (seed, told) = (scenario.seed, format!("{manners:?} {scenario:#?}"));
    let rig = Rig::start(scenario);
    for number in 0..clients {
        let client = Reconnecting {
            rig: rig.clone(),
            key: ManagerKey::new(&format!("k{number}")).expect("a fine name"),
            obeys: match manners {
                Manners::Obedient => true,
                Manners::Hasty => false,
                Manners::Mixed => rng.chance(50),
            },
            rng: rng.fork(),
        };
        rig.crew.spawn("client", client.run());
    }
    tokio::time::sleep(HOUR).await;
    rig.crew.stop();
    rig.stop(DRAIN).await;
    let left = Leftovers {
        total: rig.registry.total(),
        users: rig.registry.users().len(),
        tasks: rig.tasks.running(),
        queued: rig.admission.queued(),
        ..Leftovers::default()
    };
    rig.world.see(&Seen::Finished(left));
    outcome(seed, told, rig.world.finish())
}

/// A live client that wants to be in for the whole hour.
struct Reconnecting {
    rig: Arc<Rig>,
    key: ManagerKey,
    obeys: bool,
    rng: Rng,
}

impl Reconnecting {
    async fn run(mut self) {
        let stopping = self.rig.crew.stopping();
        let user = UserId::new("ann").expect("a fine name");
        tokio::select! {
            biased;
            () = stopping.cancelled() => {}
            () = self.reconnect(&user) => {}
        }
    }

    async fn reconnect(&mut self, user: &UserId) {
        loop {
            let wait = match self.rig.enter(user, &self.key).await {
                Ok(permit) => match self.stay(permit).await {
                    Some(code) if self.obeys && code >= TERMINAL => return,
                    _ => Duration::ZERO,
                },
                Err(retry_after) => retry_after,
            };
            // `docs/protocol.md`: what the server says, and a jitter; or just a pause.
            let pause = self.rng.millis(500, 1_500);
            let wait = if self.obeys { wait + pause } else { pause };
            tokio::time::sleep(wait).await;
        }
    }

    /// Answers pings until the server ends it, and with which code.
    async fn stay(&mut self, permit: Permit) -> Option<u16> {
        let (rig, rng) = (&self.rig, &mut self.rng);
        let clock = &rig.world.clock;
        let (up, down) = (rng.millis(1, 30), rng.millis(1, 30));
        let shape = |latency, bytes_max| Shape { latency, bytes_max };
        let (server, end, line) = pipe::line(clock, shape(up, 1 << 20), shape(down, 8 << 10));
        let peer = Peer::new(
            (rig.world.number(), line.taking()),
            up + down,
            rig.scenario.health.probe_deadline,
            clock.now(),
        );
        let device = DeviceId::new("d").expect("a fine name");
        if !rig.attach(permit, device, true, server, &peer) {
            return None;
        }
        let mut socket = WebSocketStream::from_raw_socket(end, Role::Client, None).await;
        let mut code = None;
        while let Some(Ok(frame)) = socket.next().await {
            if let Frame::Close(said) = frame {
                code = said.map(|said| said.code.into());
            }
        }
        peer.change(clock.now(), |state| {
            state.reads = false;
            state.stays = false;
        });
        code
    }
}
