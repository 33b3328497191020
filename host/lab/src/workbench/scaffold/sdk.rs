//! The manifest of the SDK's copy: what it takes from our workspace, written out.
//!
//! As `cargo publish` would, since a copy stands on its own. What only our own tests need is left
//! out. Not here: the SDK's sources, which go as they are.

use toml::{Table, Value};

use super::ScaffoldError;

/// Tables of the manifest that mean nothing outside of our workspace.
const LEFT_OUT: [&str; 2] = ["dev-dependencies", "lints"];

/// What a manifest opens with.
const HEADER: &str = "# The SDK as it came with your `wastegate`: a copy, until it is published. \
                      Not yours to change.\n\n";

/// The SDK's `Cargo.toml` with every `workspace = true` replaced by what the workspace says.
pub(super) fn manifest(sdk: &str, workspace: &str) -> Result<String, ScaffoldError> {
    let mut manifest = table("policies/sdk/Cargo.toml", sdk)?;
    let root = table("Cargo.toml", workspace)?;
    for name in LEFT_OUT {
        manifest.remove(name);
    }
    for (part, source) in [("package", "package"), ("dependencies", "dependencies")] {
        let stated = root
            .get("workspace")
            .and_then(|workspace| workspace.get(source))
            .and_then(Value::as_table);
        let Some(Value::Table(entries)) = manifest.get_mut(part) else {
            continue;
        };
        for (key, value) in entries.iter_mut() {
            if !inherits(value) {
                continue;
            }
            let inherited = stated.and_then(|stated| stated.get(key));
            *value = inherited.cloned().ok_or_else(|| {
                ScaffoldError::Sdk(format!("the workspace has no `{source}.{key}`"))
            })?;
        }
    }
    let text = toml::to_string(&manifest)
        .map_err(|error| ScaffoldError::Sdk(format!("its manifest: {error}")))?;
    Ok(format!("{HEADER}{text}"))
}

/// The Rust release that the workspace is built and tested with.
pub(super) fn toolchain(text: &str) -> Result<String, ScaffoldError> {
    let file = table("rust-toolchain.toml", text)?;
    let channel = file
        .get("toolchain")
        .and_then(|toolchain| toolchain.get("channel"))
        .and_then(Value::as_str);
    channel
        .map(str::to_owned)
        .ok_or_else(|| ScaffoldError::Sdk("rust-toolchain.toml names no channel".to_owned()))
}

fn table(file: &str, text: &str) -> Result<Table, ScaffoldError> {
    text.parse().map_err(|error: toml::de::Error| {
        ScaffoldError::Sdk(format!("{file}: {}", error.message()))
    })
}

fn inherits(value: &Value) -> bool {
    value.get("workspace").and_then(Value::as_bool) == Some(true)
}
