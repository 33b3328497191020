//! Tokens, and the keys that they are checked by.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};
use wastegate_core::types::Clock;

/// Somebody who signs tokens and publishes its keys.
pub struct Issuer {
    pair: Ed25519KeyPair,
    name: String,
}

impl Issuer {
    /// With a key of that name.
    ///
    /// # Panics
    /// If the system has no randomness.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let random = ring::rand::SystemRandom::new();
        let document = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
        let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap();
        Self {
            pair,
            name: name.to_owned(),
        }
    }

    /// Its key as it is published.
    #[must_use]
    pub fn public(&self) -> Value {
        let point = URL_SAFE_NO_PAD.encode(self.pair.public_key().as_ref());
        json!({ "kty": "OKP", "crv": "Ed25519", "kid": self.name, "x": point })
    }

    /// A token of these claims that expires in so many seconds.
    #[must_use]
    pub fn token(&self, claims: &Value, in_s: f64) -> String {
        let mut claims = claims.clone();
        let clock = Clock::system();
        let now = Duration::from_millis(clock.unix_ms(clock.now()));
        claims["exp"] = json!(now.as_secs_f64() + in_s);
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let header = json!({ "alg": "EdDSA", "kid": self.name });
        let signed = format!("{}.{}", part(&header), part(&claims));
        let signature = self.pair.sign(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }
}
