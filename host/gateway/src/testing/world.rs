//! A whole gateway but for its network: registry, cleaner, admission.

use std::sync::{Arc, Weak};
use std::time::Duration;

use super::notes::Notes;
use super::peer::{self, Client, Peer};
use crate::admission::{self, Admission, Admitted, Denied};
use crate::cleanup::{self, Cleaner, CleanerParts, PressureBook};
use crate::health;
use crate::manager::{self, Application, Manager, Message, Port, SharedApplication, Surroundings};
use crate::observe::activity::ActivitySink;
use crate::registry::{Entrance, Permit, Registry, SlotLimits};
use crate::tasks::{Supervisor, Tasks};
use wastegate_core::decision::builtin::BuiltIn;
use wastegate_core::decision::{Hold, Ranker};
use wastegate_core::types::{Clock, CloseReason, DeviceId, ManagerKey, Tier, UserId};

/// An application that takes every message and says nothing.
pub(crate) struct Silent;

impl Application for Silent {
    async fn message(&self, _: &Arc<Manager>, _: manager::Peer, _: Message) {}
}

/// What a world is made of. No temporary slots, no ration and no holds unless asked for.
pub(crate) struct Setup {
    pub(crate) limits: SlotLimits,
    pub(crate) manager: manager::Config,
    pub(crate) health: health::Config,
    pub(crate) cleanup: cleanup::Config,
    pub(crate) admission: admission::Config,
    pub(crate) ranker: Arc<dyn Ranker>,
    pub(crate) application: SharedApplication,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            limits: SlotLimits {
                temporary_slots: 0,
                ..SlotLimits::default()
            },
            manager: manager::Config::default(),
            health: health::Config::default(),
            cleanup: cleanup::Config {
                force_per_user_max: 0,
                displaced: Hold::OFF,
                ..cleanup::Config::default()
            },
            admission: admission::Config::default(),
            ranker: Arc::new(BuiltIn),
            application: Silent.into(),
        }
    }
}

impl Setup {
    /// With that limit of managers a user.
    pub(crate) fn of_limit(managers_per_user: u32) -> Self {
        let mut setup = Self::default();
        setup.limits.managers_per_user = managers_per_user;
        setup
    }

    /// With that ranker.
    pub(crate) fn ranked_by(mut self, ranker: impl Ranker) -> Self {
        self.ranker = Arc::new(ranker);
        self
    }

    /// With that last tier for users, e.g. to switch `force` off.
    pub(crate) fn up_to(mut self, tier: Tier) -> Self {
        self.cleanup.user_last_tier = tier;
        self
    }

    /// Puts it together.
    pub(crate) fn build(self) -> World {
        let (clock, tasks, notes) = (Clock::system(), Tasks::new(), Arc::new(Notes::default()));
        let surroundings = Surroundings::new(
            clock.clone(),
            self.manager,
            self.application,
            ActivitySink::disabled(),
        );
        let registry = Registry::new(
            self.limits,
            self.health.clone(),
            surroundings,
            tasks.clone(),
        );
        let cleaner = Cleaner::new(CleanerParts {
            registry: registry.clone(),
            ranker: self.ranker,
            recorder: notes.clone(),
            clock: clock.clone(),
            config: self.cleanup,
            health: self.health.clone(),
            tasks: tasks.clone(),
            supervisor: Supervisor::default(),
            pressure: PressureBook::default(),
            seed: 7,
            cluster: None,
        });
        let admission = Admission::new(
            registry.clone(),
            cleaner.clone(),
            clock.clone(),
            self.admission,
        );
        World {
            clock,
            registry,
            cleaner,
            admission,
            notes,
            tasks,
            health: self.health,
        }
    }
}

/// A gateway without a network.
pub(crate) struct World {
    pub(crate) clock: Clock,
    pub(crate) registry: Arc<Registry>,
    pub(crate) cleaner: Arc<Cleaner>,
    pub(crate) admission: Arc<Admission>,
    pub(crate) notes: Arc<Notes>,
    pub(crate) tasks: Tasks,
    pub(crate) health: health::Config,
}

