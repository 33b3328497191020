//! The keys that tokens are signed with: a secret, and a set that is read again from time to time.
//!
//! Rotation: a set is read again when it is old, and early when a token names a key that is not in
//! it, though not more often than every `keys_retry`: tokens with made-up names must not make us
//! hammer whoever publishes the set. A set that cannot be read again stays in use; one that can be read
//! and is empty means that no key is good any more.
//!
//! It is read beside the requests, once for all of them. A token whose key is in the set does not wait for
//! that, but for a moment where it is the first to find the set old; only one whose key is not does.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use jsonwebtoken::jwk::{Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use super::Config;
#[cfg(feature = "jwt-url")]
use crate::outbound;
use crate::tasks::Tasks;
use wastegate_core::types::{Clock, Timestamp};

/// Bytes of a set that are read.
const SET_BYTES_MAX: usize = 1024 * 1_024;

/// How long a token whose key is known waits for a set that it found old: a publisher that answers is
/// heard, so that a key that it took back is good for nobody, and one that does not delays nobody.
const DUE_WAIT: Duration = Duration::from_millis(25);

/// Why keys cannot be had.
#[derive(Debug, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the message of each variant says what its fields are"
)]
#[non_exhaustive]
pub enum KeysError {
    /// The file cannot be read.
    #[error("{} cannot be read", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// The URL cannot be fetched.
    #[cfg(feature = "jwt-url")]
    #[error("the set cannot be fetched")]
    Fetch(#[source] reqwest::Error),
    /// It is answered with something else.
    #[cfg(feature = "jwt-url")]
    #[error("the set's address answered {0}")]
    Status(reqwest::StatusCode),
    /// It has too many bytes.
    #[error("the set has more than {SET_BYTES_MAX} bytes")]
    TooLarge,
    /// It is no set of keys.
    #[error("it is no JSON Web Key Set: {0}")]
    Json(#[source] serde_json::Error),
    /// It has keys, and none that can be used.
    #[error("the set has no key for signatures by RSA, P-256 or Ed25519")]
    Unusable,
    /// It has too many keys.
    #[error("the set has {found} keys, more than `identity.jwt.keys_max` ({most}); raise that")]
    TooMany {
        found: usize,
        /// How many are allowed.
        most: usize,
    },
    /// The shared secret is none.
    #[error("the shared secret is empty")]
    Secret,
    /// An HTTP client cannot be made.
    #[cfg(feature = "jwt-url")]
    #[error("an HTTP client cannot be made")]
    Client(#[source] reqwest::Error),
}

/// Why there is no key for a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoKey {
    /// The set does not have it.
    Unknown,
    /// There is no set.
    Unavailable,
}

enum Source {
    Nowhere,
    File(PathBuf),
    #[cfg(feature = "jwt-url")]
    Url(reqwest::Client, String),
}

/// A set as it is published. What a key is, each says by itself: one of a kind that we do not know is
/// passed over (RFC 7517, section 5).
#[derive(Deserialize)]
struct PublishedSet {
    keys: Vec<Value>,
}

struct Known {
    id: Option<String>,
    /// The one that it is meant for, if it says so.
    algorithm: Option<Algorithm>,
    key: DecodingKey,
}

struct Set {
    keys: Vec<Known>,
    read_at: Timestamp,
}

/// The keys that check signatures: a shared secret, or a published key set.
pub(super) struct Keys {
    secret: Option<DecodingKey>,
    published: Arc<Published>,
    /// Reads beside the requests; a set of its own, since nobody waits for it at a stop.
    tasks: Tasks,
}

/// The set that is read again.
struct Published {
    source: Source,
    set: ArcSwapOption<Set>,
    /// When a set was last asked for. Held while it is read, so that it is read once.
    asked: Mutex<Option<Timestamp>>,
    keys_max: usize,
    refresh: Duration,
    retry: Duration,
    clock: Clock,
}

impl Keys {
    pub(super) fn new(config: &Config, clock: Clock) -> Result<Self, KeysError> {
        let secret = if config.secret.is_empty() {
            None
        } else {
            let secret = config.secret.reveal().as_bytes();
            Some(DecodingKey::from_secret(secret).map_err(|_| KeysError::Secret)?)
        };
        let published = Published {
            source: Source::of(config)?,
            set: ArcSwapOption::empty(),
            asked: Mutex::new(None),
            keys_max: config.keys_max,
            refresh: config.keys_refresh,
            retry: config.keys_retry,
            clock,
        };
        // A mistake in a file is told at the start; a publisher may be started after us.
        if let Source::File(path) = &published.source {
            published.keep(&read_file(path)?)?;
        }
        Ok(Self {
            secret,
            published: Arc::new(published),
            tasks: Tasks::new(),
        })
    }

    /// The keys that may have signed a token with this header: the one of that name, or all of that
    /// kind where it names none.
    pub(super) async fn find(
        &self,
        id: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<Vec<DecodingKey>, NoKey> {
        if algorithm == Algorithm::HS256 {
            return Ok(vec![self.secret.clone().ok_or(NoKey::Unknown)?]);
        }
        let published = &self.published;
        let known = published.set.load_full();
        let keys = known.as_ref().map(|set| set.find(id, algorithm));
        if let (Some(set), Some(keys)) = (known, keys.filter(|keys| !keys.is_empty())) {
            if !(published.is_old(&set) && published.is_at_rest()) {
                return Ok(keys);
            }
            let read = tokio::time::timeout(DUE_WAIT, self.read_again()).await;
            if read.is_err() {
                return Ok(keys);
            }
        } else if matches!(published.source, Source::Nowhere) {
            return Err(NoKey::Unknown);
        } else {
            // One that fails to be joined has panicked; then there is what there was.
            let _ = self.read_again().await;
        }
        let set = published.set.load_full().ok_or(NoKey::Unavailable)?;
        let keys = set.find(id, algorithm);
        if keys.is_empty() {
            Err(NoKey::Unknown)
        } else {
            Ok(keys)
        }
    }

    /// When the published set was last read.
    pub(super) fn read_at(&self) -> Option<Timestamp> {
        let set = self.published.set.load();
        set.as_ref().map(|set| set.read_at)
    }

    /// Reads the set again, whatever becomes of the request that it is for.
    fn read_again(&self) -> JoinHandle<()> {
        let published = self.published.clone();
        self.tasks
            .spawn("keys", async move { published.read_again().await })
    }
}

impl Source {
    fn of(config: &Config) -> Result<Self, KeysError> {
        if let Some(path) = &config.keys_file {
            return Ok(Self::File(path.clone()));
        }
        #[cfg(feature = "jwt-url")]
        if let Some(url) = &config.keys_url {
            let client = outbound::client(url, config.keys_timeout).map_err(KeysError::Client)?;
            return Ok(Self::Url(client, url.clone()));
        }
        Ok(Self::Nowhere)
    }

    /// Its bytes; none where there is no set.
    async fn read(&self) -> Result<Option<Vec<u8>>, KeysError> {
        match self {
            Self::Nowhere => Ok(None),
            Self::File(path) => read_file(path).map(Some),
            #[cfg(feature = "jwt-url")]
            Self::Url(client, url) => fetch(client, url).await.map(Some),
        }
    }
}

impl Published {
    fn is_old(&self, set: &Set) -> bool {
        self.clock.now().since(set.read_at) >= self.refresh
    }

    /// Whether it may be read again: it is not just being read, nor was it a moment ago.
    fn is_at_rest(&self) -> bool {
        let asked = self.asked.try_lock().ok();
        asked.is_some_and(|asked| !self.was_just_asked(*asked))
    }

    fn was_just_asked(&self, asked: Option<Timestamp>) -> bool {
        asked.is_some_and(|asked| self.clock.now().since(asked) < self.retry)
    }

    async fn read_again(&self) {
        let mut asked = self.asked.lock().await;
        if self.was_just_asked(*asked) {
            return;
        }
        *asked = Some(self.clock.now());
        let read = self.source.read().await;
        let kept = read.and_then(|bytes| bytes.map_or(Ok(()), |bytes| self.keep(&bytes)));
        if let Err(error) = kept {
            let why = std::error::Error::source(&error).map(ToString::to_string);
            tracing::warn!(%error, why, "the keys of tokens could not be read; those that were read before stay");
        }
    }

    fn keep(&self, bytes: &[u8]) -> Result<(), KeysError> {
        let set: PublishedSet = serde_json::from_slice(bytes).map_err(KeysError::Json)?;
        let (found, most) = (set.keys.len(), self.keys_max);
        if found > most {
            return Err(KeysError::TooMany { found, most });
        }
        let keys = set.keys.into_iter();
        let keys: Vec<Known> = keys
            .filter_map(|key| known(&Jwk::deserialize(key).ok()?))
            .collect();
        if keys.is_empty() && found > 0 {
            return Err(KeysError::Unusable);
        }
        let read_at = self.clock.now();
        self.set.store(Some(Arc::new(Set { keys, read_at })));
        Ok(())
    }
}

impl Set {
    fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Vec<DecodingKey> {
        let fits = |known: &&Known| {
            let named = id.is_none() || known.id.as_deref() == id;
            let kind = known.key.family() == algorithm.family();
            let meant = known.algorithm.is_none_or(|meant| meant == algorithm);
            named && kind && meant
        };
        let keys = self.keys.iter().filter(fits);
        keys.map(|known| known.key.clone()).collect()
    }
}

/// A key that may check signatures. Secrets have no place in a set that is published.
fn known(jwk: &Jwk) -> Option<Known> {
    use jsonwebtoken::AlgorithmFamily;
    let encrypts = jwk.common.public_key_use == Some(PublicKeyUse::Encryption);
    let key = DecodingKey::from_jwk(jwk).ok().filter(|_| !encrypts)?;
    let algorithm = match jwk.common.key_algorithm {
        None => None,
        // The names are the same; a key for what is no signature is none for us.
        Some(meant) => Some(format!("{meant:?}").parse().ok()?),
    };
    (key.family() != AlgorithmFamily::Hmac).then(|| Known {
        id: jwk.common.key_id.clone(),
        algorithm,
        key,
    })
}

fn read_file(path: &PathBuf) -> Result<Vec<u8>, KeysError> {
    let error = |source| KeysError::File {
        path: path.clone(),
        source,
    };
    let length = std::fs::metadata(path).map_err(error)?.len();
    if length > SET_BYTES_MAX as u64 {
        return Err(KeysError::TooLarge);
    }
    std::fs::read(path).map_err(error)
}

#[cfg(feature = "jwt-url")]
async fn fetch(client: &reqwest::Client, url: &str) -> Result<Vec<u8>, KeysError> {
    let response = client.get(url).send().await;
    let response = response.map_err(|error| KeysError::Fetch(error.without_url()))?;
    if !response.status().is_success() {
        return Err(KeysError::Status(response.status()));
    }
    let bytes = outbound::body(response, SET_BYTES_MAX).await;
    bytes.map_err(KeysError::Fetch)?.ok_or(KeysError::TooLarge)
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}
