//! The workload: users who open, talk, leave, come back, flap, stall and vanish, step by step.
//!
//! Each user draws from a stream of its own, so that what one does never shifts what another draws.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::mpsc;
use wastegate::registry::Permit;
use wastegate_core::types::{DeviceId, ManagerKey, UserId};

use crate::application::{PANICS_ON_END, PANICS_ON_LEAVE};
use crate::client::{self, Order};
use crate::pipe::{self, Direction, Line, Shape};
use crate::rig::Rig;
use crate::rng::Rng;
use crate::truth::Peer;

/// Orders that may wait for one client.
const ORDERS_MAX: usize = 16;

/// One user's clients.
#[derive(Default)]
pub(crate) struct Tabs(Mutex<Vec<Tab>>);

/// One client, as its user holds it.
struct Tab {
    orders: mpsc::Sender<Order>,
    line: Arc<Line>,
    peer: Arc<Peer>,
    key: ManagerKey,
}

/// How a client comes in.
#[derive(Debug, Clone, Copy)]
enum Manner {
    Stay,
    /// Its upgrade takes so long.
    Slow(Duration),
    /// Its upgrade hangs for so long and comes to nothing.
    Hang(Duration),
    /// It stops waiting for an answer after so long.
    Impatient(Duration),
    /// It goes as soon as it is in.
    Flap,
}

impl Tabs {
    /// Everybody's transport breaks.
    pub(crate) fn cut_all(&self) {
        for tab in self.0.lock().drain(..) {
            tab.line.cut();
        }
    }

    fn tell(&self, rng: &mut Rng, order: Order) -> Option<(Arc<Line>, Arc<Peer>)> {
        let mut tabs = self.0.lock();
        tabs.retain(|tab| !tab.orders.is_closed());
        if tabs.is_empty() {
            return None;
        }
        let tab = rng.pick(&tabs);
        // A client that takes no orders any more is vanished or stalled already.
        let _ = tab.orders.try_send(order);
        Some((tab.line.clone(), tab.peer.clone()))
    }

    fn key(&self, rng: &mut Rng) -> Option<ManagerKey> {
        let tabs = self.0.lock();
        (!tabs.is_empty()).then(|| rng.pick(&tabs).key.clone())
    }
}

/// One user, for as long as the workload lasts.
pub(crate) async fn user(rig: Arc<Rig>, number: u64, tabs: Arc<Tabs>, mut rng: Rng) {
    let user = UserId::new(&format!("u{number}")).expect("a fine name");
    let (crowd, clock) = (rig.scenario.crowd.clone(), rig.world.clock.clone());
    let end = clock.now().after(crowd.lasting);
    while clock.now() < end {
        tokio::time::sleep(rng.millis(0, crowd.pause_ms)).await;
        match rng.between(1, 100) {
            step if step <= crowd.faults => fault(&rig, &tabs, &mut rng),
            step if step <= crowd.faults + crowd.trouble => trouble(&tabs, &mut rng),
            _ => step(&rig, &user, &tabs, &mut rng),
        }
    }
}

/// What a healthy client does.
fn step(rig: &Arc<Rig>, user: &UserId, tabs: &Arc<Tabs>, rng: &mut Rng) {
    let say = |text: String| Order::Say(text);
    let order = match rng.between(0, 19) {
        0..=6 => return open(rig, user, tabs, rng, 0),
        7 => {
            for place in 0..rng.between(2, 6) {
                open(rig, user, tabs, rng, place);
            }
            return;
        }
        8..=12 => say("hello".to_owned()),
        13 => say(format!("push {}", rng.between(1, 200))),
        14 => say(format!("work {}", rng.between(0, 1))),
        15 => say(format!("visible {}", rng.between(0, 1))),
        16 => say(format!("busy {}", rng.between(1, 1_500))),
        17 => {
            if let Some(key) = tabs.key(rng) {
                // A budget that is spent, or a manager that is gone, is an answer too.
                let _ = rig.registry.pin(user, &key, rng.millis(1_000, 30_000));
            }
            return;
        }
        18 => Order::Close(1_000),
        _ => Order::Close(1_001),
    };
    tabs.tell(rng, order);
}

/// What goes wrong between a client and its gateway.
fn fault(rig: &Arc<Rig>, tabs: &Arc<Tabs>, rng: &mut Rng) {
    let (order, lasting) = match rng.between(0, 6) {
        0 => (Order::Vanish, Duration::ZERO),
        1 => (Order::Die, Duration::ZERO),
        2 => (Order::Stall(rng.millis(100, 20_000)), Duration::ZERO),
        _ => (
            Order::Say((*rng.pick(&["are you there?", "push 64"])).to_owned()),
            rng.millis(100, 60_000),
        ),
    };
    let Some((line, peer)) = tabs.tell(rng, order) else {
        return;
    };
    if lasting.is_zero() {
        return;
    }
    if rng.chance(20) {
        return line.cut();
    }
    let direction = *rng.pick(&[Direction::Up, Direction::Down]);
    let clock = rig.world.clock.clone();
    let up = move |peer: &Peer, line: &Line, up: bool| {
        // Who could answer until now cannot from here on, and the other way round.
        if !up {
            peer.change(clock.now(), |state| state.faults += 1);
        }
        line.hold(direction, !up);
        if up {
            peer.change(clock.now(), |state| state.faults -= 1);
        }
    };
    let crew = rig.crew.stopping();
    rig.crew.spawn("fault", async move {
        up(&peer, &line, false);
        tokio::select! {
            biased;
            () = crew.cancelled() => {}
            () = tokio::time::sleep(lasting) => {}
        }
        up(&peer, &line, true);
    });
}

