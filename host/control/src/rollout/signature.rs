//! Whether a file was signed by one of the operator's keys.
//!
//! The format is minisign's: Ed25519 over BLAKE2b of the file, a key id to find the key by, and a
//! trusted comment that is signed too. Only this prehashed form (`ED`) is taken; the old one (`Ed`)
//! is what minisign before 0.10 wrote, and its authors advise to refuse it unless it must be
//! supported.
//!
//! What a signature does not say: that a file is the newest. An older file with its signature is
//! still signed; revisions and the audit log show that it was put back. Not here: keys that sign.

use std::fmt;

use minisign_verify::{Error, PublicKey, Signature};

use super::source::{Fetched, PolicyOrigin};

/// The longest signature that is looked at, bytes. Minisign's own are about 300.
pub const SIGNATURE_BYTES_MAX: usize = 4 * 1_024;
/// How many keys there may be.
pub const KEYS_MAX: usize = 32;
/// Length of a public key's text: 42 bytes in base64.
const KEY_TEXT_BYTES: usize = 56;

/// One public key, as `minisign -G` prints it: a line of 56 characters.
#[derive(Clone, PartialEq, Eq)]
pub struct Key {
    text: String,
    id: KeyId,
    key: PublicKey,
}

/// What minisign calls a key by: 16 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyId(u64);

/// Text that is no public key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no minisign public key: give the line of 56 characters that begins with `RW`, the second of the `.pub` file"
)]
pub struct InvalidKey(String);

/// The keys that files may be signed with. None: no file needs a signature.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Keys(Vec<Key>);

/// Why a file may be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verified {
    /// There are no keys, so no signature is required.
    NotAsked,
    /// The host was built with the file.
    Shipped,
    /// It is signed.
    Signed {
        /// The id of the key that made the signature.
        key: KeyId,
        /// What the signer wrote, which is signed too. Printable, at most
        /// [`SIGNATURE_BYTES_MAX`] bytes.
        comment: String,
    },
}

/// Why a file was refused for its signature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the message of each variant says what its fields are"
)]
pub enum SignatureRefused {
    /// There is none.
    #[error(
        "the policy is not signed and `policy.signatures.keys` asks for it: sign it with `minisign -S -m FILE` and give `FILE.minisig` with it"
    )]
    Missing,
    /// It is longer than any signature.
    #[error(
        "the signature has {bytes} bytes and at most {SIGNATURE_BYTES_MAX} are looked at: give the `.minisig` file that minisign wrote"
    )]
    TooLong { bytes: usize },
    /// It cannot be read.
    #[error(
        "the signature is not in minisign's format: give the `.minisig` file as minisign wrote it, all four lines"
    )]
    Malformed,
    /// It is of the old kind.
    #[error(
        "the signature by key {0} is of the old kind, over the bytes instead of their hash: sign again with minisign 0.10 or later and without `-l`"
    )]
    Legacy(KeyId),
    /// The key is none of the configured ones.
    #[error(
        "the policy is signed with key {0}, which `policy.signatures.keys` does not have: sign it with a key that is there, or add its public key"
    )]
    UnknownKey(KeyId),
    /// The key is known and the signature is wrong.
    #[error(
        "the signature by key {0} does not fit: the file, the signature or its comment is not what was signed; copy both again, or sign the file again"
    )]
    Wrong(KeyId),
}

impl Key {
    /// Reads a public key's line.
    ///
    /// # Errors
    /// [`InvalidKey`] with what was given, cut off where it is too long.
    pub fn new(text: &str) -> Result<Self, InvalidKey> {
        let refused = || {
            let shown = text.chars().take(KEY_TEXT_BYTES);
            InvalidKey(shown.flat_map(char::escape_debug).collect())
        };
        if text.len() != KEY_TEXT_BYTES {
            return Err(refused());
        }
        let key = PublicKey::from_base64(text).map_err(|_| refused())?;
        Ok(Self {
            text: text.to_owned(),
            id: KeyId::within(text).ok_or_else(refused)?,
            key,
        })
    }

