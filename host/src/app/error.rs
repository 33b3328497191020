//! Why a gateway could not be put together.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::{observe, policy};

/// What to mend before the next start.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address} (`{key}`); is another process using it?")]
    Bind {
        /// The key that named it.
        key: &'static str,
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// A policy's file cannot be read.
    #[error("cannot read the policy in {path} (`policy.file`)", path = path.display())]
    PolicyFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The policy was not accepted.
    #[error("the policy was not accepted")]
    Policy(#[source] policy::LoadError),
    /// The WASM engine cannot be started.
    #[error("the WASM engine cannot be started")]
    Engine(#[source] policy::EngineError),
    /// No threads for policies.
    #[error("cannot start the threads that run policies")]
    Threads(#[source] std::io::Error),
    /// A journal, the log or the random source does not work.
    #[error("cannot set up what is written down")]
    Observe(#[source] observe::Error),
    /// The system has no randomness to give.
    #[error("the system gives no random numbers")]
    Random(#[source] getrandom::Error),
}
