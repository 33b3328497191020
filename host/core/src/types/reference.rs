//! Short names of connections, for the sentence that a client is told and the person who asks about it.
//!
//! A number that counts up would tell every client how many connections there are, so it goes through a keyed
//! permutation first: a Feistel network over 30 bits (Luby and Rackoff, 1988), with a round function that mixes as
//! `SplitMix64` does. It hides the count from a reader; it is no encryption.

use std::fmt;
use std::str::FromStr;

use super::ids::ConnectionId;

/// The letters of Crockford's base 32: no I, L, O and U, which are read as others.
const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Letters of a reference, of five bits each.
const LETTERS_COUNT: u32 = 6;
const HALF_BITS: u32 = 15;
const HALF: u32 = (1 << HALF_BITS) - 1;
const ROUNDS: u64 = 4;

/// Six characters that name a connection in its close reason. Connections whose numbers differ by a multiple of
/// 2^30 share one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConnectionRef(u32);

/// Makes the references of one process.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionRefs {
    key: u64,
}

/// A text that is no reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a reference has six letters and digits, such as 7F3K2M")]
pub struct NoReference;

impl ConnectionRefs {
    /// References under a key. A process takes a random one, so that references of another process lead to
    /// nothing instead of to the wrong connection.
    #[must_use]
    pub const fn new(key: u64) -> Self {
        Self { key }
    }

    /// The reference of a connection.
    #[must_use]
    pub fn of(&self, connection: ConnectionId) -> ConnectionRef {
        let number = connection.raw();
        let (mut left, mut right) = (half(number >> HALF_BITS), half(number));
        for round in 0..ROUNDS {
            let mixed = mix(self.key.wrapping_add(round << 32) ^ u64::from(right));
            (left, right) = (right, left ^ half(mixed));
        }
        ConnectionRef(left << HALF_BITS | right)
    }
}

/// The lowest bits of a number.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the bits above are cut off on purpose"
)]
const fn half(number: u64) -> u32 {
    number as u32 & HALF
}

/// The finaliser of `SplitMix64` (Steele, Lea and Flood, 2014).
const fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl fmt::Display for ConnectionRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for place in (0..LETTERS_COUNT).rev() {
            let letter = (self.0 >> (5 * place)) as usize & 31;
            let letter = LETTERS.get(letter).copied().unwrap_or(b'0');
            write!(f, "{}", char::from(letter))?;
        }
        Ok(())
    }
}

impl FromStr for ConnectionRef {
    type Err = NoReference;

    /// In either case, with the letters that are taken for others: O for 0, I and L for 1.
    fn from_str(text: &str) -> Result<Self, NoReference> {
        if text.len() != LETTERS_COUNT as usize {
            return Err(NoReference);
        }
        let mut number = 0;
        for letter in text.bytes() {
            let letter = match letter.to_ascii_uppercase() {
                b'O' => b'0',
                b'I' | b'L' => b'1',
                letter => letter,
            };
            let place = LETTERS.iter().position(|known| *known == letter);
            let place = place.and_then(|place| u32::try_from(place).ok());
            number = number << 5 | place.ok_or(NoReference)?;
        }
        Ok(Self(number))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn references_are_different_and_read_back() {
        let refs = ConnectionRefs::new(7);
        let mut seen = BTreeSet::new();
        for number in (1..5_000).chain((1 << 30) - 100..1 << 30) {
            let reference = refs.of(ConnectionId::from_raw(number));
            let text = reference.to_string();
            assert_eq!(text.parse(), Ok(reference), "{text}");
            assert_eq!(text.to_lowercase().parse(), Ok(reference), "{text}");
            assert!(seen.insert(text), "{number}");
        }
        let wrapped = refs.of(ConnectionId::from_raw(5 + (1 << 30)));
        assert_eq!(wrapped, refs.of(ConnectionId::from_raw(5)));
    }

    /// Neighbours have nothing in common, nor have the same numbers of two processes.
    #[test]
    fn references_do_not_count() {
        let (one, other) = (ConnectionRefs::new(1), ConnectionRefs::new(2));
        let firsts: BTreeSet<u32> = (1..=64)
            .map(|number| one.of(ConnectionId::from_raw(number)).0 >> 25)
            .collect();
        assert!(firsts.len() > 20, "{firsts:?}");
        let same = (1..=10_000)
            .map(ConnectionId::from_raw)
            .filter(|&id| one.of(id) == other.of(id));
        assert!(same.count() <= 1);
    }

    #[test]
    fn what_is_misread_is_read() {
        let reference: ConnectionRef = "01AZ9K".parse().unwrap();
        for text in ["O1AZ9K", "0IAZ9K", "olaz9k"] {
            assert_eq!(text.parse(), Ok(reference), "{text}");
        }
        for text in ["", "01AZ9", "01AZ9KK", "01AZ9U", "01AZ9-", "äöü"] {
            assert_eq!(text.parse::<ConnectionRef>(), Err(NoReference), "{text}");
        }
    }
}
