//! What a policy in a registry is called: `registry/repository:tag`, `registry/repository@sha256:…`.
//!
//! Nothing is filled in: no registry and no tag that was not written. The last part of the
//! repository is the name that the policy is deployed under.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use wastegate_core::types::host::{is_loopback, literal};

use crate::rollout::source::PolicyName;

/// The longest reference, bytes.
pub const REFERENCE_BYTES_MAX: usize = 512;

/// A checked reference.
#[derive(Clone, PartialEq, Eq)]
pub struct Reference {
    inner: oci_client::Reference,
    name: PolicyName,
}

/// Text that is no reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{why}; give `registry/repository:tag` or `registry/repository@sha256:…`, such as `registry.example/policies/lru:1`"
)]
pub struct InvalidReference {
    why: String,
}

impl InvalidReference {
    /// What is wrong, without what to give instead.
    #[must_use]
    pub fn why(&self) -> &str {
        &self.why
    }
}

impl Reference {
    /// Where it is: host, and port if one was written.
    #[must_use]
    pub fn registry(&self) -> &str {
        self.inner.registry()
    }

    /// The host to send requests to; not always the one that is named.
    pub(super) fn address(&self) -> &str {
        self.inner.resolve_registry()
    }

    /// What it is called there.
    #[must_use]
    pub fn repository(&self) -> &str {
        self.inner.repository()
    }

    /// The tag, if one was written. It may mean something else tomorrow.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.inner.tag()
    }

    /// The digest of the manifest, if it is pinned: `sha256:` and 64 digits.
    #[must_use]
    pub fn pin(&self) -> Option<&str> {
        self.inner.digest()
    }

    /// The name that the policy is deployed under: the last part of the repository.
    #[must_use]
    pub fn policy(&self) -> &PolicyName {
        &self.name
    }

    /// What to ask for: the pin if there is one, since it cannot move.
    pub(super) fn asked(&self) -> &str {
        self.pin().or(self.tag()).unwrap_or_default()
    }

    /// The same with the digest that it stands for now.
    #[must_use]
    pub fn resolved(&self, digest: &str) -> String {
        let (registry, repository) = (self.registry(), self.repository());
        match self.tag() {
            Some(tag) => format!("{registry}/{repository}:{tag}@{digest}"),
            None => format!("{registry}/{repository}@{digest}"),
        }
    }

    pub(super) fn as_oci(&self) -> &oci_client::Reference {
        &self.inner
    }
}

impl FromStr for Reference {
    type Err = InvalidReference;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = |why: &str| {
            let shown: String = text.chars().take(REFERENCE_BYTES_MAX).collect();
            InvalidReference {
                why: format!("`{}` {why}", shown.escape_debug()),
            }
        };
        if text.len() > REFERENCE_BYTES_MAX {
            return Err(refused("is too long"));
        }
        let inner: oci_client::Reference = text
            .parse()
            .map_err(|_| refused("is no reference of a registry"))?;
        let (registry, path) = text.split_once('/').unwrap_or_default();
        if !(registry == "localhost" || registry.contains(['.', ':'])) {
            return Err(refused("does not say which registry"));
        }
        let last = path.rsplit('/').next().unwrap_or_default();
        if !last.contains([':', '@']) {
            return Err(refused("says neither tag nor digest"));
        }
        if let Some(pin) = inner.digest() {
            let digits = pin.strip_prefix("sha256:").unwrap_or_default();
            let hex = |digit: u8| digit.is_ascii_digit() || (b'a'..=b'f').contains(&digit);
            if digits.len() != 64 || !digits.bytes().all(hex) {
                return Err(refused("has a digest that is not sha256 in lower case"));
            }
        }
        let name = inner.repository().rsplit('/').next().unwrap_or_default();
        let name = PolicyName::new(name)
            .map_err(|invalid| refused(&format!("names no policy by its last part: {invalid}")))?;
        Ok(Self { inner, name })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl fmt::Debug for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reference({})", self.inner)
    }
}

/// Whether a host is an address that means nothing outside of some network.
pub(super) fn is_inside(host: &str) -> bool {
    is_loopback(host)
        || literal(host).is_some_and(|address| match address.to_canonical() {
            IpAddr::V4(v4) => {
                let [first, second, ..] = v4.octets();
                let shared = first == 100 && (64..128).contains(&second);
                v4.is_private()
                    || v4.is_loopback()
                    || v4.is_link_local()
                    || v4.is_unspecified()
                    || v4.is_multicast()
                    || shared
            }
            IpAddr::V6(v6) => {
                v6.is_loopback()
                    || v6.is_unspecified()
                    || v6.is_multicast()
                    || v6.is_unique_local()
                    || v6.is_unicast_link_local()
            }
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<Reference, String> {
        text.parse()
            .map_err(|error: InvalidReference| error.to_string())
    }

    #[test]
    fn what_was_written_is_kept() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        let pinned = format!("127.0.0.1:5000/a/lru-k:1.2@{digest}");
        let reference = parse(&pinned).unwrap();
        assert_eq!(reference.to_string(), pinned);
        assert_eq!(reference.registry(), "127.0.0.1:5000");
        assert_eq!(reference.repository(), "a/lru-k");
        assert_eq!(
            (reference.tag(), reference.pin()),
            (Some("1.2"), Some(&*digest))
        );
        assert_eq!(reference.asked(), digest);
        assert_eq!(reference.policy().as_str(), "lru-k");
        let tagged = parse("localhost/lru:1").unwrap();
        assert_eq!(
            tagged.resolved(&digest),
            format!("localhost/lru:1@{digest}")
        );
        assert_eq!(tagged.asked(), "1");
    }

    #[test]
    fn each_way_to_be_wrong_is_named() {
        let short = format!("r.example/lru@sha256:{}", "0".repeat(40));
        let upper = format!("r.example/lru@sha256:{}", "A".repeat(64));
        for (text, why) in [
            ("", "is no reference"),
            ("r.example/LRU:1", "is no reference"),
            ("https://r.example/lru:1", "is no reference"),
            ("lru:1", "which registry"),
            ("policies/lru:1", "which registry"),
            ("r.example:5000/lru", "neither tag nor digest"),
            ("r.example/my_policy:1", "names no policy"),
            (short.as_str(), "is no reference"),
            (upper.as_str(), "lower case"),
            (&format!("r.example/{}:1", "a".repeat(600)), "too long"),
        ] {
            let said = parse(text).unwrap_err();
            assert!(said.contains(why), "{text}: {said}");
        }
    }

    #[test]
    fn inside_is_what_no_stranger_may_point_at() {
        for host in [
            "localhost",
            "127.0.0.1",
            "[::1]",
            "::ffff:10.0.0.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.1.1",
            "fd00::1",
            "192.168.0.1",
        ] {
            assert!(is_inside(host), "{host}");
        }
        for host in ["registry.example", "8.8.8.8", "2001:4860::1", "100.128.0.1"] {
            assert!(!is_inside(host), "{host}");
        }
    }

    proptest! {
        #[test]
        fn no_text_breaks_it_and_what_is_taken_is_shown_as_it_was(text in "[a-z0-9./:@A-Z_-]{0,60}") {
            if let Ok(reference) = parse(&text) {
                prop_assert_eq!(reference.to_string(), text);
            }
        }
    }
}