impl World {
    /// A slot of the registry, without asking admission.
    pub(crate) fn permit(&self, name: &str, number: usize) -> Permit {
        match self
            .registry
            .enter(&user(name), &key(number), self.clock.now())
        {
            Entrance::Open(permit) => permit,
            full => panic!("{full:?}"),
        }
    }

    /// Turns a permit into a connection whose far end behaves like that.
    pub(crate) fn attach(&self, permit: Permit, peer: Peer) -> Client {
        self.attach_as("device", permit, peer)
    }

    /// The same from a device of that name.
    pub(crate) fn attach_as(&self, device: &str, permit: Permit, peer: Peer) -> Client {
        let device = DeviceId::new(device).unwrap();
        let port = Port::new(device, 1_000, false, Weak::new(), self.clock.now());
        let manager = permit.manager().unwrap().clone();
        let attachment = permit.attach(port.clone()).unwrap();
        self.tasks
            .spawn("peer", peer::run(peer, attachment, self.clock.clone()));
        Client { port, manager }
    }

    /// A connection whose far end behaves like that.
    pub(crate) fn connect(&self, name: &str, number: usize, peer: Peer) -> Client {
        self.attach(self.permit(name, number), peer)
    }

    /// Managers whose clients answer, or not.
    pub(crate) fn fill(
        &self,
        name: &str,
        numbers: std::ops::Range<usize>,
        peer: Peer,
    ) -> Vec<Client> {
        numbers
            .map(|number| self.connect(name, number, peer))
            .collect()
    }

    /// Managers whose clients answer.
    pub(crate) fn healthy(&self, name: &str, numbers: std::ops::Range<usize>) -> Vec<Client> {
        self.fill(name, numbers, peer::ALIVE)
    }

    /// Managers whose peers are gone: their heartbeats were missed for longer than anyone waits.
    pub(crate) async fn dead(&self, name: &str, numbers: std::ops::Range<usize>) -> Vec<Client> {
        let clients = self.fill(name, numbers, Peer::Gone);
        for client in &clients {
            client.port.vitals.gone(self.clock.now());
        }
        settle().await;
        clients
    }

    /// Managers whose clients were lost a moment ago.
    pub(crate) async fn detached(&self, name: &str, numbers: std::ops::Range<usize>) {
        for client in self.healthy(name, numbers) {
            client.leave(CloseReason::ClientGone);
        }
        settle().await;
    }

    /// Asks to be let in.
    pub(crate) async fn admit(&self, name: &str, number: usize) -> Result<Admitted, Denied> {
        self.admission.admit(&user(name), &key(number)).await
    }

    /// Is let in, at once, and attaches.
    pub(crate) async fn enter(&self, name: &str, number: usize) -> Client {
        match self.admit(name, number).await {
            Ok(Admitted::Now(permit)) => self.attach(permit, peer::ALIVE),
            other => panic!("{other:?}"),
        }
    }

    /// Has to be refused.
    pub(crate) async fn refused(&self, name: &str, number: usize) -> Denied {
        match self.admit(name, number).await {
            Err(denied) => denied,
            Ok(other) => panic!("{other:?}"),
        }
    }

    /// How many managers a user holds.
    pub(crate) fn held(&self, name: &str) -> u32 {
        self.registry.held(&user(name))
    }

    /// Lets time pass.
    pub(crate) async fn pass(&self, seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }

    /// Everything that was spawned, but the managers' own tasks.
    pub(crate) fn leftovers(&self) -> usize {
        self.tasks.running() - self.registry.total() as usize
    }
}

pub(crate) fn user(name: &str) -> UserId {
    UserId::new(name).unwrap()
}

pub(crate) fn key(number: usize) -> ManagerKey {
    ManagerKey::new(&format!("k{number:03}")).unwrap()
}

/// Lets every task that can go on do so. Takes no virtual time.
pub(crate) async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}
