//! Where policies come from: what a source hands over, whichever it is.
//!
//! A source brings bytes with a name, a signature if there is one, and where they are from. Not
//! here: whether the bytes are any good (`signature`, `policy::load`), and whether what they hold
//! is activated.

pub mod directory;
pub mod file;
pub mod oci;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::signature::Keys;
use wastegate_engine::policy::manifest::{NAME_BYTES_MAX, is_name};
use wastegate_engine::policy::shipped;

/// What the operator may set about sources.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Config {
    /// The watched directory.
    pub directory: directory::Config,
    /// How OCI registries are asked.
    pub registry: oci::Config,
    /// Who has to have signed what comes from outside.
    pub keys: Keys,
}

/// Where a policy's bytes came from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyOrigin {
    /// The host was built with it. The only origin that needs no signature.
    Shipped,
    /// The file that the configuration names.
    File(PathBuf),
    /// A file in the watched directory.
    Directory(PathBuf),
    /// An operator uploaded it through the API.
    Upload,
    /// A registry: the reference with the digest of the manifest that it stood for,
    /// `registry/repository:tag@sha256:…`.
    Registry(String),
    /// The nodes of the cluster share it; the node that did.
    Cluster(String),
}

impl fmt::Display for PolicyOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shipped => f.write_str("shipped"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Directory(path) => write!(f, "directory {}", path.display()),
            Self::Upload => f.write_str("upload"),
            Self::Registry(reference) => write!(f, "registry {reference}"),
            Self::Cluster(node) => write!(f, "cluster {node}"),
        }
    }
}

/// The name that a policy is deployed under: lower case words joined by hyphens, at most
/// [`NAME_BYTES_MAX`] bytes, as in a manifest. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PolicyName(Arc<str>);

impl PolicyName {
    /// Checks and takes a name.
    ///
    /// # Errors
    /// [`InvalidName`] with the name, cut off where it is too long.
    pub fn new(name: &str) -> Result<Self, InvalidName> {
        if is_name(name) {
            return Ok(Self(name.into()));
        }
        // As many characters as a name may have bytes: enough to recognise it.
        let shown = name.chars().take(NAME_BYTES_MAX);
        Err(InvalidName(shown.flat_map(char::escape_debug).collect()))
    }

    /// The name as given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A name that no policy can be deployed under.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` cannot be the name of a policy: use lower case words joined by hyphens, at most {NAME_BYTES_MAX} bytes"
)]
pub struct InvalidName(String);

impl fmt::Debug for PolicyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "policy({:?})", &*self.0)
    }
}

impl fmt::Display for PolicyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for PolicyName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for PolicyName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::new(&name).map_err(serde::de::Error::custom)
    }
}

/// A policy's file as a source brought it: read once, never looked at on disk again.
#[derive(Clone, PartialEq, Eq)]
pub struct Fetched {
    /// What it is to be deployed as.
    pub name: PolicyName,
    /// Component or core module; no larger than any policy may be.
    pub bytes: Arc<[u8]>,
    /// What came with it as its signature, in minisign's format; nobody has checked it yet.
    pub signature: Option<String>,
    /// Where it is from.
    pub origin: PolicyOrigin,
}

impl Fetched {
    /// The policy that the host ships under that name, if there is one, as a source would bring it.
    #[must_use]
    pub fn shipped(name: &PolicyName) -> Option<Self> {
        Some(Self {
            name: name.clone(),
            bytes: shipped::find(name.as_str())?.into(),
            signature: None,
            origin: PolicyOrigin::Shipped,
        })
    }
}

/// Without the bytes.
impl fmt::Debug for Fetched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetched")
            .field("name", &self.name)
            .field("bytes", &self.bytes.len())
            .field("signed", &self.signature.is_some())
            .field("origin", &self.origin)
            .finish()
    }
}

/// Who is handed what a source found, and decides what becomes of it.
pub trait Receive: Send + Sync {
    /// Accepts or refuses it. The caller waits, and hands over nothing else meanwhile.
    fn receive(&self, fetched: Fetched, sighting: Sighting) -> BoxFuture<'_, Received>;
}

/// How what was found relates to what the same source found before under this name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sighting {
    /// It was there when the process began to look: perhaps new, perhaps what is active already,
    /// perhaps what an operator has replaced since.
    First,
    /// Something else was there before, or nothing: the source's operator changed it.
    Changed,
}

/// What became of something that was handed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received {
    /// It is a revision now, or was one already.
    Taken,
    /// It is not used, for this reason, and will not be however often it is handed over.
    Refused(String),
    /// It could not be judged now, for this reason: hand it over again at the next look.
    Later(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_a_manifest_may_say() {
        for good in ["lru", "lru-k", "a1-2b"] {
            assert_eq!(PolicyName::new(good).unwrap().as_str(), good);
        }
        let long = "a".repeat(NAME_BYTES_MAX + 1);
        for bad in [
            "", "LRU", "-lru", "lru-", "a--b", "../x", "a.b", "1a", &long,
        ] {
            assert!(PolicyName::new(bad).is_err(), "{bad}");
        }
        let message = PolicyName::new("a\nb").unwrap_err().to_string();
        assert!(message.starts_with("`a\\nb` cannot be"), "{message}");
    }

    #[test]
    fn what_is_stored_is_read_back() {
        let origins = [
            PolicyOrigin::Shipped,
            PolicyOrigin::File("a/b.wasm".into()),
            PolicyOrigin::Upload,
            PolicyOrigin::Registry("r.example/lru:1@sha256:00".to_owned()),
            PolicyOrigin::Cluster("a".to_owned()),
        ];
        for origin in origins {
            let json = serde_json::to_string(&origin).unwrap();
            assert_eq!(serde_json::from_str::<PolicyOrigin>(&json).unwrap(), origin);
        }
        let name: PolicyName = serde_json::from_str("\"lru\"").unwrap();
        assert_eq!(serde_json::to_string(&name).unwrap(), "\"lru\"");
        assert!(serde_json::from_str::<PolicyName>("\"../lru\"").is_err());
    }
}
