//! The number of a revision: one accepted policy file with its parameters and limits.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Which revision is meant. Numbered from 1 within a deployment, never given out twice and never
/// renumbered. Written `r7` for people and as a plain number in records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct RevisionId(NonZeroU64);

impl RevisionId {
    /// The first one of a deployment.
    pub const FIRST: Self = Self(NonZeroU64::MIN);

    /// The revision of that number; none for 0, which no revision has.
    #[must_use]
    pub const fn new(number: u64) -> Option<Self> {
        match NonZeroU64::new(number) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// The bare number, from 1.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0.get()
    }

    /// The one after this one.
    #[must_use]
    pub const fn following(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// Why a text names no revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a revision is a number from 1, such as `7` or `r7`")]
pub struct InvalidRevision;

impl FromStr for RevisionId {
    type Err = InvalidRevision;

    fn from_str(text: &str) -> Result<Self, InvalidRevision> {
        let number = text.strip_prefix('r').unwrap_or(text);
        // A sign is no part of the number, though the standard library would take it.
        let digits = number.bytes().all(|byte| byte.is_ascii_digit());
        let number = number.parse().ok().filter(|_| digits);
        number.and_then(Self::new).ok_or(InvalidRevision)
    }
}

impl fmt::Display for RevisionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "r{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_as_it_is_written_and_there_is_no_zeroth() {
        let seventh = RevisionId::new(7).unwrap();
        assert_eq!(seventh.to_string(), "r7");
        assert_eq!("r7".parse(), Ok(seventh));
        assert_eq!("7".parse(), Ok(seventh));
        for wrong in ["", "r", "0", "r0", "-1", "+7", "r+7", "rr7", "7 ", "x"] {
            assert_eq!(wrong.parse::<RevisionId>(), Err(InvalidRevision), "{wrong}");
        }
        assert_eq!(serde_json::to_string(&seventh).unwrap(), "7");
        assert_eq!(serde_json::from_str::<RevisionId>("7").unwrap(), seventh);
        assert!(serde_json::from_str::<RevisionId>("0").is_err());
        assert_eq!(RevisionId::FIRST.following().get(), 2);
    }
}
