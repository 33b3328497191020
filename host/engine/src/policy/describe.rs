//! Asking a compiled policy what it is, within the limits of that one question.
//!
//! Not here: whether what it says makes sense (`manifest`).

use std::sync::Arc;

use super::allowance::Allowance;
use super::call::{self, CallOutcome};
use super::convert;
use super::engine::Engine;
use super::log::Voice;
use super::manifest::RawManifest;
use super::program::Code;
use super::wasi::Moment;

/// Calls `describe` once.
pub(super) fn ask(engine: &Engine, code: &Code) -> CallOutcome<RawManifest> {
    let allowance = Allowance::describe(engine.config(), code.weight());
    let voice = Voice {
        policy: "describe".into(),
        revision: None,
        decision: None,
        share: Arc::new(engine.log().share()),
        book: engine.log().clone(),
    };
    call::once(
        engine,
        code.linked(allowance.size),
        &allowance,
        Moment::default(),
        Some(voice),
        |guest, store| guest.describe(store),
    )
    .and_then(|described| Ok(convert::manifest(described)))
}
