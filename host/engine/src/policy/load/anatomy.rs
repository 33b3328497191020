//! What can be read off a file without compiling or running any of it, and without refusing it:
//! for whoever wants to know what it is, the more so if it is not what it should be.

use wasmparser::{KnownCustom, Parser, Payload};

use super::error::{LoadError, RefusedImport};
use super::fence::{self, Bounds};
use super::world::{Interfaces, Name};
use super::{core_world, imports};

/// Values of a producers section that are kept.
const PRODUCERS_MAX: usize = 16;
/// The longest of them, bytes.
const PRODUCER_BYTES_MAX: usize = 128;

/// What a file is, as far as it can be told from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anatomy {
    /// SHA-256, in hex.
    pub digest: String,
    /// The size of the file, bytes.
    pub bytes: usize,
    /// What kind of file it is; none if it is no WebAssembly.
    pub build: Option<Build>,
    /// What it imports, by name; of a core module its import modules.
    pub imports: Vec<String>,
    /// Those of its imports that policies are not granted.
    pub refused: Vec<RefusedImport>,
    /// What it exports, by name.
    pub exports: Vec<String>,
    /// The version of our contract that it was built against, if it was.
    pub contract: Option<String>,
    /// Who made it, by its own account.
    pub producers: Vec<Producer>,
}

/// What kind of WebAssembly a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Build {
    /// A component, taken as it is.
    Component,
    /// A core module, of which the host makes a component.
    CoreModule,
}

/// One entry of a producers section.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Producer {
    /// `language`, `processed-by` or `sdk`.
    pub field: String,
    /// The name of the tool or language.
    pub name: String,
    /// Of which version; often empty.
    pub version: String,
}

impl Anatomy {
    /// Looks at a file. What cannot be read is left out; of a file that does not pass the fence, all
    /// that is inside.
    #[must_use]
    pub fn of(bytes: &[u8], bounds: &Bounds) -> Self {
        let passes = fence::walk(bytes, bounds).is_ok();
        let inside: &[u8] = if passes { bytes } else { &[] };
        let build = if Parser::is_component(bytes) {
            Some(Build::Component)
        } else if Parser::is_core_wasm(bytes) {
            Some(Build::CoreModule)
        } else {
            None
        };
        let (imports, exports) = match build {
            Some(Build::Component) => {
                let interfaces = Interfaces::of(inside).unwrap_or_default();
                (interfaces.imports, interfaces.exports)
            }
            Some(Build::CoreModule) => (
                import_modules(inside),
                core_world::exports_of(inside).unwrap_or_default(),
            ),
            None => (Vec::new(), Vec::new()),
        };
        let refused = match imports::check(&imports) {
            Err(LoadError::Imports(refused)) => refused,
            _ => Vec::new(),
        };
        Self {
            digest: super::digest(bytes).as_ref().to_owned(),
            bytes: bytes.len(),
            contract: exports.iter().find_map(|export| contract(export)),
            producers: producers(inside),
            build,
            imports,
            refused,
            exports,
        }
    }
}

/// The version in the name of an export that is, or belongs to, the contract's interface.
fn contract(export: &str) -> Option<String> {
    let interface = export.split('#').next().unwrap_or(export);
    let name = Name::of(interface).filter(|name| name.is_contract())?;
    Some(name.version.to_owned())
}

fn import_modules(module: &[u8]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for payload in Parser::new(0).parse_all(module).map_while(Result::ok) {
        if let Payload::ImportSection(section) = payload {
            for import in section.into_imports().map_while(Result::ok) {
                if !names.iter().any(|known| known == import.module) {
                    names.push(import.module.to_owned());
                }
            }
        }
    }
    names
}

/// Every entry of every producers section, at any depth, each once.
fn producers(bytes: &[u8]) -> Vec<Producer> {
    let mut producers: Vec<Producer> = Vec::new();
    for payload in Parser::new(0).parse_all(bytes).map_while(Result::ok) {
        let Payload::CustomSection(section) = payload else {
            continue;
        };
        let KnownCustom::Producers(fields) = section.as_known() else {
            continue;
        };
        for field in fields.into_iter().map_while(Result::ok) {
            for value in field.values.into_iter().map_while(Result::ok) {
                let producer = Producer {
                    field: clip(field.name),
                    name: clip(value.name),
                    version: clip(value.version),
                };
                if producers.len() < PRODUCERS_MAX && !producers.contains(&producer) {
                    producers.push(producer);
                }
            }
        }
    }
    producers
}

/// A text from a stranger, on one line and of bounded length.
fn clip(text: &str) -> String {
    let printable = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut clipped = String::new();
    for c in printable {
        if clipped.len() + c.len_utf8() > PRODUCER_BYTES_MAX {
            break;
        }
        clipped.push(c);
    }
    clipped
}
