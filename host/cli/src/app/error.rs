//! Why a gateway could not be put together.

use std::net::SocketAddr;

use wastegate::observe;
use wastegate_control::rollout;
use wastegate_engine::policy;

/// What to mend before the next start.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address} (`{key}`); is another process using it?")]
    Bind {
        /// The key that named it.
        key: &'static str,
        /// The address that was configured.
        address: SocketAddr,
        /// The underlying error.
        source: std::io::Error,
    },
    /// There is no policy to start with, or no place to keep them.
    #[error(transparent)]
    Rollout(#[from] rollout::StartError),
    /// The policy that the settings name is not taken.
    #[error("`{key}` names {value}")]
    Policy {
        /// The key of the configuration.
        key: &'static str,
        /// What it is set to.
        value: String,
        /// The underlying error.
        source: rollout::StartError,
    },
    /// The WASM engine cannot be started.
    #[error("the WASM engine cannot be started")]
    Engine(#[source] policy::EngineError),
    /// No threads for policies.
    #[error("cannot start the threads that run policies")]
    Threads(#[source] std::io::Error),
    /// A journal, the log or the random source does not work.
    #[error("cannot set up what is written down")]
    Observe(#[source] observe::Error),
    /// A journal cannot be written.
    #[error("what happens cannot be written down (`{key}`)")]
    Journal {
        /// The key that names its file.
        key: &'static str,
        /// The underlying error.
        source: observe::Error,
    },
    /// The state directory cannot be used.
    #[error("cannot use {} (`policy.rollout.state_dir`)", .path.display())]
    State {
        /// What in it.
        path: std::path::PathBuf,
        /// The underlying error.
        source: std::io::Error,
    },
    /// Policies cannot be looked for where the settings say.
    #[error("cannot look for policies in {} (`policy.directory.path`)", .path.display())]
    Directory {
        /// The directory that was configured.
        path: std::path::PathBuf,
        /// The underlying error.
        source: std::io::Error,
    },
    /// The kept key of pseudonyms is none.
    #[error(
        "{} is no key of pseudonyms: put back the one that was there, or remove the file; then users of experiments that run are strangers", .0.display()
    )]
    Key(std::path::PathBuf),
    /// The kept token of operators cannot be used.
    #[error(
        "the operators' token {} cannot be used (`policy.rollout.state_dir`; `admin.token` would stand in for it)", .path.display()
    )]
    AdminToken {
        /// The file that was configured.
        path: std::path::PathBuf,
        /// Why, and what to do.
        source: std::io::Error,
    },
    /// The file of operators' tokens cannot be used.
    #[error("the file {} cannot be used (`admin.tokens_file`)", .path.display())]
    AdminTokens {
        /// The file that was configured.
        path: std::path::PathBuf,
        /// Why, and what to do.
        source: wastegate_control::admin::roles::TokensError,
    },
    /// The certificate of the listener cannot be used.
    #[error("TLS cannot be spoken")]
    Tls(#[from] wastegate::gateway::tls::TlsError),
    /// The settings of the gateway can be used by none.
    #[error(transparent)]
    Gateway(#[from] wastegate::gateway::GatewayError),
    /// Nobody can be identified by such settings.
    #[error(transparent)]
    Identity(#[from] wastegate::gateway::identity::IdentityError),
    /// The gateway cannot be put together.
    #[error(transparent)]
    Build(#[from] wastegate::embed::BuildError),
    /// The node cannot be one of a cluster with such a name or secret.
    #[cfg(feature = "cluster")]
    #[error("this node cannot be one of a cluster (`{key}`)")]
    Cluster {
        /// The key of the configuration.
        key: &'static str,
        /// What to mend.
        source: wastegate_cluster::ledger::InvalidClusterName,
    },
    /// The file of the cluster's secret cannot be read.
    #[cfg(feature = "cluster")]
    #[error("the file {} cannot be read (`cluster.secret_file`)", .path.display())]
    ClusterSecret {
        /// The file that was configured.
        path: std::path::PathBuf,
        /// The underlying error.
        source: std::io::Error,
    },
    /// The address of the cluster's engine is none. It is not repeated, because it may have a password.
    #[cfg(feature = "cluster")]
    #[error("`cluster.engine` is no address of an engine of `cluster.kind`")]
    ClusterEngine(#[source] wastegate_cluster::ledger::LedgerError),
    /// No HTTP client can be made for the webhook.
    #[error("an HTTP client for `webhook.url` cannot be made")]
    Webhook(#[source] reqwest::Error),
    /// No HTTP client can be made for the collector.
    #[cfg(feature = "otlp")]
    #[error("an HTTP client for `otlp.endpoint` cannot be made")]
    Otlp(#[source] reqwest::Error),
    /// The system has no randomness to give.
    #[error("the system gives no random numbers")]
    Random(#[source] getrandom::Error),
}

impl AppError {
    /// The keys that its text names, for whoever shows them elsewhere.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        let text = wastegate_core::types::chain(self);
        let quoted = text.split('`').skip(1).step_by(2);
        let is_key = |text: &&str| {
            let fits = |byte: u8| byte.is_ascii_lowercase() || b"._".contains(&byte);
            text.contains('.') && text.bytes().all(fits)
        };
        let mut keys: Vec<String> = quoted.filter(is_key).map(str::to_owned).collect();
        keys.dedup();
        keys
    }
}
