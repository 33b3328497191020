//! `wastegate policy publish`: a policy into a registry, as a server would pull it.
//!
//! It is loaded and put through the acceptance kit first: what no server would take is not worth
//! publishing. `FILE.minisig` goes with it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::super::Terminal;
use super::super::config::SourceArgs;
use super::super::exit::EX_UNAVAILABLE;
use super::super::failure::{EX_NOINPUT, Failure};
use crate::config::{self, ProgramConfig};
use wastegate_control::rollout::signature::Verified;
use wastegate_control::rollout::source::file::{self, Contents};
use wastegate_control::rollout::source::oci::{self, About, Reference};
use wastegate_core::types::Clock;
use wastegate_engine::policy::{Engine, Params, load};

/// Arguments of `wastegate policy publish`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  wastegate policy publish my-policy.wasm registry.example.org/my-policy:1.2.0"
)]
pub(super) struct Args {
    /// The policy's file, component or core module; `FILE.minisig` beside it is its signature.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Where to, with a tag; the last part of the repository is the policy's name.
    #[arg(value_name = "REGISTRY/REPOSITORY:TAG")]
    reference: Reference,
    /// `policy.registry.username` and `policy.registry.password` say who we are to this registry.
    #[command(flatten)]
    sources: SourceArgs,
}

impl Args {
    /// Publishes it: 0 if it is there, 1 if no server would take it, 66 without a file, 69 if the
    /// registry did not take it.
    pub(super) fn run(self, terminal: Terminal<'_>) -> Result<ExitCode, Failure> {
        let sources = self.sources.sources(terminal.environment, Vec::new());
        let config = config::load(sources)?.config;
        let contents = read(&self.file, &config)?;
        let about = check(&contents, &self.reference, &config)?;
        let published = push(&config, &self.reference, &contents, &about)?;
        writeln!(terminal.out, "{published}")?;
        Ok(ExitCode::SUCCESS)
    }
}

fn read(path: &Path, config: &ProgramConfig) -> Result<Contents, Failure> {
    file::read(path, config.policy.file_bytes_max())
        .map_err(|error| Failure::of(&error).code(EX_NOINPUT))
}

/// What a server would check.
fn check(
    contents: &Contents,
    reference: &Reference,
    config: &ProgramConfig,
) -> Result<About, Failure> {
    let signature = contents.signature.as_deref();
    let verified = config.sources.keys.verify(&contents.bytes, signature);
    verified.map_err(|error| Failure::of(&error))?;
    let engine = Engine::new(config.policy.clone(), Clock::system())
        .map_err(|error| Failure::of(&error).code(EX_UNAVAILABLE))?;
    let policy = load::policy(&engine, &contents.bytes, &Params::new())
        .map_err(|error| Failure::of(&error))?;
    let (about, named) = (policy.about(), reference.policy());
    if named.as_str() != &*about.name {
        let name = &about.name;
        return Err(Failure::new(format!(
            "the policy calls itself `{name}` and {reference} is of `{named}`: publish it to a repository whose last part is `{name}`"
        )));
    }
    Ok(About {
        title: about.name.to_string(),
        version: about.version.to_string(),
        description: policy.program().manifest().summary.clone(),
    })
}

fn push(
    config: &ProgramConfig,
    reference: &Reference,
    contents: &Contents,
    about: &About,
) -> Result<String, Failure> {
    let unavailable = |error: &dyn std::error::Error| Failure::of(error).code(EX_UNAVAILABLE);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| unavailable(&error))?;
    let (registry, signature) = (&config.sources.registry, contents.signature.as_deref());
    let published = runtime
        .block_on(oci::publish(
            registry,
            reference,
            &contents.bytes,
            signature,
            about,
        ))
        .map_err(|error| unavailable(&error))?;
    let (name, version, bytes) = (&about.title, &about.version, contents.bytes.len());
    let signed = if signature.is_some() {
        "signed"
    } else {
        "not signed"
    };
    Ok(format!(
        "published {name} {version}, {bytes} bytes, {signed}\n  follow it: policy.registry.reference = \"{reference}\"\n  pin it:    policy.registry.reference = \"{}\"",
        published.pinned
    ))
}

/// Who signed a file, in words.
pub(super) fn signer(verified: &Verified) -> String {
    match verified {
        Verified::NotAsked => "nobody asks for a signature".to_owned(),
        Verified::Shipped => "it needs no signature: the host was built with it".to_owned(),
        Verified::Signed { key, comment } => format!("signed by key {key}: {comment}"),
    }
}
