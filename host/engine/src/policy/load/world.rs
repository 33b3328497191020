//! The names in a component's world: what it imports and exports, and whether the host's one
//! question is among them. Types are `shape`'s matter.

use wasmparser::{Parser, Payload};

use super::error::LoadError;

/// The package of the contract.
const PACKAGE: &str = "wastegate:policy";
/// The major version that this host offers.
const MAJOR: &str = "1";
/// The interface that a policy exports.
const RANKER: &str = "ranker";

/// What a component asks for and what it offers, by name.
#[derive(Debug, Default)]
pub(super) struct Interfaces {
    /// In the order of the component.
    pub(super) imports: Vec<String>,
    /// In the order of the component.
    pub(super) exports: Vec<String>,
}

impl Interfaces {
    /// Reads the outermost level of a component.
    pub(super) fn of(component: &[u8]) -> Result<Self, LoadError> {
        let malformed = |error: wasmparser::BinaryReaderError| LoadError::Malformed(error.into());
        let mut interfaces = Self::default();
        let mut depth = 0_u32;
        for payload in Parser::new(0).parse_all(component) {
            match payload.map_err(malformed)? {
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::ComponentImportSection(section) if depth == 0 => {
                    for import in section {
                        let name = import.map_err(malformed)?.name.name;
                        interfaces.imports.push(name.to_owned());
                    }
                }
                Payload::ComponentExportSection(section) if depth == 0 => {
                    for export in section {
                        let name = export.map_err(malformed)?.name.name;
                        interfaces.exports.push(name.to_owned());
                    }
                }
                _ => {}
            }
        }
        Ok(interfaces)
    }
}

/// The parts of `package/interface@version`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Name<'a> {
    pub(super) package: &'a str,
    pub(super) interface: &'a str,
    pub(super) version: &'a str,
}

impl<'a> Name<'a> {
    /// Takes a name apart, if it is that of an interface with a version.
    pub(super) fn of(name: &'a str) -> Option<Self> {
        let (package, rest) = name.split_once('/')?;
        let (interface, version) = rest.split_once('@')?;
        Some(Self {
            package,
            interface,
            version,
        })
    }

    /// Whether it is the interface that policies export, in any version.
    pub(super) fn is_contract(&self) -> bool {
        self.package == PACKAGE && self.interface == RANKER
    }

    /// Whether it is an interface of the contract, in a version that this host offers.
    pub(super) fn is_ours(&self) -> bool {
        self.package == PACKAGE && self.version.split('.').next() == Some(MAJOR)
    }
}

/// Checks that the policy can be asked.
pub(super) fn check(exports: &[String]) -> Result<(), LoadError> {
    let rankers = exports
        .iter()
        .filter_map(|export| Name::of(export))
        .filter(Name::is_contract);
    let mut other = None;
    for ranker in rankers {
        if ranker.is_ours() {
            return Ok(());
        }
        other = Some(ranker.version.to_owned());
    }
    Err(match other {
        Some(built_against) => LoadError::WrongVersion { built_against },
        None => LoadError::NotAPolicy {
            exports: exports.to_vec(),
        },
    })
}
