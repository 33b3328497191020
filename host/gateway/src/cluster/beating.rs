//! Beats: that this node lives, who else does, and whether the engine has lost anything.

use std::mem::discriminant;
use std::time::Duration;

use super::node::ClusterNode;
use wastegate_cluster::ledger::{BeatNews, Epoch, Ledger as _, LedgerError, ReassertCause};
use wastegate_core::types::chain;

/// Between two beats.
const BEAT_EVERY: Duration = Duration::from_secs(1);

impl ClusterNode {
    pub(super) async fn beat_on(&self) {
        loop {
            let sent = self.clock.now();
            self.beat().await;
            let took = self.clock.now().since(sent);
            tokio::time::sleep(BEAT_EVERY.saturating_sub(took)).await;
        }
    }

    /// One beat.
    pub(super) async fn beat(&self) {
        let was_away = self.is_away();
        self.note_load();
        let (beat, sent) = (self.membership.lock().beat(), self.clock.now());
        let answer = self.ledger.beat(&beat).await;
        self.metrics.called("beat", &answer);
        let trouble = answer.as_ref().err().cloned();
        let before = std::mem::replace(&mut *self.trouble.lock(), trouble);
        match answer {
            Ok(answer) => {
                // Without randomness the node keeps its old life, and learns at each beat that it is over.
                let next = Epoch::random().unwrap_or(beat.epoch);
                let now_ms = answer.now_ms;
                let news = {
                    let mut membership = self.membership.lock();
                    let before = membership.nodes().to_vec();
                    let news = membership.answered(answer, sent, self.clock.now(), next);
                    let (live, dead_after) = (membership.nodes(), self.config.dead_after);
                    self.gone.lock().compare(before, live, dead_after, now_ms);
                    news
                };
                self.hear(news);
                if was_away && !self.is_away() {
                    tracing::info!("the cluster's engine answers");
                }
            }
            // Said once, and again where it is another trouble: at the start no beat was answered yet.
            Err(error) => {
                if before.is_none_or(|before| discriminant(&before) != discriminant(&error)) {
                    self.lost(&error);
                }
            }
        }
    }

    fn lost(&self, error: &LedgerError) {
        tracing::warn!(
            error = chain(error),
            rule = ?self.config.away,
            "the cluster's engine does not answer: admissions go by `cluster.away`, and connections stay"
        );
    }

    fn hear(&self, news: BeatNews) {
        if news.name_taken {
            tracing::error!(
                node = self.config.node.as_str(),
                "another live node has this one's name: set another `cluster.node` for one of them; until then this node is not in the cluster"
            );
        }
        let Some(cause) = news.reassert else { return };
        let why = match cause {
            ReassertCause::EngineForgot => "the cluster's engine has forgotten this node",
            ReassertCause::EngineReplaced => "the cluster's engine is another process than before",
            ReassertCause::NodeDied => "the cluster took this node for dead",
        };
        tracing::warn!("{why}: everything that is held here is asserted again");
        for manager in self.registry.all() {
            manager.mark.doubt();
        }
        self.reassert.notify_one();
    }
}
