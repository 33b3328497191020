//! Policies from registries, as OCI artifacts.
//!
//! [`pull`] brings one, [`poll::Poller`] keeps looking what a tag means, [`publish`] pushes one.
//! What a registry says is checked, not believed: manifests and layers are read up to a cap
//! whatever size is claimed, are as long as that, and hashed here; a reference with a digest is the bytes of that digest
//! or nothing. `reference` knows names, `transport` HTTP within bounds, `auth` who we are,
//! `artifact` the conventions. Not here: whether a policy is any good.

mod artifact;
mod auth;
mod error;
mod poll;
mod push;
mod reference;
mod transport;

use std::sync::Arc;
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::HeaderValue;

pub use artifact::{About, SIGNATURE_ANNOTATION};
pub use auth::Credentials;
pub use error::RegistryError;
pub use poll::Poller;
pub use push::{Published, publish};
pub use reference::{InvalidReference, REFERENCE_BYTES_MAX, Reference};

use super::{Fetched, PolicyOrigin};
use artifact::Artifact;
use transport::{Answer, Ask, Transport};
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
    /// Between two looks at what its tag means. Default 1 min.
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
        (ours.registry() == reference.registry()).then_some(&self.credentials)
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
    let transport = Transport::new(reference, config.plain_http)?;
    let session = Session::new(config, reference, &transport);
    let pulling = async {
        let found = session.manifest().await?;
        session.layer(found, bytes_max).await
    };
    session.in_time(pulling).await
}

/// One pull: a reference, connections to its registry, and what it wants to hear.
struct Session<'a> {
    transport: &'a Transport,
    reference: &'a Reference,
    credentials: Option<&'a Credentials>,
    timeout: Duration,
}

/// A manifest as it is now.
struct Found {
    /// Of the manifest, `sha256:…`.
    digest: String,
    artifact: Artifact,
    authorization: Option<HeaderValue>,
}

impl<'a> Session<'a> {
    fn new(config: &'a Config, reference: &'a Reference, transport: &'a Transport) -> Self {
        Self {
            transport,
            reference,
            credentials: config.credentials_for(reference),
            timeout: config.timeout,
        }
    }

    /// Everything, within the one deadline.
    async fn in_time<T>(
        &self,
        work: impl Future<Output = Result<T, RegistryError>>,
    ) -> Result<T, RegistryError> {
        let late = |_| Err(self.transport.late(self.timeout));
        tokio::time::timeout(self.timeout, work)
            .await
            .unwrap_or_else(late)
    }

    /// What the reference means now.
    async fn manifest(&self) -> Result<Found, RegistryError> {
        let (repository, asked) = (self.reference.repository(), self.reference.asked());
        let url = self
            .transport
            .url(&format!("{repository}/manifests/{asked}"))?;
        let ask = |authorization| Ask {
            url: url.clone(),
            what: format!("manifest {repository}:{asked}"),
            accept: oci_client::manifest::OCI_IMAGE_MEDIA_TYPE,
            authorization,
            bytes_max: MANIFEST_BYTES_MAX,
            remedy: "",
        };
        let mut answer = self.transport.get(&ask(None)).await?;
        let mut authorization = None;
        if answer.status == StatusCode::UNAUTHORIZED {
            let header =
                auth::answer(self.transport, &answer, repository, self.credentials).await?;
            authorization = header;
            if authorization.is_some() {
                answer = self.transport.get(&ask(authorization.as_ref())).await?;
            }
        }
        let bytes = self.success(&ask(None).what, answer)?;
        let digest = format!("sha256:{}", digest(&bytes));
        same("the manifest", self.reference.pin(), &digest)?;
        let artifact = artifact::read(&bytes).map_err(|why| RegistryError::NotAPolicy {
            reference: self.reference.to_string(),
            why,
        })?;
        Ok(Found {
            digest,
            artifact,
            authorization,
        })
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
        let repository = self.reference.repository();
        let ask = Ask {
            url: self
                .transport
                .url(&format!("{repository}/blobs/{wanted}"))?,
            what,
            accept: "*/*",
            authorization: found.authorization.as_ref(),
            bytes_max,
            remedy: REMEDY,
        };
        let answer = self.transport.get(&ask).await?;
        let bytes: Arc<[u8]> = self.success(&ask.what, answer)?.into();
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

    fn success(&self, what: &str, answer: Answer) -> Result<Vec<u8>, RegistryError> {
        if answer.status.is_success() {
            Ok(answer.bytes)
        } else {
            Err(self.transport.refused(what, answer.status, &answer.bytes))
        }
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
