//! The steps of loading, in their order: so that whoever mends a policy sees how far it came.

use std::fmt;

use super::error::LoadError;

/// One step on the way from bytes to a policy that is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// It is small enough to be looked at.
    Size,
    /// It is a component, or a core module.
    Format,
    /// It is built for our world, in a version that this host offers.
    World,
    /// It imports what is granted and nothing else.
    Imports,
    /// Its functions and types are those of the contract.
    Types,
    /// It compiles within the limits.
    Compile,
    /// It says what it is.
    Describe,
    /// What it says makes sense.
    Manifest,
    /// It understands what the operator set.
    Parameters,
    /// The acceptance kit calls it, and it behaves.
    Kit,
}

impl Step {
    /// Every step, in order.
    pub const ALL: [Self; 10] = [
        Self::Size,
        Self::Format,
        Self::World,
        Self::Imports,
        Self::Types,
        Self::Compile,
        Self::Describe,
        Self::Manifest,
        Self::Parameters,
        Self::Kit,
    ];

    /// Its name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Size => "size",
            Self::Format => "format",
            Self::World => "world",
            Self::Imports => "imports",
            Self::Types => "types",
            Self::Compile => "compile",
            Self::Describe => "describe",
            Self::Manifest => "manifest",
            Self::Parameters => "parameters",
            Self::Kit => "kit",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl LoadError {
    /// At which step loading ended; none where it did not begin, or was cut off.
    #[must_use]
    pub const fn step(&self) -> Option<Step> {
        Some(match self {
            Self::NoSuchPolicy { .. }
            | Self::Interrupted
            | Self::NoLoader(_)
            | Self::LoadersBusy { .. } => return None,
            Self::TooLarge { .. } | Self::HeavyTooLarge { .. } => Step::Size,
            Self::Empty
            | Self::Text
            | Self::Precompiled
            | Self::OtherFile { .. }
            | Self::NotWasm(_)
            | Self::Fence(_)
            | Self::Malformed(_) => Step::Format,
            Self::NoWorld
            | Self::CoreExports(_)
            | Self::Componentise(_)
            | Self::NotAPolicy { .. }
            | Self::WrongVersion { .. } => Step::World,
            Self::Imports(_) => Step::Imports,
            Self::Types(_) => Step::Types,
            Self::Compile(_)
            | Self::LoadDeadline { .. }
            | Self::LoadCpu { .. }
            | Self::LoaderEnded { .. } => Step::Compile,
            Self::Describe(_) => Step::Describe,
            Self::Manifest(_) => Step::Manifest,
            Self::Parameters(_) | Self::Limits(_) => Step::Parameters,
            Self::Kit(_) => Step::Kit,
        })
    }
}
