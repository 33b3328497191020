//! Strategies as they are named on the command line.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::cli::failure::Failure;
use crate::cli::policy::subject;
use wastegate_core::types::chain;
use wastegate_engine::policy::{Engine, Program};
use wastegate_lab::replay::{Native, ReplayCandidate};

/// Who is to be run.
pub(super) struct Wanted<'a> {
    pub(super) policies: &'a [String],
    pub(super) native: &'a [Native],
    pub(super) oracle: bool,
}

/// A native strategy by name.
pub(super) fn native(name: &str) -> Result<Native, String> {
    let known = Native::ALL.into_iter().find(|native| native.name() == name);
    known.ok_or_else(|| {
        let names = Native::ALL.map(Native::name).join("`, `");
        format!("there are `{names}`")
    })
}

impl Wanted<'_> {
    /// Loads them, in the order in which they were named; `lru` if none was.
    pub(super) fn load(&self, engine: &Engine) -> Result<Vec<ReplayCandidate>, Failure> {
        let named = self.policies.iter();
        let named = named.map(|named| one(named, engine));
        let mut candidates = named.collect::<Result<Vec<_>, Failure>>()?;
        let mut native = self.native.to_vec();
        let nobody = candidates.is_empty() && native.is_empty();
        if (self.oracle || nobody) && !native.contains(&Native::Lru) {
            native.push(Native::Lru);
        }
        candidates.extend(native.into_iter().map(ReplayCandidate::native));
        if self.oracle {
            candidates.push(ReplayCandidate::oracle());
        }
        Ok(candidates)
    }
}

/// One policy: `NAME` or `NAME?param=value&param=value`.
pub(in crate::cli) fn one(named: &str, engine: &Engine) -> Result<ReplayCandidate, Failure> {
    let (name, query) = named.split_once('?').unwrap_or((named, ""));
    if name == "builtin" {
        return Ok(ReplayCandidate::builtin());
    }
    let (program, params) = program(named, engine)?;
    let called = program.about().name.to_string();
    let called = if query.is_empty() {
        called
    } else {
        format!("{called}?{query}")
    };
    Ok(ReplayCandidate::policy(called, program, params))
}

/// A policy's code, and the values of its parameters in its order.
type Coded = (Arc<Program>, Arc<[f64]>);

/// The code of a policy that is named so, and its parameters.
pub(super) fn program(named: &str, engine: &Engine) -> Result<Coded, Failure> {
    let (name, query) = named.split_once('?').unwrap_or((named, ""));
    let wrong = |why: &str| Failure::new(format!("`--policy {named}`: {why}"));
    let mut set = BTreeMap::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = subject::parameter(pair).map_err(|why| wrong(&why))?;
        if set.insert(name.clone(), value).is_some() {
            return Err(wrong(&format!("`{name}` is given twice; keep one")));
        }
    }
    let program = subject::program(engine, name)?;
    let params = program.params(&set);
    let params = params.map_err(|error| wrong(&chain(&error)))?;
    Ok((program, params))
}
