//! `describe-spins`: never comes back from `describe`.
//!
//! Written on the bare bindings: the SDK's manifests are constants.

use wastegate_policy::bindings::exports::wastegate::policy::ranker::{
    Call, Choice, Guest, Manifest,
};

/// The guest.
pub struct DescribeSpins;

impl Guest for DescribeSpins {
    fn describe() -> Manifest {
        loop {
            std::hint::spin_loop();
        }
    }

    fn rank(_call: Call, _columns: Vec<Vec<f64>>) -> Result<Vec<Choice>, String> {
        Ok(Vec::new())
    }
}

#[cfg(target_arch = "wasm32")]
wastegate_policy::bindings::export!(DescribeSpins with_types_in wastegate_policy::bindings);
