//! A policy's project: what `wastegate policy new` writes and `wastegate policy build` builds.
//!
//! - [`files`] renders a project for a language and a name, from layers that the build script
//!   embeds: templates, the contract, and a copy of the SDK, whose manifest `sdk` makes stand on
//!   its own;
//! - [`create`] puts the files in place, all of them or none;
//! - [`project`] reads `wastegate-policy.toml`, which says how a project is built;
//! - [`tools`] finds what a language needs and says how to install what is missing;
//! - [`mod@build`] runs the build and gives a core module that does not name its world that world.
//!
//! Not here: whether the outcome is a policy that a server would take (`policy::load`), and the
//! terminal (`cli`).

pub mod build;
pub mod create;
pub mod files;
pub mod project;
pub mod tools;

mod error;
mod sdk;

use std::fmt;

pub use error::ScaffoldError;

/// A language that there is a project for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lang {
    /// Rust, with the SDK.
    #[default]
    Rust,
    /// C, against the ABI of the contract by hand.
    C,
    /// JavaScript, by way of componentize-js.
    JavaScript,
    /// Python, by way of componentize-py.
    Python,
}

impl Lang {
    /// Every language that there is a template for.
    pub const ALL: [Self; 4] = [Self::Rust, Self::C, Self::JavaScript, Self::Python];

    /// The word for it in arguments and in `wastegate-policy.toml`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::C => "c",
            Self::JavaScript => "js",
            Self::Python => "python",
        }
    }

    /// The language of that word.
    #[must_use]
    pub fn by_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|lang| lang.word() == word)
    }
}

impl fmt::Display for Lang {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

#[cfg(test)]
mod tests;
