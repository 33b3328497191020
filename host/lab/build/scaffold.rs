//! Embeds what `wastegate policy new` writes: the templates, the contract and a copy of the SDK.
//!
//! Nothing is listed by name: every file of a folder goes in, as one *layer* of a project. What a
//! build leaves behind is passed over. Nothing here knows what a project consists of.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// The layers, by name and folder, relative to the workspace. A folder that is not there makes an
/// empty layer.
const LAYERS: [(&str, &str); 10] = [
    ("common", "host/lab/src/workbench/scaffold/templates/common"),
    ("lru", "host/lab/src/workbench/scaffold/templates/lru"),
    ("rust", "host/lab/src/workbench/scaffold/templates/rust"),
    ("c", "host/lab/src/workbench/scaffold/templates/c"),
    ("js", "host/lab/src/workbench/scaffold/templates/js"),
    ("python", "host/lab/src/workbench/scaffold/templates/python"),
    ("sdk/src", "policies/sdk/src"),
    ("sdk", "policies/sdk"),
    ("workspace", ""),
    ("wit", "wit"),
];

/// Of these layers only these files: the rest of the folder is none of a project's business.
const ONLY: [(&str, &[&str]); 3] = [
    ("sdk", &["Cargo.toml", "README.md", "LICENSE"]),
    ("workspace", &["Cargo.toml", "rust-toolchain.toml"]),
    ("wit", &["policy.wit"]),
];

/// What tools leave behind.
const PASSED_OVER: [&str; 6] = [
    "target",
    "build",
    "dist",
    "node_modules",
    "__pycache__",
    ".venv",
];

/// More than this is a mistake: something else lies in a folder.
const BYTES_MAX: u64 = 1 << 20;

/// Writes `scaffold.rs` with a static `LAYERS: &[Layer]` to `out`; a layer is
/// `(name, &[(path, bytes)])`.
pub(crate) fn embed(workspace: &Path, out: &Path) -> Result<(), Box<dyn Error>> {
    let mut source = String::from(
        "/// The files of every layer, by their path in it; made by the build script.\n\
         static LAYERS: &[Layer] = &[\n",
    );
    let mut bytes = 0;
    for (layer, folder) in LAYERS {
        let folder = workspace.join(folder);
        let mut files = Vec::new();
        match ONLY.iter().find(|(only, _)| *only == layer) {
            Some((_, names)) => files.extend(names.iter().map(|&name| name.to_owned())),
            None if folder.is_dir() => {
                println!("cargo::rerun-if-changed={}", folder.display());
                list(&folder, "", &mut files)?;
            }
            None => {}
        }
        files.sort_unstable();
        writeln!(source, "    ({layer:?}, &[")?;
        for file in files {
            let path = folder.join(&file);
            bytes += fs::metadata(&path)
                .map_err(|error| format!("{}: {error}", path.display()))?
                .len();
            println!("cargo::rerun-if-changed={}", path.display());
            writeln!(source, "        ({file:?}, include_bytes!({path:?})),")?;
        }
        source.push_str("    ]),\n");
    }
    source.push_str("];\n");
    if bytes > BYTES_MAX {
        return Err(format!(
            "the files that `policy new` writes come to {bytes} bytes, at most {BYTES_MAX} are embedded: does something else lie among the templates?"
        )
        .into());
    }
    fs::write(out.join("scaffold.rs"), source)?;
    Ok(())
}

/// Every file below a folder, by its path in it, with `/` between the names.
fn list(folder: &Path, within: &str, files: &mut Vec<String>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry
            .file_name()
            .into_string()
            .map_err(|name| format!("{} is no text", name.display()))?;
        if PASSED_OVER.contains(&name.as_str()) {
            continue;
        }
        let path = format!("{within}{name}");
        if entry.path().is_dir() {
            list(&entry.path(), &format!("{path}/"), files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}
