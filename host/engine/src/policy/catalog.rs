//! The active policies, and how another one takes their place.
//!
//! Who answers at which tier is an immutable [`ActivePolicies`] behind one pointer. A decision takes the
//! pointer once and is made by what it found, whatever is swapped meanwhile. A policy is loaded,
//! checked and warmed before the pointer moves; if anything fails, the last good one stays.
//!
//! Code is compiled once for as long as anybody holds it: a seat, a decision, whoever keeps it warm.
//! When the last one lets go, the compiled code goes. Not here: where uploaded bytes come from, and
//! which revision should be active (`rollout`).

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use wastegate_core::types::spelling;

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use super::accepted::Policy;
use super::engine::Engine;
use super::load::{self, LoadError, Params};
use super::metrics::Metrics;
use super::program::Program;
use super::seats::{ActivePolicies, Deployed};
use wastegate_core::types::{Limits, RevisionId, Tier};

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
    /// What is compiled and in use, by digest. A lock because loads come from several threads;
    /// decisions do not look here.
    compiled: Mutex<HashMap<Arc<str>, Weak<Program>>>,
    /// Held while a policy is activated, never while a policy is loaded.
    activating: Mutex<Activations>,
    /// In which order [`Catalog::activate`] was asked.
    asked: AtomicU64,
    active_policies: ArcSwap<ActivePolicies>,
}

/// The policy that was activated by [`Catalog::activate`].
#[derive(Debug)]
struct Activations {
    /// The number of the next revision.
    next: RevisionId,
    /// The latest that was asked for, by order.
    latest: u64,
}

impl Catalog {
    /// With nothing compiled and none active: the built-in ranking decides until a policy is
    /// activated.
    #[must_use]
    pub fn new(engine: Engine, shipped: Shipped, metrics: Metrics) -> Self {
        Self {
            engine,
            shipped,
            metrics,
            compiled: Mutex::default(),
            activating: Mutex::new(Activations {
                next: RevisionId::FIRST,
                latest: 0,
            }),
            asked: AtomicU64::new(0),
            active_policies: ArcSwap::default(),
        }
    }

    /// The engine that compiles and calls them.
    #[must_use]
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The active policy now, at every tier. A decision reads it once.
    #[must_use]
    pub fn active_policies(&self) -> Arc<ActivePolicies> {
        self.active_policies.load_full()
    }

    /// Activates policies that are ready, at every tier at once.
    pub fn install(&self, active_policies: ActivePolicies) {
        self.metrics.active_policies(&active_policies);
        self.active_policies.store(Arc::new(active_policies));
    }

    /// The active policy at `force`, the tier that always runs; none while the built-in ranking
    /// is.
    #[must_use]
    pub fn current(&self) -> Option<Arc<Policy>> {
        let active_policies = self.active_policies.load();
        let active = active_policies.seat(Tier::Force).active.as_ref()?;
        Some(active.policy.clone())
    }

    /// The names of the policies that the host ships.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.shipped.iter().map(|&(name, _)| name)
    }

    /// Makes a policy ready without activating it: a revision, an arm, a shadow, a check.
    /// The acceptance kit has called it some tens of times by then, so its code is warm. Blocks for
    /// as long as a compiler takes.
    ///
    /// # Errors
    /// [`LoadError`] with the first step that failed.
    pub fn prepare(
        &self,
        pick: &Pick,
        params: &Params,
        limits: &Limits,
    ) -> Result<Arc<Policy>, LoadError> {
        let policy = self.ready(pick, params, limits);
        self.metrics.loaded(policy.is_ok());
        policy
    }

    /// [`Catalog::prepare`] on a thread where blocking hurts nobody.
    ///
    /// # Errors
    /// As [`Catalog::prepare`].
    pub async fn prepare_async(
        self: &Arc<Self>,
        pick: Pick,
        params: Params,
        limits: Limits,
    ) -> Result<Arc<Policy>, LoadError> {
        let this = self.clone();
        load::off_path(move || this.prepare(&pick, &params, &limits)).await
    }

    /// Compiles a policy, or finds it compiled, and asks it what it is: the first half of
    /// [`Catalog::prepare`], which does not do it again for as long as this is held. Blocks.
    ///
    /// # Errors
    /// [`LoadError`] with the first step that failed.
    pub fn compile(&self, bytes: &[u8]) -> Result<Arc<Program>, LoadError> {
        self.program(bytes)
            .inspect_err(|_| self.metrics.loaded(false))
    }

    /// Makes a policy ready and activates it at every tier; the one before it becomes what it
    /// falls back to. If it fails, the last good one stays. Blocks.
    ///
    /// For embedders, tests and benchmarks: revisions are numbered by this catalog, after those in
    /// seats. Where `rollout` numbers them, nobody else should.
    ///
    /// # Errors
    /// [`LoadError`] with the first step that failed.
    pub fn activate(&self, pick: &Pick, params: &Params) -> Result<Arc<Policy>, LoadError> {
        let asked = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
        let policy = self.ready(pick, params, &Limits::NODES);
        self.metrics.loaded(policy.is_ok());
        let policy = policy?;
        let mut activations = self.activating.lock();
        if activations.latest > asked {
            // A later request was ready sooner: the last one requested is active.
            return Ok(policy);
        }
        activations.latest = asked;
        let active_policies = self.active_policies();
        let seated = active_policies
            .seats()
            .flat_map(|(_, seat)| seat.deployed());
        let last = seated.map(|deployed| deployed.revision).max();
        let next = activations.next;
        let revision = last.map_or(next, |last| last.following().max(next));
        activations.next = revision.following();
        let deployed = Deployed {
            revision,
            policy: policy.clone(),
        };
        let seat = active_policies.seat(Tier::Force).followed_by(deployed);
        self.install(ActivePolicies::all(seat));
        let about = policy.about();
        tracing::info!(
            policy = &*about.name,
            version = &*about.version,
            digest = &*about.digest,
            revision = revision.get(),
            kit = %policy.report(),
            "active policy"
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

    /// Activates the built-in ranking at every tier.
    pub fn deactivate(&self) {
        self.install(ActivePolicies::default());
    }

    fn ready(
        &self,
        pick: &Pick,
        params: &Params,
        limits: &Limits,
    ) -> Result<Arc<Policy>, LoadError> {
        let program = match pick {
            Pick::Shipped(name) => {
                let known = self.shipped.iter().find(|(known, _)| known == name);
                let &(_, bytes) = known.ok_or_else(|| self.no_such(name))?;
                self.program(bytes)?
            }
            Pick::Bytes(bytes) => self.program(bytes)?,
        };
        load::ready_within(program, params, limits)
    }

    /// The compiled form of those bytes: the one that is in use, if one is.
    fn program(&self, bytes: &[u8]) -> Result<Arc<Program>, LoadError> {
        let digest = load::digest(bytes);
        if let Some(program) = self.compiled.lock().get(&digest).and_then(Weak::upgrade) {
            return Ok(program);
        }
        let program = load::program(&self.engine, bytes)?;
        let mut compiled = self.compiled.lock();
        // As many stay as are in use.
        compiled.retain(|_, program| program.strong_count() > 0);
        compiled.insert(digest, Arc::downgrade(&program));
        Ok(program)
    }

    fn no_such(&self, name: &str) -> LoadError {
        let nearest = spelling::closest(name, self.names());
        LoadError::NoSuchPolicy {
            name: name.to_owned(),
            nearest: nearest.unwrap_or("builtin").to_owned(),
        }
    }
}

#[cfg(test)]
mod tests;
