//! Where the compiled form of heavy components is kept: compiling an interpreter takes tens of
//! seconds, reading the result takes milliseconds.
//!
//! What is in such a file runs as native code, so it is a matter of whom to trust. The directory
//! and its files belong to our user and are closed to everybody else (0700 and 0600), or they are
//! refused. A file carries the SHA-256 of its content, so that one that a crash or a disk spoilt is
//! found out; it is deleted, and the component compiled again. Files are written beside their place
//! and renamed into it. They are named by the digest of the component and by what the engine says
//! of its version, settings and processor. Their number and size are bounded; the oldest go.
//!
//! Not here: what the bytes are (`load::made`), and turning them into code (`native`).

use std::fs::{self, Metadata};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use sha2::{Digest, Sha256};

use wastegate_files as files;

/// How a file begins; the number is the layout's.
const MAGIC: &[u8; 8] = b"wgcwasm2";

/// Length of the SHA-256 after it.
const SUM_BYTES: usize = 32;

/// Files that are kept.
const FILES_MAX: usize = 32;

/// Bytes that are kept in all of them; some twenty interpreters.
const BYTES_MAX: u64 = 1 << 30;

/// The largest file that is read: the largest component, compiled, is a few times its size.
const FILE_BYTES_MAX: u64 = 512 << 20;

/// The directory of compiled policies (`policy.compiled_dir`).
#[derive(Debug)]
pub(super) struct CompiledDir {
    path: PathBuf,
    owner: u32,
    /// One writer at a time, so that trimming counts what is there.
    writing: Mutex<()>,
}

/// What was kept and is as it was written. Made here only.
#[derive(Debug)]
pub(super) struct Kept(Vec<u8>);

/// Why a directory is not used.
#[derive(Debug, thiserror::Error)]
pub enum CompiledDirError {
    /// It cannot be made or looked at.
    #[error("`policy.compiled_dir`: `{path}` cannot be used")]
    Unusable {
        path: PathBuf,
        #[source]
        error: io::Error,
    },
    /// Somebody else could put native code there.
    #[error(
        "`policy.compiled_dir`: `{path}` {what}, and what is in it runs as native code: give a directory of this user's own, or `chmod 700` this one"
    )]
    Shared {
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
}

impl CompiledDir {
    /// Opens a directory, making it if there is none.
    ///
    /// # Errors
    /// [`CompiledDirError`] when it cannot be made, or is not this user's alone.
    pub(super) fn open(path: &Path) -> Result<Self, CompiledDirError> {
        let unusable = |error| CompiledDirError::Unusable {
            path: path.to_owned(),
            error,
        };
        let shared = |what| CompiledDirError::Shared {
            path: path.to_owned(),
            what,
        };
        files::make_folder(path).map_err(unusable)?;
        let found = fs::symlink_metadata(path).map_err(unusable)?;
        if !found.is_dir() {
            return Err(shared("is no directory, or a link to one"));
        }
        let owner = files::owner_in(path).map_err(unusable)?;
        if let Some(what) = files::not_ours_alone(&found, owner) {
            return Err(shared(what));
        }
        Ok(Self {
            path: path.to_owned(),
            owner,
            writing: Mutex::default(),
        })
    }

    /// What was kept under a name. What is not as it was written is deleted.
    pub(super) fn find(&self, name: &str) -> Option<Kept> {
        let path = self.path.join(name);
        match self.read(&path) {
            Ok(kept) => Some(kept),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                tracing::warn!(
                    file = %path.display(),
                    %error,
                    "a compiled policy is not used; it is deleted and compiled again"
                );
                self.forget(name);
                None
            }
        }
    }

    /// Deletes what was kept under a name.
    pub(super) fn forget(&self, name: &str) {
        let path = self.path.join(name);
        if let Err(error) = fs::remove_file(&path) {
            tracing::warn!(file = %path.display(), %error, "a compiled policy could not be deleted");
        }
    }

    /// Keeps a compiled form. That it cannot be kept costs time at the next start and nothing else.
    pub(super) fn keep(&self, name: &str, native: &[u8]) {
        let _one_at_a_time = self.writing.lock();
        let written = self.write(name, native).and_then(|()| self.trim(name));
        if let Err(error) = written {
            tracing::warn!(
                directory = %self.path.display(),
                %error,
                "a compiled policy could not be kept; it will be compiled again"
            );
        }
    }

    fn read(&self, path: &Path) -> io::Result<Kept> {
        let mut file = files::read(path)?;
        let found = file.metadata()?;
        self.check(&found)?;
        let mut head = [0; MAGIC.len() + SUM_BYTES];
        file.read_exact(&mut head)?;
        let mut native = Vec::with_capacity(usize::try_from(found.len()).unwrap_or(0));
        file.take(FILE_BYTES_MAX).read_to_end(&mut native)?;
        let sum = Sha256::digest(&native);
        let intact = head
            .strip_prefix(MAGIC)
            .is_some_and(|written| written == sum.as_slice());
        if intact {
            Ok(Kept(native))
        } else {
            Err(io::Error::other("its content is not what was written"))
        }
    }

    /// That nobody else could have written a file.
    fn check(&self, found: &Metadata) -> io::Result<()> {
        if !files::is_ours_alone(found, self.owner) {
            return Err(io::Error::other("it is not this user's alone"));
        }
        if found.len() > FILE_BYTES_MAX {
            return Err(io::Error::other("it is larger than any that was written"));
        }
        Ok(())
    }

    fn write(&self, name: &str, native: &[u8]) -> io::Result<()> {
        files::replace(&self.path.join(name), |file| {
            file.write_all(MAGIC)?;
            file.write_all(&Sha256::digest(native))?;
            file.write_all(native)
        })
    }

    /// Deletes the oldest files until the rest is within bounds; never the one just written.
    fn trim(&self, newest: &str) -> io::Result<()> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let found = entry.metadata()?;
            if entry.file_name() != newest {
                files.push((found.mtime(), found.mtime_nsec(), found.len(), entry.path()));
            }
        }
        files.sort();
        let kept = fs::metadata(self.path.join(newest))?.len();
        let mut bytes = files.iter().fold(kept, |sum, (_, _, len, _)| sum + len);
        let mut count = files.len() + 1;
        for (_, _, len, path) in files {
            if count <= FILES_MAX && bytes <= BYTES_MAX {
                break;
            }
            fs::remove_file(&path)?;
            count -= 1;
            bytes = bytes.saturating_sub(len);
        }
        Ok(())
    }
}

impl Kept {
    /// What [`CompiledDir::keep`] was given.
    pub(super) fn content(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests;
