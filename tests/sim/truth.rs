//! What is true of the peers and of the application, kept by the workload that makes it so.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use wastegate_core::types::{ManagerId, Timestamp};

use crate::pipe::Taking;

/// One client, as it really is.
pub(crate) struct Peer {
    pub(crate) link: u64,
    taking: Taking,
    state: Mutex<State>,
}

/// What makes a peer able to answer.
#[derive(Debug, Clone)]
pub(crate) struct State {
    /// It reads, and so answers pings.
    pub(crate) reads: bool,
    /// What keeps bytes from arriving, in one direction or the other.
    pub(crate) faults: u32,
    /// It has not begun to leave.
    pub(crate) stays: bool,
    /// A ping and its pong come back before a probe's deadline.
    in_time: bool,
    able_since: Option<Timestamp>,
}

impl Peer {
    /// A peer that is there; `round_trip` is what its line takes.
    pub(crate) fn new(
        (link, taking): (u64, Taking),
        round_trip: Duration,
        deadline: Duration,
        now: Timestamp,
    ) -> Arc<Self> {
        // Timers are exact to a millisecond, and a ping takes a few of them.
        const SLACK: Duration = Duration::from_millis(10);
        let in_time = round_trip + SLACK <= deadline;
        Arc::new(Self {
            link,
            taking,
            state: Mutex::new(State {
                reads: true,
                faults: 0,
                stays: true,
                in_time,
                able_since: in_time.then_some(now),
            }),
        })
    }

    pub(crate) fn change(&self, now: Timestamp, change: impl FnOnce(&mut State)) {
        let mut state = self.state.lock();
        change(&mut state);
        let able = state.reads && state.faults == 0 && state.stays && state.in_time;
        state.able_since = match state.able_since {
            Some(since) if able => Some(since),
            None if able => Some(now),
            _ => None,
        };
    }

    fn able_for(&self, now: Timestamp) -> Option<Duration> {
        self.state.lock().able_since.map(|since| now.since(since))
    }
}

/// Everybody's truth.
#[derive(Default)]
pub(crate) struct Truths {
    attached: Mutex<BTreeMap<ManagerId, Vec<Arc<Peer>>>>,
    busy: Mutex<BTreeMap<ManagerId, Timestamp>>,
}

impl Truths {
    pub(crate) fn attach(&self, life: ManagerId, peer: &Arc<Peer>) {
        self.attached
            .lock()
            .entry(life)
            .or_default()
            .push(peer.clone());
    }

    pub(crate) fn detach(&self, life: ManagerId, link: u64) {
        let mut attached = self.attached.lock();
        if let Some(peers) = attached.get_mut(&life) {
            peers.retain(|peer| peer.link != link);
            if peers.is_empty() {
                attached.remove(&life);
            }
        }
    }

    pub(crate) fn links(&self, life: ManagerId) -> Vec<u64> {
        let attached = self.attached.lock();
        attached
            .get(&life)
            .into_iter()
            .flatten()
            .map(|peer| peer.link)
            .collect()
    }

    pub(crate) fn able_for(&self, life: ManagerId, now: Timestamp) -> Option<Duration> {
        let attached = self.attached.lock();
        attached
            .get(&life)?
            .iter()
            .filter_map(|peer| peer.able_for(now))
            .max()
    }

    /// For how long none of a manager's clients has taken anything of what waits for it.
    pub(crate) fn takes_nothing_for(&self, life: ManagerId, now: Timestamp) -> Option<Duration> {
        let attached = self.attached.lock();
        let refused = |peer: &Arc<Peer>| peer.taking.refused_since();
        let since: Option<Vec<Timestamp>> = attached.get(&life)?.iter().map(refused).collect();
        since?.into_iter().max().map(|since| now.since(since))
    }

    pub(crate) fn busy_for(&self, life: ManagerId, now: Timestamp) -> Option<Duration> {
        self.busy.lock().get(&life).map(|since| now.since(*since))
    }

    /// The application is busy with one message until the returned guard is dropped.
    pub(crate) fn busy(self: &Arc<Self>, life: ManagerId, now: Timestamp) -> Busy {
        self.busy.lock().insert(life, now);
        Busy(self.clone(), life)
    }
}

/// One message being handled.
pub(crate) struct Busy(Arc<Truths>, ManagerId);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.lock().remove(&self.1);
    }
}
