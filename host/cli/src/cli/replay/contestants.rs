//! Strategies as they are named on the command line.

use std::collections::BTreeMap;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;

use crate::cli::policy::subject;
use crate::cli::policy::target::Told;
use wastegate_engine::policy::{Engine, Program};
use wastegate_lab::replay::{Contestant, Native};

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
    /// Loads them, in the order in which they were named; `lru` if nobody was.
    pub(super) fn load(
        &self,
        engine: &Engine,
        err: &mut dyn io::Write,
    ) -> io::Result<Result<Vec<Contestant>, Told>> {
        let mut contestants = Vec::new();
        for named in self.policies {
            match one(named, engine, err)? {
                Ok(contestant) => contestants.push(contestant),
                Err(told) => return Ok(Err(told)),
            }
        }
        let mut native = self.native.to_vec();
        let nobody = contestants.is_empty() && native.is_empty();
        if (self.oracle || nobody) && !native.contains(&Native::Lru) {
            native.push(Native::Lru);
        }
        contestants.extend(native.into_iter().map(Contestant::native));
        if self.oracle {
            contestants.push(Contestant::oracle());
        }
        Ok(Ok(contestants))
    }
}

/// One policy: `NAME` or `NAME?param=value&param=value`.
pub(super) fn one(
    named: &str,
    engine: &Engine,
    err: &mut dyn io::Write,
) -> io::Result<Result<Contestant, Told>> {
    let (name, query) = named.split_once('?').unwrap_or((named, ""));
    if name == "builtin" {
        return Ok(Ok(Contestant::builtin()));
    }
    let loaded = program(named, engine, err)?;
    Ok(loaded.map(|(program, params)| {
        let called = program.about().name.to_string();
        let called = if query.is_empty() {
            called
        } else {
            format!("{called}?{query}")
        };
        Contestant::policy(called, program, params)
    }))
}

/// A policy's code, and the values of its parameters in its order.
type Coded = (Arc<Program>, Arc<[f64]>);

/// The code of a policy that is named so, and its parameters.
pub(super) fn program(
    named: &str,
    engine: &Engine,
    err: &mut dyn io::Write,
) -> io::Result<Result<Coded, Told>> {
    let (name, query) = named.split_once('?').unwrap_or((named, ""));
    let mut set = BTreeMap::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match subject::parameter(pair) {
            Ok((name, value)) => {
                set.insert(name, value);
            }
            Err(why) => {
                writeln!(err, "error: `--policy {named}`: {why}")?;
                return Ok(Err(Told(ExitCode::FAILURE)));
            }
        }
    }
    let program = match subject::program(engine, name, err)? {
        Ok(program) => program,
        Err(told) => return Ok(Err(told)),
    };
    match program.params(&set) {
        Ok(params) => Ok(Ok((program, params))),
        Err(error) => {
            let whole = crate::cli::serve::chain(&error);
            writeln!(err, "error: `--policy {named}`: {whole}")?;
            Ok(Err(Told(ExitCode::FAILURE)))
        }
    }
}