/// What troubles the application.
fn trouble(tabs: &Arc<Tabs>, rng: &mut Rng) {
    let what = *rng.pick(&["hang", "panic", "busy 5000", "push 100", "push 2000"]);
    tabs.tell(rng, Order::Say(what.to_owned()));
}

/// Opens a client, on a key that may have a manager already.
/// `place` is its place among those that its user opens at once.
fn open(rig: &Arc<Rig>, user: &UserId, tabs: &Arc<Tabs>, rng: &mut Rng, place: u64) {
    let crowd = &rig.scenario.crowd;
    let doom = match rng.between(0, 199) {
        0 if crowd.trouble > 0 => PANICS_ON_LEAVE,
        1 if crowd.trouble > 0 => PANICS_ON_END,
        _ => "",
    };
    let key = format!("k{}{doom}", rng.between(1, crowd.keys));
    let device = format!("d{}", rng.between(1, crowd.devices));
    let manner = match rng.between(0, 29) {
        0 => Manner::Hang(rng.millis(100, 12_000)),
        1 => Manner::Slow(rng.millis(50, 12_000)),
        2 | 3 => Manner::Impatient(rng.millis(1, 3_000)),
        4 => Manner::Flap,
        _ => Manner::Stay,
    };
    let visit = Visit {
        rig: rig.clone(),
        user: user.clone(),
        key: ManagerKey::new(&key).expect("a fine name"),
        device: DeviceId::new(&device).expect("a fine name"),
        manner,
        after: crowd.apart * u32::try_from(place).unwrap_or(u32::MAX),
        tabs: tabs.clone(),
        rng: rng.fork(),
    };
    rig.crew.spawn("visit", visit.run());
}

/// One client's way in.
struct Visit {
    rig: Arc<Rig>,
    user: UserId,
    key: ManagerKey,
    device: DeviceId,
    manner: Manner,
    /// How much later than its user wanted it.
    after: Duration,
    tabs: Arc<Tabs>,
    rng: Rng,
}

impl Visit {
    async fn run(self) {
        let stopping = self.rig.crew.stopping();
        if !self.after.is_zero() {
            tokio::time::sleep(self.after).await;
        }
        let enter = self.rig.enter(&self.user, &self.key);
        let patience = match self.manner {
            Manner::Impatient(patience) => patience,
            _ => Duration::MAX,
        };
        let permit = tokio::select! {
            biased;
            () = stopping.cancelled() => return,
            permit = enter => permit,
            () = tokio::time::sleep(patience) => return,
        };
        let Ok(permit) = permit else { return };
        let upgrade = match self.manner {
            Manner::Hang(lasting) | Manner::Slow(lasting) => lasting,
            _ => Duration::ZERO,
        };
        tokio::select! {
            biased;
            () = stopping.cancelled() => return,
            () = tokio::time::sleep(upgrade), if !upgrade.is_zero() => {}
            () = std::future::ready(()), if upgrade.is_zero() => {}
        }
        if !matches!(self.manner, Manner::Hang(_)) {
            self.stay(permit);
        }
    }

    fn stay(mut self, permit: Permit) {
        let (rig, rng) = (&self.rig, &mut self.rng);
        let latency_ms = rig.scenario.crowd.latency_ms;
        let (up, down) = (rng.millis(1, latency_ms), rng.millis(1, latency_ms));
        let clock = &rig.world.clock;
        let shape = |latency, bytes_max| Shape { latency, bytes_max };
        let (server, client, line) = pipe::line(clock, shape(up, 1 << 20), shape(down, 8 << 10));
        if let Some(manager) = permit.manager() {
            manager.set_protected_class(rng.chance(5));
        }
        let peer = Peer::new(
            (rig.world.number(), line.taking()),
            up + down,
            rig.scenario.health.probe_deadline,
            clock.now(),
        );
        let (orders, given) = mpsc::channel(ORDERS_MAX);
        if !rig.attach(permit, self.device, rng.chance(50), server, &peer) {
            return;
        }
        if matches!(self.manner, Manner::Flap) {
            let _ = orders.try_send(Order::Close(if rng.chance(50) { 1_000 } else { 1_001 }));
        }
        let run = client::run(rig.world.clone(), client, peer.clone(), given);
        rig.crew.spawn("client", run);
        self.tabs.0.lock().push(Tab {
            orders,
            line: Arc::new(line),
            peer,
            key: self.key,
        });
    }
}
