//! From bytes to a [`Program`], and from a program with parameters to a [`Policy`].
//!
//! Size cap, recognise, componentise a core module, check the world by name, check the imports
//! against what is granted, compile, link, ask it what it is, check what it says; then, with its
//! parameters, the acceptance kit. Each step has its own sentence when it fails, with a remedy, and
//! nothing after it runs.
//!
//! All of it blocks for as long as a compiler takes, 20 ms for a small policy: [`policy_async`]
//! keeps it off the threads that serve. Not here: files and downloads; bytes arrive as data.

mod error;
mod format;
mod imports;
mod shape;
mod world;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

pub use error::{LoadError, RefusedImport};
use sha2::{Digest, Sha256};

use super::allowance;
use super::call;
use super::convert;
use super::engine::Engine;
use super::kit;
use super::limits::{Budget, Size};
use super::link::Linked;
use super::log::Voice;
use super::manifest::Manifest;
use super::program::{Policy, Program};
use super::sandbox::Sandbox;
use crate::decision::PolicyRef;
use crate::types::Limits;

/// What the operator set of a policy's parameters, by name; the rest keep their defaults.
pub type Params = BTreeMap<String, f64>;

/// Compiles a policy and asks it what it is. Blocks; see [`policy_async`].
///
/// # Errors
/// [`LoadError`] with the first step that failed.
pub fn program(engine: &Engine, bytes: &[u8]) -> Result<Arc<Program>, LoadError> {
    let component = format::component(bytes, engine.config().size_bytes_max)?;
    let interfaces = world::Interfaces::of(&component)?;
    world::check(&interfaces.exports)?;
    imports::check(&interfaces.imports)?;
    shape::check(&component)?;
    let small = compile(engine.sandbox(Size::Small), &component)?;
    let manifest = describe(engine, &small)?;
    let large = compile(engine.sandbox(Size::Large), &component)?;
    let about = PolicyRef {
        name: manifest.name.clone(),
        version: manifest.version.clone(),
        digest: digest(bytes),
    };
    Ok(Arc::new(Program::new(
        about,
        manifest,
        engine.clone(),
        small,
        large,
    )))
}

/// Gives a program its parameters and puts it through the acceptance kit. Blocks.
///
/// # Errors
/// [`LoadError::Parameters`] or [`LoadError::Kit`].
pub fn ready(program: Arc<Program>, params: &Params) -> Result<Arc<Policy>, LoadError> {
    ready_within(program, params, &Limits::NODES)
}

/// The same for a policy with limits of its own, within which it also goes through the kit.
///
/// # Errors
/// [`LoadError::Parameters`], [`LoadError::Limits`] or [`LoadError::Kit`].
pub fn ready_within(
    program: Arc<Program>,
    params: &Params,
    limits: &Limits,
) -> Result<Arc<Policy>, LoadError> {
    let params = program
        .manifest()
        .params(params)
        .map_err(LoadError::Parameters)?;
    allowance::check(limits, program.engine().config())?;
    let report = kit::run_within(&program, &params, limits)?;
    Ok(Arc::new(Policy::new(program, params, *limits, report)))
}

/// Both steps: from bytes to a policy that is ready. Blocks; see [`policy_async`].
///
/// # Errors
/// [`LoadError`] with the first step that failed.
pub fn policy(engine: &Engine, bytes: &[u8], params: &Params) -> Result<Arc<Policy>, LoadError> {
    ready(program(engine, bytes)?, params)
}

/// The same on a thread where blocking hurts nobody.
///
/// # Errors
/// As [`policy`].
pub async fn policy_async(
    engine: Engine,
    bytes: Arc<[u8]>,
    params: Params,
) -> Result<Arc<Policy>, LoadError> {
    off_path(move || policy(&engine, &bytes, &params)).await
}

/// Runs a load where blocking hurts nobody.
pub(super) async fn off_path<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LoadError> + Send + 'static,
) -> Result<T, LoadError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or(Err(LoadError::Interrupted))
}

/// SHA-256 of a policy's bytes, in hex: its identity.
#[must_use]
pub fn digest(bytes: &[u8]) -> Arc<str> {
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex.into()
}

fn compile(sandbox: &Sandbox, component: &[u8]) -> Result<Linked, LoadError> {
    let compiled = sandbox
        .compile(component)
        .map_err(|error| LoadError::Compile(error.into()))?;
    Linked::new(sandbox, &compiled).map_err(|error| LoadError::Types(vec![format!("{error:#}")]))
}

fn describe(engine: &Engine, linked: &Linked) -> Result<Manifest, LoadError> {
    let budget = Budget::describe(engine.config());
    let voice = Voice {
        policy: "describe".into(),
        revision: None,
        decision: None,
        share: Arc::new(engine.log().share()),
        book: engine.log().clone(),
    };
    let outcome = call::once(engine, linked, &budget, Some(voice), |guest, store| {
        guest.describe(store)
    });
    let said = outcome.result.map_err(LoadError::Describe)?;
    Manifest::check(convert::manifest(said)).map_err(LoadError::Manifest)
}

#[cfg(test)]
mod tests;
