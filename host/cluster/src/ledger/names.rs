//! Who is who in the ledger: users and keys as keyed hashes, nodes by a name and by each of their lives.

use std::fmt;
use std::hash::Hasher as _;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};
use siphasher::sip128::{Hasher128 as _, SipHasher24};

use wastegate_core::types::{DeviceId, ManagerId, ManagerKey, UserId};

/// The shortest secret of a cluster, bytes.
pub const SECRET_BYTES_MIN: usize = 16;
/// The longest name of a node, bytes: that of a host in DNS.
pub const NODE_NAME_BYTES_MAX: usize = 253;

/// A name or a secret that a cluster cannot use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidClusterName {
    /// The secret can be guessed.
    #[error("the cluster's secret has {0} bytes; give it at least {SECRET_BYTES_MIN}")]
    ShortSecret(usize),
    /// The node's name has no characters, or too many.
    #[error("the node's name has {0} bytes; give it 1 to {NODE_NAME_BYTES_MAX}")]
    Length(usize),
    /// The node's name has a character that is not a letter, a digit, `-`, `_` or `.`.
    #[error("the node's name has {0:?}; use letters, digits, `-`, `_` and `.` of ASCII")]
    Character(char),
}

/// A keyed hash of 128 bits: so many that no two users or keys ever share one, and their limits stay apart.
macro_rules! bytes {
    ($(#[$doc:meta])* $vis:vis struct $type:ident, $length:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        $vis struct $type([u8; $length]);

        impl $type {
            /// How many bytes it has.
            pub const BYTES: usize = $length;

            /// From its bytes, as the engine keeps them.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; $length]) -> Self {
                Self(bytes)
            }

            /// Its bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; $length] {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($type))
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                let wrong = || serde::de::Error::custom("not the hexadecimal digits of an id");
                if text.len() != 2 * $length || !text.is_ascii() {
                    return Err(wrong());
                }
                let mut bytes = [0; $length];
                for (at, byte) in bytes.iter_mut().enumerate() {
                    let digits = text.get(2 * at..2 * at + 2).ok_or_else(wrong)?;
                    *byte = u8::from_str_radix(digits, 16).map_err(|_| wrong())?;
                }
                Ok(Self(bytes))
            }
        }
    };
}

bytes!(
    /// A user as the engine knows it.
    pub struct UserHash,
    16
);
bytes!(
    /// A manager's key as the engine knows it. Keys are hashed with their user, so that the same key of two
    /// users looks different.
    pub struct KeyHash,
    16
);
bytes!(
    /// A device as the engine knows it, hashed with its user.
    pub struct DeviceHash,
    16
);
bytes!(
    /// A client as other nodes know it, hashed with its user.
    pub struct ClientHash,
    16
);
bytes!(
    /// One life of a node. It is random, so that an engine that lost writes never gives it to a second node.
    pub struct Epoch,
    8
);

impl Epoch {
    /// A new one.
    ///
    /// # Errors
    /// What the system's randomness failed with.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; Self::BYTES];
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes))
    }
}

/// One life of a manager on one life of a node: the fence of everything that is decided about it. Both parts are
/// given out by the node, none by the engine, so a failover that lost writes gives none out twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Life {
    /// The node's life.
    pub epoch: Epoch,
    /// The manager's.
    pub manager: ManagerId,
}

/// What makes hashes of names: every node of a cluster has the same secret.
#[derive(Clone)]
pub struct NameHasher([u8; 16]);

impl NameHasher {
    /// With the cluster's secret.
    ///
    /// # Errors
    /// [`InvalidClusterName::ShortSecret`].
    pub fn new(secret: &str) -> Result<Self, InvalidClusterName> {
        if secret.len() < SECRET_BYTES_MIN {
            return Err(InvalidClusterName::ShortSecret(secret.len()));
        }
        let digest = Sha256::digest(secret.as_bytes());
        let mut key = [0; 16];
        key.iter_mut().zip(digest).for_each(|(byte, of)| *byte = of);
        Ok(Self(key))
    }

