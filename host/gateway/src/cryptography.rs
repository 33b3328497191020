//! Which cryptography this process uses for TLS.

use std::sync::Once;

/// Makes `ring` the provider of cryptography for TLS, once for the process.
pub fn provide() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // The embedding program may have chosen another provider, which then stays.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}
