//! Builds the guests of the tests: the misbehaving ones and the policies that the host ships.

#![expect(
    clippy::disallowed_methods,
    reason = "cargo tells build scripts through the environment"
)]

use std::env;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

#[path = "../host/engine/build/guests.rs"]
mod guests;

use guests::{Guest, SHIPPED};

const GUESTS_DIR: &str = "tests/guests";

fn main() -> ExitCode {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=../host/engine/build/guests.rs");
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("cargo::error={error}");
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<(), Box<dyn Error>> {
    let shipped = SHIPPED.map(|name| format!("--package=wastegate-policy-{name}"));
    guests::build("shipped", &shipped, &SHIPPED.map(Guest::shipped))?;

    let examples = ["--package=wastegate-test-guests", "--examples"].map(str::to_owned);
    guests::build("misbehaving", &examples, &misbehaving()?)
}

/// Every guest under `tests/guests/examples`, in the order of their names.
fn misbehaving() -> Result<Vec<Guest>, Box<dyn Error>> {
    let manifest_dir = env::var_os("CARGO_MANIFEST_DIR").ok_or("cargo names no directory")?;
    let mut names = Vec::new();
    for entry in fs::read_dir(Path::new(&manifest_dir).join("guests/examples"))? {
        let file = entry?
            .file_name()
            .into_string()
            .map_err(|_| "a guest's name is not text")?;
        names.extend(file.strip_suffix(".rs").map(str::to_owned));
    }
    names.sort_unstable();
    let guest = |name: String| Guest {
        artifact: format!("examples/{}.wasm", name.replace('-', "_")),
        dir: GUESTS_DIR.to_owned(),
        name,
    };
    Ok(names.into_iter().map(guest).collect())
}
