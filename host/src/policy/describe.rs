//! Asking a compiled policy what it is, within the limits of that one question.
//!
//! Not here: whether what it says makes sense (`manifest`).

use super::call::{self, Outcome};
use super::convert;
use super::engine::Engine;
use super::guest::Voice;
use super::limits::Budget;
use super::link::Linked;
use super::manifest::RawManifest;

/// Calls `describe` once.
pub(super) fn ask(engine: &Engine, linked: &Linked) -> Outcome<RawManifest> {
    let budget = Budget::describe(engine.config());
    let voice = Voice {
        policy: "describe".into(),
        decision: None,
    };
    call::once(engine, linked, &budget, Some(voice), |guest, store| {
        guest.describe(store)
    })
    .and_then(|said| Ok(convert::manifest(said)))
}
