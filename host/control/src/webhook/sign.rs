//! The signature of a request (Standard Webhooks, "Signature scheme": HMAC-SHA256 of `id.timestamp.body`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;

/// What stands before a secret in base64.
const PREFIX: &str = "whsec_";

/// The least length of a secret, bytes (Standard Webhooks asks for 24 to 64).
pub const SECRET_BYTES_MIN: usize = 24;

/// The key that a secret stands for; none where what follows the prefix is no base64.
pub(super) fn key(secret: &str) -> Option<hmac::Key> {
    let bytes = match secret.strip_prefix(PREFIX) {
        Some(text) => STANDARD.decode(text).ok()?,
        None => secret.as_bytes().to_vec(),
    };
    Some(hmac::Key::new(hmac::HMAC_SHA256, &bytes))
}

/// Whether a secret is long enough without white space around it, and base64 where it says so.
#[must_use]
pub fn is_secret(secret: &str) -> bool {
    match secret.strip_prefix(PREFIX) {
        Some(text) => STANDARD
            .decode(text)
            .is_ok_and(|bytes| bytes.len() >= SECRET_BYTES_MIN),
        None => secret.trim().len() >= SECRET_BYTES_MIN,
    }
}

/// The value of the header `webhook-signature`.
pub(super) fn signature(key: &hmac::Key, id: &str, unix_s: u64, body: &str) -> String {
    let tag = hmac::sign(key, format!("{id}.{unix_s}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's reference implementations.
    #[test]
    fn the_published_example() {
        let key = key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signed = signature(
            &key,
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            r#"{"test": 2432232314}"#,
        );
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert!(super::key("whsec_not base64").is_none());
        for (secret, expected) in [
            ("short", false),
            ("whsec_MfKQ", false),
            ("whsec_ ", false),
            ("                              ", false),
            ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", true),
            ("24 bytes are long enough.", true),
        ] {
            assert_eq!(is_secret(secret), expected, "{secret}");
        }
    }
}
