//! Ids as they leave the process: keyed hashes, the same for the same id under the same key.
//!
//! A pseudonym lets a reader follow one user through a journal without learning who it is. It is
//! not anonymity: who holds the key can test a guess, so the key is in no record and is never
//! printed. Without the key, ids that are easy to guess (a number, a mail address) stay unguessable,
//! which a plain hash would not give.
//!
//! # The hash
//! SipHash-2-4 with a 128-bit key, cut to 64 bits, as 16 hexadecimal digits. 64 bits because every
//! line of the activity stream carries three of them and random digits do not compress: among a
//! million ids the chance that any two coincide is 3 in 10^8, among a hundred million 3 in 10^4,
//! and the damage of a coincidence is two users' traces read as one. Nothing decides by them.
//!
//! # Separation
//! Each input begins with a tag for its kind, and each part but the last with its length, so no
//! choice of names makes a user equal to a key or `("a", "bc")` equal to `("ab", "c")`. Keys and
//! devices are hashed together with their user: clients name them freely, so the same name under
//! two users is a coincidence that a record must not show.

use std::fmt;
use std::hash::Hasher;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use siphasher::sip::SipHasher24;

use super::error::Error;
use wastegate_core::types::{DeviceId, ManagerKey, UserId};

/// Bytes in a key.
const KEY_BYTES: usize = 16;

/// The secret that pseudonyms are made with; it belongs to the deployment.
#[derive(Clone, PartialEq, Eq)]
pub struct PseudonymKey([u8; KEY_BYTES]);

/// A keyed hash of an id; 16 lower-case hexadecimal digits in text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pseudonym(u64);

/// Makes pseudonyms. Cheap to clone; clones agree.
#[derive(Debug, Clone)]
pub struct Pseudonymizer {
    key: PseudonymKey,
}

/// What is hashed; the values are part of every record ever written.
#[derive(Debug, Clone, Copy)]
#[repr(u8)]
enum Domain {
    User = 1,
    Manager = 2,
    Device = 3,
}

impl Pseudonymizer {
    /// One with that key.
    #[must_use]
    pub const fn new(key: PseudonymKey) -> Self {
        Self { key }
    }

    /// The keyed hash of a user's id.
    #[must_use]
    pub fn user(&self, user: &UserId) -> Pseudonym {
        let mut hash = self.hasher(Domain::User);
        hash.write(user.as_str().as_bytes());
        Pseudonym(hash.finish())
    }

    /// What tells this key from another one, and nothing else about it: the hash of no user.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        Pseudonym(self.hasher(Domain::User).finish()).to_string()
    }

    /// A manager's: of user and key together, the same for every life of it.
    #[must_use]
    pub fn manager(&self, user: &UserId, key: &ManagerKey) -> Pseudonym {
        self.pair(Domain::Manager, user, key.as_str())
    }

    /// A device's: of user and device together.
    #[must_use]
    pub fn device(&self, user: &UserId, device: &DeviceId) -> Pseudonym {
        self.pair(Domain::Device, user, device.as_str())
    }

    fn pair(&self, domain: Domain, user: &UserId, second: &str) -> Pseudonym {
        let user = user.as_str().as_bytes();
        let mut hash = self.hasher(domain);
        hash.write(&(user.len() as u64).to_le_bytes());
        hash.write(user);
        hash.write(second.as_bytes());
        Pseudonym(hash.finish())
    }

    fn hasher(&self, domain: Domain) -> SipHasher24 {
        let mut hash = SipHasher24::new_with_key(&self.key.0);
        hash.write(&[domain as u8]);
        hash
    }
}

impl PseudonymKey {
    /// A new one from the system's randomness. Pseudonyms made with it are of no use after the
    /// process ends, which is the private choice where nothing has to be followed across restarts.
    ///
    /// # Errors
    /// [`Error::Entropy`] when the system has none to give.
    pub fn generate() -> Result<Self, Error> {
        let mut bytes = [0; KEY_BYTES];
        getrandom::fill(&mut bytes).map_err(|source| Error::Entropy { source })?;
        Ok(Self(bytes))
    }

