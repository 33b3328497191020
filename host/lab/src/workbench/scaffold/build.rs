//! Runs a project's build, and sees to it that what comes out names its world.
//!
//! The build's own output goes where ours goes, as it comes. It has no time limit: somebody sits
//! before it and has ctrl-c. A core module that does not say which world it is for, as C compilers
//! make them, is given the contract of this host, as `wasm-tools component embed` would; a component
//! is made of it by whoever loads it.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use wasmparser::{Parser, Payload};
use wit_component::StringEncoding;
use wit_parser::Resolve;

use super::project::Project;
use super::tools::Invocation;
use super::{ScaffoldError, files};

/// The world of a policy.
const WORLD: &str = "policy";

/// How the section begins in which a module names its world.
const WORLD_SECTION: &str = "component-type";

/// The largest artifact that is looked into, bytes: what is larger no host takes in any case.
const ARTIFACT_BYTES_MAX: u64 = 64 << 20;

/// Runs the build command.
///
/// # Errors
/// [`ScaffoldError::Start`] or [`ScaffoldError::Failed`].
pub fn run(invocation: &Invocation) -> Result<(), ScaffoldError> {
    let status = invocation
        .command()
        .stdin(Stdio::null())
        .status()
        .map_err(|source| ScaffoldError::Start {
            command: invocation.to_string(),
            source,
        })?;
    if status.success() {
        return Ok(());
    }
    Err(ScaffoldError::Failed {
        command: invocation.to_string(),
        status,
    })
}

/// What the build wrote, made to name its world where it does not.
///
/// # Errors
/// [`ScaffoldError::NoArtifact`], [`ScaffoldError::Read`] or [`ScaffoldError::World`].
pub fn artifact(project: &Project) -> Result<PathBuf, ScaffoldError> {
    let path = project.artifact_path();
    if !path.is_file() {
        return Err(ScaffoldError::NoArtifact(path));
    }
    let mut bytes = Vec::new();
    fs::File::open(&path)
        .and_then(|file| file.take(ARTIFACT_BYTES_MAX).read_to_end(&mut bytes))
        .map_err(|source| ScaffoldError::Read {
            path: path.clone(),
            source,
        })?;
    if Parser::is_core_wasm(&bytes) && !names_a_world(&bytes) {
        name_the_world(&mut bytes, &path)?;
    }
    Ok(path)
}

/// What is no WebAssembly names none either: the check that follows says what is wrong with it.
fn names_a_world(module: &[u8]) -> bool {
    Parser::new(0)
        .parse_all(module)
        .any(|payload| match payload {
            Ok(Payload::CustomSection(section)) => section.name().starts_with(WORLD_SECTION),
            Ok(_) => false,
            Err(_) => true,
        })
}

fn name_the_world(module: &mut Vec<u8>, path: &Path) -> Result<(), ScaffoldError> {
    let failed = |source: Box<dyn std::error::Error + Send + Sync>| ScaffoldError::World {
        path: path.to_owned(),
        source,
    };
    let mut resolve = Resolve::default();
    let contract = files::contract()?;
    let package = resolve
        .push_str("policy.wit", contract)
        .map_err(|error| failed(error.into()))?;
    let world = resolve
        .select_world(&[package], Some(WORLD))
        .map_err(|error| failed(error.into()))?;
    wit_component::embed_component_metadata(module, &resolve, world, StringEncoding::UTF8)
        .map_err(|error| failed(error.into()))?;
    // In one step, so that nobody ever reads half of it.
    let aside = path.with_extension("wasm.new");
    fs::write(&aside, module)
        .and_then(|()| fs::rename(&aside, path))
        .map_err(|error| failed(error.into()))
}
