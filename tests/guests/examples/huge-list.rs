//! `huge-list`: answers with a million choices, or with as many as it can get memory for.
//!
//! Written on the bare bindings: filling in a million choices would take more fuel than there is,
//! so it hands out memory as it comes.

use wastegate_policy::Scope;
use wastegate_policy::bindings::exports::wastegate::policy::ranker::{
    Call, Choice, Guest, Manifest,
};

/// The guest.
pub struct HugeList;

impl Guest for HugeList {
    fn describe() -> Manifest {
        Manifest {
            name: "huge-list".to_owned(),
            version: "1.0.0".to_owned(),
            summary: "Misbehaves, for tests.".to_owned(),
            signals: vec!["idle-ms".to_owned()],
            parameters: Vec::new(),
            reasons: vec!["fixture".to_owned()],
            scopes: vec![Scope::User, Scope::Node],
        }
    }

    fn rank(_call: Call, _columns: Vec<Vec<f64>>) -> Result<Vec<Choice>, String> {
        let mut len = 1_000_000;
        let mut choices = Vec::new();
        while choices.try_reserve_exact(len).is_err() {
            len /= 2;
        }
        #[expect(
            unsafe_code,
            reason = "the point is to answer without having written anything"
        )]
        // SAFETY: only run in a sandbox, where memory that was never written to is zero: a choice of
        // row 0. Nothing in here reads it.
        unsafe {
            choices.set_len(len);
        }
        Ok(choices)
    }
}

#[cfg(target_arch = "wasm32")]
wastegate_policy::bindings::export!(HugeList with_types_in wastegate_policy::bindings);
