//! `wastegate config`: whether a configuration would be taken, what it comes to, and what there
//! is to set.
//!
//! Reading and checking is `config`'s work; here its outcome becomes text and an exit code.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::json;

use super::Terminal;
use super::exit::{EX_CONFIG, EX_UNAVAILABLE};
use super::failure::Failure;
use super::serve::{application, chain};
use crate::app::{self, AppError};
use crate::config::{self, ConfigError, Environment, Override, ProgramConfig, Sources};

/// Arguments of `wastegate config`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  wastegate config check --config wastegate.toml\n  wastegate config show\n  wastegate config default > wastegate.toml"
)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Say whether a server would start with the configuration, and everything that is wrong with it
    /// and with the files that it names.
    #[command(after_help = "Example:\n  wastegate config check --config wastegate.toml")]
    Check(Ask),
    /// Print every value with where it came from.
    #[command(after_help = "Example:\n  wastegate config show --set limits.managers_per_user=50")]
    Show(Ask),
    /// Print a commented file with every default.
    #[command(after_help = "Example:\n  wastegate config default > wastegate.toml")]
    Default,
}

#[derive(Debug, clap::Args)]
struct Ask {
    #[command(flatten)]
    sources: SourceArgs,
    #[command(flatten)]
    shorthands: Shorthands,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// The flags of every verb that needs a configuration.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct SourceArgs {
    /// The configuration file, TOML; without it, what WASTEGATE_CONFIG names.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Set one key; may be repeated.
    #[arg(long, value_name = "SECTION.KEY=VALUE")]
    pub set: Vec<String>,
}

/// Flags that set one key each: of `serve`, and of what tells how it would serve.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Shorthands {
    /// Where clients connect (`server.listen`).
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Where operators connect, or `off` (`admin.listen`).
    #[arg(long, value_name = "ADDRESS")]
    admin: Option<String>,
    /// The policy in a file, component or core module (`policy.file`).
    #[arg(long, value_name = "FILE")]
    policy: Option<String>,
    /// The WebSocket server that connections are handed on to, such as `ws://127.0.0.1:8000`
    /// (`gateway.upstream`).
    #[arg(long, value_name = "URL")]
    upstream: Option<String>,
}

impl Shorthands {
    /// What they set.
    #[must_use]
    pub fn overrides(self) -> Vec<Override> {
        let flags = [
            ("server.listen", "--listen", self.listen),
            ("admin.listen", "--admin", self.admin),
            ("policy.file", "--policy", self.policy),
            ("gateway.upstream", "--upstream", self.upstream),
        ];
        flags
            .into_iter()
            .filter_map(|(key, flag, value)| Some(Override::shorthand(flag, key, value?)))
            .collect()
    }
}

impl SourceArgs {
    /// The sources that they name, with what a verb's own shorthands set.
    #[must_use]
    pub fn sources(self, environment: Environment, overrides: Vec<Override>) -> Sources {
        Sources {
            file: self.config,
            environment,
            set: self.set,
            overrides,
        }
    }
}

