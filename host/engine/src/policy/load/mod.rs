//! From bytes to a [`Program`], and from a program with parameters to a [`Policy`].
//!
//! Size cap, recognise, the [`fence`]; then in the [`workshop`] validate, componentise a core module,
//! check the world by name, check the imports against what is granted, weigh it, compile; then map and
//! link, ask it what it is, check what it says; then, with its parameters, the acceptance kit. Each
//! step has its own sentence when it fails, with a remedy, and nothing after it runs.
//!
//! All of it blocks for as long as a compiler takes, 20 ms for a small policy and tens of seconds
//! for an interpreter with one in it: [`policy_async`] keeps it off the threads that serve. Not
//! here: files and downloads; bytes arrive as data.

mod anatomy;
mod core_world;
mod difference;
mod error;
pub mod fence;
mod format;
mod imports;
mod link;
mod made;
mod make;
mod refusal;
mod settings;
mod shape;
mod step;
mod weight;
pub mod workshop;
mod world;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

pub use anatomy::{Anatomy, Build, Producer};
pub use error::{LoadError, RefusedImport};
pub use imports::verdict;
pub(super) use made::Native;
pub use settings::LoadSettings;
use sha2::{Digest, Sha256};
pub use step::Step;

use super::accepted::Policy;
use super::allowance;
use super::describe;
use super::engine::Engine;
use super::kit;
use super::manifest::Manifest;
use super::program::Program;
use wastegate_core::decision::PolicyRef;
use wastegate_core::types::Limits;

/// What the operator set of a policy's parameters, by name; the rest keep their defaults.
pub type Params = BTreeMap<String, f64>;

/// Compiles a policy and asks it what it is. Blocks; see [`policy_async`].
///
/// # Errors
/// [`LoadError`] with the first step that failed.
pub fn program(engine: &Engine, bytes: &[u8]) -> Result<Arc<Program>, LoadError> {
    program_by_steps(engine, bytes, &mut |_| {})
}

/// The same, telling of every step that was passed.
///
/// # Errors
/// As [`program`].
pub fn program_by_steps(
    engine: &Engine,
    bytes: &[u8],
    passed: &mut dyn FnMut(Step),
) -> Result<Arc<Program>, LoadError> {
    let code = link::code(engine, bytes, passed)?;
    let described = describe::ask(engine, &code)
        .result
        .map_err(LoadError::Describe)?;
    passed(Step::Describe);
    let manifest = Manifest::check(described).map_err(LoadError::Manifest)?;
    passed(Step::Manifest);
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
    ready_within(program, params, &Limits::NODES)
}

/// The same for a policy with limits of its own, within which it also goes through the kit.
///
/// # Errors
/// [`LoadError::Parameters`], [`LoadError::Limits`] or [`LoadError::Kit`].
pub(crate) fn ready_within(
    program: Arc<Program>,
    params: &Params,
    limits: &Limits,
) -> Result<Arc<Policy>, LoadError> {
    let params = program.params(params)?;
    allowance::check(limits, program.engine().config(), program.weight())?;
    let report = kit::run(&program, &params, limits)?;
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

#[cfg(test)]
mod tests;
