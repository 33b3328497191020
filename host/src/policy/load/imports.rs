//! The grant: what a policy may import, and in words why it may not import anything else.

use super::error::{LoadError, RefusedImport};
use super::world::Name;

/// Interfaces of our own package that are granted.
const GRANTED: [&str; 2] = ["log", "types"];

/// Why the interfaces of a package are refused.
const REFUSED: &[(&str, &str)] = &[
    ("wasi:sockets", "policies may not open sockets"),
    ("wasi:http", "policies may not make HTTP requests"),
    ("wasi:filesystem", "policies may not open files"),
    (
        "wasi:clocks",
        "policies own no clock; the moment of the decision is `now-ms` of the call",
    ),
    (
        "wasi:random",
        "policies own no randomness; derive it from `seed` of the call",
    ),
    (
        "wasi:cli",
        "policies have no environment, arguments, terminal or exit code",
    ),
    (
        "wasi:io",
        "policies have no streams and may not wait; to say something, import the log",
    ),
    (
        "wasi:logging",
        "WASI is not granted; import `wastegate:policy/log@1.0.0` to say something",
    ),
    ("wasi", "WASI is not granted to policies"),
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

/// Checks what a core module imports, as far as a component could not even be made of it.
pub(super) fn check_core(modules: &[String]) -> Result<(), LoadError> {
    refuse(
        modules
            .iter()
            .filter(|module| module.starts_with("wasi_") || *module == "env"),
    )
}

fn refuse<'a>(refused: impl Iterator<Item = &'a String>) -> Result<(), LoadError> {
    let refused: Vec<RefusedImport> = refused
        .map(|name| RefusedImport {
            name: name.clone(),
            why: why(name),
        })
        .collect();
    if refused.is_empty() {
        Ok(())
    } else {
        Err(LoadError::Imports(refused))
    }
}

fn is_granted(import: &str) -> bool {
    Name::of(import).is_some_and(|name| name.is_ours() && GRANTED.contains(&name.interface))
}

fn why(import: &str) -> &'static str {
    if import.starts_with("wasi_") {
        return "WASI is not granted to policies; build for `wasm32-unknown-unknown`";
    }
    REFUSED
        .iter()
        .find(|(package, _)| import.starts_with(package))
        .map_or(UNKNOWN, |(_, why)| why)
}