    /// The key as one line of base64, as it was configured.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What minisign calls it.
    #[must_use]
    pub fn id(&self) -> KeyId {
        self.id
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.text)
    }
}

impl KeyId {
    /// The id in the base64 of a key or a signature: bytes 2 to 9, of which the first 16
    /// characters hold all, least significant first.
    fn within(text: &str) -> Option<Self> {
        let mut bits = 0_u128;
        for character in text.get(..16)?.bytes() {
            let six = match character {
                b'A'..=b'Z' => character - b'A',
                b'a'..=b'z' => character - b'a' + 26,
                b'0'..=b'9' => character - b'0' + 52,
                b'+' => 62,
                b'/' => 63,
                _ => return None,
            };
            bits = bits << 6 | u128::from(six);
        }
        // 96 bits: two bytes that name the algorithm, eight of the id, two of what follows.
        let id = u64::try_from(bits >> 16 & u128::from(u64::MAX)).ok()?;
        Some(Self(id.swap_bytes()))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016X}", self.0)
    }
}

impl Keys {
    /// These keys; at most [`KEYS_MAX`] are of use to anybody, and `config` takes no more.
    #[must_use]
    pub fn new(keys: Vec<Key>) -> Self {
        Self(keys)
    }

    /// Whether no file needs a signature.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The keys, in the order of the configuration.
    pub fn iter(&self) -> impl Iterator<Item = &Key> {
        self.0.iter()
    }

    /// Whether what a source brought may be used: shipped, or signed by one of the keys, or there
    /// are none.
    ///
    /// # Errors
    /// [`SignatureRefused`] with what to do about it.
    pub fn admit(&self, fetched: &Fetched) -> Result<Verified, SignatureRefused> {
        match fetched.origin {
            PolicyOrigin::Shipped => Ok(Verified::Shipped),
            PolicyOrigin::File(_)
            | PolicyOrigin::Directory(_)
            | PolicyOrigin::Upload
            | PolicyOrigin::Cluster(_)
            | PolicyOrigin::Registry(_) => {
                self.verify(&fetched.bytes, fetched.signature.as_deref())
            }
        }
    }

    /// Whether bytes from outside are signed by one of the keys.
    ///
    /// # Errors
    /// [`SignatureRefused`] with what to do about it.
    pub fn verify(
        &self,
        bytes: &[u8],
        signature: Option<&str>,
    ) -> Result<Verified, SignatureRefused> {
        if self.is_empty() {
            return Ok(Verified::NotAsked);
        }
        let text = signature.ok_or(SignatureRefused::Missing)?;
        if text.len() > SIGNATURE_BYTES_MAX {
            return Err(SignatureRefused::TooLong { bytes: text.len() });
        }
        let (signature, id) = read(text).ok_or(SignatureRefused::Malformed)?;
        let mut refused = SignatureRefused::UnknownKey(id);
        for key in &self.0 {
            match key.key.verify(bytes, &signature, false) {
                Ok(()) => {
                    return Ok(Verified::Signed {
                        key: key.id,
                        comment: printable(signature.trusted_comment()),
                    });
                }
                Err(Error::UnexpectedKeyId) => {}
                Err(Error::UnexpectedAlgorithm) => refused = SignatureRefused::Legacy(id),
                Err(
                    Error::InvalidSignature
                    | Error::InvalidEncoding
                    | Error::IoError(_)
                    | Error::UnsupportedAlgorithm
                    | Error::UnsupportedLegacyMode,
                ) => refused = SignatureRefused::Wrong(id),
            }
        }
        Err(refused)
    }
}

fn read(text: &str) -> Option<(Signature, KeyId)> {
    let signature = Signature::decode(text).ok()?;
    let id = KeyId::within(text.lines().nth(1)?)?;
    Some((signature, id))
}

/// Without what could forge a line of a log.
fn printable(text: &str) -> String {
    text.replace(char::is_control, " ")
}

#[cfg(test)]
mod tests;
