//! Which policy a verb is about, on which engine: the same arguments for all of them.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::config::SourceArgs;
use super::super::exit::EX_UNAVAILABLE;
use super::super::failure::{EX_NOINPUT, Failure};
use crate::config::{self, Environment};
use wastegate::observe::config::LogConfig;
use wastegate::observe::logging;
use wastegate_core::types::Clock;
use wastegate_engine::policy::{self, Engine, shipped};

/// The limits that apply, as for the server.
#[derive(Debug, Clone, Default, clap::Args)]
pub(in crate::cli) struct EngineArgs {
    #[command(flatten)]
    sources: SourceArgs,
}

impl EngineArgs {
    /// An engine within the limits of the configuration.
    ///
    /// # Errors
    /// [`Failure`] when the configuration is refused or the machine cannot run it.
    pub(in crate::cli) fn engine(self, environment: Environment) -> Result<Engine, Failure> {
        let config = config::load(self.sources.sources(environment, Vec::new()))?.config;
        engine(config.policy)
    }
}

/// What a verb logs: that a policy takes long to compile.
const LOGGED: &str = "off,wastegate_engine::policy::load=info";

/// Where policies run. What takes long there is said on standard error.
///
/// # Errors
/// [`Failure`] when the machine cannot run it.
pub(in crate::cli) fn engine(config: policy::Config) -> Result<Engine, Failure> {
    let log = LogConfig::default();
    // A process that logs already says it there.
    let _ = logging::init(LOGGED, log.format, log.repeats_per_s_max);
    let engine = Engine::new(config, Clock::system());
    engine.map_err(|error| Failure::of(&error).code(EX_UNAVAILABLE))
}

/// The bytes of a policy that was named by a file or as one that the host ships. A file goes first;
/// at most `bytes_max` and one more are read, so that a larger one is refused and not swallowed.
///
/// # Errors
/// [`Failure`] when there is no such file and no such policy.
pub(in crate::cli) fn bytes(named: &str, bytes_max: u64) -> Result<Arc<[u8]>, Failure> {
    let error = match read(&PathBuf::from(named), bytes_max) {
        Ok(bytes) => return Ok(bytes.into()),
        Err(error) => error,
    };
    let sentence = if error.kind() == io::ErrorKind::NotFound {
        if let Some(bytes) = shipped::find(named) {
            return Ok(bytes.into());
        }
        let names: Vec<&str> = shipped::names().collect();
        format!(
            "there is no file `{named}` and no policy of that name in this host: give the `.wasm` file that the build wrote, or one of {}",
            names.join(", ")
        )
    } else {
        format!("`{named}` cannot be read: {error}")
    };
    Err(Failure::new(sentence).code(EX_NOINPUT))
}

fn read(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = bytes_max.saturating_add(1);
    std::fs::File::open(path)?
        .take(limit)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}
