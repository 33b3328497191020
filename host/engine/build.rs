//! Builds the policies that the host ships and hands them to it as `SHIPPED` in `shipped.rs`.

#![expect(
    clippy::disallowed_methods,
    reason = "cargo tells build scripts through the environment"
)]

use std::env;
use std::error::Error;
use std::process::ExitCode;

#[path = "build/guests.rs"]
mod guests;

fn main() -> ExitCode {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=build/guests.rs");
    let made = if env::var_os("CARGO_FEATURE_SHIPPED").is_some() {
        build()
    } else {
        // Whoever ships no policies has an empty table, and needs no compiler for them.
        guests::write("shipped", "")
    };
    match made {
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
    guests::build("shipped", &selection, &shipped)
}
