//! Why a policy was not pulled or published, in sentences for the operator.

use std::time::Duration;

use super::REDIRECTS_MAX;

/// Why a policy was not pulled or published.
#[derive(Debug, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the message of each variant says what its fields are"
)]
pub enum RegistryError {
    /// There is no TLS, or no certificates to trust.
    #[error(
        "no HTTP client can be set up: check that the system has certificates to trust (the package ca-certificates)"
    )]
    Client(#[source] reqwest::Error),
    /// The registry does not answer.
    #[error(
        "registry {registry} cannot be reached: check its name, its port, the network, and whether it speaks {scheme}"
    )]
    Away {
        registry: String,
        scheme: &'static str,
        source: reqwest::Error,
    },
    /// It took too long.
    #[error("registry {registry} did not answer within {} ms (`policy.registry.timeout_ms`)", timeout.as_millis())]
    Late { registry: String, timeout: Duration },
    /// The answer broke off.
    #[error("the answer of registry {registry} broke off")]
    Broken {
        registry: String,
        source: reqwest::Error,
    },
    /// It is not there.
    #[error("registry {registry} has no {what}: check repository, tag and digest{explanation}")]
    Absent {
        registry: String,
        what: String,
        /// What the registry said of it.
        explanation: String,
    },
    /// It is not for us.
    #[error("registry {registry} does not let us have {what}: {remedy}{explanation}")]
    Denied {
        registry: String,
        what: String,
        /// What to do about who we are to it.
        remedy: &'static str,
        /// What the registry said of it.
        explanation: String,
    },
    /// It asks for a wait that is longer than one pull may take.
    #[error(
        "registry {registry} asks for a wait of {} s (it answered {status} when asked for {what}): try again after that{explanation}",
        .after.as_secs()
    )]
    Resting {
        registry: String,
        what: String,
        status: u16,
        /// For how long, from the answer on.
        after: Duration,
        /// What the registry said of it.
        explanation: String,
    },
    /// The manifest is there and what it names is not.
    #[error(
        "registry {registry} has the manifest of {reference} and not the policy that it names ({digest}): publish it again, since it was removed there or never arrived{explanation}"
    )]
    NoBlob {
        registry: String,
        reference: String,
        /// Of the policy's bytes.
        digest: String,
        /// What the registry said of it.
        explanation: String,
    },
    /// It says something else.
    #[error("registry {registry} answered {status} when asked for {what}{explanation}")]
    Status {
        registry: String,
        what: String,
        status: u16,
        /// What the registry said of it.
        explanation: String,
    },
    /// It sends us around.
    #[error("registry {registry} redirects more than {REDIRECTS_MAX} times")]
    Redirects { registry: String },
    /// It sends us where we do not go.
    #[error("registry {registry} sends us to {to}, and we do not go there: {why}")]
    Elsewhere {
        registry: String,
        /// Where to; without what stands behind the host.
        to: String,
        why: &'static str,
    },
    /// It is more than is accepted.
    #[error("{what} has more than {max} bytes, which is all that is accepted{remedy}")]
    TooLarge {
        what: String,
        max: u64,
        /// What to do, if anything can be done.
        remedy: &'static str,
    },
    /// The bytes are not what they are called.
    #[error(
        "{what} is not {wanted} but {found}: the reference, the registry or somebody in between is wrong"
    )]
    Digest {
        what: &'static str,
        /// Its digest, as it was asked for.
        wanted: String,
        /// The digest of what came.
        found: String,
    },
    /// The bytes are as many as was not said.
    #[error(
        "{what} has {found} bytes, and its manifest says {claimed}: publish it again, or ask whoever runs the registry"
    )]
    Size {
        what: &'static str,
        /// Its size, as the manifest has it.
        claimed: u64,
        /// The bytes that came.
        found: u64,
    },
    /// It is no policy.
    #[error("{reference} is no policy: {why}; `wastegate policy publish` makes one")]
    NotAPolicy {
        /// What was asked for.
        reference: String,
        /// What it is instead.
        why: String,
    },
    /// It does not speak as registries do.
    #[error("registry {registry} does not speak as registries do: {why}")]
    Garbage { registry: String, why: String },
    /// It was not pushed.
    #[error("registry {registry} did not take the policy")]
    Push {
        registry: String,
        /// Why. Boxed, since it is one of these.
        source: Box<Self>,
    },
    /// What is to be published cannot be described.
    #[error("the policy cannot be published: {0}")]
    Unpublishable(String),
}

impl RegistryError {
    /// Whether it may go by itself within a moment.
    pub(super) fn passes(&self) -> bool {
        match self {
            Self::Away { source, .. } => source.is_connect(),
            Self::Broken { .. } => true,
            Self::Client(_)
            | Self::Late { .. }
            | Self::Status { .. }
            | Self::Resting { .. }
            | Self::NoBlob { .. }
            | Self::Absent { .. }
            | Self::Denied { .. }
            | Self::Redirects { .. }
            | Self::Elsewhere { .. }
            | Self::TooLarge { .. }
            | Self::Size { .. }
            | Self::Digest { .. }
            | Self::NotAPolicy { .. }
            | Self::Garbage { .. }
            | Self::Push { .. }
            | Self::Unpublishable(_) => false,
        }
    }

    /// Whether it is about what was found, and will be the same until something else is found.
    #[must_use]
    pub fn is_final(&self) -> bool {
        match self {
            Self::TooLarge { .. } | Self::Size { .. } | Self::NotAPolicy { .. } => true,
            Self::Client(_)
            | Self::Away { .. }
            | Self::Late { .. }
            | Self::Broken { .. }
            | Self::Absent { .. }
            | Self::Denied { .. }
            | Self::Status { .. }
            | Self::Resting { .. }
            | Self::NoBlob { .. }
            | Self::Redirects { .. }
            | Self::Elsewhere { .. }
            | Self::Digest { .. }
            | Self::Garbage { .. }
            | Self::Push { .. }
            | Self::Unpublishable(_) => false,
        }
    }

    /// The wait that the registry asks for, if it does.
    #[must_use]
    pub fn rest(&self) -> Option<Duration> {
        match self {
            Self::Resting { after, .. } => Some(*after),
            Self::Push { source, .. } => source.rest(),
            _ => None,
        }
    }
}
