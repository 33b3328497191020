//! A folder to test: where its cases are, and which policy they are for.
//!
//! A project that `policy new` made says in `wastegate-policy.toml` which file its build writes;
//! its cases are in `cases`. Any other folder is its own cases, or has them in `cases`.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// The file that makes a folder a project.
pub(crate) const PROJECT_FILE: &str = "wastegate-policy.toml";

/// Bytes of it.
const BYTES_MAX: u64 = 64 << 10;

/// What to test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// Where the cases are.
    pub cases: PathBuf,
    /// The file that the project's build writes, if the folder is one of a project.
    pub policy: Option<PathBuf>,
}

/// Why a folder cannot be tested.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// It is none.
    #[error("{} is no folder; name the folder of the cases, or of a project made by `wastegate policy new`", .0.display())]
    NoFolder(PathBuf),
    /// A project without cases.
    #[error("{} is a project without a folder `cases`; put cases there, e.g. `cases/first.json`", .0.display())]
    NoCases(PathBuf),
    /// The project's file is there and cannot be read.
    #[error("{} cannot be read", path.display())]
    Unreadable {
        /// The path of the project's file.
        path: PathBuf,
        /// The error of the operating system.
        #[source]
        source: io::Error,
    },
    /// The project's file does not say what is built.
    #[error("{}: {what}", path.display())]
    Malformed {
        /// The path of the project's file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
}

/// As much of a project's file as says what is built. `policy build` reads the rest.
#[derive(Deserialize)]
struct Built {
    #[serde(alias = "artifact")]
    file: PathBuf,
}

impl Project {
    /// Finds what to test in a folder: itself a project, the `cases` of one, or just cases.
    ///
    /// # Errors
    /// [`ProjectError`] saying which folder or file is in the way.
    pub fn find(folder: &Path) -> Result<Self, ProjectError> {
        if !folder.is_dir() {
            return Err(ProjectError::NoFolder(folder.to_owned()));
        }
        let inside = folder.join("cases");
        if let Some(policy) = built(folder)? {
            if !inside.is_dir() {
                return Err(ProjectError::NoCases(folder.to_owned()));
            }
            let policy = Some(policy);
            return Ok(Self {
                cases: inside,
                policy,
            });
        }
        let cases = if inside.is_dir() {
            inside
        } else {
            folder.to_owned()
        };
        // Within a project, the one above; `..` also where the folder is named by a dot.
        let above = cases.join("..");
        let policy = built(&above)?;
        Ok(Self { cases, policy })
    }
}

/// The file that the project in a folder builds; none if it is no project.
fn built(folder: &Path) -> Result<Option<PathBuf>, ProjectError> {
    let path = folder.join(PROJECT_FILE);
    let mut text = String::new();
    let read = File::open(&path).and_then(|file| file.take(BYTES_MAX).read_to_string(&mut text));
    match read {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(ProjectError::Unreadable { path, source }),
    }
    match toml::from_str::<Built>(&text) {
        Ok(built) => Ok(Some(folder.join(built.file))),
        Err(error) => {
            let what = error.to_string().trim_end().to_owned();
            Err(ProjectError::Malformed { path, what })
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_project_names_its_policy_and_any_folder_its_cases() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let bare = Project {
            cases: root.to_owned(),
            policy: None,
        };
        assert_eq!(Project::find(root).unwrap(), bare);

        fs::write(root.join(PROJECT_FILE), "name = 'x'\nfile = 'out/x.wasm'\n").unwrap();
        let report = Project::find(root).unwrap_err().to_string();
        assert!(report.contains("without a folder `cases`"), "{report}");

        let cases = root.join("cases");
        fs::create_dir(&cases).unwrap();
        let whole = Project::find(root).unwrap();
        assert_eq!(whole.cases, cases);
        assert_eq!(whole.policy, Some(root.join("out/x.wasm")));
        let inside = Project::find(&cases).unwrap();
        assert_eq!(inside.cases, cases);
        assert_eq!(
            inside.policy.unwrap(),
            cases.join("..").join("out/x.wasm"),
            "found from within"
        );

        fs::write(root.join(PROJECT_FILE), "name = 'x'\n").unwrap();
        let report = Project::find(root).unwrap_err().to_string();
        assert!(report.contains("missing field `file`"), "{report}");
        assert!(Project::find(&root.join("nowhere")).is_err());
    }
}
