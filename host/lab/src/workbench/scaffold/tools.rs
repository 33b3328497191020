//! The tools that builds need: where they are, and how to install the ones that are not there.
//!
//! A build command begins with the name of a tool. Four of them are looked for with care, since a
//! compiler that fails for want of a part says so in its own way, which helps nobody who did not
//! know of the part; any other is left to the system. Looking means asking the tool itself, so what
//! is found also starts.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::project::Project;
use super::{Lang, ScaffoldError};

/// What Rust compiles policies to.
const TARGET: &str = "wasm32-unknown-unknown";

/// The package that makes components of JavaScript.
const COMPONENTIZE_JS: &str = "@bytecodealliance/componentize-js";

const NO_CARGO: ScaffoldError = ScaffoldError::Missing {
    needed: "a Rust project needs cargo",
    remedy: "curl https://sh.rustup.rs -sSf | sh    (or see https://rustup.rs)",
};
const NO_TARGET: ScaffoldError = ScaffoldError::Missing {
    needed: "a policy in Rust needs the compilation target `wasm32-unknown-unknown`",
    remedy: "rustup target add wasm32-unknown-unknown    (in this folder, which has a toolchain of its own)",
};
const NO_CC: ScaffoldError = ScaffoldError::Missing {
    needed: "a policy in C needs a compiler for WebAssembly: zig from PyPI, zig, or clang with wasm-ld",
    remedy: "python3 -m venv .venv && .venv/bin/pip install -r requirements.txt",
};
const NO_NODE: ScaffoldError = ScaffoldError::Missing {
    needed: "a policy in JavaScript needs Node.js 20 or later",
    remedy: "see https://nodejs.org, or: apt install nodejs npm",
};
const NO_COMPONENTIZE_JS: ScaffoldError = ScaffoldError::Missing {
    needed: "a policy in JavaScript needs componentize-js",
    remedy: "npm install",
};
const NO_COMPONENTIZE_PY: ScaffoldError = ScaffoldError::Missing {
    needed: "a policy in Python needs componentize-py",
    remedy: "python3 -m venv .venv && .venv/bin/pip install -r requirements.txt",
};

/// A build command that can be run: every tool it needs was asked and answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    program: OsString,
    arguments: Vec<OsString>,
    folder: PathBuf,
}

impl Invocation {
    /// The command, to be run in the project's folder.
    #[must_use]
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).current_dir(&self.folder);
        command
    }
}

/// As one would type it.
impl fmt::Display for Invocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.program.display())?;
        for argument in &self.arguments {
            write!(f, " {}", argument.display())?;
        }
        Ok(())
    }
}

/// The build command of a project, with its tool found.
///
/// # Errors
/// [`ScaffoldError::Missing`] with the command that installs what is missing.
pub fn invocation(project: &Project) -> Result<Invocation, ScaffoldError> {
    let folder = std::path::absolute(&project.folder).map_err(|source| ScaffoldError::Read {
        path: project.folder.clone(),
        source,
    })?;
    let (tool, arguments) = &project.build;
    let words = match tool.as_str() {
        "cargo" => cargo(&folder, project.lang)?,
        "cc" => cc(&folder)?,
        "node" => node(&folder, project.lang)?,
        "componentize-py" => componentize_py(&folder)?,
        other => vec![other.into()],
    };
    let mut words = words.into_iter();
    Ok(Invocation {
        program: words.next().unwrap_or_default(),
        arguments: words.chain(arguments.iter().map(OsString::from)).collect(),
        folder,
    })
}

fn cargo(folder: &Path, lang: Lang) -> Result<Vec<OsString>, ScaffoldError> {
    if !answers(folder, &["cargo".into(), "--version".into()]) {
        return Err(NO_CARGO);
    }
    if lang == Lang::Rust {
        let asked = ["rustc", "--print", "target-libdir", "--target", TARGET].map(OsString::from);
        let libdir =
            ask(folder, &asked).map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
        if !libdir.is_some_and(|libdir| Path::new(libdir.trim()).is_dir()) {
            return Err(NO_TARGET);
        }
    }
    Ok(vec!["cargo".into()])
}

/// The first C compiler that makes WebAssembly: the project's own, the system's zig, clang.
fn cc(folder: &Path) -> Result<Vec<OsString>, ScaffoldError> {
    let module = |python: OsString| vec![python, "-m".into(), "ziglang".into()];
    let own = folder.join(".venv/bin/python3").into_os_string();
    for zig in [module(own), module("python3".into()), vec!["zig".into()]] {
        let version = [zig.as_slice(), &["version".into()]].concat();
        if answers(folder, &version) {
            return Ok([zig, vec!["cc".into()]].concat());
        }
    }
    // Without its linker clang compiles and then fails; it names a linker that it found by its path.
    let linker = ["clang", "--target=wasm32", "-print-prog-name=wasm-ld"].map(OsString::from);
    let found = ask(folder, &linker).is_some_and(|output| output.stdout.contains(&b'/'));
    found.then(|| vec!["clang".into()]).ok_or(NO_CC)
}

fn node(folder: &Path, lang: Lang) -> Result<Vec<OsString>, ScaffoldError> {
    if !answers(folder, &["node".into(), "--version".into()]) {
        return Err(NO_NODE);
    }
    if lang == Lang::JavaScript {
        let resolve = format!("import.meta.resolve('{COMPONENTIZE_JS}')");
        let asked = ["node", "--input-type=module", "--eval", &resolve].map(OsString::from);
        if !answers(folder, &asked) {
            return Err(NO_COMPONENTIZE_JS);
        }
    }
    Ok(vec!["node".into()])
}

fn componentize_py(folder: &Path) -> Result<Vec<OsString>, ScaffoldError> {
    let own = folder.join(".venv/bin/componentize-py").into_os_string();
    let found = [own, "componentize-py".into()]
        .into_iter()
        .find(|program| answers(folder, &[program.clone(), "--version".into()]));
    found.map(|program| vec![program]).ok_or(NO_COMPONENTIZE_PY)
}

fn answers(folder: &Path, words: &[OsString]) -> bool {
    ask(folder, words).is_some()
}

/// What a program says, if it starts and is content.
fn ask(folder: &Path, words: &[OsString]) -> Option<Output> {
    let (program, arguments) = words.split_first()?;
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .ok()?;
    output.status.success().then_some(output)
}
