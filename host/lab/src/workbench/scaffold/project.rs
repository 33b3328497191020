//! `wastegate-policy.toml`: how a project is built, and what comes out.
//!
//! The command is run as it stands there, by whoever types `wastegate policy build`: it is the
//! author's own, like a makefile. Not here: running it (`build`), and where its tool is (`tools`).

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{Lang, ScaffoldError};
use wastegate_engine::policy::manifest;

/// The file's name.
pub const FILE: &str = "wastegate-policy.toml";

/// The largest project file that is read, bytes.
const BYTES_MAX: u64 = 64 * 1024;

/// How many words a build command may have.
const WORDS_MAX: usize = 256;

/// A project that can be built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// Its folder, as it was named.
    pub folder: PathBuf,
    /// The policy's name.
    pub name: String,
    /// The language it is written in.
    pub lang: Lang,
    /// The file that the build writes, within the folder.
    pub artifact: PathBuf,
    /// The command that builds it, run in the folder: the tool and its arguments.
    pub build: (String, Vec<String>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    name: String,
    lang: String,
    artifact: PathBuf,
    build: Vec<String>,
}

impl Project {
    /// Reads the project in a folder.
    ///
    /// # Errors
    /// [`ScaffoldError::NoProject`], [`ScaffoldError::Read`] or [`ScaffoldError::Project`].
    pub fn read(folder: &Path) -> Result<Self, ScaffoldError> {
        let path = folder.join(FILE);
        let mut text = String::new();
        let read =
            File::open(&path).and_then(|file| file.take(BYTES_MAX + 1).read_to_string(&mut text));
        match read {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(ScaffoldError::NoProject(path));
            }
            Err(source) => return Err(ScaffoldError::Read { path, source }),
        }
        Self::parse(folder, &text).map_err(|what| ScaffoldError::Project { path, what })
    }

    fn parse(folder: &Path, text: &str) -> Result<Self, String> {
        if text.len() as u64 > BYTES_MAX {
            return Err(format!("it has more than {BYTES_MAX} bytes"));
        }
        let raw: Raw =
            toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
        if !manifest::is_name(&raw.name) {
            return Err(format!(
                "`name` is `{}`: use lower case words joined by hyphens",
                raw.name
            ));
        }
        let lang = Lang::by_word(&raw.lang)
            .ok_or_else(|| format!("`lang` is `{}`: use one of {}", raw.lang, words()))?;
        if raw.artifact.as_os_str().is_empty() {
            return Err("`artifact` is empty: name the file that the build writes".to_owned());
        }
        if raw.build.len() > WORDS_MAX {
            return Err(format!(
                "`build` has more than {WORDS_MAX} words: call a script"
            ));
        }
        let mut words = raw.build.into_iter();
        match words.next() {
            Some(tool) if !tool.is_empty() => Ok(Self {
                folder: folder.to_owned(),
                name: raw.name,
                lang,
                artifact: raw.artifact,
                build: (tool, words.collect()),
            }),
            _ => Err("`build` is empty: give the command as a list of words".to_owned()),
        }
    }

    /// The file that the build writes, from where we are.
    #[must_use]
    pub(crate) fn artifact_path(&self) -> PathBuf {
        // `./x` would be told as such to whoever is in the folder.
        if self.folder == Path::new(".") {
            return self.artifact.clone();
        }
        self.folder.join(&self.artifact)
    }
}

fn words() -> String {
    Lang::ALL.map(Lang::word).join(", ")
}
