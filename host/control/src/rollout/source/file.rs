//! A policy's file and the signature beside it, read once and up to a cap.
//!
//! `FILE.minisig` is the signature of `FILE`, as minisign names it. Nothing blocks on what is no
//! regular file. Blocks otherwise, as files do. Not here: whether the signature is any good.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::rollout::signature::SIGNATURE_BYTES_MAX;
use wastegate_files as files;

/// What minisign appends to a file's name.
pub const SIGNATURE_SUFFIX: &str = ".minisig";

/// A file and its signature, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// All bytes of the file.
    pub bytes: Arc<[u8]>,
    /// The text beside it; what is no UTF-8 in it is replaced, and what is too long is cut off
    /// where it is still seen to be.
    pub signature: Option<String>,
    /// What the two looked like when they were read.
    pub(super) stamps: Stamps,
}

/// What the system says of a file. If it changes, the file may have changed; if it does not, the
/// file most likely did not: a hint, never an identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) bytes: u64,
    pub(super) file: (u64, u64),
    pub(super) modified: (i64, i64),
    pub(super) changed: (i64, i64),
}

/// Of a file and of its signature, if it has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamps {
    pub(super) policy: Stamp,
    pub(super) signature: Option<Stamp>,
}

/// Why a file was not read.
#[derive(Debug, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the message of each variant says what its fields are"
)]
pub enum Unread {
    /// It is not there.
    #[error("{} is not there", path.display())]
    Absent { path: PathBuf },
    /// It is a directory, a pipe, a device.
    #[error("{} is no regular file: put the `.wasm` file that the build wrote there", path.display())]
    NotAFile {
        /// What is no file.
        path: PathBuf,
    },
    /// It is larger than policies may be.
    #[error(
        "{} has {bytes} bytes and at most {max} are accepted: build it for size and strip it, or raise `policy.size_bytes_max` (`policy.heavy.size_bytes_max` for one with an interpreter in it)",
        path.display()
    )]
    TooLarge {
        path: PathBuf,
        /// Its size, as far as it was looked at.
        bytes: u64,
        max: u64,
    },
    /// It is a link to somewhere else.
    #[error(
        "{} is a link that leads out of its folder, which is not followed: put the file itself there",
        path.display()
    )]
    LeadsOut { path: PathBuf },
    /// The system refuses.
    #[error("{} cannot be read: check that this process may read it", path.display())]
    Io { path: PathBuf, source: io::Error },
}

/// Reads a policy's file, at most `bytes_max` bytes, and the signature beside it. Blocks.
///
/// # Errors
/// [`Unread`] with what to mend.
pub fn read(path: &Path, bytes_max: u64) -> Result<Contents, Unread> {
    contents(path, bytes_max, &|path| open(path).map(Some))
}

/// The same of a file in a folder where others put it: no link is followed out of that. Blocks.
///
/// # Errors
/// [`Unread`] with what to mend.
pub(crate) fn read_beneath(folder: &Path, path: &Path, bytes_max: u64) -> Result<Contents, Unread> {
    contents(path, bytes_max, &|path| {
        let name = path.strip_prefix(folder).map_err(io::Error::other)?;
        files::beneath(folder, name)
    })
}

/// How a file is opened; none if that would lead out of where it may be.
type Open<'a> = &'a dyn Fn(&Path) -> io::Result<Option<File>>;

fn contents(path: &Path, bytes_max: u64, open: Open<'_>) -> Result<Contents, Unread> {
    let (bytes, policy) = whole(path, bytes_max, open)?;
    if bytes.len() as u64 > bytes_max {
        return Err(Unread::TooLarge {
            path: path.to_owned(),
            bytes: policy.bytes.max(bytes.len() as u64),
            max: bytes_max,
        });
    }
    let signature = match whole(&beside(path), SIGNATURE_BYTES_MAX as u64, open) {
        Ok((text, stamp)) => Some((String::from_utf8_lossy(&text).into_owned(), stamp)),
        Err(Unread::Absent { .. }) => None,
        Err(other) => return Err(other),
    };
    Ok(Contents {
        bytes: bytes.into(),
        stamps: Stamps {
            policy,
            signature: signature.as_ref().map(|(_, stamp)| *stamp),
        },
        signature: signature.map(|(text, _)| text),
    })
}

