//! Identifiers, each its own type so that a run id can never be sent to where a user id belongs.
//!
//! Names that clients choose are checked once, here, and are cheap to clone afterwards. A manager
//! or device without a name of its own gets one that no client can choose. Numbers that the host
//! gives out are unique for the life of the process.

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize, Serializer};

use super::unseen::unseen;

pub use super::unseen::Unseen;

/// The longest user id, key or device name, in bytes.
pub const NAME_BYTES_MAX: usize = 256;

/// What the names begin with that the host makes up; a client cannot choose such a name.
pub const UNNAMED: &str = "unnamed-";

/// Why a name that a client or operator gave was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the message of each variant says what its fields are"
)]
pub enum InvalidId {
    /// The name has no characters.
    #[error("`{what}` is empty; give it at least one character")]
    Empty {
        /// Which name it is: `user`, `key` or `device`.
        what: &'static str,
    },
    /// The name is longer than [`NAME_BYTES_MAX`].
    #[error("`{what}` has {bytes} bytes; at most {NAME_BYTES_MAX} are allowed")]
    TooLong {
        /// Which name it is.
        what: &'static str,
        /// Its length in bytes.
        bytes: usize,
    },
    /// The name holds a character that nobody sees, or that changes how others are seen: it could forge
    /// a log line, or pass for another name.
    #[error("`{what}` has {kind} at byte {at}; use printable characters only")]
    Character {
        /// Which name it is.
        what: &'static str,
        kind: Unseen,
        /// Where, in bytes from the start.
        at: usize,
    },
    /// White space at an end, which headers lose: ` ann` here would be `ann` for a backend.
    #[error("`{what}` begins or ends with a space; leave that out")]
    Edge {
        /// Which name it is.
        what: &'static str,
    },
    /// `.` and `..` mean another place in a path, and no client of HTTP sends them as a name.
    #[error("`{what}` is `.` or `..`, which stand for places in a path; choose another name")]
    Dots {
        /// Which name it is.
        what: &'static str,
    },
    /// The name begins like those that the host makes up.
    #[error(
        "`{what}` begins with `{UNNAMED}`, which is reserved; choose another name, or give none"
    )]
    Reserved {
        /// Which name it is.
        what: &'static str,
    },
}

fn check(what: &'static str, name: &str) -> Result<(), InvalidId> {
    if name.is_empty() {
        return Err(InvalidId::Empty { what });
    }
    if name.len() > NAME_BYTES_MAX {
        return Err(InvalidId::TooLong {
            what,
            bytes: name.len(),
        });
    }
    let mut unseen = name
        .char_indices()
        .filter_map(|(at, c)| Some((at, unseen(c)?)));
    if let Some((at, kind)) = unseen.next() {
        return Err(InvalidId::Character { what, kind, at });
    }
    // Of white space only the plain space is left.
    if name.starts_with(' ') || name.ends_with(' ') {
        return Err(InvalidId::Edge { what });
    }
    if name == "." || name == ".." {
        return Err(InvalidId::Dots { what });
    }
    Ok(())
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $type(Arc<str>);

        impl $type {
            /// The name as given.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The same name at some place, with a mark between the two. It may be longer than a name
            /// that is given.
            #[must_use]
            pub fn at(&self, mark: &str, place: &str) -> Self {
                Self(format!("{}{mark}{place}", self.0).into())
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({:?})", $what, &*self.0)
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }
    };
}

/// The host's part of a name that it makes up: never given out before, by this process or another.
fn made_up() -> String {
    static PROCESS: OnceLock<u64> = OnceLock::new();
    static NEXT: AtomicU64 = AtomicU64::new(1);
    // The standard library seeds each of these from the system's randomness.
    let process = PROCESS.get_or_init(|| RandomState::new().hash_one(std::process::id()));
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{UNNAMED}{process:016x}-{number}")
}

/// What managers and devices have beyond a name: they can be without one.
macro_rules! nameless {
    ($type:ident, $what:literal) => {
        impl $type {
            /// Checks and takes a name that a client chose.
            ///
            /// # Errors
            /// [`InvalidId`] when it is empty, too long, holds a control character, or begins with
            /// [`UNNAMED`].
            pub fn new(name: &str) -> Result<Self, InvalidId> {
                let named = Self::held(name)?;
                if named.is_unnamed() {
                    return Err(InvalidId::Reserved { what: $what });
                }
                Ok(named)
            }

            /// Checks and takes a name as the host shows it, also one that it made up: for
            /// operators and for records that are read back.
            ///
            /// # Errors
            /// [`InvalidId`] when it is empty, too long, or holds a control character.
            pub fn held(name: &str) -> Result<Self, InvalidId> {
                check($what, name)?;
                Ok(Self(name.into()))
            }

            /// A new one without a name of its own: unique, so no later request can mean it.
            #[must_use]
            pub fn unnamed() -> Self {
                Self(made_up().into())
            }

            /// Whether the client gave no name, so that nothing can come back to it.
            #[must_use]
            pub fn is_unnamed(&self) -> bool {
                self.0.starts_with(UNNAMED)
            }
        }
    };
}

