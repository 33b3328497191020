//! Which policy a verb is about, on which engine: the same arguments for all of them.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use super::super::config::{SourceArgs, refuse};
use super::super::serve::{EX_UNAVAILABLE, chain};
use crate::config::{self, Environment};
use wastegate_core::types::Clock;
use wastegate_engine::policy::{Engine, shipped};

/// `EX_NOINPUT` of `sysexits.h`: a file could not be read.
pub(in crate::cli) const EX_NOINPUT: u8 = 66;

/// The limits that apply, as for the server.
#[derive(Debug, Clone, Default, clap::Args)]
pub(in crate::cli) struct EngineArgs {
    #[command(flatten)]
    sources: SourceArgs,
}

/// Why a verb ends before it begins: already told, with the exit code that says so.
#[derive(Debug)]
pub(in crate::cli) struct Told(pub(in crate::cli) ExitCode);

impl EngineArgs {
    /// An engine within the limits of the configuration.
    ///
    /// # Errors
    /// [`Told`] when the configuration is refused or the machine cannot run it; the inner error
    /// when the terminal cannot be written to.
    pub(in crate::cli) fn engine(
        self,
        environment: Environment,
        err: &mut dyn io::Write,
    ) -> io::Result<Result<Engine, Told>> {
        let config = match config::load(self.sources.sources(environment, Vec::new())) {
            Ok(loaded) => loaded.config,
            Err(error) => return Ok(Err(Told(refuse(&error, err)?))),
        };
        match Engine::new(config.policy, Clock::system()) {
            Ok(engine) => Ok(Ok(engine)),
            Err(error) => {
                writeln!(err, "error: {}", chain(&error))?;
                Ok(Err(Told(ExitCode::from(EX_UNAVAILABLE))))
            }
        }
    }
}

/// The bytes of a policy that was named by a file or as one that the host ships. A file goes first;
/// at most `bytes_max` and one more are read, so that a larger one is refused and not swallowed.
///
/// # Errors
/// [`Told`] when there is no such file and no such policy; the inner error when the terminal cannot
/// be written to.
pub(in crate::cli) fn bytes(
    named: &str,
    bytes_max: u64,
    err: &mut dyn io::Write,
) -> io::Result<Result<Arc<[u8]>, Told>> {
    let path = PathBuf::from(named);
    let told = match read(&path, bytes_max) {
        Ok(bytes) => return Ok(Ok(bytes.into())),
        Err(error) => error,
    };
    if told.kind() == io::ErrorKind::NotFound {
        if let Some(bytes) = shipped::find(named) {
            return Ok(Ok(bytes.into()));
        }
        let names: Vec<&str> = shipped::names().collect();
        writeln!(
            err,
            "error: there is no file `{named}` and no policy of that name in this host: give the `.wasm` file that the build wrote, or one of {}",
            names.join(", ")
        )?;
    } else {
        writeln!(err, "error: `{named}` cannot be read: {told}")?;
    }
    Ok(Err(Told(ExitCode::from(EX_NOINPUT))))
}

fn read(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = bytes_max.saturating_add(1);
    std::fs::File::open(path)?
        .take(limit)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}
