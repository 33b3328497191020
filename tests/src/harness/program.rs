//! Programs as processes: the gateway's own, and clients that can be killed.

use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

use super::wait::{until, within};

/// A running program. Dropped, it is killed.
pub struct Program {
    child: Child,
    output: Option<BufReader<ChildStdout>>,
}

impl Program {
    /// Starts it, with its output for us and its complaints on ours.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start<A: AsRef<OsStr>>(program: impl AsRef<OsStr>, arguments: &[A]) -> Self {
        let mut command = Command::new(program.as_ref());
        command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", program.as_ref().display()));
        let output = child.stdout.take().map(BufReader::new);
        Self { child, output }
    }

    /// The next line that it prints.
    ///
    /// # Panics
    /// If it ends instead.
    pub async fn line(&mut self) -> String {
        let mut output = self.output.take().unwrap();
        let read = tokio::task::spawn_blocking(move || {
            let mut line = String::new();
            output.read_line(&mut line).unwrap();
            (output, line)
        });
        let (output, line) = within("a line of a program", read).await.unwrap();
        self.output = Some(output);
        assert!(
            !line.is_empty(),
            "the program ended: {:?}",
            self.child.try_wait()
        );
        line.trim_end().to_owned()
    }

    /// Everything else that it prints, until it ends, and how it ended.
    ///
    /// # Panics
    /// If it does not end.
    pub async fn finish(mut self) -> (ExitStatus, String) {
        let mut output = self.output.take().unwrap();
        let read = tokio::task::spawn_blocking(move || {
            let mut text = String::new();
            output.read_to_string(&mut text).unwrap();
            text
        });
        let text = within("a program to finish", read).await.unwrap();
        let mut status = None;
        until("a program to end", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        })
        .await;
        (status.unwrap(), text)
    }

    /// Asks it to stop.
    ///
    /// # Panics
    /// If it is not there any more.
    pub fn terminate(&self) {
        self.signal("TERM");
    }

    /// Sends it a signal, by its name without `SIG`.
    ///
    /// # Panics
    /// If it is not there any more.
    pub fn signal(&self, name: &str) {
        let told = Command::new("sh")
            .arg("-c")
            .arg(format!("kill -{name} {}", self.child.id()))
            .status();
        assert!(told.unwrap().success());
    }

    /// Kills it (SIGKILL): it has no time for anything.
    ///
    /// # Panics
    /// If it is not there any more.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// What it has mapped, as the kernel lists it.
    ///
    /// # Panics
    /// If it is not there any more.
    #[must_use]
    pub fn maps(&self) -> String {
        std::fs::read_to_string(format!("/proc/{}/maps", self.child.id())).unwrap()
    }

    /// What the kernel says of it, memory included.
    ///
    /// # Panics
    /// If it is not there any more.
    #[must_use]
    pub fn status(&self) -> String {
        std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap()
    }

    /// Its number.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How many descriptors it has open.
    #[must_use]
    pub fn descriptors(&self) -> usize {
        let folder = format!("/proc/{}/fd", self.child.id());
        std::fs::read_dir(folder).map_or(0, Iterator::count)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Ended already, or ended now.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A Python script of `tests/python`.
#[must_use]
pub fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("python")
        .join(name)
}

/// The Python that has the `websockets` package.
///
/// # Panics
/// If there is none, with the command that installs it.
#[must_use]
pub fn python() -> OsString {
    python_with("websockets.asyncio.client", "websockets")
}

/// The Python that has a package, which a module of it shows.
///
/// # Panics
/// If there is none, with the command that installs it.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "tests/all.sh says through the environment which Python it has prepared"
)]
pub fn python_with(module: &str, package: &str) -> OsString {
    let prepared = std::env::var_os("PYTHON_WITH_WEBSOCKETS");
    let python = prepared.unwrap_or_else(|| "python3".into());
    let check = Command::new(&python)
        .args(["-c", &format!("import {module}")])
        .stderr(Stdio::null())
        .status();
    let there = check.is_ok_and(|status| status.success());
    assert!(
        there,
        "{} has no `{package}` package: python3 -m pip install {package}, or set \
         PYTHON_WITH_WEBSOCKETS to a Python that has it (tests/all.sh prepares one)",
        python.display()
    );
    python
}

/// A Node.js script of `tests/node`.
#[must_use]
pub fn node_script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("node")
        .join(name)
}

/// Node.js, with the `ws` package where `NODE_PATH` says.
///
/// # Panics
/// If there is none, with the command that installs it.
#[must_use]
pub fn node() -> &'static str {
    let check = Command::new("node")
        .args(["-e", "require('ws')"])
        .stderr(Stdio::null())
        .status();
    let there = check.is_ok_and(|status| status.success());
    assert!(
        there,
        "node has no `ws` package: install Node.js and the packages of tests/node/package.json, and set \
         NODE_PATH to the node_modules that has them (tests/all.sh prepares target/node)"
    );
    "node"
}
