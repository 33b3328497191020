//! From bytes to a [`Program`], and from a program with parameters to a [`Policy`].
//!
//! Size cap, recognise, componentise a core module, check the world by name, check the imports
//! against what is granted, weigh it, compile, link, ask it what it is, check what it says; then, with its
//! parameters, the acceptance kit. Each step has its own sentence when it fails, with a remedy, and
//! nothing after it runs.
//!
//! All of it blocks for as long as a compiler takes, 20 ms for a small policy and tens of seconds
//! for an interpreter with one in it: [`policy_async`] keeps it off the threads that serve. Not here: files and downloads; bytes arrive as data.

mod compile;
mod error;
mod format;
mod imports;
mod shape;
mod weight;
mod world;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

pub use error::{LoadError, RefusedImport};
pub use imports::verdict;
use sha2::{Digest, Sha256};

use super::call;
use super::convert;
use super::engine::Engine;
use super::guest::Voice;
use super::heavy::Weight;
use super::kit;
use super::limits::{Budget, Size};
use super::link::Linked;
use super::manifest::Manifest;
use super::program::{Code, Policy, Program};
use super::wasi::Moment;
use crate::decision::PolicyRef;

/// What the operator set of a policy's parameters, by name; the rest keep their defaults.
pub type Params = BTreeMap<String, f64>;

/// Compiles a policy and asks it what it is. Blocks; see [`policy_async`].
///
/// # Errors
/// [`LoadError`] with the first step that failed.
pub fn program(engine: &Engine, bytes: &[u8]) -> Result<Arc<Program>, LoadError> {
    let component = format::component(bytes, engine.config().file_bytes_max())?;
    let interfaces = world::Interfaces::of(&component)?;
    world::check(&interfaces.exports)?;
    imports::check(&interfaces.imports)?;
    shape::check(&component)?;
    let weight = weight::of(
        &component,
        &interfaces.imports,
        bytes.len(),
        engine.config(),
    )?;
    let (manifest, code) = if weight.is_heavy() {
        let heavy = compile::heavy(engine, &component)?;
        let manifest = describe(engine, &heavy, weight)?;
        (manifest, Code::Heavy(heavy, weight))
    } else {
        let small = compile::light(engine.sandbox(Size::Small), &component)?;
        let manifest = describe(engine, &small, weight)?;
        let large = compile::light(engine.sandbox(Size::Large), &component)?;
        (manifest, Code::Light { small, large })
    };
    let about = PolicyRef {
        name: manifest.name.clone(),
        version: manifest.version.clone(),
        digest: digest(bytes),
    };
    Ok(Arc::new(Program::new(
        about,
        manifest,
        engine.clone(),
        code,
    )))
}

/// Gives a program its parameters and puts it through the acceptance kit. Blocks.
///
/// # Errors
/// [`LoadError::Parameters`] or [`LoadError::Kit`].
pub fn ready(program: Arc<Program>, params: &Params) -> Result<Arc<Policy>, LoadError> {
    let params = program
        .manifest()
        .params(params)
        .map_err(LoadError::Parameters)?;
    let report = kit::run(&program, &params)?;
    Ok(Arc::new(Policy::new(program, params, report)))
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

fn describe(engine: &Engine, linked: &Linked, weight: Weight) -> Result<Manifest, LoadError> {
    let budget = Budget::describe(engine.config(), weight);
    let voice = Voice {
        policy: "describe".into(),
        decision: None,
    };
    let outcome = call::once(
        engine,
        linked,
        &budget,
        Moment::default(),
        Some(voice),
        |guest, store| guest.describe(store),
    );
    let said = outcome.result.map_err(LoadError::Describe)?;
    Manifest::check(convert::manifest(said)).map_err(LoadError::Manifest)
}

#[cfg(test)]
mod tests;