    /// A given one.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; KEY_BYTES]) -> Self {
        Self(bytes)
    }
}

/// Reads 32 hexadecimal digits.
impl FromStr for PseudonymKey {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let digits = text.len() == 2 * KEY_BYTES && text.bytes().all(|b| b.is_ascii_hexdigit());
        match u128::from_str_radix(text, 16) {
            Ok(number) if digits => Ok(Self(number.to_be_bytes())),
            _ => Err(Error::PseudonymKey),
        }
    }
}

/// Says that there is a key, not which.
impl fmt::Debug for PseudonymKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PseudonymKey(secret)")
    }
}

impl fmt::Display for Pseudonym {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl Serialize for Pseudonym {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Pseudonym {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let digits = text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit());
        match u64::from_str_radix(&text, 16) {
            Ok(number) if digits => Ok(Self(number)),
            _ => Err(serde::de::Error::custom("expected 16 hexadecimal digits")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(key: &str) -> Pseudonymizer {
        Pseudonymizer::new(key.parse().unwrap())
    }

    fn user(name: &str) -> UserId {
        UserId::new(name).unwrap()
    }

    fn key(name: &str) -> ManagerKey {
        ManagerKey::new(name).unwrap()
    }

    const KEY: &str = "000102030405060708090a0b0c0d0e0f";

    /// The reference vector of SipHash's authors: key 00..0f, message 00..0e.
    #[test]
    fn the_hash_is_siphash_2_4() {
        let mut hash = SipHasher24::new_with_key(&KEY.parse::<PseudonymKey>().unwrap().0);
        hash.write(&(0..15).collect::<Vec<u8>>());
        assert_eq!(hash.finish(), 0xa129_ca61_49be_45e5);
    }

    /// Journals outlive releases: these may never change. Made by another implementation.
    #[test]
    fn pseudonyms_are_stable() {
        let (names, ann) = (names(KEY), user("ann"));
        let device = DeviceId::new("phone").unwrap();
        assert_eq!(names.user(&ann).to_string(), "bcb522966f530b00");
        assert_eq!(
            names.manager(&ann, &key("tab-1")).to_string(),
            "04f7d7fccb26b12c"
        );
        assert_eq!(names.device(&ann, &device).to_string(), "35095dcfa3fa7a11");
    }

    #[test]
    fn kinds_and_parts_do_not_run_into_each_other() {
        let names = names(KEY);
        let device = DeviceId::new("x").unwrap();
        assert_ne!(
            names.manager(&user("a"), &key("bc")),
            names.manager(&user("ab"), &key("c"))
        );
        assert_ne!(
            names.manager(&user("a"), &key("x")),
            names.device(&user("a"), &device)
        );
        assert_ne!(
            names.device(&user("a"), &device),
            names.device(&user("b"), &device)
        );
    }

    #[test]
    fn another_key_gives_another_pseudonym() {
        let generated = || Pseudonymizer::new(PseudonymKey::generate().unwrap());
        assert_ne!(generated().user(&user("a")), generated().user(&user("a")));
    }

    #[test]
    fn the_key_is_never_printed_and_bad_ones_are_refused() {
        let key: PseudonymKey = KEY.parse().unwrap();
        assert_eq!(format!("{key:?}"), "PseudonymKey(secret)");
        assert_eq!(
            format!("{:?}", Pseudonymizer::new(key)),
            "Pseudonymizer { key: PseudonymKey(secret) }"
        );
        for bad in ["", "00", &format!("+{}", &KEY[1..]), &format!("{KEY}0")] {
            assert!(matches!(
                bad.parse::<PseudonymKey>(),
                Err(Error::PseudonymKey)
            ));
        }
    }

    #[test]
    fn it_reads_back_what_it_wrote() {
        let one = names(KEY).user(&user("a"));
        let text = serde_json::to_string(&one).unwrap();
        assert_eq!(serde_json::from_str::<Pseudonym>(&text).unwrap(), one);
        assert!(serde_json::from_str::<Pseudonym>("\"+00000000000000f\"").is_err());
    }
}
