//! The seal of the document of levers: names of users are in it, and whoever reads the engine learns none.
//!
//! AES-256-GCM with a key that HMAC-SHA256 makes of the cluster's secret, and a nonce at random for each document. An
//! older document that is put back under a new number opens, and does nothing: nodes put what is later on top of it.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;

use wastegate_core::types::Secret;

/// What the key is for, and what is sealed with it.
const PURPOSE: &[u8] = b"wastegate levers 1";

/// Seals and opens the document of levers.
pub struct LeverSeal(LessSafeKey);

impl LeverSeal {
    /// With the cluster's secret.
    ///
    /// # Panics
    /// Never: the key has the length that the cipher takes.
    #[must_use]
    pub fn new(secret: &Secret) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.reveal().as_bytes());
        let key = UnboundKey::new(&AES_256_GCM, hmac::sign(&key, PURPOSE).as_ref());
        Self(LessSafeKey::new(key.expect("32 bytes")))
    }

    /// None if the system has no randomness.
    pub(super) fn seal(&self, mut text: Vec<u8>) -> Option<Vec<u8>> {
        let mut sealed = [0; NONCE_LEN];
        getrandom::fill(&mut sealed).ok()?;
        let nonce = Nonce::assume_unique_for_key(sealed);
        let mut sealed = sealed.to_vec();
        let done = self
            .0
            .seal_in_place_append_tag(nonce, Aad::from(PURPOSE), &mut text);
        done.ok()?;
        sealed.append(&mut text);
        Some(sealed)
    }

    /// None if it was sealed with another secret, or not by this.
    pub(super) fn open(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, text) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let mut text = text.to_vec();
        let opened = self
            .0
            .open_in_place(nonce, Aad::from(PURPOSE), &mut text)
            .ok()?;
        let length = opened.len();
        text.truncate(length);
        Some(text)
    }
}

impl std::fmt::Debug for LeverSeal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LeverSeal")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_opens_with_the_same_secret_and_unchanged() {
        let seal = |secret: &str| LeverSeal::new(&Secret::new(secret.to_owned()));
        let (one, other) = (seal("a secret of sixteen"), seal("another secret of it"));
        let sealed = one.seal(b"block/ann".to_vec()).unwrap();
        assert!(!sealed.windows(3).any(|part| part == b"ann"));
        assert_ne!(one.seal(b"block/ann".to_vec()).unwrap(), sealed);
        let again = seal("a secret of sixteen").open(&sealed);
        assert_eq!(again.as_deref(), Some(b"block/ann".as_slice()));
        assert_eq!(other.open(&sealed), None);
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(one.open(&changed), None, "byte {at}");
        }
        assert_eq!(one.open(&sealed[..5]), None);
        assert_eq!(one.open(&[]), None);
    }
}
