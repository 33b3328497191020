//! Whether a core module exports what the world that it names asks for, before it is made a
//! component: the encoder would speak of the first mismatch only, in words of its own.

use wasmparser::{Parser, Payload};
use wit_parser::{WorldItem, WorldKey};

use super::error::LoadError;

/// Exports of other kinds that a core module may have without anybody asking.
const INTERNAL: [&str; 5] = ["memory", "cabi_", "_initialize", "__", "_start"];

/// Checks the names of a module's exports against its own world.
pub(super) fn check(module: &[u8], exports: &[String]) -> Result<(), LoadError> {
    let wanted = wanted(module)?;
    let missing: Vec<&String> = wanted
        .iter()
        .filter(|name| !exports.contains(name))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let surplus = exports.iter().filter(|export| {
        !wanted.contains(export) && !INTERNAL.iter().any(|known| export.starts_with(known))
    });
    let lines = missing
        .iter()
        .map(|name| format!("- {name}"))
        .chain(surplus.map(|name| format!("+ {name}")))
        .collect();
    Err(LoadError::CoreExports(lines))
}

/// The names under which a module of that world exports its functions.
fn wanted(module: &[u8]) -> Result<Vec<String>, LoadError> {
    let (_, bound) = wit_component::metadata::decode(module)
        .map_err(|error| LoadError::Componentise(error.into()))?;
    let resolve = &bound.resolve;
    let Some(world) = resolve.worlds.get(bound.world) else {
        return Ok(Vec::new());
    };
    let mut names = Vec::new();
    for (key, item) in &world.exports {
        match (key, item) {
            (_, WorldItem::Interface { id, .. }) => {
                let interface = match key {
                    WorldKey::Name(name) => name.clone(),
                    WorldKey::Interface(id) => resolve.id_of(*id).unwrap_or_default(),
                };
                if let Some(functions) = resolve.interfaces.get(*id) {
                    let functions = functions.functions.keys();
                    names.extend(functions.map(|function| format!("{interface}#{function}")));
                }
            }
            (WorldKey::Name(name), WorldItem::Function(_)) => names.push(name.clone()),
            (_, WorldItem::Function(_) | WorldItem::Type { .. }) => {}
        }
    }
    Ok(names)
}

/// What a core module exports, by name.
pub(super) fn of(module: &[u8]) -> Result<Vec<String>, wasmparser::BinaryReaderError> {
    let mut names = Vec::new();
    for payload in Parser::new(0).parse_all(module) {
        if let Payload::ExportSection(section) = payload? {
            for export in section {
                names.push(export?.name.to_owned());
            }
        }
    }
    Ok(names)
}
