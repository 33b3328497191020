//! From an empty folder to a policy that ranks in a running server, by the program alone, as the
//! guide tells authors; in Rust for real, in other languages where their tools are.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use wastegate_tests::harness::{Client, Dial, Program, within};

use crate::cli::PROGRAM;
use crate::reading::root;

/// A program in a folder, and what it wrote. Nothing may be fetched: what a project needs beside its
/// own files is what our own build has needed.
pub(crate) fn run(
    folder: &Path,
    program: &str,
    arguments: &[&str],
) -> (Option<i32>, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = command(folder, program, arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

fn command(folder: &Path, program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(folder)
        .env("CARGO_NET_OFFLINE", "true")
        // Ours are about our own workspace.
        .env_remove("CARGO_TARGET_DIR")
        .env_remove("RUSTFLAGS");
    command
}

pub(crate) fn succeeds(folder: &Path, program: &str, arguments: &[&str]) -> String {
    let (code, output, complaints) = run(folder, program, arguments);
    assert_eq!(
        code,
        Some(0),
        "{program} {arguments:?}:\n{output}{complaints}"
    );
    output
}

/// The line of an output that begins so, without that.
pub(crate) fn told<'a>(output: &'a str, begin: &str) -> &'a str {
    let found = output
        .lines()
        .find_map(|line| line.trim().strip_prefix(begin));
    found
        .unwrap_or_else(|| panic!("no `{begin}` in:\n{output}"))
        .trim()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_policy_in_rust_ranks_in_a_running_server() {
    let folder = tempfile::tempdir().unwrap();
    succeeds(folder.path(), PROGRAM, &["policy", "new", "spare-the-busy"]);
    let project = folder.path().join("spare-the-busy");

    let tests = succeeds(&project, "cargo", &["test", "--quiet"]);
    assert!(tests.contains("3 passed"), "{tests}");

    let built = succeeds(&project, PROGRAM, &["policy", "build"]);
    assert!(built.contains("spare-the-busy 0.1.0 is ready"), "{built}");
    let file = told(&built, "file ");
    assert!(file.ends_with("/spare_the_busy.wasm"), "{file}");
    let size: u64 = told(&built, "size ")
        .trim_end_matches(" bytes")
        .parse()
        .unwrap();
    assert!((1_000..50_000).contains(&size), "{size}");
    let digest = told(&built, "digest  sha256:").to_owned();
    assert_eq!(digest.len(), 64);

    // The same sources make the same bytes, also by way of another folder.
    let above = succeeds(
        folder.path(),
        PROGRAM,
        &["policy", "build", "spare-the-busy"],
    );
    assert_eq!(told(&above, "digest  sha256:"), digest);
    let checked = succeeds(&project, PROGRAM, &["policy", "check", file]);
    assert!(checked.contains("spare-the-busy 0.1.0"), "{checked}");

    let file = project.join(file).into_os_string();
    ranks_in_a_server(file, "spare-the-busy").await;
}

/// Who is used less goes, though somebody else was left alone for longer.
async fn ranks_in_a_server(file: OsString, name: &str) {
    let mut arguments: Vec<OsString> = ["serve", "--json", "--policy"].map(OsString::from).into();
    arguments.push(file);
    for more in [
        "--listen",
        "127.0.0.1:0",
        "--admin",
        "127.0.0.1:0",
        "--set",
        "limits.managers_per_user=2",
        "--set",
        "limits.temporary_slots.count=0",
        "--set",
        "policy.params.new-ms=0",
    ] {
        arguments.push(more.into());
    }
    let mut program = Program::start(PROGRAM, &arguments);
    let welcome: serde_json::Value = serde_json::from_str(&program.line().await).unwrap();
    assert_eq!(welcome["policy"], name);
    let address = welcome["listen"].as_str().unwrap().parse().unwrap();
    let dial =
        async |key: &str| -> Client { Dial::to(address, "ann", key).connect().await.unwrap() };

    let mut busy = dial("busy").await;
    for line in ["one", "two", "three"] {
        busy.echo(line).await;
    }
    let mut fresh = dial("fresh").await;
    fresh.echo("just now").await;
    let mut third = dial("third").await;
    third.echo("in").await;
    assert_eq!(fresh.closed().await, 4501);
    busy.echo("still here").await;
    program.terminate();
    let (status, _) = program.finish().await;
    assert_eq!(status.code(), Some(0));
}

#[test]
fn new_refuses_what_is_taken_and_what_is_no_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let cases: [(&[&str], i32, &str); 5] = [
        (
            &["Spare"],
            64,
            "error: `Spare` cannot be the name of a policy: use lower case words",
        ),
        (
            &["wastegate-policy"],
            64,
            "error: `wastegate-policy` is the name of the SDK",
        ),
        (
            &["p", "--dir", "taken"],
            73,
            "error: `taken` is there already and not empty",
        ),
        (
            &["p", "--dir", "no/where"],
            73,
            "error: the project cannot be written to",
        ),
        (
            &["p", "--lang", "go"],
            2,
            "error: invalid value 'go' for '--lang <LANG>': there are rust, c, js, python",
        ),
    ];
    fs::create_dir(path.join("taken")).unwrap();
    fs::write(path.join("taken/mine"), "mine").unwrap();
    for (arguments, code, expected) in cases {
        let arguments = [&["policy", "new"], arguments].concat();
        let (ended, output, complaints) = run(path, PROGRAM, &arguments);
        assert_eq!((ended, output.as_str()), (Some(code), ""), "{complaints}");
        assert!(complaints.starts_with(expected), "{complaints}");
    }
    let left: Vec<_> = fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["taken"]);
}

