//! Keeping up with a reference: what does its tag mean now?
//!
//! A reconciler like the watched directory: about every `policy.registry.poll_ms` it looks, and a wake-up
//! means "look now". A look asks for the digest of the manifest and for nothing else; manifest and layer
//! are pulled when that is another one than before. What a start has pulled is not pulled again. Looks
//! are a fifth earlier or later than the interval, so that many servers do not ask at once, and a registry
//! that asks to be left alone is. A pin cannot mean anything else, so once it was dealt with nobody asks
//! again. Trouble is told when it begins or changes, and what is active stays.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::transport::{REST_MAX, Transport};
use super::{Config, Found, Reference, RegistryError, Session};
use crate::rollout::source::{Fetched, PolicyOrigin, Receive, Received, Sighting};
use wastegate_core::types::chain;

/// By how much an interval is shorter or longer at most, in hundredths of it.
const JITTER: u64 = 20;

/// Asks the registry for a newer artifact, again and again.
pub struct Poller {
    config: Config,
    reference: Reference,
    bytes_max: u64,
    receiver: Arc<dyn Receive>,
    wake: Notify,
    /// Whether the registry was asked just before, by a start.
    has_begun: bool,
    /// What is known; a lock, because requests read it while a poll runs.
    state: Mutex<State>,
    /// Kept from look to look, since setting one up means reading every certificate of the system, and
    /// since it holds our answer to the registry's challenge; let go after trouble. A look takes it out,
    /// so that no lock is held meanwhile.
    transport: Mutex<Option<Transport>>,
}

/// What a start found when it asked the registry, before any look.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Begun {
    /// Of the manifest that was pulled and dealt with, `sha256:…`; none if there was trouble.
    pub digest: Option<String>,
    /// How long the registry asked to be left alone.
    pub rest: Option<Duration>,
}

#[derive(Debug, Clone, Default)]
struct State {
    /// The manifest that was dealt with last.
    digest: Option<String>,
    received: Option<Received>,
    /// What went wrong at the last look, as it was told.
    trouble: Option<String>,
    /// How long the registry asked to be left alone at the last look.
    rest: Option<Duration>,
}

impl Begun {
    /// By what a pull came to.
    #[must_use]
    pub fn by(pulled: &Result<Fetched, RegistryError>) -> Self {
        match pulled {
            Ok(Fetched {
                origin: PolicyOrigin::Registry(resolved),
                ..
            }) => Self {
                digest: resolved
                    .rsplit_once('@')
                    .map(|(_, digest)| digest.to_owned()),
                rest: None,
            },
            Ok(_) => Self::default(),
            Err(error) => Self {
                digest: None,
                rest: error.rest(),
            },
        }
    }
}

impl Poller {
    /// Sends no request before [`Poller::run`]. None if no reference is configured.
    #[must_use]
    pub fn new(config: &Config, bytes_max: u64, receiver: Arc<dyn Receive>) -> Option<Arc<Self>> {
        Self::with(config, bytes_max, receiver, None)
    }

    /// The same after a start that has just asked the registry: the first look waits for one interval and
    /// goes on from what the start found.
    #[must_use]
    pub fn after(
        begun: Begun,
        config: &Config,
        bytes_max: u64,
        receiver: Arc<dyn Receive>,
    ) -> Option<Arc<Self>> {
        Self::with(config, bytes_max, receiver, Some(begun))
    }

    fn with(
        config: &Config,
        bytes_max: u64,
        receiver: Arc<dyn Receive>,
        begun: Option<Begun>,
    ) -> Option<Arc<Self>> {
        let has_begun = begun.is_some();
        let Begun { digest, rest } = begun.unwrap_or_default();
        Some(Arc::new(Self {
            reference: config.reference.clone()?,
            config: config.clone(),
            bytes_max,
            receiver,
            wake: Notify::new(),
            has_begun,
            state: Mutex::new(State {
                digest,
                rest,
                ..State::default()
            }),
            transport: Mutex::default(),
        }))
    }

