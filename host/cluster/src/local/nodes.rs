//! The nodes of the ledger in memory: who beats, and whose life is over.

use std::collections::BTreeMap;

use wastegate_core::types::time::whole_ms;

use crate::ledger::{Beat, BeatAnswer, BeatMode, BeatVerdict, Epoch, Leases, NodeNote, NodeSeen};

/// How many lives that are over are remembered; the oldest go first.
const DEAD_MAX: usize = 1_024;

/// The nodes, and what is known of the engine's own absence.
#[derive(Debug, Default, Clone)]
pub(super) struct Nodes {
    live: BTreeMap<String, (Epoch, u64, NodeNote)>,
    dead: Vec<(u64, Epoch)>,
    /// When the last beat came.
    last_ms: u64,
    /// Since when beats have come without a gap.
    since_ms: u64,
}

impl Nodes {
    pub(super) fn beat(&mut self, beat: &Beat, leases: &Leases, run: &str, now: u64) -> BeatAnswer {
        let after = whole_ms(beat.dead_after);
        // While nobody's beats came, the engine was away: that is no evidence against a node.
        if self.last_ms == 0 || (now - self.last_ms) * 2 > after {
            self.since_ms = now;
        }
        let since = self.since_ms;
        let overdue = |seen: u64| seen.max(since) + after <= now;
        let name = beat.name.as_str();
        let silent: Vec<String> = self
            .live
            .iter()
            .filter(|(other, (_, seen, _))| *other != name && overdue(*seen))
            .map(|(other, _)| other.clone())
            .collect();
        for other in silent {
            self.bury(&other, now);
        }
        let known = self
            .live
            .get(name)
            .map(|(epoch, seen, _)| (*epoch, overdue(*seen)));
        let verdict = match known {
            _ if beat.mode == BeatMode::End => {
                if known.is_some_and(|(epoch, _)| epoch == beat.epoch) {
                    self.bury(name, now);
                }
                BeatVerdict::Known
            }
            _ if self.dead.iter().any(|(_, epoch)| *epoch == beat.epoch) => BeatVerdict::Dead,
            Some((epoch, false)) if epoch != beat.epoch && beat.mode == BeatMode::Live => {
                BeatVerdict::NameTaken
            }
            Some((epoch, _)) if epoch == beat.epoch => BeatVerdict::Known,
            Some(_) => {
                self.bury(name, now);
                BeatVerdict::New
            }
            None => BeatVerdict::New,
        };
        if beat.mode != BeatMode::End && matches!(verdict, BeatVerdict::Known | BeatVerdict::New) {
            let seen = (beat.epoch, now, beat.note.clone());
            self.live.insert(name.to_owned(), seen);
        }
        self.last_ms = now;
        let kept = whole_ms(leases.dead_kept());
        self.dead.retain(|(died, _)| *died + kept > now);
        let surplus = self.dead.len().saturating_sub(DEAD_MAX);
        self.dead.drain(..surplus);
        let node = |(name, (epoch, beat_ms, note)): (&String, &(Epoch, u64, NodeNote))| NodeSeen {
            name: name.clone(),
            epoch: *epoch,
            beat_ms: *beat_ms,
            note: note.clone(),
        };
        BeatAnswer {
            verdict,
            run: run.to_owned(),
            nodes: self.live.iter().map(node).collect(),
            dead: self.dead.iter().map(|(_, epoch)| *epoch).collect(),
        }
    }

    fn bury(&mut self, name: &str, now: u64) {
        if let Some((epoch, ..)) = self.live.remove(name) {
            self.dead.push((now, epoch));
        }
    }
}
