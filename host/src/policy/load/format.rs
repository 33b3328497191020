//! What kind of file it is, and how it becomes a component.

use wasmparser::{Parser, Payload, Validator};
use wit_component::ComponentEncoder;

use super::error::LoadError;
use super::imports;

/// How the section begins in which `wit-bindgen` leaves the world of a core module.
const WORLD_SECTION: &str = "component-type";

/// How many bytes of an unknown file are shown.
const SHOWN_BYTES: usize = 4;

/// The component in a file: as it is, or made of a core module that names its world.
pub(super) fn component(bytes: &[u8], bytes_max: u64) -> Result<Vec<u8>, LoadError> {
    let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if size > bytes_max {
        return Err(LoadError::TooLarge {
            bytes: size,
            max: bytes_max,
        });
    }
    if Parser::is_component(bytes) {
        validate(bytes)?;
        Ok(bytes.to_vec())
    } else if Parser::is_core_wasm(bytes) {
        validate(bytes)?;
        componentise(bytes)
    } else {
        Err(unknown(bytes))
    }
}

fn unknown(bytes: &[u8]) -> LoadError {
    let text = bytes.trim_ascii_start();
    if bytes.is_empty() {
        LoadError::Empty
    } else if bytes.starts_with(b"\x7fELF") {
        LoadError::Precompiled
    } else if text.starts_with(b"(") || text.starts_with(b";;") {
        LoadError::Text
    } else {
        let shown: Vec<String> = bytes
            .iter()
            .take(SHOWN_BYTES)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        LoadError::NotWasm(shown.join(" "))
    }
}

/// Everything after this relies on well-formed input.
fn validate(bytes: &[u8]) -> Result<(), LoadError> {
    Validator::new()
        .validate_all(bytes)
        .map(|_| ())
        .map_err(|error| LoadError::Malformed(error.into()))
}

fn componentise(module: &[u8]) -> Result<Vec<u8>, LoadError> {
    let facts = Facts::of(module)?;
    imports::check_core(&facts.import_modules)?;
    if !facts.names_a_world {
        return Err(LoadError::NoWorld);
    }
    ComponentEncoder::default()
        .validate(true)
        .module(module)
        .and_then(|mut encoder| encoder.encode())
        .map_err(|error| LoadError::Componentise(error.into()))
}

/// What matters of a core module before it is encoded.
#[derive(Default)]
struct Facts {
    names_a_world: bool,
    import_modules: Vec<String>,
}

impl Facts {
    fn of(module: &[u8]) -> Result<Self, LoadError> {
        let mut facts = Self::default();
        for payload in Parser::new(0).parse_all(module) {
            match payload.map_err(malformed)? {
                Payload::CustomSection(section) => {
                    facts.names_a_world |= section.name().starts_with(WORLD_SECTION);
                }
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        let module = import.map_err(malformed)?.module.to_owned();
                        if !facts.import_modules.contains(&module) {
                            facts.import_modules.push(module);
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(facts)
    }
}

fn malformed(error: wasmparser::BinaryReaderError) -> LoadError {
    LoadError::Malformed(error.into())
}
