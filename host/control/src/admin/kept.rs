//! The token that is kept with the state: made at the first start where none is configured, and found
//! there by commands.
//!
//! A user who can read the file is an operator, so only its owner can read it. It comes into being whole, under
//! a name that nothing had before, and is never read or written through a link.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use wastegate_core::types::Secret;
use wastegate_files as files;

/// The file, in the state directory.
pub const FILE_NAME: &str = "admin.token";
/// Random bytes of a token.
const BYTES: usize = 32;
/// A shorter one can be guessed, bytes.
pub const TOKEN_BYTES_MIN: usize = 16;
/// How much of the file is read, bytes.
const FILE_BYTES_MAX: u64 = 4_096;
/// Who may do anything with it besides its owner.
const OTHERS: u32 = 0o077;

/// Where it is kept.
#[must_use]
pub fn path(folder: &Path) -> PathBuf {
    folder.join(FILE_NAME)
}

/// The token that is kept in a folder, if there is one.
///
/// # Errors
/// When the file cannot be read, others can read it too, or it has no token in it.
pub fn read(folder: &Path) -> io::Result<Option<Secret>> {
    let text = match read_private(&path(folder), FILE_BYTES_MAX) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let token = text.trim();
    if token.len() < TOKEN_BYTES_MIN || token.contains(char::is_control) {
        return Err(io::Error::other(
            "it holds no token of 16 bytes or more in one line: remove it, so that another one is made",
        ));
    }
    Ok(Some(Secret::new(token)))
}

/// The text of a file that only its owner can use, up to so many bytes.
///
/// # Errors
/// When it cannot be read, or others than its owner can use it.
pub(super) fn read_private(path: &Path, bytes_max: u64) -> io::Result<String> {
    let mut options = OpenOptions::new();
    // Not through a link, and without waiting for the writer of a pipe.
    options
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    let file = match options.open(path) {
        Ok(file) => file,
        Err(error) if error.raw_os_error() == Some(libc::ELOOP) => {
            return Err(io::Error::other("it is a link: put a file there"));
        }
        Err(error) => return Err(error),
    };
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    if found.mode() & OTHERS != 0 {
        return Err(io::Error::other(
            "others than its owner can use it, and a reader of it is an operator: `chmod 600` it, and put new tokens in it if others may have read it (remove the one that the server made, and it makes another)",
        ));
    }
    let mut text = String::new();
    // One more than may be: a file that is cut would be another one.
    file.take(bytes_max + 1).read_to_string(&mut text)?;
    if text.len() as u64 > bytes_max {
        let message = format!("it has more than {bytes_max} bytes");
        return Err(io::Error::other(message));
    }
    Ok(text)
}

/// The token that is kept in a folder, or a new one that is kept there from now on.
///
/// # Errors
/// As [`read`], and when it cannot be written.
pub fn read_or_make(folder: &Path) -> io::Result<Secret> {
    if let Some(token) = read(folder)? {
        return Ok(token);
    }
    let token = random()?;
    files::make_folder(folder)?;
    match files::place_new(&path(folder), |file| writeln!(file, "{token}")) {
        Ok(()) => Ok(Secret::new(token)),
        // Another process was faster.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => read(folder)?.ok_or(error),
        Err(error) => Err(error),
    }
}

fn random() -> io::Result<String> {
    let mut bytes = [0_u8; BYTES];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn a_token_is_made_once_and_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        assert!(read(&state).unwrap().is_none());
        let token = read_or_make(&state).unwrap();
        assert_eq!(token.reveal().len(), 2 * BYTES);
        assert_eq!(read_or_make(&state).unwrap(), token);
        assert_eq!(read(&state).unwrap(), Some(token));
        let mode = fs::metadata(path(&state)).unwrap().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(
            fs::read_dir(&state).unwrap().count(),
            1,
            "nothing beside it"
        );
    }

    #[test]
    fn what_others_could_have_read_or_put_there_is_no_token() {
        let folder = tempfile::tempdir().unwrap();
        let (state, at) = (folder.path(), path(folder.path()));
        read_or_make(state).unwrap();
        fs::set_permissions(&at, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(
            read_or_make(state)
                .unwrap_err()
                .to_string()
                .contains("chmod 600")
        );
        fs::remove_file(&at).unwrap();
        let elsewhere = state.join("elsewhere");
        fs::write(&elsewhere, "a token of somebody else").unwrap();
        symlink(&elsewhere, &at).unwrap();
        assert!(
            read_or_make(state)
                .unwrap_err()
                .to_string()
                .contains("link")
        );
        fs::remove_file(&at).unwrap();
        symlink(state.join("nothing"), &at).unwrap();
        assert!(read_or_make(state).is_err());
        assert!(!state.join("nothing").exists());
        fs::remove_file(&at).unwrap();
        for bad in ["", "short", "two lines of it\nand more"] {
            files::create_new(&at)
                .unwrap()
                .write_all(bad.as_bytes())
                .unwrap();
            assert!(read_or_make(state).is_err(), "{bad:?}");
            fs::remove_file(&at).unwrap();
        }
    }
}
