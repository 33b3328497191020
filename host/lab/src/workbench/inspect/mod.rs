//! Everything there is to know of a file that may be a policy: what it is, what it asks for and what
//! it costs. One that does not load is inspected as far as it goes.
//!
//! Not here: whether it behaves (`check`), and time, which is the machine's (`bench`).

mod report;
pub mod verdict;

use super::check::{Checkup, check};
use super::fuel::{self, Cost};
use wastegate_core::types::{Scope, Tier};
use wastegate_engine::policy::load::Anatomy;
use wastegate_engine::policy::{Engine, Manifest, Params, Program};

/// What was found out about a file.
#[derive(Debug)]
pub struct Inspection {
    /// What can be seen from outside.
    pub anatomy: Anatomy,
    /// How far it came on its way to being a policy.
    pub checkup: Checkup,
    /// What there is to say of it once it compiles and describes itself.
    pub program: Option<Inside>,
}

/// What a policy says of itself and takes when it is asked.
#[derive(Debug)]
pub struct Inside {
    /// What it says of itself.
    pub manifest: Manifest,
    /// The values of its parameters, in its order.
    pub params: Vec<f64>,
    /// Machine code and data, bytes.
    pub compiled_bytes: usize,
    /// What it takes: where a few rows are needed, and where all of them are.
    pub costs: Vec<Cost>,
}

/// Inspects a file. Blocks for as long as loading takes, and some hundreds of calls.
#[must_use]
pub fn inspect(engine: &Engine, file: &[u8], params: &Params) -> Inspection {
    let checkup = check(engine, file, params);
    Inspection {
        anatomy: Anatomy::of(file, &engine.config().load.bounds),
        program: checkup
            .program
            .as_ref()
            .map(|program| inside(program, params)),
        checkup,
    }
}

fn inside(program: &Program, params: &Params) -> Inside {
    let params = program.params(params).ok();
    let scope = if program.supports(Scope::User) {
        Scope::User
    } else {
        Scope::Node
    };
    let costs = params.iter().flat_map(|params| {
        [Tier::Force, Tier::Proactive].map(|tier| fuel::cost(program, params, scope, tier))
    });
    Inside {
        costs: costs.collect(),
        manifest: program.manifest().clone(),
        params: params.iter().flat_map(|params| params.to_vec()).collect(),
        compiled_bytes: program.compiled_bytes(),
    }
}
