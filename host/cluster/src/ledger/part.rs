//! What the ledger keeps of a manager: a part for each node that has connections of it, and together one entry.

use wastegate_core::decision::Standing;
use wastegate_core::types::{Health, ManagerId, Protection, ProtectionReason, SignalRow};

use super::columns::Columns;
use super::names::{Epoch, KeyHash, Life};

/// Bytes of a part before its signals; `library.lua` has the same layout.
const HEAD_BYTES: usize = 29;
/// The state's bit that says that the part is provisional.
const PROVISIONAL: u16 = 1 << 15;

/// All parts of one manager. It counts once against its user's limit.
#[derive(Debug, Clone, PartialEq)]
pub struct HeldEntry {
    /// Which of its user's.
    pub key: KeyHash,
    /// One for each node, in the order in which the nodes came; at least one.
    pub parts: Vec<NodePart>,
}

impl HeldEntry {
    /// Whose parts they are: how a victim is named.
    #[must_use]
    pub fn lives(&self) -> Vec<Life> {
        self.parts.iter().map(|part| part.life).collect()
    }
}

/// One node's part of a manager. Times are milliseconds of the engine's clock.
#[derive(Debug, Clone, PartialEq)]
pub struct NodePart {
    /// Whose it is.
    pub life: Life,
    /// Its node has not published it yet: it runs out soon.
    pub provisional: bool,
    /// When it runs out.
    pub expires_ms: u64,
    /// When its node last published what follows.
    pub published_ms: u64,
    /// What its node believed of it.
    pub state: PartState,
    /// What its node measured.
    pub columns: Columns,
}

impl NodePart {
    /// What was measured, as it is at `now_ms` of the engine's clock if nothing happened since: what counts
    /// from a moment has grown.
    #[must_use]
    pub fn signals(&self, now_ms: u64) -> SignalRow {
        self.columns.aged(now_ms.saturating_sub(self.published_ms))
    }

    /// Reads the parts of one value of the engine. None if the bytes are not that.
    #[must_use]
    pub fn read_all(mut bytes: &[u8]) -> Option<Vec<Self>> {
        let mut parts = Vec::new();
        while !bytes.is_empty() {
            let (head, rest) = bytes.split_at_checked(HEAD_BYTES)?;
            let (epoch, head) = head.split_first_chunk::<8>()?;
            let (manager, head) = head.split_at_checked(6)?;
            let (expires, head) = head.split_at_checked(6)?;
            let (published, head) = head.split_at_checked(6)?;
            let (state, length) = head.split_first_chunk::<2>()?;
            let (signals, rest) = rest.split_at_checked(usize::from(*length.first()?))?;
            let state = u16::from_be_bytes(*state);
            parts.push(Self {
                life: Life {
                    epoch: Epoch::from_bytes(*epoch),
                    manager: ManagerId::from_raw(number(manager)),
                },
                provisional: state & PROVISIONAL != 0,
                expires_ms: number(expires),
                published_ms: number(published),
                state: PartState::from_code(state & !PROVISIONAL),
                columns: Columns::from_bytes(signals),
            });
            bytes = rest;
        }
        Some(parts)
    }
}

/// A number of so many bytes, the highest first.
pub(crate) fn number(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// What a node believes of a part, besides what it measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartState {
    /// Whether connections are attached on that node.
    pub standing: Standing,
    /// What is believed of their peers.
    pub health: Health,
    /// A newer connection of the same device took over the only one.
    pub taken_over: bool,
    /// How strongly it is held.
    pub protection: Protection,
}

impl PartState {
    /// What is entered: nothing is attached yet.
    pub const NEWBORN: Self = Self {
        standing: Standing::Newborn,
        health: Health::Unknown,
        taken_over: false,
        protection: Protection::Evictable,
    };

    const STANDINGS: [Standing; 5] = [
        Standing::Newborn,
        Standing::NeverAttached,
        Standing::Attached,
        Standing::Detached,
        Standing::Expired,
    ];
    const PROTECTIONS: [Protection; 6] = [
        Protection::Evictable,
        Protection::Pinned,
        Protection::Protected(ProtectionReason::InFlight),
        Protection::Protected(ProtectionReason::RecentlyActive),
        Protection::Protected(ProtectionReason::Hinted),
        Protection::Protected(ProtectionReason::UserClass),
    ];

    /// Its number in the engine: three bits of standing, three of health, one, three of protection. A reason
    /// for protection that has no number yet is written as the last one that has.
    #[must_use]
    pub fn code(self) -> u16 {
        let place = |at: Option<usize>, last: usize| at.unwrap_or(last) as u16;
        let standing = Self::STANDINGS.iter().position(|it| *it == self.standing);
        let health = Health::ALL.iter().position(|it| *it == self.health);
        let protection = Self::PROTECTIONS
            .iter()
            .position(|it| *it == self.protection);
        place(standing, 2)
            | place(health, 0) << 3
            | u16::from(self.taken_over) << 6
            | place(protection, 5) << 7
    }

    /// From its number. What a newer node wrote and this one does not know counts as attached, unknown and
    /// pinned: nothing that is not understood speaks against a manager.
    #[must_use]
    pub fn from_code(code: u16) -> Self {
        let bits = |at: u16| usize::from(code >> at & 7);
        let standing = Self::STANDINGS.get(bits(0)).copied();
        let protection = Self::PROTECTIONS.get(bits(7)).copied();
        Self {
            standing: standing.unwrap_or(Standing::Attached),
            health: Health::ALL.get(bits(3)).copied().unwrap_or_default(),
            taken_over: code >> 6 & 1 == 1,
            protection: protection.unwrap_or(Protection::Pinned),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_survives_its_code_and_leaves_the_provisional_bit_free() {
        for standing in PartState::STANDINGS {
            for health in Health::ALL {
                for protection in PartState::PROTECTIONS {
                    for taken_over in [false, true] {
                        let state = PartState {
                            standing,
                            health,
                            taken_over,
                            protection,
                        };
                        assert_eq!(state.code() & PROVISIONAL, 0);
                        assert_eq!(PartState::from_code(state.code()), state);
                    }
                }
            }
        }
        assert_eq!(PartState::NEWBORN.code(), 0, "`library.lua` writes 0");
    }

    #[test]
    fn what_is_not_understood_speaks_against_nobody() {
        let strange = PartState::from_code(0x7fff);
        assert_eq!(strange.standing, Standing::Attached);
        assert_eq!(strange.health, Health::Unknown);
        assert_eq!(strange.protection, Protection::Pinned);
    }

    #[test]
    fn bytes_that_are_no_parts_are_refused() {
        assert_eq!(NodePart::read_all(&[]), Some(vec![]));
        assert_eq!(NodePart::read_all(&[0; HEAD_BYTES - 1]), None);
        let mut short = [0; HEAD_BYTES];
        short[HEAD_BYTES - 1] = 3;
        assert_eq!(NodePart::read_all(&short), None);
        assert_eq!(NodePart::read_all(&[0; HEAD_BYTES]).unwrap().len(), 1);
    }
}
