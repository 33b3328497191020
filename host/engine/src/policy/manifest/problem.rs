//! What can be wrong with a manifest, and with what the operator set: a sentence each.

use super::{LIST_MAX, NAME_BYTES_MAX, SENTENCE_BYTES_MAX};

/// One thing that is wrong with a manifest.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the message of each variant says what its fields are"
)]
#[non_exhaustive]
pub enum ManifestProblem {
    /// A name is not a name.
    #[error(
        "`{name}` cannot be the name of a {what}: use lower case words joined by hyphens, at most {NAME_BYTES_MAX} bytes"
    )]
    Name {
        /// A policy or a parameter.
        what: &'static str,
        /// As given, cut off where it is too long.
        name: String,
    },
    /// The version is not three numbers.
    #[error("`{0}` is no version: write `major.minor.patch`, for example `1.0.0`")]
    Version(String),
    /// A text is too long for a table or a log line.
    #[error("the {what} has {bytes} bytes; at most {SENTENCE_BYTES_MAX} are allowed")]
    Sentence { what: String, bytes: usize },
    /// A list is too long.
    #[error("it has {count} {what}; at most {LIST_MAX} are allowed")]
    TooMany { what: &'static str, count: usize },
    /// The host measures nothing of that name.
    #[error("signal `{name}` is unknown to this host; did you mean `{nearest}`?")]
    UnknownSignal {
        name: String,
        /// The nearest that exists.
        nearest: &'static str,
    },
    /// A signal is listed twice.
    #[error("signal `{0}` is listed twice; list it once and read its column as often as you like")]
    SignalTwice(&'static str),
    /// Two parameters have one name.
    #[error("parameter `{0}` is declared twice; give each its own name")]
    ParameterTwice(String),
    /// A bound is infinite or not a number, or they are in the wrong order.
    #[error("parameter `{name}`: its range {min} to {max} must be finite, smallest first")]
    Range { name: String, min: f64, max: f64 },
    /// The default is not one of the values that are allowed.
    #[error("parameter `{name}`: its default {default} is not within {min} to {max}")]
    Default {
        name: String,
        default: f64,
        min: f64,
        max: f64,
    },
    /// It declares no reason; each choice needs one.
    #[error("it has no reasons; give at least one phrase that says why a manager is chosen")]
    NoReasons,
    /// A reason says nothing.
    #[error("reason {0} is empty; say in a few words why a manager is chosen")]
    EmptyReason(usize),
    /// It declares no scope.
    #[error("it has no scopes; name `user`, `node` or both")]
    NoScopes,
}

/// What the operator set that the policy does not understand.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the message of each variant says what its fields are"
)]
#[non_exhaustive]
pub enum BadParameter {
    /// It has parameters, but none of that name.
    #[error("it has no parameter `{name}`; did you mean `{nearest}`?")]
    Unknown {
        name: String,
        /// The nearest that exists.
        nearest: String,
    },
    /// It has no parameters at all.
    #[error("it has no parameters, so `{0}` cannot be set")]
    None(String),
    /// The value is out of range.
    #[error("`{name}` = {value} is out of range; it may be from {min} to {max}")]
    OutOfRange {
        name: String,
        value: f64,
        min: f64,
        max: f64,
    },
}
