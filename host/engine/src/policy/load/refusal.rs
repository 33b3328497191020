//! A refusal on its way from the process that compiles to the one that asked: the same error, with the
//! libraries' own sentences as text.

use serde::{Deserialize, Serialize};

use super::error::LoadError;
use super::imports;

/// What [`super::make`] may refuse.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Refusal {
    TooLarge {
        bytes: u64,
        max: u64,
    },
    HeavyTooLarge {
        bytes: u64,
        max: u64,
    },
    Malformed(String),
    NoWorld,
    CoreExports(Vec<String>),
    Componentise(String),
    Imports(Vec<String>),
    NotAPolicy(Vec<String>),
    WrongVersion(String),
    Types(Vec<String>),
    Compile(String),
    /// Nothing that is refused there; its sentence.
    Other(String),
}

impl From<LoadError> for Refusal {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::TooLarge { bytes, max } => Self::TooLarge { bytes, max },
            LoadError::HeavyTooLarge { bytes, max } => Self::HeavyTooLarge { bytes, max },
            LoadError::Malformed(source) => Self::Malformed(source.to_string()),
            LoadError::NoWorld => Self::NoWorld,
            LoadError::CoreExports(lines) => Self::CoreExports(lines),
            LoadError::Componentise(source) => Self::Componentise(source.to_string()),
            LoadError::Imports(refused) => {
                Self::Imports(refused.into_iter().map(|import| import.name).collect())
            }
            LoadError::NotAPolicy { exports } => Self::NotAPolicy(exports),
            LoadError::WrongVersion { built_against } => Self::WrongVersion(built_against),
            LoadError::Types(lines) => Self::Types(lines),
            LoadError::Compile(source) => Self::Compile(source.to_string()),
            other => Self::Other(other.to_string()),
        }
    }
}

impl From<Refusal> for LoadError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::TooLarge { bytes, max } => Self::TooLarge { bytes, max },
            Refusal::HeavyTooLarge { bytes, max } => Self::HeavyTooLarge { bytes, max },
            Refusal::Malformed(text) => Self::Malformed(text.into()),
            Refusal::NoWorld => Self::NoWorld,
            Refusal::CoreExports(lines) => Self::CoreExports(lines),
            Refusal::Componentise(text) => Self::Componentise(text.into()),
            Refusal::Imports(names) => Self::Imports(imports::refusals(names.iter())),
            Refusal::NotAPolicy(exports) => Self::NotAPolicy { exports },
            Refusal::WrongVersion(built_against) => Self::WrongVersion { built_against },
            Refusal::Types(lines) => Self::Types(lines),
            Refusal::Compile(text) | Refusal::Other(text) => Self::Compile(text.into()),
        }
    }
}
