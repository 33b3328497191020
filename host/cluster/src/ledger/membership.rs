//! What one node knows of its cluster, from the answers to its beats: who is dead, what time it is at the
//! engine, and whether the node itself may still ask.
//!
//! Pure: the caller sends the beats and says when.

use std::sync::Arc;
use std::time::Duration;

use wastegate_core::types::time::whole_ms;
use wastegate_core::types::{ManagerId, Timestamp};

use super::{
    Beat, BeatAnswer, BeatMode, BeatVerdict, EnterAsk, Epoch, KeyHash, LedgerError, LedgerVictim,
    Life, NodeName, NodeNote, NodeSeen, Stamped,
};

/// How much later than its deadline a call may still be carried out. It covers the way of the answer by which the
/// node knows the engine's clock.
const LATE_MAX: Duration = Duration::from_millis(200);

/// Why a node has to re-assert what lives on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReassertCause {
    /// The engine does not know the node: it has lost what it had.
    EngineForgot,
    /// The engine is another process than before: it may have lost what was acknowledged.
    EngineReplaced,
    /// The node was taken for dead, and has a new life now. Everything that lives on it is to be entered anew.
    NodeDied,
}

/// What an answer to a beat changes for the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BeatNews {
    /// Everything that lives here has to be re-asserted, as soon as the node is live.
    pub reassert: Option<ReassertCause>,
    /// Another live node has this one's name. An operator has to give one of them another.
    pub name_taken: bool,
}

/// One node's view of its cluster.
#[derive(Debug, Clone)]
pub struct Membership {
    name: NodeName,
    note: NodeNote,
    dead_after: Duration,
    epoch: Epoch,
    started: bool,
    dead: Arc<[Epoch]>,
    nodes: Vec<NodeSeen>,
    run: String,
    /// When the last beat that counted was sent.
    beaten: Option<Timestamp>,
    /// What the engine's clock was, and when its answer came.
    engine: Option<(u64, Timestamp)>,
}

impl Membership {
    /// A node that has not started yet. `dead_after` is the same for all nodes of a cluster.
    #[must_use]
    pub fn new(name: NodeName, epoch: Epoch, dead_after: Duration, note: NodeNote) -> Self {
        Self {
            name,
            note,
            dead_after,
            epoch,
            started: false,
            dead: Arc::default(),
            nodes: Vec::new(),
            run: String::new(),
            beaten: None,
            engine: None,
        }
    }

    /// The node's life.
    #[must_use]
    pub const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The nodes that lived at the last beat.
    #[must_use]
    pub fn nodes(&self) -> &[NodeSeen] {
        &self.nodes
    }

    /// What the node says of itself with its next beats.
    pub const fn note_mut(&mut self) -> &mut NodeNote {
        &mut self.note
    }

    /// The lives that are over.
    #[must_use]
    pub const fn dead(&self) -> &Arc<[Epoch]> {
        &self.dead
    }

    /// The next beat. Remember when it is sent.
    #[must_use]
    pub fn beat(&self) -> Beat {
        let mode = if self.started {
            BeatMode::Live
        } else {
            BeatMode::Start
        };
        self.beat_for(mode)
    }

    /// The last beat of a node that stops, after it has taken its parts back.
    #[must_use]
    pub fn farewell(&self) -> Beat {
        self.beat_for(BeatMode::End)
    }

    fn beat_for(&self, mode: BeatMode) -> Beat {
        Beat {
            name: self.name.clone(),
            epoch: self.epoch,
            mode,
            dead_after: self.dead_after,
            note: self.note.clone(),
        }
    }

    /// Takes the answer to a beat that was `sent` then and came `now`. `next` is the node's life if this one is
    /// over.
    pub fn answered(
        &mut self,
        answer: Stamped<BeatAnswer>,
        sent: Timestamp,
        now: Timestamp,
        next: Epoch,
    ) -> BeatNews {
        self.saw(answer.now_ms, now);
        let answer = answer.answer;
        self.dead = answer.dead.into();
        self.nodes = answer.nodes;
        let replaced = !self.run.is_empty() && self.run != answer.run;
        self.run = answer.run;
        let mut news = BeatNews::default();
        match answer.verdict {
            BeatVerdict::Dead => {
                self.epoch = next;
                self.beaten = None;
                news.reassert = Some(ReassertCause::NodeDied);
            }
            BeatVerdict::NameTaken => {
                // An engine that lost its last writes has an earlier life of this node under the name, which the
                // node had until then: it takes it as at a start. Any other holder keeps it while it lives.
                let was_ours = replaced && self.beaten.is_some();
                self.started &= !was_ours;
                self.beaten = None;
                news.name_taken = !was_ours;
                news.reassert = replaced.then_some(ReassertCause::EngineReplaced);
            }
            BeatVerdict::New | BeatVerdict::Known => {
                let forgot = answer.verdict == BeatVerdict::New && self.beaten.is_some();
                self.started = true;
                self.beaten = Some(sent);
                news.reassert = match (replaced, forgot) {
                    (true, _) => Some(ReassertCause::EngineReplaced),
                    (_, true) => Some(ReassertCause::EngineForgot),
                    _ => None,
                };
            }
        }
        news
    }

    /// Takes the engine's clock from any of its answers.
    pub const fn saw(&mut self, engine_ms: u64, now: Timestamp) {
        self.engine = Some((engine_ms, now));
    }

