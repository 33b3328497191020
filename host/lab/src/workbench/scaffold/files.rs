//! The files of a new project: layers of templates, with the name filled in.
//!
//! A template is a plain file. `{{name}}` in it becomes the policy's name, `{{crate}}` the same with
//! underscores, `{{toolchain}}` the Rust release that the SDK was tested with. A file or folder
//! `dot-x` becomes `.x`, so that templates do not act where they lie. A later layer replaces what an
//! earlier one has of the same path.

use std::collections::BTreeMap;

use super::{Lang, ScaffoldError, sdk};
use wastegate_engine::policy::manifest;

include!(concat!(env!("OUT_DIR"), "/scaffold.rs"));

/// A file by its path, and what is in it.
type Template = (&'static str, &'static [u8]);

/// The name of a layer, and its files.
type Layer = (&'static str, &'static [Template]);

/// The name of the SDK, which a policy cannot have.
const SDK: &str = "wastegate-policy";

/// Where a Rust project has its copy of the SDK.
const SDK_FOLDER: &str = "vendor/wastegate-policy";

/// The files of a project by their path in it, with `/` between the names.
pub(crate) type ProjectFiles = BTreeMap<String, Vec<u8>>;

/// The files of a new project.
///
/// # Errors
/// [`ScaffoldError::Name`] where a server would refuse a policy of that name.
pub fn render(name: &str, lang: Lang) -> Result<ProjectFiles, ScaffoldError> {
    if !manifest::is_name(name) {
        return Err(ScaffoldError::Name(clip(name)));
    }
    if name == SDK {
        return Err(ScaffoldError::ReservedName(SDK));
    }
    let toolchain = sdk::toolchain(text("workspace", "rust-toolchain.toml")?)?;
    let values = [
        ("{{name}}", name.to_owned()),
        ("{{crate}}", name.replace('-', "_")),
        ("{{toolchain}}", toolchain),
    ];
    let mut files = ProjectFiles::new();
    for layer in layers(lang) {
        for (path, bytes) in layer_files(layer) {
            files.insert(dotted(path), filled_in(bytes, &values));
        }
    }
    if lang == Lang::Rust {
        add_sdk(&mut files)?;
    } else {
        let contract = text("wit", "policy.wit")?;
        files.insert("wit/policy.wit".to_owned(), contract.into());
    }
    Ok(files)
}

/// The contract that this host offers, as WIT.
pub(super) fn contract() -> Result<&'static str, ScaffoldError> {
    text("wit", "policy.wit")
}

const fn layers(lang: Lang) -> &'static [&'static str] {
    match lang {
        Lang::Rust => &["common", "rust"],
        Lang::C => &["common", "lru", "c"],
        Lang::JavaScript => &["common", "lru", "js"],
        Lang::Python => &["common", "lru", "python"],
    }
}

fn layer_files(layer: &str) -> &'static [Template] {
    let found = LAYERS.iter().find(|(name, _)| *name == layer);
    found.map_or(&[], |(_, files)| files)
}

fn text(layer: &str, path: &str) -> Result<&'static str, ScaffoldError> {
    let found = layer_files(layer).iter().find(|(known, _)| *known == path);
    found
        .and_then(|(_, bytes)| str::from_utf8(bytes).ok())
        .ok_or_else(|| ScaffoldError::Sdk(format!("{layer}/{path} is no text or not there")))
}

fn add_sdk(files: &mut ProjectFiles) -> Result<(), ScaffoldError> {
    for (path, bytes) in layer_files("sdk") {
        files.insert(format!("{SDK_FOLDER}/{path}"), bytes.to_vec());
    }
    for (path, bytes) in layer_files("sdk/src") {
        files.insert(format!("{SDK_FOLDER}/src/{path}"), bytes.to_vec());
    }
    let manifest = sdk::manifest(text("sdk", "Cargo.toml")?, text("workspace", "Cargo.toml")?)?;
    files.insert(format!("{SDK_FOLDER}/Cargo.toml"), manifest.into_bytes());
    Ok(())
}

/// `dot-x` stands for `.x`, in every part of a path.
fn dotted(path: &str) -> String {
    let parts = path.split('/').map(|part| match part.strip_prefix("dot-") {
        Some(rest) => format!(".{rest}"),
        None => part.to_owned(),
    });
    parts.collect::<Vec<_>>().join("/")
}

/// What is no text has no placeholders.
fn filled_in(bytes: &[u8], values: &[(&str, String)]) -> Vec<u8> {
    let Ok(text) = str::from_utf8(bytes) else {
        return bytes.to_vec();
    };
    let fill =
        |text: String, (placeholder, value): &(&str, String)| text.replace(placeholder, value);
    values.iter().fold(text.to_owned(), fill).into_bytes()
}

/// As much of a mistaken name as a message bears.
fn clip(name: &str) -> String {
    const SHOWN_MAX: usize = manifest::NAME_BYTES_MAX;
    let shown: String = name
        .chars()
        .take(SHOWN_MAX + 1)
        .flat_map(char::escape_debug)
        .collect();
    if name.chars().count() > SHOWN_MAX + 1 {
        return format!("{shown}...");
    }
    shown
}
