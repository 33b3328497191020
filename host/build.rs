//! Builds the policies that the host ships and hands them to it as `SHIPPED` in `shipped.rs`; embeds
//! what `wastegate policy new` writes as `LAYERS` in `scaffold.rs`.

#![expect(
    clippy::disallowed_methods,
    reason = "cargo tells build scripts through the environment"
)]

use std::env;
use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

#[path = "build/guests.rs"]
mod guests;
#[path = "build/scaffold.rs"]
mod scaffold;

fn main() -> ExitCode {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=build/guests.rs");
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
    let selection = guests::SHIPPED.map(|name| format!("--package=wastegate-policy-{name}"));
    let shipped = guests::SHIPPED.map(guests::Guest::shipped);
    guests::build("shipped", &selection, &shipped)?;

    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo did not set OUT_DIR")?);
    scaffold::embed(&guests::workspace()?, &out)
}
