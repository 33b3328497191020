//! Compiling a component for the sandboxes that it is called in.

use wasmtime::component::Component;

use super::digest;
use super::error::LoadError;
use crate::policy::compiled::CompiledDir;
use crate::policy::engine::Engine;
use crate::policy::limits::Size;
use crate::policy::link::Linked;
use crate::policy::sandbox::Sandbox;

/// For a slot of a pool: some 20 ms.
pub(super) fn light(sandbox: &Sandbox, component: &[u8]) -> Result<Linked, LoadError> {
    let compiled = sandbox.compile(component).map_err(refused)?;
    Linked::new(sandbox, &compiled).map_err(mismatch)
}

/// For the sandbox of heavy components: from the form that was kept, or in tens of seconds.
pub(super) fn heavy(engine: &Engine, component: &[u8]) -> Result<Linked, LoadError> {
    let sandbox = engine.sandbox(Size::Heavy);
    let compiled = match engine.compiled() {
        Some(directory) => kept_or_compiled(sandbox, directory, component),
        None => {
            announce(component);
            sandbox.compile(component)
        }
    };
    Linked::heavy(sandbox, &compiled.map_err(refused)?).map_err(mismatch)
}

fn kept_or_compiled(
    sandbox: &Sandbox,
    directory: &CompiledDir,
    component: &[u8],
) -> wasmtime::Result<Component> {
    let name = format!("{}-{}.cwasm", digest(component), sandbox.compatibility());
    if let Some(kept) = directory.find(&name) {
        match sandbox.revive(&kept) {
            Ok(component) => return Ok(component),
            Err(error) => {
                let error = format!("{error:#}");
                tracing::warn!(
                    file = name,
                    error,
                    "a compiled policy is not for this engine"
                );
                directory.forget(&name);
            }
        }
    }
    announce(component);
    let compiled = sandbox.compile(component)?;
    directory.keep(&name, &compiled.serialize()?);
    Ok(compiled)
}

/// Says what the wait is for.
fn announce(component: &[u8]) {
    tracing::info!(
        bytes = component.len(),
        "compiling a policy that brings a language runtime; this takes up to a minute, and with \
         `policy.compiled_dir` once"
    );
}

fn refused(error: wasmtime::Error) -> LoadError {
    LoadError::Compile(error.root_cause().to_string().into())
}

fn mismatch(error: wasmtime::Error) -> LoadError {
    LoadError::Types(vec![format!("{error:#}")])
}
