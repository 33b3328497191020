//! What a policy in a registry is called: `registry/repository:tag`, `registry/repository@sha256:…`.
//!
//! Nothing is filled in: no registry and no tag that was not written. The last part of the
//! repository is the name that the policy is deployed under.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use wastegate_core::types::host::{is_loopback, literal};

use crate::rollout::source::PolicyName;

/// The longest reference, bytes.
pub const REFERENCE_BYTES_MAX: usize = 512;
/// The longest repository, bytes.
const REPOSITORY_BYTES_MAX: usize = 255;
/// The longest tag, bytes.
const TAG_BYTES_MAX: usize = 128;
/// The registry that is not where its name says.
const DOCKER: &str = "docker.io";
/// Where that one is.
const DOCKER_ADDRESS: &str = "index.docker.io";

/// A checked reference. What was written is kept as it was, in its case too.
#[derive(Clone, PartialEq, Eq)]
pub struct Reference {
    registry: String,
    repository: String,
    tag: Option<String>,
    pin: Option<String>,
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
        &self.registry
    }

    /// The host and port that requests go to; for Docker's registry not the one that is named.
    pub(super) fn address(&self) -> &str {
        if self.is_dockers() {
            DOCKER_ADDRESS
        } else {
            &self.registry
        }
    }

    /// The host that requests go to, without its port; IPv6 in brackets.
    pub(super) fn host(&self) -> &str {
        let address = self.address();
        let end = match address.find(']') {
            Some(bracket) => bracket + 1,
            None => address.find(':').unwrap_or(address.len()),
        };
        address.get(..end).unwrap_or_default()
    }

    /// Whether both are in the same registry. Hosts have no case (RFC 4343).
    pub(super) fn shares_registry(&self, other: &Self) -> bool {
        self.registry.eq_ignore_ascii_case(&other.registry)
    }

    /// What it is called there.
    #[must_use]
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The repository as its registry's API has it: Docker's has a folder for those without one.
    pub(super) fn path(&self) -> Cow<'_, str> {
        if self.is_dockers() && !self.repository.contains('/') {
            Cow::Owned(format!("library/{}", self.repository))
        } else {
            Cow::Borrowed(&self.repository)
        }
    }

    /// The tag, if one was written. It may mean something else tomorrow.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest of the manifest, if it is pinned: `sha256:` and 64 digits.
    #[must_use]
    pub fn pin(&self) -> Option<&str> {
        self.pin.as_deref()
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

    fn is_dockers(&self) -> bool {
        self.registry.eq_ignore_ascii_case(DOCKER)
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
        let no_reference = || refused("is no reference of a registry");
        let no_registry = || refused("does not say which registry");
        if text.len() > REFERENCE_BYTES_MAX {
            return Err(refused("is too long"));
        }
        if text.is_empty() {
            return Err(no_reference());
        }
        let (registry, path) = text.split_once('/').ok_or_else(no_registry)?;
        let (path, pin) = parted(path, '@');
        let (repository, tag) = parted(path, ':');
        if !is_registry(registry) || !is_repository(repository) || !tag.is_none_or(is_tag) {
            return Err(no_reference());
        }
        if !(registry.eq_ignore_ascii_case("localhost") || registry.contains(['.', ':'])) {
            return Err(no_registry());
        }
        match pin.map(Pin::read) {
            None | Some(Pin::Sha256) => {}
            Some(Pin::Malformed) => return Err(no_reference()),
            Some(Pin::Other) => {
                return Err(refused("has a digest that is not sha256 in lower case"));
            }
        }
        if tag.is_none() && pin.is_none() {
            return Err(refused("says neither tag nor digest"));
        }
        let name = repository.rsplit('/').next().unwrap_or_default();
        let name = PolicyName::new(name)
            .map_err(|invalid| refused(&format!("names no policy by its last part: {invalid}")))?;
        Ok(Self {
            registry: registry.to_owned(),
            repository: repository.to_owned(),
            tag: tag.map(str::to_owned),
            pin: pin.map(str::to_owned),
            name,
        })
    }
}

/// What stands before a separator and what stands behind it, if it is there.
fn parted(text: &str, separator: char) -> (&str, Option<&str>) {
    match text.split_once(separator) {
        Some((before, after)) => (before, Some(after)),
        None => (text, None),
    }
}

/// Whether text is a host, with or without a port: a name, an IPv4 address, an IPv6 address in brackets.
fn is_registry(text: &str) -> bool {
    let is_port = |port: &str| port.parse::<u16>().is_ok_and(|port| port > 0);
    if let Some((address, port)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        let is_there = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
        return address.parse::<Ipv6Addr>().is_ok() && is_there;
    }
    let (host, port) = parted(text, ':');
    let is_label = |label: &str| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !label.is_empty()
            && label.bytes().all(fits)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    host.split('.').all(is_label) && port.is_none_or(is_port)
}

/// Whether text is a repository by the grammar of the OCI: parts of lower case and digits, joined by
/// one `.`, one or two `_`, or any number of `-`.
fn is_repository(text: &str) -> bool {
    let is_part = |part: &str| {
        let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let ends = [part.bytes().next(), part.bytes().next_back()];
        let joints = part.split(|letter: char| letter.is_ascii_alphanumeric());
        ends.into_iter().all(|end| end.is_some_and(is_word))
            && part
                .bytes()
                .all(|byte| is_word(byte) || b"._-".contains(&byte))
            && joints.into_iter().all(|joint| {
                matches!(joint, "" | "." | "_" | "__") || joint.bytes().all(|byte| byte == b'-')
            })
    };
    text.len() <= REPOSITORY_BYTES_MAX && text.split('/').all(is_part)
}

/// Whether text is a tag by the grammar of the OCI.
fn is_tag(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    (1..=TAG_BYTES_MAX).contains(&text.len())
        && text.bytes().all(fits)
        && !text.starts_with(['.', '-'])
}

/// What stands behind an `@`.
enum Pin {
    Sha256,
    /// A digest that is not looked for.
    Other,
    Malformed,
}

impl Pin {
    fn read(text: &str) -> Self {
        let Some((algorithm, digits)) = text.split_once(':') else {
            return Self::Malformed;
        };
        let is_lower = |digit: u8| digit.is_ascii_digit() || (b'a'..=b'f').contains(&digit);
        let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        match (algorithm, digits.len()) {
            _ if !is_hex => Self::Malformed,
            ("sha256", 64) if digits.bytes().all(is_lower) => Self::Sha256,
            ("sha256", 64) => Self::Other,
            ("sha256", _) | ("", _) => Self::Malformed,
            (_, 32..) => Self::Other,
            (_, _) => Self::Malformed,
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        match &self.pin {
            Some(pin) => write!(f, "@{pin}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reference({self})")
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
mod tests;
