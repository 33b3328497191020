//! The seam between a policy and the generated bindings.
//!
//! Everything that crosses the boundary is converted here and nowhere else, and what the host
//! promises is checked before a policy sees it. No ranking happens here.

use std::marker::PhantomData;

use crate::bindings::exports::wastegate::policy::ranker;
use crate::bindings::wastegate::policy::types as wire;
use crate::{Call, Choice, Manifest, Parameter, Rows};

/// An eviction policy: a pure function from a call and its rows to an order of victims.
///
/// Nothing outlives a call: each one gets a fresh instance, so a `static` is back to what it was.
/// See the [crate's documentation](crate) for a complete policy.
pub trait Policy {
    /// What the policy is and what it wants to be told; see [`manifest!`](crate::manifest!).
    const MANIFEST: Manifest;

    /// Ranks the rows, the best victim first.
    ///
    /// A list shorter than `call.needed` means "no more from me", which is a fine answer below the
    /// force tier. The same call with the same rows has to give the same answer, in whatever order
    /// the rows come and whatever `call.now_ms` says.
    ///
    /// # Errors
    ///
    /// A sentence for the operator. It counts as a fault of the policy and the host ranks by
    /// itself, so this is for parameters that contradict each other, not for "nobody should go".
    fn rank(call: &Call, rows: &Rows<'_>) -> Result<Vec<Choice>, String>;
}

/// A policy as the world of the contract wants to see it.
#[doc(hidden)]
#[derive(Debug)]
pub struct Guest<P>(PhantomData<P>);

impl<P: Policy> ranker::Guest for Guest<P> {
    fn describe() -> wire::Manifest {
        let Manifest {
            name,
            version,
            summary,
            signals,
            parameters,
            reasons,
            scopes,
        } = P::MANIFEST;
        wire::Manifest {
            name: name.to_owned(),
            version: version.to_owned(),
            summary: summary.to_owned(),
            signals: owned(signals),
            parameters: parameters.iter().map(wire::Parameter::from).collect(),
            reasons: owned(reasons),
            scopes: scopes.to_vec(),
        }
    }

    fn rank(call: wire::Call, columns: Vec<Vec<f64>>) -> Result<Vec<wire::Choice>, String> {
        let call = Call::from(call);
        if call.params_len() != P::MANIFEST.parameters.len() {
            return Err(
                "the host sent another number of values than there are parameters".to_owned(),
            );
        }
        let columns: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
        let rows = Rows::new(&columns, P::MANIFEST.signals.len())?;
        let choices = P::rank(&call, &rows)?;
        Ok(choices.into_iter().map(wire::Choice::from).collect())
    }
}

impl From<Choice> for wire::Choice {
    fn from(Choice { row, score, reason }: Choice) -> Self {
        Self {
            manager: row,
            score,
            reason: reason.index(),
        }
    }
}

impl From<&Parameter> for wire::Parameter {
    fn from(
        &Parameter {
            name,
            default,
            min,
            max,
            doc,
        }: &Parameter,
    ) -> Self {
        Self {
            name: name.to_owned(),
            default,
            min,
            max,
            doc: doc.to_owned(),
        }
    }
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

/// Makes a type that implements [`Policy`] the policy of this module: one line for each crate.
///
/// In a WebAssembly build it exports the world of the contract and sets the allocator. Natively it
/// does nothing but check that the type is a policy, so the same crate is tested as plain Rust.
#[macro_export]
macro_rules! export {
    ($policy:ty) => {
        const _: fn() = || {
            fn is_a_policy<P: $crate::Policy>() {}
            is_a_policy::<$policy>();
        };

        #[cfg(target_arch = "wasm32")]
        const _: () = {
            #[global_allocator]
            static ARENA: $crate::macros::Arena = $crate::macros::Arena::new();

            type Guest = $crate::macros::Guest<$policy>;
    $crate::bindings::export!(Guest with_types_in $crate::bindings);
        };
    };
}
