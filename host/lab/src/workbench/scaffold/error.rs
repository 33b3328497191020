//! Why there is no project, or no policy of it, in sentences with a remedy.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

use wastegate_engine::policy::manifest::NAME_BYTES_MAX;

/// Why there is no project, or no policy of it.
#[derive(Debug, thiserror::Error)]
pub enum ScaffoldError {
    /// The name would be refused in a manifest.
    #[error(
        "`{0}` cannot be the name of a policy: use lower case words joined by hyphens, a letter first, at most {NAME_BYTES_MAX} bytes, for example `spare-the-busy`"
    )]
    Name(String),
    /// The name is that of the SDK.
    #[error("`{0}` is the name of the SDK: give the policy one of its own")]
    ReservedName(&'static str),
    /// There is something already.
    #[error(
        "`{}` is there already and not empty: choose another name, or another place with `--dir`", .0.display()
    )]
    Occupied(PathBuf),
    /// It cannot be put there.
    #[error("the project cannot be written to `{}`", path.display())]
    Write {
        /// The file or folder that cannot be written.
        path: PathBuf,
        /// The underlying error.
        source: io::Error,
    },
    /// The embedded SDK does not make a manifest; a mistake of this program's build.
    #[error("the copy of the SDK in this program is incomplete: {0}")]
    Sdk(String),
    /// There is no project file.
    #[error(
        "there is no `{}`: go to the project's folder or name it; `wastegate policy new NAME` makes one", .0.display()
    )]
    NoProject(PathBuf),
    /// A file of the project cannot be read.
    #[error("`{}` cannot be read", path.display())]
    Read {
        /// The file that cannot be read.
        path: PathBuf,
        /// The underlying error.
        source: io::Error,
    },
    /// The project file is wrong.
    #[error("`{}` is wrong: {what}", path.display())]
    Project {
        /// The path of the project file.
        path: PathBuf,
        /// What is wrong, with the key.
        what: String,
    },
    /// Something has to be installed.
    #[error("{needed}, and it is not here. To install it:\n\n    {remedy}\n")]
    Missing {
        /// Who needs what.
        needed: &'static str,
        /// The commands, one a line.
        remedy: &'static str,
    },
    /// The build command does not start.
    #[error("`{command}` does not start")]
    Start {
        /// The command, as `wastegate-policy.toml` has it.
        command: String,
        /// The underlying error.
        source: io::Error,
    },
    /// The build command failed.
    #[error(
        "the build failed ({status}); what the compiler says is above. The command was: {command}"
    )]
    Failed {
        /// The command, as `wastegate-policy.toml` has it.
        command: String,
        /// How it ended.
        status: ExitStatus,
    },
    /// It went well and made nothing.
    #[error(
        "the build went well but did not write `{}`: let `artifact` in `wastegate-policy.toml` name the file that it writes", .0.display()
    )]
    NoArtifact(PathBuf),
    /// The world cannot be put into the module.
    #[error("the contract cannot be put into `{}`", path.display())]
    World {
        /// The module that the command made.
        path: PathBuf,
        /// The underlying error.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