#[test]
fn a_build_that_fails_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let (code, _, complaints) = run(folder.path(), PROGRAM, &["policy", "build"]);
    assert_eq!(code, Some(66));
    assert!(
        complaints.contains("`wastegate policy new NAME` makes one"),
        "{complaints}"
    );

    succeeds(folder.path(), PROGRAM, &["policy", "new", "p"]);
    let project = folder.path().join("p");
    fs::write(project.join("src/lib.rs"), "//! Nothing.\nfn x() { y }\n").unwrap();
    let (code, output, complaints) = run(&project, PROGRAM, &["policy", "build"]);
    assert_eq!(code, Some(1));
    assert!(
        output.starts_with("building p: cargo build --release"),
        "{output}"
    );
    assert!(
        complaints.contains("cannot find value `y`"),
        "the compiler's words pass through: {complaints}"
    );
    assert!(
        complaints.contains("error: the build failed"),
        "{complaints}"
    );

    fs::write(project.join("src/lib.rs"), "//! Nothing.\n").unwrap();
    let (code, _, complaints) = run(&project, PROGRAM, &["policy", "build"]);
    assert_eq!(code, Some(1));
    assert!(
        complaints.contains("no server would take it"),
        "{complaints}"
    );

    // Nothing of what JavaScript needs is where nobody installed it.
    succeeds(
        folder.path(),
        PROGRAM,
        &["policy", "new", "j", "--lang", "js"],
    );
    let (code, _, complaints) = run(&folder.path().join("j"), PROGRAM, &["policy", "build"]);
    assert_eq!(code, Some(1));
    let remedies = ["npm install", "apt install nodejs"];
    assert!(
        remedies.iter().any(|remedy| complaints.contains(remedy)),
        "{complaints}"
    );
}

/// The folder with the programs of other languages: `POLICY_TOOLS_VENV` names a Python environment
/// with `ziglang`, as `tests/all.sh` prepares one.
#[expect(
    clippy::disallowed_methods,
    reason = "whoever runs the tests says through the environment which tools there are"
)]
fn path_with_tools() -> Option<OsString> {
    let tools = std::env::var_os("POLICY_TOOLS_VENV")?;
    let mut path = Path::new(&tools).join("bin").into_os_string();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    Some(path)
}

/// Built where there is a compiler for it; what goes wrong without one is told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_policy_in_c_builds_where_its_compiler_is() {
    let folder = tempfile::tempdir().unwrap();
    succeeds(
        folder.path(),
        PROGRAM,
        &["policy", "new", "in-c", "--lang", "c"],
    );
    let project = folder.path().join("in-c");
    let mut build = command(&project, PROGRAM, &["policy", "build"]);
    let prepared = path_with_tools();
    if let Some(path) = &prepared {
        build.env("PATH", path);
    }
    let ran = tokio::task::spawn_blocking(move || build.output());
    let Output {
        status,
        stdout,
        stderr,
    } = within("a C compiler", ran).await.unwrap().unwrap();
    let (output, complaints) = (
        String::from_utf8(stdout).unwrap(),
        String::from_utf8(stderr).unwrap(),
    );
    if prepared.is_none() && status.code() == Some(1) {
        assert!(
            complaints.contains("pip install -r requirements.txt"),
            "{complaints}"
        );
        return;
    }
    assert_eq!(status.code(), Some(0), "{output}{complaints}");
    assert!(output.contains("in-c 0.1.0 is ready"), "{output}");
    let size: u64 = told(&output, "size ")
        .trim_end_matches(" bytes")
        .parse()
        .unwrap();
    assert!(size < 8_000, "there is no C library in it: {size}");
}

#[test]
fn the_guide_shows_what_new_writes() {
    let folder = tempfile::tempdir().unwrap();
    succeeds(folder.path(), PROGRAM, &["policy", "new", "my-policy"]);
    let guide = fs::read_to_string(root().join("policies/README.md")).unwrap();
    let source = fs::read_to_string(folder.path().join("my-policy/src/lib.rs")).unwrap();
    let (policy, _) = source.split_once("#[cfg(test)]").unwrap();
    assert!(
        guide.contains(policy.trim()),
        "policies/README.md shows another policy than:\n{policy}"
    );
}
