//! The policy in charge, and how another one is put in its place.
//!
//! The one in charge is an immutable [`Policy`] behind one pointer. A decision takes the pointer
//! once and is made by what it found, whatever is swapped meanwhile. A policy is loaded, checked
//! and warmed before the pointer moves; if anything fails, the last good one stays.
//!
//! Shipped policies are compiled when they are first asked for, and kept. Not here: where uploaded
//! bytes come from, and which policy should be in charge.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use parking_lot::Mutex;

use super::engine::Engine;
use super::load::{self, LoadError, Params};
use super::metrics::Metrics;
use super::program::{Policy, Program};

/// Component bytes by name: what the host was built with.
pub type Shipped = &'static [(&'static str, &'static [u8])];

/// Which policy is meant.
#[derive(Debug, Clone)]
pub enum Pick {
    /// One that the host ships, by name.
    Shipped(String),
    /// One that somebody brings.
    Bytes(Arc<[u8]>),
}

/// The policies of this process. Share it as an `Arc`.
#[derive(Debug)]
pub struct Catalog {
    engine: Engine,
    shipped: Shipped,
    metrics: Metrics,
    compiled: Mutex<BTreeMap<&'static str, Arc<Program>>>,
    /// Held while a policy is loaded: one compiler at a time, and the last one asked for wins.
    loading: Mutex<()>,
    current: ArcSwapOption<Policy>,
}

impl Catalog {
    /// With nothing compiled and nobody in charge: the built-in ranking decides until a policy is
    /// activated.
    #[must_use]
    pub fn new(engine: Engine, shipped: Shipped, metrics: Metrics) -> Self {
        Self {
            engine,
            shipped,
            metrics,
            compiled: Mutex::default(),
            loading: Mutex::default(),
            current: ArcSwapOption::empty(),
        }
    }

    /// The policy in charge; none while the built-in ranking is.
    #[must_use]
    pub fn current(&self) -> Option<Arc<Policy>> {
        self.current.load_full()
    }

    /// The names of the policies that the host ships.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.shipped.iter().map(|&(name, _)| name)
    }

    /// Makes a policy ready without putting it in charge: an arm, a shadow, a check. Blocks for as
    /// long as a compiler takes.
    ///
    /// # Errors
    /// [`LoadError`] with the first step that failed.
    pub fn prepare(&self, pick: &Pick, params: &Params) -> Result<Arc<Policy>, LoadError> {
        let _one_at_a_time = self.loading.lock();
        self.ready(pick, params)
    }

    /// Makes a policy ready and puts it in charge. If it fails, the last good one stays. Blocks.
    ///
    /// # Errors
    /// [`LoadError`] with the first step that failed.
    pub fn activate(&self, pick: &Pick, params: &Params) -> Result<Arc<Policy>, LoadError> {
        let _one_at_a_time = self.loading.lock();
        let policy = self.ready(pick, params);
        self.metrics.loaded(policy.is_ok());
        let policy = policy?;
        self.current.store(Some(policy.clone()));
        let about = policy.about();
        tracing::info!(
            policy = &*about.name,
            version = &*about.version,
            digest = &*about.digest,
            kit = %policy.report(),
            "policy in charge"
        );
        Ok(policy)
    }

    /// [`Catalog::activate`] on a thread where blocking hurts nobody.
    ///
    /// # Errors
    /// As [`Catalog::activate`].
    pub async fn activate_async(
        self: &Arc<Self>,
        pick: Pick,
        params: Params,
    ) -> Result<Arc<Policy>, LoadError> {
        let this = self.clone();
        load::off_path(move || this.activate(&pick, &params)).await
    }

    /// Puts a policy that is ready in charge, such as the winner of an experiment or the one before.
    pub fn install(&self, policy: Arc<Policy>) {
        self.current.store(Some(policy));
    }

    /// Puts the built-in ranking in charge.
    pub fn deactivate(&self) {
        self.current.store(None);
    }

    fn ready(&self, pick: &Pick, params: &Params) -> Result<Arc<Policy>, LoadError> {
        let program = match pick {
            Pick::Shipped(name) => self.shipped(name)?,
            Pick::Bytes(bytes) => load::program(&self.engine, bytes)?,
        };
        load::ready(program, params)
    }

    fn shipped(&self, name: &str) -> Result<Arc<Program>, LoadError> {
        let Some(&(known, bytes)) = self.shipped.iter().find(|(known, _)| *known == name) else {
            return Err(self.no_such(name));
        };
        if let Some(program) = self.compiled.lock().get(known) {
            return Ok(program.clone());
        }
        let program = load::program(&self.engine, bytes)?;
        self.compiled.lock().insert(known, program.clone());
        Ok(program)
    }

    fn no_such(&self, name: &str) -> LoadError {
        let nearest = self
            .names()
            .min_by_key(|known| strsim::damerau_levenshtein(known, name));
        LoadError::NoSuchPolicy {
            name: name.to_owned(),
            nearest: nearest.unwrap_or("builtin").to_owned(),
        }
    }
}

#[cfg(test)]
mod tests;