impl UserId {
    /// Checks and takes a name.
    ///
    /// # Errors
    /// [`InvalidId`] when it is empty, too long, or holds a control character.
    pub fn new(name: &str) -> Result<Self, InvalidId> {
        check("user", name)?;
        Ok(Self(name.into()))
    }

    /// What stands for a user of whom only a hash is known. It names no user here.
    #[must_use]
    pub fn elsewhere(hash: impl fmt::Display) -> Self {
        Self(format!("/{hash}").into())
    }
}

name!(
    /// The authenticated identity that a limit is counted for.
    UserId,
    "user"
);
name!(
    /// The client's stable name for a manager, e.g. one chat thread or one tab.
    ManagerKey,
    "key"
);
name!(
    /// The client's stable name for itself; a new connection of it takes over its old one.
    DeviceId,
    "device"
);
nameless!(ManagerKey, "key");

impl ManagerKey {
    /// What stands for a manager that another node holds, of which only a hash is known. It names no manager here.
    #[must_use]
    pub fn elsewhere(node: &str, hash: impl fmt::Display) -> Self {
        Self(format!("{node}/{hash}").into())
    }
}

nameless!(DeviceId, "device");

macro_rules! number {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(transparent)]
        pub struct $type(u64);

        impl $type {
            /// The next one; never given out before in this process.
            #[must_use]
            pub fn next() -> Self {
                static NEXT: AtomicU64 = AtomicU64::new(1);
                Self(NEXT.fetch_add(1, Ordering::Relaxed))
            }

            /// A chosen number, for tests and for records read back.
            #[must_use]
            pub const fn from_raw(raw: u64) -> Self {
                Self(raw)
            }

            /// The bare number.
            #[must_use]
            pub const fn raw(self) -> u64 {
                self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number!(
    /// One life of a manager. A key that is evicted and comes back gets a new one, so it also
    /// serves as the generation that an eviction re-checks before it acts.
    ManagerId
);
number!(
    /// The number of a WebSocket connection; unique within a process.
    ConnectionId
);
number!(
    /// One call at one tier, with its record.
    DecisionId
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_once_and_errors_say_which() {
        assert_eq!(UserId::new(""), Err(InvalidId::Empty { what: "user" }));
        assert_eq!(
            ManagerKey::new(&"k".repeat(NAME_BYTES_MAX + 1)),
            Err(InvalidId::TooLong {
                what: "key",
                bytes: NAME_BYTES_MAX + 1
            })
        );
        assert_eq!(
            DeviceId::new("a\nb"),
            Err(InvalidId::Character {
                what: "device",
                kind: Unseen::Control,
                at: 1
            })
        );
        for dots in [".", ".."] {
            assert_eq!(ManagerKey::new(dots), Err(InvalidId::Dots { what: "key" }));
        }
        assert!(UserId::new("...").is_ok());
        assert!(UserId::new("用户 10").is_ok());
        assert_eq!(
            UserId::new("an\u{202e}n").unwrap_err().to_string(),
            "`user` has a character that turns the direction of text at byte 2; use printable characters only"
        );
    }

    /// S17: what a header cannot carry at its ends is no part of a name.
    #[test]
    fn s17_no_name_begins_or_ends_with_a_space() {
        for name in [" root", "root ", " ", "  ", " a b "] {
            assert_eq!(
                UserId::new(name),
                Err(InvalidId::Edge { what: "user" }),
                "{name:?}"
            );
        }
        assert!(UserId::new("ann b").is_ok());
    }

    #[test]
    fn what_has_no_name_is_unique_and_cannot_be_chosen() {
        let (one, two) = (ManagerKey::unnamed(), ManagerKey::unnamed());
        assert_ne!(one, two);
        assert!(one.is_unnamed() && DeviceId::unnamed().is_unnamed());
        assert!(!ManagerKey::new("tab").unwrap().is_unnamed());
        let chosen = ManagerKey::new(one.as_str()).unwrap_err();
        assert_eq!(chosen, InvalidId::Reserved { what: "key" });
        assert_eq!(
            chosen.to_string(),
            "`key` begins with `unnamed-`, which is reserved; choose another name, or give none"
        );
        assert_eq!(ManagerKey::held(one.as_str()), Ok(one));
    }

    #[test]
    fn user_10_is_not_a_prefix_of_anyone() {
        assert_ne!(UserId::new("10").unwrap(), UserId::new("105").unwrap());
    }
}