    /// A user's.
    #[must_use]
    pub fn user(&self, user: &UserId) -> UserHash {
        UserHash(self.hash(1, user.as_str(), ""))
    }

    /// That of a manager's key.
    #[must_use]
    pub fn key(&self, user: &UserId, key: &ManagerKey) -> KeyHash {
        KeyHash(self.hash(2, user.as_str(), key.as_str()))
    }

    /// That of a device.
    #[must_use]
    pub fn device(&self, user: &UserId, device: &DeviceId) -> DeviceHash {
        DeviceHash(self.hash(3, user.as_str(), device.as_str()))
    }

    /// That of a client, by whatever tells it from the user's others.
    #[must_use]
    pub fn client(&self, user: &UserId, client: &str) -> ClientHash {
        ClientHash(self.hash(5, user.as_str(), client))
    }

    /// What tells two secrets apart, without either: 8 hexadecimal digits, the same for all nodes that have this one.
    #[must_use]
    pub fn mark(&self) -> String {
        let mark = self.hash(4, "", "");
        mark.iter()
            .take(4)
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    /// The kind and the length of the user come first, so no choice of names makes two inputs equal.
    fn hash(&self, kind: u8, user: &str, name: &str) -> [u8; 16] {
        let mut hasher = SipHasher24::new_with_key(&self.0);
        hasher.write(&[kind]);
        hasher.write(&(user.len() as u64).to_be_bytes());
        hasher.write(user.as_bytes());
        hasher.write(name.as_bytes());
        hasher.finish128().as_bytes()
    }
}

impl fmt::Debug for NameHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NameHasher")
    }
}

/// A node's name among those of its cluster. A node that starts under a name takes the place of the one that had
/// it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeName(String);

impl NodeName {
    /// Checks and takes a name.
    ///
    /// # Errors
    /// [`InvalidClusterName`] when it is empty or too long, or has a character that a host's name has not.
    pub fn new(name: &str) -> Result<Self, InvalidClusterName> {
        if name.is_empty() || name.len() > NODE_NAME_BYTES_MAX {
            return Err(InvalidClusterName::Length(name.len()));
        }
        let fits = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        match name.chars().find(|c| !fits(c)) {
            Some(c) => Err(InvalidClusterName::Character(c)),
            None => Ok(Self(name.to_owned())),
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_key_of_two_users_looks_different_and_no_split_makes_two_inputs_equal() {
        let hasher = NameHasher::new("a secret of sixteen").unwrap();
        let user = |name: &str| UserId::new(name).unwrap();
        let key = |name: &str| ManagerKey::new(name).unwrap();
        let (ann, bob) = (user("ann"), user("bob"));
        assert_ne!(hasher.key(&ann, &key("tab")), hasher.key(&bob, &key("tab")));
        assert_ne!(
            hasher.key(&user("a"), &key("bc")),
            hasher.key(&user("ab"), &key("c"))
        );
        let other = NameHasher::new("another secret of it").unwrap();
        assert_ne!(hasher.user(&ann), other.user(&ann));
        assert_eq!(
            NameHasher::new("short").unwrap_err(),
            InvalidClusterName::ShortSecret(5)
        );
    }

    #[test]
    fn ids_survive_json_and_what_is_none_is_refused() {
        let epoch = Epoch::from_bytes([0, 1, 2, 3, 250, 251, 252, 253]);
        let json = serde_json::to_string(&epoch).unwrap();
        assert_eq!(json, r#""00010203fafbfcfd""#);
        assert_eq!(serde_json::from_str::<Epoch>(&json).unwrap(), epoch);
        for wrong in [r#""00""#, r#""00010203fafbfcfg""#, r#""é0010203fafbfcf""#] {
            assert!(serde_json::from_str::<Epoch>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_nodes_name_is_that_of_a_host() {
        assert_eq!(NodeName::new("gw-1.a_b").unwrap().as_str(), "gw-1.a_b");
        assert_eq!(NodeName::new(""), Err(InvalidClusterName::Length(0)));
        assert_eq!(
            NodeName::new("a b"),
            Err(InvalidClusterName::Character(' '))
        );
    }
}