    /// Asks for a look now, unless the registry asks to be left alone.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// What went wrong at the last look, if anything did.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.state.lock().trouble.clone()
    }

    /// What became of what was found last.
    #[must_use]
    pub fn received(&self) -> Option<Received> {
        self.state.lock().received.clone()
    }

    /// Looks, for ever.
    pub async fn run(&self) {
        if self.has_begun {
            self.pause().await;
        }
        loop {
            self.look().await;
            self.pause().await;
        }
    }

    async fn pause(&self) {
        let rest = self.state.lock().rest;
        // Without randomness every server keeps the interval itself.
        let random = getrandom::u64().unwrap_or(JITTER);
        let pause = pause(self.config.poll, rest, random);
        if rest.is_some() {
            tokio::time::sleep(pause).await;
        } else {
            let _ = tokio::time::timeout(pause, self.wake.notified()).await;
        }
    }

    pub(super) async fn look(&self) {
        let last = self.state.lock().digest.clone();
        if self.reference.pin().is_some() && last.is_some() {
            return;
        }
        let (digest, fetched) = match self.fetch(last.as_deref()).await {
            Ok(Some(found)) => found,
            Ok(None) => return self.well(),
            Err(error) => return self.troubled(chain(&error), error.rest()),
        };
        let sighting = if last.is_some() {
            Sighting::Changed
        } else {
            Sighting::First
        };
        let reference = &self.reference;
        let received = match fetched {
            Ok(fetched) => self.receiver.receive(fetched, sighting).await,
            Err(refused) => Received::Refused(refused),
        };
        match &received {
            Received::Taken => tracing::info!(%reference, digest, "policy taken from the registry"),
            Received::Refused(reason) => {
                tracing::warn!(%reference, digest, reason, "policy from the registry refused");
            }
            Received::Later(reason) => return self.troubled(reason.clone(), None),
        }
        *self.state.lock() = State {
            digest: Some(digest),
            received: Some(received),
            ..State::default()
        };
    }

    /// What there is if it is not what was there last, with the digest of its manifest. A policy
    /// that cannot be used whoever asks is refused here, once.
    async fn fetch(
        &self,
        last: Option<&str>,
    ) -> Result<Option<(String, Result<Fetched, String>)>, RegistryError> {
        let kept = self.transport.lock().take();
        let transport = match kept {
            Some(transport) => transport,
            None => {
                Transport::new(&self.reference, self.config.plain_http)?.within(self.config.timeout)
            }
        };
        let session = Session::new(&self.config, &self.reference, &transport);
        let looking = async {
            if let Some(last) = last
                && session.still_means(last).await?
            {
                return Ok(None);
            }
            let found: Found = session.manifest().await?;
            if last == Some(&found.digest) {
                return Ok(None);
            }
            let digest = found.digest.clone();
            match session.layer(found, self.bytes_max).await {
                Ok(fetched) => Ok(Some((digest, Ok(fetched)))),
                Err(error) if error.is_final() => Ok(Some((digest, Err(chain(&error))))),
                Err(error) => Err(error),
            }
        };
        let found = session.in_time(looking).await?;
        *self.transport.lock() = Some(transport);
        Ok(found)
    }

    fn well(&self) {
        let mut state = self.state.lock();
        state.rest = None;
        if state.trouble.take().is_some() {
            tracing::info!(reference = %self.reference, "registry answers again");
        }
    }

    fn troubled(&self, message: String, rest: Option<Duration>) {
        let mut state = self.state.lock();
        state.rest = rest;
        if state.trouble.as_deref() != Some(&*message) {
            let (reference, reason) = (&self.reference, &message);
            tracing::warn!(%reference, reason, "registry gives no policy; the active policy stays");
            state.trouble = Some(message);
        }
    }
}

/// How long to wait for the next look: the interval, a fifth less or more by chance, and no less than the
/// registry asks for.
pub(super) fn pause(interval: Duration, rest: Option<Duration>, random: u64) -> Duration {
    let hundredths = 100 - JITTER + random % (2 * JITTER + 1);
    let share = u32::try_from(hundredths).unwrap_or(100);
    let pause = interval.saturating_mul(share) / 100;
    match rest {
        // Not all servers come back in the same second.
        Some(rest) => rest.min(REST_MAX).saturating_add(pause / 10).max(pause),
        None => pause,
    }
}
