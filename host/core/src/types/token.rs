//! What is known of the token that a client was let in by.

/// By what a token can be revoked. Of a token itself nothing is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenFacts {
    /// Its id (`jti`, RFC 7519, section 4.1.7).
    pub id: Option<Box<str>>,
    /// When it was issued (`iat`, RFC 7519, section 4.1.6), ms since the Unix epoch.
    pub issued_unix_ms: Option<u64>,
}