impl Args {
    /// Runs the command.
    pub(in crate::cli) fn run(self, terminal: Terminal<'_>) -> Result<ExitCode, Failure> {
        match self.verb {
            Verb::Check(ask) => ask.check(terminal),
            Verb::Show(ask) => ask.show(terminal),
            Verb::Default => {
                terminal.out.write_all(config::example().as_bytes())?;
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}

impl Ask {
    fn check(self, terminal: Terminal<'_>) -> Result<ExitCode, Failure> {
        let Terminal {
            environment, out, ..
        } = terminal;
        let sources = self
            .sources
            .sources(environment, self.shorthands.overrides());
        let loaded = match config::load(sources) {
            Ok(loaded) => loaded,
            Err(error) if self.json => {
                writeln!(out, "{}", problems(&error))?;
                return Ok(ExitCode::from(EX_CONFIG));
            }
            Err(error) => return Err(error.into()),
        };
        let wrong = beyond_settings(&loaded.config)?;
        if self.json {
            let problems: Vec<_> = wrong.iter().map(unusable).collect();
            writeln!(
                out,
                "{}",
                json!({ "ok": wrong.is_empty(), "problems": problems })
            )?;
        } else if wrong.is_empty() {
            writeln!(out, "the configuration is fine")?;
        } else {
            let sentences = wrong.iter().map(|error| chain(error));
            return Err(Failure::all(sentences).code(EX_UNAVAILABLE));
        }
        Ok(if wrong.is_empty() {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(EX_UNAVAILABLE)
        })
    }

    fn show(self, terminal: Terminal<'_>) -> Result<ExitCode, Failure> {
        let Terminal {
            environment, out, ..
        } = terminal;
        let sources = self
            .sources
            .sources(environment, self.shorthands.overrides());
        let loaded = config::load(sources)?;
        if self.json {
            writeln!(out, "{}", json!(loaded.settings))?;
        } else {
            out.write_all(loaded.to_toml().as_bytes())?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// What is wrong with the files, folders and policies that the settings name, as `serve` finds it.
fn beyond_settings(config: &ProgramConfig) -> io::Result<Vec<AppError>> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let wrong = runtime.block_on(app::check(config, application(config)));
    runtime.shutdown_background();
    Ok(wrong)
}

fn unusable(error: &AppError) -> serde_json::Value {
    json!({ "message": chain(error), "keys": error.keys(), "origin": null })
}

fn problems(error: &ConfigError) -> serde_json::Value {
    let problems: Vec<_> = error
        .problems()
        .iter()
        .map(|problem| {
            json!({
                "message": problem.to_string(),
                "keys": problem.keys(),
                "origin": problem.origin(),
            })
        })
        .collect();
    json!({ "ok": false, "problems": problems })
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::Cli;

    fn run(line: &[&str], environment: &[(&str, &str)]) -> (ExitCode, String, String) {
        let cli = Cli::try_parse_from(std::iter::once(&"wastegate").chain(line)).unwrap();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let environment = environment.iter().copied().collect();
        let code = cli
            .run(Terminal {
                environment,
                out: &mut out,
                err: &mut err,
            })
            .unwrap();
        (
            code,
            String::from_utf8(out).unwrap(),
            String::from_utf8(err).unwrap(),
        )
    }

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }

    #[test]
    fn check_says_fine_or_everything_that_is_wrong() {
        let fine = "the configuration is fine\n".to_owned();
        assert_eq!(
            run(&["config", "check"], &[]),
            (ExitCode::SUCCESS, fine, String::new())
        );

        let wrong = [
            "config",
            "check",
            "--set",
            "health.ping=1",
            "--set",
            "nothing",
        ];
        let (code, out, err) = run(&wrong, &[("WASTEGATE_SERVER__LISTEN", "here")]);
        assert_eq!((code, out.as_str()), (ExitCode::from(EX_CONFIG), ""));
        assert_eq!(err.lines().count(), 3, "{err}");
        assert!(err.lines().all(|line| line.starts_with("error: ")), "{err}");
    }

    #[test]
    fn check_as_json_names_keys_and_origins() {
        let (code, out, err) = run(
            &["config", "check", "--json", "--set", "cleanup.reserv=1"],
            &[],
        );
        assert_eq!((code, err.as_str()), (ExitCode::from(EX_CONFIG), ""));
        let found: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!(found["ok"], false);
        assert_eq!(found["problems"][0]["keys"][0], "cleanup.reserv");
        assert_eq!(found["problems"][0]["origin"], "flag --set cleanup.reserv");
    }

    #[test]
    fn show_says_who_set_what() {
        let environment = [("WASTEGATE_SERVER__NODE", "n1")];
        let (_, out, _) = run(&["config", "show", "--json"], &environment);
        let found: Vec<serde_json::Value> = serde_json::from_str(&out).unwrap();
        let node = found
            .iter()
            .find(|setting| setting["key"] == "server.node")
            .unwrap();
        assert_eq!(
            (&node["value"], &node["origin"]),
            (&json!("n1"), &json!("env WASTEGATE_SERVER__NODE"))
        );

        let (_, out, _) = run(&["config", "show"], &environment);
        assert!(out.contains("# env WASTEGATE_SERVER__NODE\n"), "{out}");
    }

    #[test]
    fn default_prints_the_example() {
        assert_eq!(run(&["config", "default"], &[]).1, config::example());
    }
}
