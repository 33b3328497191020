//! Configuration: from built-in defaults, a TOML file, the environment and flags to one checked
//! [`ProgramConfig`] that holds every room's own checked struct.
//!
//! How to read the room: a layer (`file`, `environment`, `flags`) turns text into `raw` entries
//! that know where they came from; `keys` is the one table that knows every key, its range and
//! its place in the structs; `load` applies the entries to a `draft`, `cross` checks what
//! only two keys together can get wrong, and only then is there a `Config`. `show`, the example
//! file and `docs/configuration.md` are printed from the same table. So is what SIGHUP changes: the
//! table says of each key whether a running server takes a new value over, and `Loaded::on` goes by it.
//!
//! Not here: what a setting means (that is its room's), and command lines (`cli`). Nothing is guessed
//! or corrected: a value that is not understood stops the start, and all of them are reported at once.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use wastegate::{admission, cleanup, connection, gateway, health, manager, observe, registry};
#[cfg(feature = "otlp")]
use wastegate_control::otlp;
use wastegate_control::{admin, rollout, webhook};
use wastegate_core::types::{Limits, Secret};
use wastegate_engine::policy;

#[cfg(feature = "cluster")]
mod clustering;
mod cross;
mod document;
mod draft;
mod environment;
mod error;
mod file;
mod flags;
mod identities;
mod key;
mod keys;
mod load;
mod raw;
mod routes;
mod shape;
mod show;

#[cfg(feature = "cluster")]
pub use clustering::{ClusterSettings, EngineKind};
pub use document::{example, reference};
pub use environment::Environment;
pub use error::{ConfigError, ConfigProblem};
pub use flags::Override;
pub use load::{LoadedConfig, Reread, Setting, Sources, load};
pub use raw::{SettingOrigin, SettingValue};

#[cfg(test)]
pub(crate) mod tests;

/// Everything the process is told from outside, checked.
///
/// [`load`] is the way from the outside to here; a test may take the default and change it.
#[derive(Debug, Clone, Default)]
pub struct ProgramConfig {
    /// The public listener's address and this node's name.
    pub server: Server,
    /// The operators' listener.
    pub admin: AdminListener,
    /// What operators have to send. Empty: what is kept in the state directory, and nothing without
    /// one. [`NO_TOKEN`](wastegate_control::admin::NO_TOKEN): nothing.
    pub admin_token: Secret,
    /// Hosts, places and times of that listener.
    pub operators: admin::Config,
    /// How users prove who they are.
    pub identity: gateway::identity::Config,
    /// What may be held at once.
    pub limits: registry::SlotLimits,
    /// How long managers live, and what they may hold.
    pub manager: manager::Config,
    /// Heartbeats, probes and verdicts.
    pub health: health::Config,
    /// Sizes and deadlines of one WebSocket.
    pub connection: connection::Config,
    /// How much the clients of one user may send.
    pub budget: connection::BudgetConfig,
    /// Who may enter, and how long that may take.
    pub admission: admission::Config,
    /// Who is cleaned up, and how far it may go.
    pub cleanup: cleanup::Config,
    /// HTTP in, upgraded socket out.
    pub gateway: gateway::Config,
    /// The policy that ranks, with its parameters.
    pub ranking: PolicyChoice,
    /// The limits within which policies run.
    pub policy: policy::Config,
    /// Which revisions of policies are kept, and where.
    pub rollout: rollout::Config,
    /// Where policies come from while the server runs.
    pub sources: rollout::source::Config,
    /// Log lines, journals, alerts.
    pub observe: observe::Config,
    /// Where events are sent.
    pub webhook: webhook::Config,
    /// The cluster that this node is in, if it is in one.
    #[cfg(feature = "cluster")]
    pub cluster: ClusterSettings,
    /// Where spans are sent.
    #[cfg(feature = "otlp")]
    pub otlp: otlp::Config,
}

/// Where the gateway listens and what it is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// The address for clients. 127.0.0.1:8080.
    pub listen: SocketAddr,
    /// This node's name in records. `local`.
    pub node: String,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            node: "local".to_owned(),
        }
    }
}

/// Whether operators are served, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdminListener {
    /// At this address. 127.0.0.1:9090.
    On(SocketAddr),
    /// Not at all.
    Off,
}

impl Default for AdminListener {
    fn default() -> Self {
        Self::On(SocketAddr::from((Ipv4Addr::LOCALHOST, 9090)))
    }
}

/// The policy that ranks, with what its operator set. Whether the policy knows these parameters
/// is known only once it is loaded: the `policy` room checks them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PolicyChoice {
    /// Where the policy comes from.
    pub source: PolicySource,
    /// The parameters that are set; finite numbers.
    pub params: BTreeMap<String, f64>,
    /// The limits that are set for this policy instead of those of [`ProgramConfig::policy`].
    pub limits: Limits,
}

/// Where the policy comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicySource {
    /// One that is shipped, by its name. `qos-lexicographic`.
    Shipped(String),
    /// A component or core module in a file.
    File(PathBuf),
}

impl Default for PolicySource {
    fn default() -> Self {
        Self::Shipped("qos-lexicographic".to_owned())
    }
}