    /// What the engine's clock shows now, as far as the node knows; none before its first answer.
    #[must_use]
    pub fn engine_ms(&self, now: Timestamp) -> Option<u64> {
        let (engine_ms, at) = self.engine?;
        Some(engine_ms + whole_ms(now.since(at)))
    }

    /// Whether no other node can have taken this one for dead: it counts from when its last beat was sent, and
    /// the engine from when it came.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.beaten
            .is_some_and(|beaten| now.since(beaten) < self.dead_after)
    }

    /// After which moment of the engine's clock a call is not carried out any more, whose answer is waited for
    /// until `budget` is over.
    ///
    /// # Errors
    /// [`LedgerError::NotLive`].
    pub fn not_after_ms(&self, budget: Duration, now: Timestamp) -> Result<u64, LedgerError> {
        let (engine_ms, at) = self
            .engine
            .filter(|_| self.is_live(now))
            .ok_or(LedgerError::NotLive)?;
        Ok(engine_ms + whole_ms(now.since(at) + budget + LATE_MAX))
    }

    /// What an admission asks the ledger.
    ///
    /// # Errors
    /// [`LedgerError::NotLive`].
    pub fn enter(
        &self,
        (key, manager): (KeyHash, ManagerId),
        limit: u32,
        victims: Vec<LedgerVictim>,
        budget: Duration,
        now: Timestamp,
    ) -> Result<EnterAsk, LedgerError> {
        Ok(EnterAsk {
            key,
            life: Life {
                epoch: self.epoch,
                manager,
            },
            limit,
            not_after_ms: self.not_after_ms(budget, now)?,
            dead: self.dead.clone(),
            victims,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epoch(byte: u8) -> Epoch {
        Epoch::from_bytes([byte; 8])
    }

    fn node() -> Membership {
        let name = NodeName::new("a").unwrap();
        Membership::new(name, epoch(1), Duration::from_secs(6), NodeNote::default())
    }

    fn answer(now_ms: u64, verdict: BeatVerdict, run: &str) -> Stamped<BeatAnswer> {
        Stamped {
            now_ms,
            answer: BeatAnswer {
                verdict,
                run: run.to_owned(),
                nodes: vec![],
                dead: vec![epoch(9)],
            },
        }
    }

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    #[test]
    fn a_node_asks_only_while_no_other_can_take_it_for_dead() {
        let mut node = node();
        let budget = Duration::from_millis(50);
        assert_eq!(node.not_after_ms(budget, at(0)), Err(LedgerError::NotLive));
        assert_eq!(node.beat().mode, BeatMode::Start);
        let news = node.answered(
            answer(1_000, BeatVerdict::New, "r"),
            at(10),
            at(40),
            epoch(2),
        );
        assert_eq!(
            news,
            BeatNews::default(),
            "a start has nothing to re-assert"
        );
        assert_eq!(node.beat().mode, BeatMode::Live);
        // 1,000 at the engine was 40 here; 100 ms later, and 50 and 200 on top.
        assert_eq!(node.not_after_ms(budget, at(140)), Ok(1_350));
        assert!(node.is_live(at(6_009)) && !node.is_live(at(6_010)));
        assert_eq!(**node.dead(), [epoch(9)]);
    }

    #[test]
    fn what_the_engine_may_have_lost_is_reasserted() {
        let mut node = node();
        let mut beat = |verdict, run| {
            let news = node.answered(answer(0, verdict, run), at(0), at(1), epoch(2));
            (news.reassert, node.epoch())
        };
        let (one, two) = (epoch(1), epoch(2));
        assert_eq!(beat(BeatVerdict::New, "r"), (None, one));
        assert_eq!(beat(BeatVerdict::Known, "r"), (None, one));
        let forgot = Some(ReassertCause::EngineForgot);
        assert_eq!(beat(BeatVerdict::New, "r"), (forgot, one));
        let replaced = Some(ReassertCause::EngineReplaced);
        assert_eq!(beat(BeatVerdict::Known, "s"), (replaced, one));
        assert_eq!(beat(BeatVerdict::Known, "s"), (None, one));
        let died = Some(ReassertCause::NodeDied);
        assert_eq!(beat(BeatVerdict::Dead, "s"), (died, two));
    }

    /// Found by the simulation: a failover that lost a restart of the node kept it out until its earlier life was
    /// overdue.
    #[test]
    fn a_node_takes_its_name_from_the_life_that_a_failover_brought_back() {
        let mut node = node();
        node.answered(answer(0, BeatVerdict::New, "r"), at(0), at(1), epoch(2));
        let news = node.answered(
            answer(0, BeatVerdict::NameTaken, "s"),
            at(2),
            at(3),
            epoch(2),
        );
        assert!(!news.name_taken && news.reassert.is_some());
        assert_eq!(node.beat().mode, BeatMode::Start);
        let news = node.answered(
            answer(0, BeatVerdict::NameTaken, "t"),
            at(4),
            at(5),
            epoch(2),
        );
        assert!(news.name_taken, "only one that was in");
    }

    #[test]
    fn a_node_whose_name_is_taken_is_not_live_and_keeps_trying() {
        let mut node = node();
        node.answered(answer(0, BeatVerdict::New, "r"), at(0), at(1), epoch(2));
        let news = node.answered(
            answer(0, BeatVerdict::NameTaken, "r"),
            at(2),
            at(3),
            epoch(2),
        );
        assert!(news.name_taken && !node.is_live(at(3)));
        assert_eq!(
            node.beat().mode,
            BeatMode::Live,
            "it takes the name from no live node"
        );
    }
}
