//! The grant: what a policy may import, and in words why it may not import anything else.

use super::error::{LoadError, RefusedImport};
use super::world::Name;
use crate::policy::wasi;

/// Interfaces of our own package that are granted.
const GRANTED: [&str; 2] = ["log", "types"];

/// Why the interfaces of a package are refused. Of those of which some are granted (`policy::wasi`),
/// the sentence is for the rest and for other versions.
const REFUSED: &[(&str, &str)] = &[
    (
        "wasi:sockets",
        "policies may not open sockets; build without them (componentize-py: `--stub-wasi`)",
    ),
    (
        "wasi:http",
        "policies may not make HTTP requests; build without them (componentize-js: `disableFeatures: [\"http\", \"fetch-event\"]`)",
    ),
    (
        "wasi:filesystem",
        "policies may not open files; of version 0.2 there is a stub without any",
    ),
    (
        "wasi:clocks",
        "policies own no clock; the moment of the decision is `now-ms` of the call, and what the stub of version 0.2 tells",
    ),
    (
        "wasi:random",
        "policies own no randomness; derive it from `seed` of the call, as the stub of version 0.2 does",
    ),
    (
        "wasi:cli",
        "policies have no environment, arguments, terminal or exit code; of version 0.2 there are stubs",
    ),
    (
        "wasi:io",
        "policies have no streams and may not wait; of version 0.2 there are stubs",
    ),
    (
        "wasi:logging",
        "that part of WASI is not granted; import `wastegate:policy/log@1.0.0` to say something",
    ),
    ("wasi", "that part of WASI is not granted to policies"),
    (
        "wastegate:policy",
        "this host offers `log` of version 1 only",
    ),
];

const UNKNOWN: &str = "this host offers nothing of that name";

/// Checks the imports of a component.
pub(super) fn check(imports: &[String]) -> Result<(), LoadError> {
    refuse(imports.iter().filter(|import| !is_granted(import)))
}

/// What a component imports, in a word or two: `pure`, `logs`, `std stubs` (the inert part of WASI
/// that a standard library pulls in), or `refused: ` and the packages.
#[must_use]
pub fn verdict(imports: &[String]) -> String {
    let package = |import: &String| import.split('/').next().unwrap_or(import).to_owned();
    let mut refused: Vec<String> = imports
        .iter()
        .filter(|import| !is_granted(import))
        .map(package)
        .collect();
    refused.dedup();
    if !refused.is_empty() {
        return format!("refused: {}", refused.join(", "));
    }
    let log = |import: &String| Name::of(import).is_some_and(|name| name.interface == "log");
    let logs = imports.iter().any(|import| is_ours(import) && log(import));
    let stubs = imports.iter().any(|import| wasi::grants(import));
    match (logs, stubs) {
        (false, false) => "pure",
        (true, false) => "logs",
        (false, true) => "std stubs",
        (true, true) => "logs, std stubs",
    }
    .to_owned()
}

/// Checks what a core module imports, as far as a component could not even be made of it.
pub(super) fn check_core(modules: &[String]) -> Result<(), LoadError> {
    refuse(
        modules
            .iter()
            .filter(|module| module.starts_with("wasi_") || *module == "env"),
    )
}

/// Refused imports with why they are.
pub(super) fn refusals<'a>(names: impl Iterator<Item = &'a String>) -> Vec<RefusedImport> {
    let refusal = |name: &String| RefusedImport {
        name: name.clone(),
        why: why(name),
    };
    names.map(refusal).collect()
}

fn refuse<'a>(refused: impl Iterator<Item = &'a String>) -> Result<(), LoadError> {
    let refused = refusals(refused);
    if refused.is_empty() {
        Ok(())
    } else {
        Err(LoadError::Imports(refused))
    }
}

fn is_granted(import: &str) -> bool {
    is_ours(import) || wasi::grants(import)
}

fn is_ours(import: &str) -> bool {
    Name::of(import).is_some_and(|name| name.is_ours() && GRANTED.contains(&name.interface))
}

fn why(import: &str) -> &'static str {
    if import.starts_with("wasi_") {
        return "a core module gets no WASI; build for `wasm32-unknown-unknown`, or make a component of it";
    }
    REFUSED
        .iter()
        .find(|(package, _)| import.starts_with(package))
        .map_or(UNKNOWN, |(_, why)| why)
}
