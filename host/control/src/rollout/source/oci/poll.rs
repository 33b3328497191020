//! Keeping up with a reference: what does its tag mean now?
//!
//! A reconciler like the watched directory: every `policy.registry.poll_ms` it looks, and a wake-up
//! means "look now". A look is one manifest; a layer is pulled when the manifest's digest is
//! another one than before. A pin cannot mean anything else, so once it was dealt with nobody asks
//! again. Trouble is told when it begins or changes, and what is active stays.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::transport::Transport;
use super::{Config, Found, Reference, RegistryError, Session};
use crate::rollout::source::{Fetched, Receive, Received, Sighting};
use wastegate_core::types::chain;

/// Asks the registry for a newer artifact, again and again.
pub struct Poller {
    config: Config,
    reference: Reference,
    bytes_max: u64,
    receiver: Arc<dyn Receive>,
    wake: Notify,
    /// What is known; a lock, because requests read it while a poll runs.
    state: Mutex<State>,
    /// Kept from look to look, since setting one up means reading every certificate of the system;
    /// let go after trouble. A look takes it out, so that no lock is held meanwhile.
    transport: Mutex<Option<Transport>>,
}

#[derive(Debug, Clone, Default)]
struct State {
    /// The manifest that was dealt with last.
    digest: Option<String>,
    received: Option<Received>,
    /// What went wrong at the last look, as it was told.
    trouble: Option<String>,
}

impl Poller {
    /// Sends no request before [`Poller::run`]. None if no reference is configured.
    #[must_use]
    pub fn new(config: &Config, bytes_max: u64, receiver: Arc<dyn Receive>) -> Option<Arc<Self>> {
        Some(Arc::new(Self {
            reference: config.reference.clone()?,
            config: config.clone(),
            bytes_max,
            receiver,
            wake: Notify::new(),
            state: Mutex::default(),
            transport: Mutex::default(),
        }))
    }

    /// Asks for a look now.
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
        loop {
            self.look().await;
            let _ = tokio::time::timeout(self.config.poll, self.wake.notified()).await;
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
            Err(error) => {
                let said = chain(&error);
                return self.troubled(said);
            }
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
            Received::Later(reason) => return self.troubled(reason.clone()),
        }
        *self.state.lock() = State {
            digest: Some(digest),
            received: Some(received),
            trouble: None,
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
            None => Transport::new(&self.reference, self.config.plain_http)?,
        };
        let session = Session::new(&self.config, &self.reference, &transport);
        let looking = async {
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
        if self.state.lock().trouble.take().is_some() {
            tracing::info!(reference = %self.reference, "registry answers again");
        }
    }

    fn troubled(&self, said: String) {
        let mut state = self.state.lock();
        if state.trouble.as_deref() != Some(&*said) {
            let (reference, reason) = (&self.reference, &said);
            tracing::warn!(%reference, reason, "registry gives no policy; what is in charge stays");
            state.trouble = Some(said);
        }
    }
}
