//! Policies from registries, as OCI artifacts.
//!
//! [`pull`] brings one, [`poll::Poller`] keeps looking what a tag means, [`publish`] pushes one.
//! What a registry says is checked, not believed: manifests and layers are read up to a cap
//! whatever size is claimed, are as long as that, and hashed here; a reference with a digest is the bytes of that digest
//! or nothing. `reference` knows names, `transport` HTTP within bounds and rests, `challenge`
//! what a registry asks, `auth` who we are, `session` when that is said, `artifact`
//! the conventions. Not here: whether a policy is any good.

mod artifact;
mod auth;
mod challenge;
mod error;
mod poll;
mod push;
mod reference;
mod session;
mod transport;

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Method, StatusCode};

pub use artifact::{About, SIGNATURE_ANNOTATION};
pub use auth::Credentials;
pub use error::RegistryError;
pub use poll::{Begun, Poller};
pub use push::{Published, publish};
pub use reference::{InvalidReference, REFERENCE_BYTES_MAX, Reference};

use super::{Fetched, PolicyOrigin};
use artifact::Artifact;
use session::{Refusal, Session};
use transport::{Ask, Transport};
use wastegate_engine::policy::load::digest;

/// How often something is asked for before its trouble is told.
const ATTEMPTS_MAX: u32 = 3;
/// How often a registry may send us elsewhere for one answer.
const REDIRECTS_MAX: u32 = 5;
/// How much of a manifest is read, bytes. Ours have about 1,000.
const MANIFEST_BYTES_MAX: u64 = 256 * 1_024;

/// What the operator may set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The policy to keep up with. Default: none, so no registry is asked.
    pub reference: Option<Reference>,
    /// Between two looks at what its tag means, a fifth more or less. Default 1 min.
    pub poll: Duration,
    /// Whether registries other than on this machine are asked without encryption too.
    pub plain_http: bool,
    /// For one pull or look, whatever it takes. Default 15 s.
    pub timeout: Duration,
    /// Who we are to the registry of `reference`; no other registry gets them.
    pub credentials: Credentials,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            reference: None,
            poll: Duration::from_secs(60),
            plain_http: false,
            timeout: Duration::from_secs(15),
            credentials: Credentials::default(),
        }
    }
}

impl Config {
    /// Who we are to the registry of a reference.
    fn credentials_for(&self, reference: &Reference) -> Option<&Credentials> {
        let ours = self.reference.as_ref()?;
        ours.shares_registry(reference).then_some(&self.credentials)
    }
}

/// Brings a policy from a registry, with a policy's file of at most `bytes_max` bytes.
///
/// # Errors
/// [`RegistryError`] with what to do about it.
pub async fn pull(
    config: &Config,
    reference: &Reference,
    bytes_max: u64,
) -> Result<Fetched, RegistryError> {
    let transport = Transport::new(reference, config.plain_http)?.within(config.timeout);
    let session = Session::new(config, reference, &transport);
    let pulling = async {
        let found = session.manifest().await?;
        session.layer(found, bytes_max).await
    };
    session.in_time(pulling).await
}

/// A manifest as it is now.
struct Found {
    /// Of the manifest, `sha256:…`.
    digest: String,
    artifact: Artifact,
}

impl Session<'_> {
    /// What the reference means now.
    async fn manifest(&self) -> Result<Found, RegistryError> {
        let ask = self.for_manifest(Method::GET)?;
        let what = ask.what.clone();
        let answer = self.ask(ask, Refusal::MayHide).await?;
        let bytes = self.success(&what, answer)?;
        let digest = format!("sha256:{}", digest(&bytes));
        same("the manifest", self.reference.pin(), &digest)?;
        let artifact = artifact::read(&bytes).map_err(|why| RegistryError::NotAPolicy {
            reference: self.reference.to_string(),
            why,
        })?;
        Ok(Found { digest, artifact })
    }

    /// The policy that a manifest names.
    async fn layer(&self, found: Found, bytes_max: u64) -> Result<Fetched, RegistryError> {
        let Artifact {
            digest: wanted,
            bytes: claimed,
            signature,
        } = found.artifact;
        let what = format!("the policy in {}", self.reference);
        const REMEDY: &str = ": build it for size and strip it, or raise `policy.size_bytes_max` (`policy.heavy.size_bytes_max` for one with an interpreter in it)";
        if claimed > bytes_max {
            return Err(RegistryError::TooLarge {
                what,
                max: bytes_max,
                remedy: REMEDY,
            });
        }
        let blob = format!("{}/blobs/{wanted}", self.reference.path());
        let ask = Ask {
            bytes_max,
            remedy: REMEDY,
            ..Ask::get(self.transport.url(&blob)?, what.clone())
        };
        let answer = self.ask(ask, Refusal::MayHide).await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Err(RegistryError::NoBlob {
                registry: self.reference.registry().to_owned(),
                reference: self.reference.to_string(),
                digest: wanted,
                explanation: transport::explanation(&answer.bytes),
            });
        }
        let bytes: Arc<[u8]> = self.success(&what, answer)?.into();
        if bytes.len() as u64 != claimed {
            return Err(RegistryError::Size {
                what: "the policy",
                claimed,
                found: bytes.len() as u64,
            });
        }
        same(
            "the policy",
            Some(&wanted),
            &format!("sha256:{}", digest(&bytes)),
        )?;
        Ok(Fetched {
            name: self.reference.policy().clone(),
            bytes,
            signature,
            origin: PolicyOrigin::Registry(self.reference.resolved(&found.digest)),
        })
    }
}

/// Bytes are what they are called, or nothing.
fn same(what: &'static str, wanted: Option<&str>, found: &str) -> Result<(), RegistryError> {
    match wanted {
        Some(wanted) if wanted != found => Err(RegistryError::Digest {
            what,
            wanted: wanted.to_owned(),
            found: found.to_owned(),
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
