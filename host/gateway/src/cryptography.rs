//! Which cryptography this process uses for TLS.

use std::sync::Once;

/// Makes `ring` the provider of cryptography for TLS, once for the process.
pub fn provide() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Somebody who embeds us may have chosen another one: theirs stays.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}
