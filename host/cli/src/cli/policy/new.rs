//! `wastegate policy new`: a project to write a policy in.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::super::Terminal;
use super::super::exit::{EX_CANTCREAT, EX_USAGE};
use super::super::failure::Failure;
use wastegate_lab::workbench::scaffold::{Lang, ScaffoldError, create, files};

/// Arguments of `wastegate policy new`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  wastegate policy new my-policy\n  wastegate policy new my-policy --lang python --dir policies/mine"
)]
pub(super) struct Args {
    /// The policy's name: lower case words joined by hyphens.
    #[arg(value_name = "NAME")]
    name: String,
    /// The language to write it in.
    #[arg(long, value_name = "LANG", default_value_t, value_parser = lang)]
    lang: Lang,
    /// The project's folder, new or empty; without it, NAME in the folder one is in.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

fn lang(word: &str) -> Result<Lang, String> {
    let words = Lang::ALL.map(Lang::word).join(", ");
    Lang::by_word(word).ok_or_else(|| format!("there are {words}"))
}

impl Args {
    /// Makes it: 0 if it is there, 64 if the name cannot be one, 73 if it cannot be written.
    pub(super) fn run(self, terminal: Terminal<'_>) -> Result<ExitCode, Failure> {
        let folder = self.dir.unwrap_or_else(|| PathBuf::from(&self.name));
        let files = files::render(&self.name, self.lang)
            .and_then(|files| create::create(&folder, &files).map(|()| files))
            .map_err(|error| {
                let code = match error {
                    ScaffoldError::Name(_) | ScaffoldError::ReservedName(_) => EX_USAGE,
                    _ => EX_CANTCREAT,
                };
                Failure::of(&error).code(code)
            })?;
        let source = files.keys().find(|path| is_source(path, self.lang));
        writeln!(
            terminal.out,
            "made a policy in {}, with a test and a snapshot: {}",
            lang_name(self.lang),
            folder.display()
        )?;
        writeln!(terminal.out)?;
        writeln!(terminal.out, "  cd {}", shown(&folder))?;
        if let Some(source) = source {
            writeln!(terminal.out, "  $EDITOR {source}")?;
        }
        for line in prepare(self.lang) {
            writeln!(terminal.out, "  {line}")?;
        }
        writeln!(terminal.out, "  wastegate policy build")?;
        writeln!(terminal.out, "  wastegate policy test .")?;
        Ok(ExitCode::SUCCESS)
    }
}

const fn lang_name(lang: Lang) -> &'static str {
    match lang {
        Lang::Rust => "Rust",
        Lang::C => "C",
        Lang::JavaScript => "JavaScript",
        Lang::Python => "Python",
    }
}

/// What has to be done once before the first build, or natively before any.
const fn prepare(lang: Lang) -> &'static [&'static str] {
    match lang {
        Lang::Rust => &["cargo test"],
        Lang::C | Lang::Python => {
            &["python3 -m venv .venv && .venv/bin/pip install -r requirements.txt"]
        }
        Lang::JavaScript => &["npm install"],
    }
}

/// Whether this is the file in which the policy is written.
fn is_source(path: &str, lang: Lang) -> bool {
    let (folder, extension) = match lang {
        Lang::Rust => ("src", "rs"),
        Lang::C => ("src", "c"),
        Lang::JavaScript => ("src", "js"),
        Lang::Python => ("", "py"),
    };
    let path = Path::new(path);
    path.parent() == Some(Path::new(folder))
        && path.extension().is_some_and(|found| found == extension)
}

/// A folder as one would type it.
fn shown(folder: &Path) -> String {
    let text = folder.display().to_string();
    if text.contains(' ') {
        return format!("'{text}'");
    }
    text
}
