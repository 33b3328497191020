//! `describe-traps`: panics in `describe`, which is a trap.
//!
//! Written on the bare bindings: the SDK's manifests are constants.

use wastegate_policy::bindings::exports::wastegate::policy::ranker::{
    Call, Choice, Guest, Manifest,
};

/// The guest.
pub struct DescribeTraps;

impl Guest for DescribeTraps {
    fn describe() -> Manifest {
        panic!("this guest cannot say what it is")
    }

    fn rank(_call: Call, _columns: Vec<Vec<f64>>) -> Result<Vec<Choice>, String> {
        Ok(Vec::new())
    }
}

#[cfg(target_arch = "wasm32")]
wastegate_policy::bindings::export!(DescribeTraps with_types_in wastegate_policy::bindings);
