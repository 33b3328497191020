//! Puts the console's files into the program: each with its media type, its tag and its gzip, as `FILES` in
//! `console.rs`. Whatever is in the folder `console` is in the list; nothing else has to be run.

#![expect(
    clippy::disallowed_methods,
    reason = "cargo tells build scripts through the environment"
)]

use std::env;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

/// Bytes of a file's SHA-256 that its tag has.
const TAG_BYTES: usize = 12;

/// What each file is, by the end of its name. One with another end is not put in.
const KINDS: [(&str, &str); 5] = [
    ("html", "text/html; charset=utf-8"),
    ("css", "text/css; charset=utf-8"),
    ("js", "text/javascript; charset=utf-8"),
    ("mjs", "text/javascript; charset=utf-8"),
    ("svg", "image/svg+xml"),
];

fn main() -> ExitCode {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=console");
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("cargo::error={error}");
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("console");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let mut files = Vec::new();
    list(&root, &mut files)?;
    files.sort();
    let mut table = String::from("/// Every file, by path.\nstatic FILES: &[File] = &[\n");
    for (number, file) in files.iter().enumerate() {
        let end = file.extension().and_then(|end| end.to_str());
        let kind = KINDS.iter().find(|(known, _)| Some(*known) == end);
        let Some((_, kind)) = kind else { continue };
        let bytes = fs::read(file)?;
        let packed = out.join(format!("console-{number}.gz"));
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&bytes)?;
        fs::write(&packed, encoder.finish()?)?;
        let path = file.strip_prefix(&root)?;
        let path = path.to_str().ok_or("a file's name is no text")?;
        let mut tag = String::new();
        for byte in Sha256::digest(&bytes).iter().take(TAG_BYTES) {
            write!(tag, "{byte:02x}")?;
        }
        writeln!(
            table,
            "File {{ path: {path:?}, kind: {kind:?}, tag: {tag:?}, plain: include_bytes!({file:?}), packed: include_bytes!({packed:?}) }},"
        )?;
    }
    table.push_str("];\n");
    fs::write(out.join("console.rs"), table)?;
    Ok(())
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            list(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}
