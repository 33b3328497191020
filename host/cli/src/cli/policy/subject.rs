//! The policy that a verb tries out, and with what: loaded as the server would, but without the
//! acceptance kit, so that one that breaks a rule can be looked into.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use super::super::failure::{EX_NOINPUT, Failure};
use super::super::serve::chain;
use super::target;
use wastegate_core::types::Tier;
use wastegate_engine::policy::manifest::BadParameter;
use wastegate_engine::policy::{Engine, Program, load};
use wastegate_lab::workbench::files::FileError;
use wastegate_lab::workbench::snapshot::RecordedSnapshot;
use wastegate_lab::workbench::units;

/// Loads a policy that was named by a file or as a shipped one.
pub(in crate::cli) fn program(engine: &Engine, named: &str) -> Result<Arc<Program>, Failure> {
    let bytes = target::bytes(named, engine.config().file_bytes_max())?;
    load::program(engine, &bytes)
        .map_err(|error| Failure::new(format!("`{named}`: {}", chain(&error))))
}

/// What is wrong with a file.
pub(in crate::cli) fn unreadable(error: &FileError) -> Failure {
    Failure::of(error).code(EX_NOINPUT)
}

/// What is wrong with parameters.
pub(in crate::cli) fn refused(bad: &[BadParameter]) -> Failure {
    Failure::all(bad.iter().map(|bad| format!("`--param`: {bad}")))
}

/// Writes a snapshot down in our own form.
pub(in crate::cli) fn save(snapshot: &RecordedSnapshot, path: &Path) -> Result<(), Failure> {
    std::fs::write(path, snapshot.to_json())
        .map_err(|error| Failure::new(format!("{} cannot be written: {error}", path.display())))
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
pub(in crate::cli) fn params_in_words(program: &Program, params: &[f64]) -> Option<String> {
    let pairs = program.manifest().parameters.iter().zip(params);
    let words: Vec<String> = pairs
        .map(|(known, value)| {
            let default = if known.default == *value {
                " (default)"
            } else {
                ""
            };
            format!("{} = {}{default}", known.name, units::plain(*value))
        })
        .collect();
    (!words.is_empty()).then(|| words.join(", "))
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
