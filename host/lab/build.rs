//! Embeds what `wastegate policy new` writes as `LAYERS` in `scaffold.rs`.

#![expect(
    clippy::disallowed_methods,
    reason = "cargo tells build scripts through the environment"
)]

use std::env;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[path = "build/scaffold.rs"]
mod scaffold;

fn main() -> ExitCode {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=build/scaffold.rs");
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("cargo::error={error}");
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<(), Box<dyn Error>> {
    let required_env = |name| env::var_os(name).ok_or_else(|| format!("cargo did not set {name}"));
    let (out, own) = (
        PathBuf::from(required_env("OUT_DIR")?),
        PathBuf::from(required_env("CARGO_MANIFEST_DIR")?),
    );
    let is_root = |folder: &&Path| folder.join("policies/sdk/Cargo.toml").is_file();
    let workspace = own.ancestors().find(is_root);
    scaffold::embed(
        workspace.ok_or("the workspace's sources are not here")?,
        &out,
    )
}
