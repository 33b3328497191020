//! `wastegate policy verify`: is this file signed by one of the operator's keys?

use std::path::PathBuf;
use std::process::ExitCode;

use super::super::Terminal;
use super::super::config::SourceArgs;
use super::super::failure::{EX_NOINPUT, Failure};
use super::publish::signer;
use crate::config;
use wastegate_control::rollout::signature::{Key, Keys};
use wastegate_control::rollout::source::file;

/// Arguments of `wastegate policy verify`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  wastegate policy verify my-policy.wasm")]
pub(super) struct Args {
    /// The policy's file; `FILE.minisig` beside it is its signature.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// A public key, the line of 56 characters; may be repeated. Without one, those of
    /// `policy.signatures.keys`.
    #[arg(long, value_name = "KEY", value_parser = key)]
    key: Vec<Key>,
    #[command(flatten)]
    sources: SourceArgs,
}

fn key(text: &str) -> Result<Key, String> {
    Key::new(text).map_err(|error| error.to_string())
}

impl Args {
    /// Verifies it: 0 if it is signed by one of the keys, 1 if not, 66 without a file.
    pub(super) fn run(self, terminal: Terminal<'_>) -> Result<ExitCode, Failure> {
        let sources = self.sources.sources(terminal.environment, Vec::new());
        let config = config::load(sources)?.config;
        let keys = if self.key.is_empty() {
            config.sources.keys
        } else {
            Keys::new(self.key)
        };
        if keys.is_empty() {
            return Err(Failure::new(
                "there are no keys to verify with: give `--key`, or set `policy.signatures.keys`",
            ));
        }
        let contents = file::read(&self.file, config.policy.file_bytes_max())
            .map_err(|error| Failure::of(&error).code(EX_NOINPUT))?;
        let verified = keys
            .verify(&contents.bytes, contents.signature.as_deref())
            .map_err(|refused| Failure::new(refused.to_string()))?;
        writeln!(terminal.out, "{}", signer(&verified))?;
        Ok(ExitCode::SUCCESS)
    }
}
