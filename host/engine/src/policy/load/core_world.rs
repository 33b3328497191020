//! Whether a core module keeps to the world that it names, and that world to the contract, before
//! it is made a component: the encoder would speak of the first mismatch only, in words of its own.

use wasmparser::{BinaryReaderError, Parser, Payload};
use wit_component::metadata::Bindgen;
use wit_parser::{InterfaceId, WorldItem, WorldKey};

use super::error::LoadError;
use super::step::Step;
use super::{imports, shape, world};

/// Exports that a core module may have without anybody asking.
const INTERNAL_EXPORTS: [&str; 5] = ["memory", "cabi_", "_initialize", "__", "_start"];

/// Import modules that the encoder itself provides.
const INTERNAL_IMPORTS: [&str; 3] = ["[", "$root", "__main_module__"];

/// Checks a core module that imports from those modules.
pub(super) fn check(
    module: &[u8],
    import_modules: &[String],
    passed: &mut dyn FnMut(Step),
) -> Result<(), LoadError> {
    let (_, bound) = wit_component::metadata::decode(module)
        .map_err(|error| LoadError::Componentise(error.root_cause().to_string().into()))?;
    let Some(named) = bound.resolve.worlds.get(bound.world) else {
        return Ok(());
    };
    let names = |items: &mut dyn Iterator<Item = &WorldKey>| -> Vec<String> {
        items.map(|key| bound.resolve.name_world_key(key)).collect()
    };
    world::check(&names(&mut named.exports.keys()))?;
    exports(module, &bound)?;
    passed(Step::World);
    let known = names(&mut named.imports.keys());
    let strangers: Vec<String> = import_modules
        .iter()
        .filter(|module| !known.contains(module))
        .filter(|module| !INTERNAL_IMPORTS.iter().any(|own| module.starts_with(own)))
        .cloned()
        .collect();
    imports::check(&strangers)?;
    imports::check(&known)?;
    passed(Step::Imports);
    shape::check_world(&bound.resolve, bound.world)
}

/// Checks the names of a module's exports against its own world.
fn exports(module: &[u8], bound: &Bindgen) -> Result<(), LoadError> {
    let malformed = |error: BinaryReaderError| LoadError::Malformed(error.into());
    let exports = exports_of(module).map_err(malformed)?;
    let wanted = wanted(bound);
    let missing: Vec<&String> = wanted
        .iter()
        .filter(|name| !exports.contains(name))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let internal = |export: &&String| INTERNAL_EXPORTS.iter().any(|own| export.starts_with(own));
    let surplus = exports
        .iter()
        .filter(|export| !wanted.contains(export) && !internal(export));
    let lines = missing
        .iter()
        .map(|name| format!("- {name}"))
        .chain(surplus.map(|name| format!("+ {name}")))
        .collect();
    Err(LoadError::CoreExports(lines))
}

/// The names under which a module of that world exports its functions.
fn wanted(bound: &Bindgen) -> Vec<String> {
    let Some(world) = bound.resolve.worlds.get(bound.world) else {
        return Vec::new();
    };
    let mut names = Vec::new();
    for (key, item) in &world.exports {
        let name = bound.resolve.name_world_key(key);
        match item {
            WorldItem::Interface { id, .. } => {
                let functions = functions(bound, *id);
                names.extend(functions.map(|function| format!("{name}#{function}")));
            }
            WorldItem::Function(_) => names.push(name),
            WorldItem::Type { .. } => {}
        }
    }
    names
}

fn functions(bound: &Bindgen, id: InterfaceId) -> impl Iterator<Item = &String> {
    let interface = bound.resolve.interfaces.get(id);
    interface
        .into_iter()
        .flat_map(|interface| interface.functions.keys())
}

/// What a core module exports, by name.
pub(super) fn exports_of(module: &[u8]) -> Result<Vec<String>, BinaryReaderError> {
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
