//! Why a policy was not loaded, in sentences for whoever built or configured it: what is wrong,
//! where, and what to do about it.

use std::fmt::{self, Display};
use std::time::Duration;

use super::fence::Breach;
use crate::policy::allowance::InvalidLimits;
use crate::policy::kit::KitFailure;
use crate::policy::manifest::{BadParameter, ManifestProblem};
use wastegate_core::decision::Fault;

/// What the compiler or a parser had to say. Its own sentence is never repeated in ours.
pub(super) type Source = Box<dyn std::error::Error + Send + Sync>;

/// Why a policy was not loaded.
#[derive(Debug, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the message of each variant says what its fields are"
)]
#[non_exhaustive]
pub enum LoadError {
    /// No policy of that name is shipped.
    #[error("there is no policy `{name}` in this host; did you mean `{nearest}`?")]
    NoSuchPolicy {
        name: String,
        /// The nearest that exists.
        nearest: String,
    },
    /// It is larger than it may be.
    #[error(
        "the policy has {bytes} bytes and at most {max} are accepted: build it for size and strip it, or raise `policy.size_bytes_max`"
    )]
    TooLarge { bytes: u64, max: u64 },
    /// It is heavy, and larger than heavy ones may be.
    #[error(
        "the policy is heavy (it brings an interpreter or a standard library along), has {bytes} bytes and at most {max} are accepted: build it for size and strip it, or raise `policy.heavy.size_bytes_max`"
    )]
    HeavyTooLarge { bytes: u64, max: u64 },
    /// A file without a byte.
    #[error("the policy is empty: give the `.wasm` file that the build wrote")]
    Empty,
    /// WebAssembly in its text format.
    #[error("this is WebAssembly text, not a binary: translate it with `wasm-tools parse`")]
    Text,
    /// A component that was compiled to native code before.
    #[error(
        "this is a precompiled `.cwasm`, which would run as native code without a sandbox: give the `.wasm` that it was made from"
    )]
    Precompiled,
    /// A file of a kind that people give by mistake.
    #[error("this is {what}: {remedy}")]
    OtherFile {
        what: &'static str,
        /// What to give in its place.
        remedy: &'static str,
    },
    /// A file of no kind that is recognised.
    #[error(
        "this is not WebAssembly (it begins with {0}): give the `.wasm` file that the build wrote"
    )]
    NotWasm(String),
    /// WebAssembly that is broken, or from another time.
    #[error(
        "the policy is no valid WebAssembly: build it again, and compare its size and digest if it was copied"
    )]
    Malformed(#[source] Source),
    /// It is built in a way that could hold whoever reads it.
    #[error(transparent)]
    Fence(#[from] Breach),
    /// Compiling it took longer than it may.
    #[error(
        "the policy was not compiled within {deadline:?}: build it from less code and shallower loops, or raise `{key}`"
    )]
    LoadDeadline {
        /// The setting that bounds it.
        key: String,
        deadline: Duration,
    },
    /// Compiling it took more of a processor than it may.
    #[error(
        "compiling the policy took more than {cpu:?} of a processor: build it from less code and shallower loops, or raise `{key}`"
    )]
    LoadCpu {
        /// The setting that bounds it.
        key: String,
        cpu: Duration,
    },
    /// The process that compiled it ended without an answer.
    #[error(
        "the process that compiled the policy ended {how}, as it does when {memory_bytes} bytes of memory are not enough: build it from less code, or raise `{key}`"
    )]
    LoaderEnded {
        how: String,
        /// The setting that bounds its memory.
        key: String,
        memory_bytes: u64,
    },
    /// There is nobody to compile it.
    #[error(
        "no process or thread to compile the policy in: see that this user may start one more and that `/proc` is there, or set `policy.load.own_process = false`"
    )]
    NoLoader(#[source] std::io::Error),
    /// Others are being compiled.
    #[error(
        "{max} policies are being compiled and none was done in time: try again, or raise `policy.load.at_once_max`"
    )]
    LoadersBusy {
        /// How many at once.
        max: u32,
    },
    /// A core module that does not say what its exports mean.
    #[error(
        "this is a core module that does not say which world it is built for: build it with the wastegate SDK, or add the world with `wasm-tools component embed`"
    )]
    NoWorld,
    /// A core module that lacks exports of the world it names.
    #[error(
        "this core module does not export what the world that it is built for asks (- the world, + this module):{}\nBuild it again with the SDK of one version",
        Lines(.0)
    )]
    CoreExports(Vec<String>),
    /// A core module that does not keep to the world it names.
    #[error(
        "this core module does not keep to the world that it says it is built for: build it again with the SDK of one version"
    )]
    Componentise(#[source] Source),
    /// It asks for what policies are not granted.
    #[error(
        "the policy imports what policies are not granted:{}\nA policy may import `wastegate:policy/log@1.0.0` and the stubs of what a standard library pulls in; Rust built for `wasm32-unknown-unknown` imports nothing by itself",
        Lines(.0)
    )]
    Imports(Vec<RefusedImport>),
    /// It does not offer what the host asks policies.
    #[error(
        "the policy exports nothing that this host could ask (- the contract, + this policy):\n  - wastegate:policy/ranker@1.0.0{}\nBuild it for the world `policy` of `wit/policy.wit`",
        Offered(.exports)
    )]
    NotAPolicy {
        /// What it offers instead.
        exports: Vec<String>,
    },
    /// It was built against another version of the contract.
    #[error(
        "the policy was built against wastegate:policy@{built_against}; this host offers 1.0.0: build it with an SDK of version 1"
    )]
    WrongVersion {
        /// The version it was built against.
        built_against: String,
    },
    /// The names are right and the types are not.
    #[error(
        "the policy's interface differs from wastegate:policy@1.0.0 (- the contract, + this policy):{}\nBuild it against the `wit/policy.wit` of this host",
        Lines(.0)
    )]
    Types(Vec<String>),
    /// The compiler refused it.
    #[error(
        "the policy does not compile within this host's limits: avoid threads, 64-bit memory, and more memory from the start than `policy.memory_user_bytes`"
    )]
    Compile(#[source] Source),
    /// It failed when it was asked what it is.
    #[error(
        "the policy failed when it was asked to describe itself: `describe`, and whatever runs before it at the start, has to end quickly, with a constant"
    )]
    Describe(#[source] Fault),
    /// What it says of itself is wrong.
    #[error("the policy's manifest is wrong:{}", Lines(.0))]
    Manifest(Vec<ManifestProblem>),
    /// What the operator set is wrong.
    #[error("the policy's parameters are wrong:{}", Lines(.0))]
    Parameters(Vec<BadParameter>),
    /// What the operator set instead of the node's limits is wrong.
    #[error(transparent)]
    Limits(#[from] InvalidLimits),
    /// It does not behave.
    #[error("the policy did not pass the acceptance kit")]
    Kit(#[from] KitFailure),
    /// The process is going down.
    #[error(
        "loading was interrupted because the host is stopping or the loader panicked; try again"
    )]
    Interrupted,
}

/// An import that is not granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedImport {
    /// As the policy names it.
    pub name: String,
    /// Why not, in words.
    pub why: &'static str,
}

impl Display for RefusedImport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.why)
    }
}

/// One a line, indented.
struct Lines<'a, T>(&'a [T]);

impl<T: Display> Display for Lines<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

/// What a policy exports in place of what it should, the first few of it.
struct Offered<'a>(&'a [String]);

impl Display for Offered<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 5;
        for name in self.0.iter().take(SHOWN) {
            write!(f, "\n  + {name}")?;
        }
        match self.0.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, "\n  + and {more} more"),
        }
    }
}
