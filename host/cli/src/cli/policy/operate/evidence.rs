//! `wastegate policy audit`, `faults` and `log`: what was done, what went wrong, what policies say.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use reqwest::Method;

use super::super::super::Terminal;
use super::super::super::failure::Failure;
use super::super::table::Table;
use super::client::{Body, Client, refused};
use super::{Done, Remote, shown};
use wastegate_control::admin::policies::views::{AuditDto, FaultDto, LogDto};
use wastegate_control::page::utc;
use wastegate_control::rollout::audit::in_words;
use wastegate_core::types::RevisionId;

/// Arguments of `wastegate policy audit`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  wastegate policy audit --last 10")]
pub(in super::super) struct Audit {
    /// How many entries, the last ones.
    #[arg(long, value_name = "N", default_value_t = 50)]
    last: usize,
    #[command(flatten)]
    remote: Remote,
}

/// Arguments of `wastegate policy faults`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  wastegate policy faults r7 --save cases")]
pub(in super::super) struct Faults {
    /// The revision, such as `r7`.
    #[arg(value_name = "REVISION")]
    revision: RevisionId,
    /// Write each as a test case into this folder, for `wastegate policy test`.
    #[arg(long, value_name = "FOLDER")]
    save: Option<PathBuf>,
    #[command(flatten)]
    remote: Remote,
}

/// Arguments of `wastegate policy log`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  wastegate policy log r7")]
pub(in super::super) struct Log {
    /// The revision, such as `r7`.
    #[arg(value_name = "REVISION")]
    revision: RevisionId,
    #[command(flatten)]
    remote: Remote,
}

impl Audit {
    pub(in super::super) fn run(self, terminal: Terminal<'_>) -> Result<ExitCode, Failure> {
        let query = [("max", self.last.to_string())];
        self.remote.run(terminal, async |client, json| {
            let answer = client
                .ask(Method::GET, "/v1/audit", &query, Body::None)
                .await?;
            Ok(shown(answer, json, entries))
        })
    }
}

impl Faults {
    pub(in super::super) fn run(self, terminal: Terminal<'_>) -> Result<ExitCode, Failure> {
        let (revision, save) = (self.revision, self.save);
        self.remote.run(terminal, async |client, json| {
            let path = format!("/v1/revisions/{}/faults", revision.get());
            let (faults, json_text) = client.get::<Vec<FaultDto>>(&path).await?;
            let mut text = if json {
                json_text + "\n"
            } else {
                table(&faults)
            };
            if let Some(folder) = save {
                let saved = save_all(client, revision, &faults, &folder).await?;
                if !json {
                    text.push_str(&saved);
                }
            }
            Ok(text)
        })
    }
}

impl Log {
    pub(in super::super) fn run(self, terminal: Terminal<'_>) -> Result<ExitCode, Failure> {
        let path = format!("/v1/revisions/{}/log", self.revision.get());
        self.remote.run(terminal, async |client, json| {
            Ok(shown(client.get(&path).await?, json, lines))
        })
    }
}

fn entries(audit: &AuditDto) -> String {
    let mut table =
        Table::new(["WHEN", "WHO", "WHAT", "ABOUT", "REVISION", "SEATS", "WHY"]).whole();
    for entry in &audit.entries {
        let note = &entry.note;
        table.row([
            utc(entry.unix_ms),
            entry.by.to_string(),
            note.what.name().to_owned(),
            note.user.as_ref().map_or_else(
                || note.policy.clone().unwrap_or_default(),
                |user| format!("user {user}"),
            ),
            note.revision.map(|id| id.to_string()).unwrap_or_default(),
            in_words(&note.moves),
            note.reason.replace('\n', " "),
        ]);
    }
    table.text("nothing was done yet")
}

fn table(faults: &[FaultDto]) -> String {
    let mut table = Table::new(["FAULT", "WHAT HAPPENED", "TIER", "SCOPE", "ROWS"]).whole();
    for fault in faults {
        table.row([
            fault.number.to_string(),
            fault.fault.clone(),
            fault.tier.name().to_owned(),
            fault.scope.name().to_owned(),
            fault.rows.to_string(),
        ]);
    }
    table.text("no faults are kept")
}

/// Downloads every test case. What they are called says where they are from.
async fn save_all(
    client: &Client,
    revision: RevisionId,
    faults: &[FaultDto],
    folder: &Path,
) -> Done {
    let unwritten = |path: &Path, error: &io::Error| {
        refused(&format!("cannot write {}: {error}", path.display()))
    };
    std::fs::create_dir_all(folder).map_err(|error| unwritten(folder, &error))?;
    let mut saved = String::new();
    for fault in faults {
        let case = client
            .raw(Method::GET, &fault.href, &[], Body::None)
            .await?;
        let path = folder.join(format!("{revision}-fault-{}.json", fault.number));
        std::fs::write(&path, case).map_err(|error| unwritten(&path, &error))?;
        saved.push_str(&format!("written {}\n", path.display()));
    }
    Ok(saved)
}

fn lines(log: &LogDto) -> String {
    let mut table = Table::new(["WHEN", "LEVEL", "DECISION", "LINE"]).whole();
    for line in &log.lines {
        table.row([
            utc(line.unix_ms),
            line.level.clone(),
            line.decision.map(|id| id.to_string()).unwrap_or_default(),
            line.text.clone(),
        ]);
    }
    let mut text = table.text("it has said nothing lately");
    if log.dropped > 0 {
        text.push_str(&format!("and {} lines that were dropped\n", log.dropped));
    }
    text
}
