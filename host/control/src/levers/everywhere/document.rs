//! The document of levers: all that nodes have in common, and how what a node has is put on top of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::lever::{CommonLever, LeverName, LiftedLevers, forget};
use crate::levers::LEVERS_MAX;
use crate::levers::table::LeverTable;
use wastegate_cluster::shared::LEVERS_BYTES_MAX;

/// The version that is written, and the only one that is read.
const VERSION: u32 = 1;
/// Bytes that the document has around its levers, at most.
const FRAME_BYTES: usize = 64;

/// What all nodes are to have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::levers) struct LeverDocument(pub(super) BTreeMap<LeverName, CommonLever>);

/// A document with what a node has put on top of it.
#[derive(Debug, PartialEq)]
pub(super) struct OnTop {
    /// The new document.
    pub(super) document: LeverDocument,
    /// Whether something of the node is new in it.
    pub(super) is_new: bool,
    /// How many levers of the node are not in it, because it is full.
    pub(super) left_out: usize,
}

/// What a node makes of a document.
pub(in crate::levers) struct Followed {
    /// What is set on it now.
    pub(in crate::levers) table: LeverTable,
    /// What is new here, with what was known of it before.
    pub(in crate::levers) news: Vec<(LeverName, CommonLever, Option<CommonLever>)>,
    /// How many levers are not set here, because there are as many as there may be.
    pub(in crate::levers) left_out: usize,
}

#[derive(Serialize, Deserialize)]
struct Written {
    version: u32,
    levers: BTreeMap<String, CommonLever>,
}

impl LeverDocument {
    /// What a node has.
    pub(super) fn of(table: &LeverTable) -> Self {
        Self(table.common())
    }

    /// As another node wrote it, perhaps one of another version.
    pub(super) fn read(text: &[u8]) -> Result<Self, String> {
        let written: Written = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        if written.version != VERSION {
            return Err(format!(
                "it has version {}, and this program reads version {VERSION}",
                written.version
            ));
        }
        let levers = written.levers.into_iter().map(|(name, lever)| {
            let name: LeverName = name.parse()?;
            match name.fits(lever.set) {
                true => Ok((name, lever)),
                false => Err(format!("`{name}` cannot be {:?}", lever.set)),
            }
        });
        Ok(Self(levers.collect::<Result<_, String>>()?))
    }

    /// As it is written.
    pub(super) fn to_bytes(&self) -> serde_json::Result<Vec<u8>> {
        let levers = self.0.iter();
        serde_json::to_vec(&Written {
            version: VERSION,
            levers: levers
                .map(|(name, lever)| (name.to_string(), lever.clone()))
                .collect(),
        })
    }

    /// As a node sees it by then: what is over is taken back.
    pub(in crate::levers) fn at(self, unix_ms: u64) -> Self {
        let levers = self.pruned(unix_ms).0.into_iter();
        Self(
            levers
                .map(|(name, lever)| (name, lever.at(unix_ms)))
                .collect(),
        )
    }

    /// The same without what was taken back, or over, long ago.
    pub(super) fn pruned(mut self, unix_ms: u64) -> Self {
        let ended = self.0.iter();
        let ended = ended.filter(|(_, lever)| !lever.is_in_force(unix_ms));
        let mut kept: LiftedLevers = ended
            .map(|(name, lever)| (name.clone(), lever.terms.clone()))
            .collect();
        forget(&mut kept, unix_ms);
        self.0
            .retain(|name, lever| lever.is_in_force(unix_ms) || kept.contains_key(name));
        self
    }

    /// With what is later of a node. What frees room comes first, then blocks, limits and revocations as long as there
    /// is room. Nothing else is changed: what is over by this node's clock may not be by that of another one.
    pub(super) fn with(&self, own: Self, unix_ms: u64) -> OnTop {
        let own = own.pruned(unix_ms).0;
        let later = own.into_iter().filter(|(name, lever)| {
            let known = self.0.get(name);
            known.is_none_or(|known| lever.is_later_than(known))
        });
        let mut later: Vec<_> = later.collect();
        let is_in_force = |lever: &CommonLever| lever.is_in_force(unix_ms);
        later.sort_by_key(|(_, lever)| is_in_force(lever));
        let mut levers = self.clone().pruned(unix_ms).0;
        let mut count = levers.values().filter(|lever| is_in_force(lever)).count();
        let mut bytes: usize = levers.iter().map(|(name, lever)| length(name, lever)).sum();
        let (mut news, mut left_out) = (Vec::new(), 0);
        for (name, lever) in later {
            let before = levers.get(&name);
            let was_in_force = before.is_some_and(is_in_force);
            let then = count + usize::from(is_in_force(&lever)) - usize::from(was_in_force);
            let length_before = before.map_or(0, |before| length(&name, before));
            let bytes_then = bytes + length(&name, &lever) - length_before;
            let fits = then <= count || then <= LEVERS_MAX;
            let is_short = bytes_then <= bytes || bytes_then <= LEVERS_BYTES_MAX - FRAME_BYTES;
            if fits && is_short {
                (count, bytes) = (then, bytes_then);
                levers.insert(name.clone(), lever);
                news.push(name);
            } else {
                left_out += 1;
            }
        }
        let document = Self(levers).pruned(unix_ms);
        OnTop {
            // What is pruned at once would be news again and again.
            is_new: news.iter().any(|name| document.0.contains_key(name)),
            document,
            left_out,
        }
    }
}

/// Bytes of a lever in the document, with a comma.
fn length(name: &LeverName, lever: &CommonLever) -> usize {
    let text = |text: serde_json::Result<String>| text.map_or(LEVERS_BYTES_MAX, |it| it.len());
    let name = text(serde_json::to_string(&name.to_string()));
    name + text(serde_json::to_string(lever)) + 2
}

impl LeverTable {
    /// What a node makes of a document, as it sees it by then: it has what is later than what it has.
    pub(in crate::levers) fn following(&self, theirs: &LeverDocument, unix_ms: u64) -> Followed {
        let mut table = self.clone();
        let (mut news, mut left_out) = (Vec::new(), 0);
        let mut count = table.len();
        for (name, lever) in &theirs.0 {
            let before = self.lever(name);
            if before.as_ref().is_some_and(|it| !lever.is_later_than(it)) {
                continue;
            }
            let was_set = before.as_ref().is_some_and(CommonLever::is_set);
            if lever.is_set() && !was_set {
                if count >= LEVERS_MAX {
                    left_out += 1;
                    continue;
                }
                count += 1;
            }
            count -= usize::from(was_set && !lever.is_set());
            table.put(name.clone(), lever.clone());
            news.push((name.clone(), lever.clone(), before));
        }
        forget(&mut table.lifted, unix_ms);
        Followed {
            table,
            news,
            left_out,
        }
    }
}
