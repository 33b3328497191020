//! Builds policies for the sandbox from within a build script, and makes components of them.
//!
//! Shared by the build scripts of the host, which embeds the policies it ships, and of the tests,
//! which also want misbehaving ones. A nested cargo does the work, in a target directory of its own
//! beside the outer one's files: that is locked by the outer cargo, and `check`, `clippy`, `test`
//! and every profile share this one. Nothing here knows what a policy is for.

use std::env;
use std::error::Error;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use wit_component::ComponentEncoder;

/// The policies that the host ships, by the names of their directories and manifests.
pub(crate) const SHIPPED: [&str; 13] = [
    "fifo",
    "gdsf",
    "growth-first",
    "hyperbolic",
    "largest-first",
    "lrfu",
    "lru",
    "lru-k",
    "phi-accrual",
    "qos-lexicographic",
    "random",
    "revisit",
    "scaled-idle-timeout",
];

const TARGET: &str = "wasm32-unknown-unknown";

/// What shapes every guest; relative to the workspace, as is all that is watched.
const COMMON_SOURCES: [&str; 6] = [
    ".cargo/config.toml",
    "Cargo.lock",
    "Cargo.toml",
    "policies/sdk/Cargo.toml",
    "policies/sdk/src",
    "wit/policy.wit",
];

/// A guest to build.
pub(crate) struct Guest {
    /// Its name in the table.
    pub(crate) name: String,
    /// Its directory, relative to the workspace.
    pub(crate) dir: String,
    /// What cargo makes of it, relative to the directory of the profile.
    pub(crate) artifact: String,
}

impl Guest {
    /// A policy that the host ships.
    pub(crate) fn shipped(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            dir: format!("policies/{name}"),
            artifact: format!("wastegate_policy_{}.wasm", name.replace('-', "_")),
        }
    }
}

/// Builds guests with the nested cargo, once for all `selection`s (`--package=lru`), and writes a
/// component for each and `<table>.rs` with a static `TABLE: &[(name, component)]` to `OUT_DIR`.
pub(crate) fn build(
    table: &str,
    selection: &[String],
    guests: &[Guest],
) -> Result<(), Box<dyn Error>> {
    let workspace = workspace()?;
    let out = PathBuf::from(required_env("OUT_DIR")?);
    watch(&workspace, guests);
    require_target()?;

    let target_dir = target_dir(&out);
    cargo(&workspace, &target_dir, selection)?;

    let artifacts = target_dir.join(TARGET).join("guest");
    let mut entries = String::new();
    for Guest { name, artifact, .. } in guests {
        let component = component(&artifacts.join(artifact))
            .map_err(|error| format!("`{name}` does not make a component: {error}"))?;
        fs::write(out.join(format!("{name}.wasm")), component)?;
        writeln!(
            entries,
            "    ({name:?}, include_bytes!({:?})),",
            format!("{name}.wasm")
        )?;
    }
    write(table, &entries)
}

/// Writes `<table>.rs` with these entries to `OUT_DIR`.
pub(crate) fn write(table: &str, entries: &str) -> Result<(), Box<dyn Error>> {
    let source = format!(
        "/// Guests as components, by name; made by the build script.\n\
         pub(crate) static {}: &[(&str, &[u8])] = &[\n{entries}];\n",
        table.to_uppercase(),
    );
    fs::write(
        PathBuf::from(required_env("OUT_DIR")?).join(format!("{table}.rs")),
        source,
    )?;
    Ok(())
}

/// The root of the workspace: guests are built from its sources.
pub(crate) fn workspace() -> Result<PathBuf, Box<dyn Error>> {
    let manifest_dir = PathBuf::from(required_env("CARGO_MANIFEST_DIR")?);
    let is_root = |folder: &&Path| folder.join("policies/sdk/Cargo.toml").is_file();
    let root = manifest_dir.ancestors().find(is_root);
    root.map(Path::to_owned).ok_or_else(|| {
        "the policies are built from the workspace's sources, which are not here".into()
    })
}

/// The nested build's target directory: `guests` in the outer one, which cargo marks by a tag.
fn target_dir(out: &Path) -> PathBuf {
    let tagged = |dir: &&Path| dir.join("CACHEDIR.TAG").is_file();
    out.ancestors().find(tagged).unwrap_or(out).join("guests")
}

fn watch(workspace: &Path, guests: &[Guest]) {
    for source in COMMON_SOURCES {
        println!(
            "cargo::rerun-if-changed={}",
            workspace.join(source).display()
        );
    }
    for Guest { dir, .. } in guests {
        for source in ["src", "examples", "Cargo.toml"] {
            let path = workspace.join(dir).join(source);
            // A path that does not exist would count as changed every time.
            if path.exists() {
                println!("cargo::rerun-if-changed={}", path.display());
            }
        }
    }
}

/// Says which one command is missing, instead of a page of unresolved imports.
fn require_target() -> Result<(), Box<dyn Error>> {
    let rustc = required_env("RUSTC")?;
    let asked = Command::new(rustc)
        .args(["--print", "target-libdir", "--target", TARGET])
        .output()?;
    let libdir = String::from_utf8(asked.stdout)?;
    if Path::new(libdir.trim()).is_dir() {
        return Ok(());
    }
    Err(format!("the policies need a target that is missing: rustup target add {TARGET}").into())
}

fn cargo(workspace: &Path, target_dir: &Path, selection: &[String]) -> Result<(), Box<dyn Error>> {
    let mut cargo = Command::new(required_env("CARGO")?);
    for (name, _) in env::vars_os() {
        if leaks(&name) {
            cargo.env_remove(name);
        }
    }
    let status = cargo
        .current_dir(workspace)
        .args([
            "build",
            "--locked",
            "--profile=guest",
            "--target",
            TARGET,
            "--target-dir",
        ])
        .arg(target_dir)
        .args(selection)
        .status()
        .map_err(|error| io::Error::new(error.kind(), format!("cargo does not start: {error}")))?;
    if status.success() {
        Ok(())
    } else {
        Err("the policies do not compile; the compiler's messages are above".into())
    }
}

/// Whether a variable is about the outer build: what cargo tells build scripts, what clippy and
/// coverage tools wrap the compiler with, and flags that are meant for the host. How to reach a
/// registry and which toolchain to use is about neither.
fn leaks(name: &OsStr) -> bool {
    const OUTER: [&str; 7] = [
        "DEBUG",
        "HOST",
        "NUM_JOBS",
        "OPT_LEVEL",
        "OUT_DIR",
        "PROFILE",
        "TARGET",
    ];
    const KEPT: [&str; 6] = [
        "CARGO_HOME",
        "CARGO_HTTP_",
        "CARGO_NET_",
        "CARGO_REGISTRIES_",
        "CARGO_REGISTRY_",
        "CARGO_SOURCE_",
    ];
    let name = name.to_string_lossy();
    let about_cargo = name.starts_with("CARGO") && !KEPT.iter().any(|kept| name.starts_with(kept));
    let about_rustc = name.starts_with("RUST") && !name.starts_with("RUSTUP_");
    about_cargo || about_rustc || OUTER.contains(&name.as_ref())
}

fn component(core: &Path) -> Result<Vec<u8>, Box<dyn Error>> {
    let module = fs::read(core).map_err(|error| format!("{}: {error}", core.display()))?;
    let mut encoder = ComponentEncoder::default().validate(true).module(&module)?;
    Ok(encoder.encode()?)
}

/// What cargo tells every build script.
fn required_env(name: &str) -> Result<std::ffi::OsString, String> {
    env::var_os(name).ok_or_else(|| format!("cargo did not set {name}"))
}
