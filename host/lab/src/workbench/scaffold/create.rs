//! Puts a new project in its place: all of it or nothing.
//!
//! The files are written to a folder beside the place, under a name of its own, which then takes
//! the place in one step. Whatever goes wrong before that leaves nothing behind.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::ScaffoldError;
use super::files::ProjectFiles;

/// Writes the files of a project to a folder that is not there yet, or empty. Its parent has to be
/// there.
///
/// # Errors
/// [`ScaffoldError::Occupied`] where something is there already, [`ScaffoldError::Write`] where the
/// files cannot be written.
pub fn create(folder: &Path, files: &ProjectFiles) -> Result<(), ScaffoldError> {
    require_free(folder)?;
    let aside = aside(folder)?;
    let done = write(&aside, files).and_then(|()| {
        // An empty folder gives way to it; one that was filled in the meantime does not.
        fs::rename(&aside, folder).map_err(|source| match source.kind() {
            io::ErrorKind::DirectoryNotEmpty => ScaffoldError::Occupied(folder.to_owned()),
            _ => cannot(folder, source),
        })
    });
    if done.is_err() {
        // The error that is told is the first one; a folder that cannot be removed is in its path.
        let _ = fs::remove_dir_all(&aside);
    }
    done
}

fn require_free(folder: &Path) -> Result<(), ScaffoldError> {
    match fs::read_dir(folder) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(ScaffoldError::Occupied(folder.to_owned())),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            Err(ScaffoldError::Occupied(folder.to_owned()))
        }
        Err(source) => Err(cannot(folder, source)),
    }
}

/// A folder of our own beside the place, on the same file system.
fn aside(folder: &Path) -> Result<PathBuf, ScaffoldError> {
    let Some(name) = folder.file_name() else {
        // `.`, `..` and `/` have no name that something else could be renamed to.
        return Err(cannot(
            folder,
            io::Error::new(io::ErrorKind::InvalidInput, "give the folder by its name"),
        ));
    };
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".new-{}", std::process::id()));
    let aside = folder.with_file_name(hidden);
    fs::create_dir(&aside).map_err(|source| cannot(&aside, source))?;
    Ok(aside)
}

fn write(folder: &Path, files: &ProjectFiles) -> Result<(), ScaffoldError> {
    for (path, bytes) in files {
        let path = folder.join(path);
        let written = path
            .parent()
            .map_or(Ok(()), fs::create_dir_all)
            .and_then(|()| fs::write(&path, bytes));
        written.map_err(|source| cannot(&path, source))?;
    }
    Ok(())
}

fn cannot(path: &Path, source: io::Error) -> ScaffoldError {
    ScaffoldError::Write {
        path: path.to_owned(),
        source,
    }
}
