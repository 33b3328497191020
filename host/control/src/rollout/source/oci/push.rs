//! Publishing a policy: what is not there yet is uploaded, then the manifest names it.
//!
//! The operator who publishes has chosen the registry. The bounds of a pull hold here too: one deadline, few attempts, no word believed, and credentials only where they are asked for
//! and only to the registry itself.

use bytes::Bytes;
use reqwest::header::LOCATION;
use reqwest::{Method, Url};

use super::Config;
use super::artifact::{self, About, Blob, MANIFEST_TYPE};
use super::error::RegistryError;
use super::reference::Reference;
use super::session::{Refusal, Session};
use super::transport::{Answer, Ask, Transport};

/// What blobs are sent as.
const BLOB_TYPE: &str = "application/octet-stream";

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
    let built = artifact::build(bytes, signature, about).map_err(RegistryError::Unpublishable)?;
    let digest = built.manifest.digest;
    let transport = Transport::new(reference, config.plain_http)?.within(config.timeout);
    let session = Session::publishing(config, reference, &transport);
    let pushing = async {
        session.blob(built.layer).await?;
        session.blob(built.config).await?;
        session.named(built.manifest.bytes).await
    };
    let failed = |source| RegistryError::Push {
        registry: reference.registry().to_owned(),
        source: Box::new(source),
    };
    session
        .in_time(async { pushing.await.map_err(failed) })
        .await?;
    let pinned = reference.resolved(&digest);
    Ok(Published { digest, pinned })
}

impl Session<'_> {
    /// Makes sure that a blob is there.
    async fn blob(&self, blob: Blob) -> Result<(), RegistryError> {
        let Blob { bytes, digest } = blob;
        let repository = self.reference.path();
        let url = self
            .transport
            .url(&format!("{repository}/blobs/{digest}"))?;
        let there = Ask {
            method: Method::HEAD,
            ..Ask::get(url, format!("blob {digest}"))
        };
        let what = there.what.clone();
        let found = self.ask(there, Refusal::IsAnAnswer).await?;
        if found.status.is_success() {
            return Ok(());
        }
        if matches!(found.status.as_u16(), 429 | 503) {
            return Err(self.refused(&what, &found));
        }
        let place = self.place().await?;
        self.upload(place, bytes, &digest).await
    }

    /// Where a blob may be uploaded to.
    async fn place(&self) -> Result<Url, RegistryError> {
        let repository = self.reference.path();
        let url = self
            .transport
            .url(&format!("{repository}/blobs/uploads/"))?;
        let ask = Ask {
            method: Method::POST,
            body: Some((BLOB_TYPE, Bytes::new())),
            ..Ask::get(url, format!("a place to upload to in {repository}"))
        };
        let what = ask.what.clone();
        let answer = self.ask(ask, Refusal::MayHide).await?;
        if !answer.status.is_success() {
            return Err(self.refused(&what, &answer));
        }
        let place = located(&answer).ok_or_else(|| {
            self.transport
                .garbage("it says no place to upload to".to_owned())
        })?;
        self.transport.may_go(&place)?;
        Ok(place)
    }

    async fn upload(
        &self,
        mut place: Url,
        bytes: Bytes,
        digest: &str,
    ) -> Result<(), RegistryError> {
        place.query_pairs_mut().append_pair("digest", digest);
        let is_home = self.transport.is_home(&place);
        let ask = Ask {
            method: Method::PUT,
            body: Some((BLOB_TYPE, bytes)),
            ..Ask::get(place, "the upload of a blob")
        };
        let what = ask.what.clone();
        let answer = if is_home {
            self.ask(ask, Refusal::MayHide).await?
        } else {
            self.transport.ask(&ask).await?
        };
        self.success(&what, answer).map(|_| ())
    }

    /// Names the manifest by the reference's tag.
    async fn named(&self, manifest: Bytes) -> Result<(), RegistryError> {
        let ask = Ask {
            body: Some((MANIFEST_TYPE, manifest)),
            ..self.for_manifest(Method::PUT)?
        };
        let what = ask.what.clone();
        let answer = self.ask(ask, Refusal::MayHide).await?;
        self.success(&what, answer).map(|_| ())
    }
}

fn located(answer: &Answer) -> Option<Url> {
    let place = answer.headers.get(LOCATION)?.to_str().ok()?;
    answer.url.join(place).ok()
}
