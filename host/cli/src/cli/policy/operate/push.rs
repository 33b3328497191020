//! `wastegate policy push` and `pull`: a file to a running server, from here or from a registry.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use reqwest::Method;
use serde_json::json;

use super::super::super::Terminal;
use super::super::super::exit::EX_NOINPUT;
use super::super::super::failure::Failure;
use super::super::super::serve::chain;
use super::client::{Body, refused, segment};
use super::{Remote, posted, shown, tier};
use wastegate_control::admin::policies::views::UploadedDto;
use wastegate_control::rollout::audit as moves;
use wastegate_control::rollout::source::PolicyName;
use wastegate_control::rollout::source::file;
use wastegate_core::types::Tier;

/// The largest file that is read at all; the server has a smaller cap of its own.
const FILE_BYTES_MAX: u64 = 256 << 20;

/// What is done with what was brought.
#[derive(Debug, clap::Args)]
struct Then {
    /// Make it active at once.
    #[arg(long)]
    activate: bool,
    /// At this tier only.
    #[arg(long, value_parser = tier, requires = "activate")]
    tier: Option<Tier>,
    /// Begin with every default, instead of what is set for the policy now.
    #[arg(long)]
    defaults: bool,
    /// Why, for the audit log.
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
}

/// Arguments of `wastegate policy push`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  wastegate policy push my-policy.wasm --activate --reason 'ticket 7'"
)]
pub(in super::super) struct Push {
    /// The policy's file; `FILE.minisig` beside it goes with it.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The policy's name, as its manifest says; without it the file's own.
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    then: Then,
    #[command(flatten)]
    remote: Remote,
}

/// Arguments of `wastegate policy pull`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  wastegate policy pull my-policy registry.example.org/team/my-policy:1.2.0"
)]
pub(in super::super) struct Pull {
    /// The policy, as its manifest says.
    #[arg(value_name = "POLICY")]
    name: String,
    /// Where it is, for the server: `registry/repository:tag` or `registry/repository@sha256:…`.
    #[arg(value_name = "REFERENCE")]
    reference: String,
    #[command(flatten)]
    then: Then,
    #[command(flatten)]
    remote: Remote,
}

impl Push {
    pub(in super::super) fn run(self, terminal: Terminal<'_>) -> Result<ExitCode, Failure> {
        let Self {
            file,
            name,
            then,
            remote,
        } = self;
        remote.run(terminal, async move |client, json| {
            let name = match name {
                Some(name) => name,
                None => named(&file)?,
            };
            let contents = file::read(&file, FILE_BYTES_MAX)
                .map_err(|error| refused(&chain(&error)).code(EX_NOINPUT))?;
            let signature = contents.signature.map(|text| BASE64.encode(text));
            let body = Body::File(contents.bytes.to_vec(), signature);
            let mut query = vec![
                ("activate", then.activate.to_string()),
                ("inherit", (!then.defaults).to_string()),
                ("reason", then.reason),
            ];
            query.extend(then.tier.map(|tier| ("tier", tier.name().to_owned())));
            let path = format!("/v1/policies/{}", segment(&name));
            let answer = client.ask(Method::PUT, &path, &query, body).await?;
            Ok(shown(answer, json, in_words))
        })
    }
}

impl Pull {
    pub(in super::super) fn run(self, terminal: Terminal<'_>) -> Result<ExitCode, Failure> {
        let path = format!("/v1/policies/{}/pull", segment(&self.name));
        let body = json!({
            "reference": self.reference, "activate": self.then.activate, "tier": self.then.tier,
            "inherit": !self.then.defaults, "reason": self.then.reason,
        });
        self.remote.run(terminal, async move |client, json| {
            posted(client, &path, body, in_words, json).await
        })
    }
}

/// The policy that a file is called after. Cargo writes `my_policy.wasm` for a policy `my-policy`.
fn named(file: &Path) -> Result<String, Failure> {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let name = PolicyName::new(&stem.replace('_', "-"))
        .map_err(|error| refused(&format!("{error}; or give the policy's name with --name")))?;
    Ok(name.to_string())
}

fn in_words(pushed: &UploadedDto) -> String {
    let revision = &pushed.revision;
    let (id, policy, version) = (revision.revision, &revision.policy, &revision.version);
    let mut text = if pushed.new {
        format!(
            "{id} is {policy} {version}, {} bytes\n",
            revision.size_bytes
        )
    } else {
        format!("{id} is that already: {policy} {version} with the same bytes and settings\n")
    };
    if pushed.moves.is_empty() {
        if revision.active_at.is_empty() {
            text.push_str(&format!(
                "to make it active: wastegate policy activate {policy} --revision {id}\n"
            ));
        }
    } else {
        text.push_str(&format!("{}\n", moves::in_words(&pushed.moves)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cargo_calls_a_file_is_understood() {
        let named = |file: &str| super::named(Path::new(file)).ok();
        assert_eq!(named("target/my_policy.wasm").as_deref(), Some("my-policy"));
        assert_eq!(named("lru-k.wasm").as_deref(), Some("lru-k"));
        assert_eq!(named("My Policy.wasm"), None);
    }
}
