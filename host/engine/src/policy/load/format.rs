//! What kind of file it is, and how it becomes a component.

use wasmparser::{Parser, Payload, Validator};
use wit_component::ComponentEncoder;

use super::core_world;
use super::error::LoadError;
use super::imports;
use super::step::Step;

/// How the section begins in which `wit-bindgen` leaves the world of a core module.
const WORLD_SECTION: &str = "component-type";

/// How many bytes of an unknown file are shown.
const SHOWN_BYTES: usize = 4;

/// Whether a file is WebAssembly of a size that is looked at, by its first bytes.
pub(super) fn recognise(bytes: &[u8], bytes_max: u64) -> Result<(), LoadError> {
    let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if size > bytes_max {
        return Err(LoadError::TooLarge {
            bytes: size,
            max: bytes_max,
        });
    }
    if Parser::is_core_wasm(bytes) || Parser::is_component(bytes) {
        Ok(())
    } else {
        Err(unknown(bytes))
    }
}

/// The component in a file that was recognised and passed the fence: as it is, or made of a core
/// module that names its world.
pub(super) fn component(bytes: &[u8], passed: &mut dyn FnMut(Step)) -> Result<Vec<u8>, LoadError> {
    validate(bytes)?;
    passed(Step::Format);
    if Parser::is_core_wasm(bytes) {
        componentise(bytes, passed)
    } else {
        Ok(bytes.to_vec())
    }
}

const UNPACK: &str = "unpack it, and give the `.wasm` file inside";

/// How files begin that are given by mistake, and what to say of them.
const KNOWN: &[(&[u8], &str, &str)] = &[
    (b"\x1f\x8b", "a gzip archive", UNPACK),
    (b"PK\x03\x04", "a zip archive", UNPACK),
    (b"\x28\xb5\x2f\xfd", "a zstd archive", UNPACK),
    (
        b"!<arch>",
        "a library of object files (`.a` or `.rlib`)",
        "build with `crate-type = [\"cdylib\"]` for `wasm32-unknown-unknown`, and give the `.wasm` file",
    ),
    (
        b"\0asm",
        "WebAssembly of another version, or cut off within its first eight bytes",
        "build it with current tools, and compare its size and digest if it was copied",
    ),
    (
        b"version https://git-lfs",
        "a pointer of Git LFS and not the file itself",
        "fetch it with `git lfs pull`",
    ),
    (
        b"<",
        "an HTML or XML page, as servers answer when a download fails",
        "fetch the file itself, and compare its digest",
    ),
    (
        b"{",
        "JSON, as an API answers in place of a file",
        "fetch the file itself, and compare its digest",
    ),
];

fn unknown(bytes: &[u8]) -> LoadError {
    let text = bytes.trim_ascii_start();
    if bytes.is_empty() {
        return LoadError::Empty;
    }
    if bytes.starts_with(b"\x7fELF") {
        return LoadError::Precompiled;
    }
    if text.starts_with(b"(") || text.starts_with(b";;") {
        return LoadError::Text;
    }
    let known = KNOWN.iter().find(|(magic, _, _)| text.starts_with(magic));
    if let Some(&(_, what, remedy)) = known {
        return LoadError::OtherFile { what, remedy };
    }
    let shown: Vec<String> = bytes
        .iter()
        .take(SHOWN_BYTES)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    LoadError::NotWasm(shown.join(" "))
}

/// Everything after this relies on well-formed input.
fn validate(bytes: &[u8]) -> Result<(), LoadError> {
    Validator::new()
        .validate_all(bytes)
        .map(|_| ())
        .map_err(|error| LoadError::Malformed(error.into()))
}

fn componentise(module: &[u8], passed: &mut dyn FnMut(Step)) -> Result<Vec<u8>, LoadError> {
    let facts = Facts::of(module)?;
    imports::check_core(&facts.import_modules)?;
    if !facts.names_a_world {
        return Err(LoadError::NoWorld);
    }
    core_world::check(module, &facts.import_modules, passed)?;
    ComponentEncoder::default()
        .validate(true)
        .module(module)
        .and_then(|mut encoder| encoder.encode())
        .map_err(|error| LoadError::Componentise(error.root_cause().to_string().into()))
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
