//! Publishing a policy: the way of `oci-client`, which knows the quirks of many registries.
//!
//! Whoever publishes has chosen the registry and gives it what it may write to, so what bounds a
//! pull by a server is not needed here; a deadline is.

use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::manifest::OCI_IMAGE_MEDIA_TYPE;
use oci_client::secrets::RegistryAuth;
use reqwest::header::HeaderValue;

use super::Config;
use super::artifact::{self, About};
use super::error::RegistryError;
use super::reference::Reference;
use super::transport::is_plain;
use wastegate::cryptography;
use wastegate_engine::policy::load::digest;

/// What was published, and under which digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The digest of the manifest, `sha256:…`.
    pub digest: String,
    /// The reference with that digest: what to pin.
    pub pinned: String,
}

/// Pushes a policy, with its signature if there is one, under a reference with a tag. The
/// credentials of the configuration go to the registry of this reference, whichever it is.
///
/// # Errors
/// [`RegistryError`] with what to do about it.
pub async fn publish(
    config: &Config,
    reference: &Reference,
    bytes: &[u8],
    signature: Option<&str>,
    about: &About,
) -> Result<Published, RegistryError> {
    if reference.tag().is_none() || reference.pin().is_some() {
        return Err(RegistryError::Unpublishable(format!(
            "{reference} has to have a tag and no digest: the digest is what publishing makes"
        )));
    }
    let (layers, described, manifest) =
        artifact::build(bytes, signature, about).map_err(RegistryError::Unpublishable)?;
    cryptography::provide();
    let protocol = if is_plain(reference, config.plain_http) {
        ClientProtocol::Http
    } else {
        ClientProtocol::Https
    };
    let client = oci_client::Client::try_from(ClientConfig {
        protocol,
        connect_timeout: Some(config.timeout),
        user_agent: concat!("wastegate/", env!("CARGO_PKG_VERSION")),
        ..ClientConfig::default()
    });
    let failed = |source| RegistryError::Push {
        registry: reference.registry().to_owned(),
        source: Box::new(source),
    };
    let client = client.map_err(failed)?;
    let credentials = &config.credentials;
    let (username, password) = (&credentials.username, credentials.password.reveal());
    let auth = match (username.is_empty(), password.is_empty()) {
        (_, true) => RegistryAuth::Anonymous,
        (true, false) => RegistryAuth::Bearer(password.to_owned()),
        (false, false) => RegistryAuth::Basic(username.clone(), password.to_owned()),
    };
    // In bytes of ours: the crate's own writing leaves line breaks in texts as they are, which is
    // no JSON, and a signature has four lines.
    let manifest = serde_json::to_vec(&manifest)
        .map_err(|error| RegistryError::Unpublishable(error.to_string()))?;
    let digest = format!("sha256:{}", digest(&manifest));
    let pushing = async {
        let at = reference.as_oci();
        client
            .store_auth_if_needed(reference.address(), &auth)
            .await;
        for layer in layers {
            let digest = layer.sha256_digest();
            client.push_blob(at, layer.data, &digest).await?;
        }
        let described_as = described.sha256_digest();
        client.push_blob(at, described.data, &described_as).await?;
        let media_type = HeaderValue::from_static(OCI_IMAGE_MEDIA_TYPE);
        client.push_manifest_raw(at, manifest, media_type).await
    };
    tokio::time::timeout(config.timeout, pushing)
        .await
        .map_err(|_| RegistryError::Late {
            registry: reference.registry().to_owned(),
            timeout: config.timeout,
        })?
        .map_err(failed)?;
    let pinned = reference.resolved(&digest);
    Ok(Published { digest, pinned })
}
