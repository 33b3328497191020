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

/// Strategies, each once and each under a name of its own.
pub(super) struct Chosen {
    /// In the order in which they were named.
    pub(super) candidates: Vec<ReplayCandidate>,
    /// What was named twice.
    pub(super) remarks: Vec<String>,
}

impl Wanted<'_> {
    /// Loads them, in the order in which they were named; `lru` if none was, or if the oracle needs it
    /// for its scale.
    pub(super) fn load(&self, engine: &Engine) -> Result<Chosen, Failure> {
        let named = self.policies.iter();
        let named = named.map(|named| one(named, engine));
        let mut named = named.collect::<Result<Vec<_>, Failure>>()?;
        named.extend(self.native.iter().copied().map(ReplayCandidate::native));
        let (mut candidates, mut remarks) = (Vec::<ReplayCandidate>::new(), Vec::new());
        for candidate in named {
            match candidates.iter().find(|known| known.is_same(&candidate)) {
                Some(known) => remarks.push(doubled(&known.name, &candidate.name)),
                None => candidates.push(candidate),
            }
        }
        let has_scale = candidates.iter().any(ReplayCandidate::is_lru);
        if candidates.is_empty() || (self.oracle && !has_scale) {
            candidates.push(ReplayCandidate::native(Native::Lru));
        }
        if self.oracle {
            candidates.push(ReplayCandidate::oracle());
        }
        tell_apart(&mut candidates);
        Ok(Chosen {
            candidates,
            remarks,
        })
    }
}

fn doubled(known: &str, again: &str) -> String {
    if known == again {
        format!("`{known}` is named twice and shown once.")
    } else {
        format!("`{again}` is the same strategy as `{known}`: it is shown once, as `{known}`.")
    }
}

/// Different code under one name gets its version, and where that is the same too, its digest.
fn tell_apart(candidates: &mut [ReplayCandidate]) {
    let version: fn(&ReplayCandidate) -> String = |it| it.about().version.to_string();
    let digest: fn(&ReplayCandidate) -> String = |it| it.about().digest.chars().take(12).collect();
    for more in [version, digest] {
        let names: Vec<String> = candidates.iter().map(|it| it.name.clone()).collect();
        for candidate in &mut *candidates {
            if names.iter().filter(|name| **name == candidate.name).count() > 1 {
                candidate.name = format!("{} {}", candidate.name, more(candidate));
            }
        }
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