/// What the system says of a policy's file and of its signature, without reading them.
pub(super) fn stamps(path: &Path) -> Result<Stamps, Unread> {
    let stamp = |path: &Path| match std::fs::metadata(path) {
        Ok(found) => Stamp::of(path, &found),
        Err(error) => Err(Unread::io(path, error)),
    };
    let policy = stamp(path)?;
    let signature = match stamp(&beside(path)) {
        Ok(stamp) => Some(stamp),
        Err(Unread::Absent { .. }) => None,
        Err(other) => return Err(other),
    };
    Ok(Stamps { policy, signature })
}

/// Where a file's signature is.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(SIGNATURE_SUFFIX);
    name.into()
}

/// At most one byte more than `bytes_max`, so that too much is seen to be.
fn whole(path: &Path, bytes_max: u64, open: Open<'_>) -> Result<(Vec<u8>, Stamp), Unread> {
    let io = |error| Unread::io(path, error);
    let leads_out = || Unread::LeadsOut {
        path: path.to_owned(),
    };
    let file = open(path).map_err(io)?.ok_or_else(leads_out)?;
    let stamp = Stamp::of(path, &file.metadata().map_err(io)?)?;
    let mut bytes = Vec::new();
    file.take(bytes_max.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(io)?;
    Ok((bytes, stamp))
}

/// A pipe in a file's place would block the thread that opens it.
fn open(path: &Path) -> io::Result<File> {
    let mut opening = OpenOptions::new();
    let opening = opening.read(true).custom_flags(libc::O_NONBLOCK);
    opening.open(path)
}

impl Stamp {
    fn of(path: &Path, found: &Metadata) -> Result<Self, Unread> {
        if !found.is_file() {
            return Err(Unread::NotAFile {
                path: path.to_owned(),
            });
        }
        Ok(Self {
            bytes: found.len(),
            file: (found.dev(), found.ino()),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        })
    }
}

impl Unread {
    pub(super) fn io(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::NotFound => Self::Absent { path },
            _ => Self::Io { path, source },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_is_read_with_its_signature() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lru.wasm");
        fs::write(&path, b"wasm").unwrap();
        let unsigned = read(&path, 4).unwrap();
        assert_eq!((&*unsigned.bytes, unsigned.signature), (&b"wasm"[..], None));
        assert_eq!(unsigned.stamps, stamps(&path).unwrap());
        fs::write(folder.path().join("lru.wasm.minisig"), b"signed\xff").unwrap();
        let signed = read(&path, 4).unwrap();
        assert_eq!(signed.signature.as_deref(), Some("signed\u{fffd}"));
        assert_ne!(signed.stamps, unsigned.stamps);
    }

    #[test]
    fn no_more_is_read_than_is_accepted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lru.wasm");
        fs::write(&path, [0; 5]).unwrap();
        let message = read(&path, 4).unwrap_err().to_string();
        assert!(message.contains("has 5 bytes and at most 4"), "{message}");
        fs::write(&path, [0; 4]).unwrap();
        let signature = "x".repeat(SIGNATURE_BYTES_MAX * 2);
        fs::write(folder.path().join("lru.wasm.minisig"), signature).unwrap();
        let text = read(&path, 4).unwrap().signature.unwrap();
        assert_eq!(text.len(), SIGNATURE_BYTES_MAX + 1);
    }

    /// A device without an end and a pipe without a writer among them.
    #[test]
    fn what_is_no_file_has_its_own_sentence() {
        let folder = tempfile::tempdir().unwrap();
        let absent = read(&folder.path().join("absent.wasm"), 4).unwrap_err();
        assert!(matches!(absent, Unread::Absent { .. }), "{absent}");
        let pipe = folder.path().join("pipe.wasm");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        for path in [folder.path(), Path::new("/dev/zero"), &pipe] {
            let refused = read(path, 4).unwrap_err();
            assert!(matches!(refused, Unread::NotAFile { .. }), "{refused}");
        }
    }
}
