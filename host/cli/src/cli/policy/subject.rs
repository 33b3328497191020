//! The policy that a verb tries out, and with what: loaded as the server would, but without the
//! acceptance kit, so that one that breaks a rule can be looked into.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use serde_json::{Value, json};

use super::super::serve::chain;
use super::target::{self, EX_NOINPUT, Told};
use wastegate_core::types::Tier;
use wastegate_engine::policy::manifest::BadParameter;
use wastegate_engine::policy::{Engine, Program, load};
use wastegate_lab::workbench::files::FileError;
use wastegate_lab::workbench::snapshot::Snapshot;
use wastegate_lab::workbench::units;

/// Loads a policy that was named by a file or as a shipped one.
pub(in crate::cli) fn program(
    engine: &Engine,
    named: &str,
    err: &mut dyn io::Write,
) -> io::Result<Result<Arc<Program>, Told>> {
    let bytes = match target::bytes(named, engine.config().file_bytes_max(), err)? {
        Ok(bytes) => bytes,
        Err(told) => return Ok(Err(told)),
    };
    match load::program(engine, &bytes) {
        Ok(program) => Ok(Ok(program)),
        Err(error) => {
            writeln!(err, "error: `{named}`: {}", chain(&error))?;
            Ok(Err(Told(ExitCode::FAILURE)))
        }
    }
}

/// Says what is wrong with a file.
pub(in crate::cli) fn unreadable(error: &FileError, err: &mut dyn io::Write) -> io::Result<Told> {
    writeln!(err, "error: {}", chain(error))?;
    Ok(Told(ExitCode::from(EX_NOINPUT)))
}

/// Says what is wrong with parameters.
pub(in crate::cli) fn refused(bad: &[BadParameter], err: &mut dyn io::Write) -> io::Result<Told> {
    for bad in bad {
        writeln!(err, "error: `--param`: {bad}")?;
    }
    Ok(Told(ExitCode::FAILURE))
}

/// Writes a snapshot down in our own form.
pub(in crate::cli) fn save(
    snapshot: &Snapshot,
    path: &Path,
    err: &mut dyn io::Write,
) -> io::Result<Result<(), Told>> {
    match std::fs::write(path, snapshot.to_json()) {
        Ok(()) => Ok(Ok(())),
        Err(error) => {
            writeln!(err, "error: {} cannot be written: {error}", path.display())?;
            Ok(Err(Told(ExitCode::FAILURE)))
        }
    }
}

/// A parameter as `NAME=VALUE`, for the command line.
pub(in crate::cli) fn parameter(text: &str) -> Result<(String, f64), String> {
    let wrong = || format!("{text:?} is not NAME=VALUE with a number, such as patience-ms=50000");
    let (name, value) = text.split_once('=').ok_or_else(wrong)?;
    let value: f64 = value.trim().parse().map_err(|_| wrong())?;
    Ok((name.trim().to_owned(), value))
}

/// A tier by name, for the command line.
pub(in crate::cli) fn tier(text: &str) -> Result<Tier, String> {
    let named = Tier::ALL.into_iter().find(|tier| tier.name() == text);
    named.ok_or_else(|| {
        let names = Tier::ALL.map(Tier::name).join(", ");
        format!("there is no such tier; give one of {names}")
    })
}

/// What was set, by name; the last of several goes.
pub(in crate::cli) fn set(params: Vec<(String, f64)>) -> BTreeMap<String, f64> {
    params.into_iter().collect()
}

/// The parameters in force, for people; nothing if the policy has none.
pub(in crate::cli) fn told_params(program: &Program, params: &[f64]) -> Option<String> {
    let pairs = program.manifest().parameters.iter().zip(params);
    let told: Vec<String> = pairs
        .map(|(known, value)| {
            let default = if known.default == *value {
                " (default)"
            } else {
                ""
            };
            format!("{} = {}{default}", known.name, units::plain(*value))
        })
        .collect();
    (!told.is_empty()).then(|| told.join(", "))
}

/// A policy with its parameters, for programs.
pub(in crate::cli) fn json_policy(program: &Program, params: &[f64]) -> Value {
    let about = program.about();
    let pairs = program.manifest().parameters.iter().zip(params);
    let params: serde_json::Map<String, Value> = pairs
        .map(|(known, value)| (known.name.clone(), json!(value)))
        .collect();
    json!({
        "name": about.name, "version": about.version, "digest": about.digest, "params": params,
    })
}
