//! Files and folders that are this user's alone.
//!
//! Whoever can write into a folder of ours decides what we read there: native code, which policy is active,
//! who was told what. So a folder of state is refused where others may write, files in it are made
//! exclusively or opened without following a link, and nobody else may read them (0700 and 0600).
//! [`beneath`] opens what others put into a folder for us, and follows no link out of it.
//!
//! All of it blocks, as files do. Not here: what is in them.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

/// Permissions of a folder of ours.
pub const FOLDER_MODE: u32 = 0o700;
/// Permissions of a file of ours.
pub const FILE_MODE: u32 = 0o600;
/// Every right of everybody but the owner.
const OTHERS: u32 = 0o077;
/// The right of everybody to write.
const ANYBODY_WRITES: u32 = 0o002;
/// The user who may do everything in any case.
const ROOT: u32 = 0;

/// Makes a folder with those above it, 0700 what is new.
///
/// # Errors
/// As the system says.
pub fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(FOLDER_MODE)
        .create(path)
}

/// Who we are, by what we make in a folder: where a server of files says who owns what, that is
/// another one than the system says.
///
/// # Errors
/// When nothing can be made there.
pub fn owner_in(folder: &Path) -> io::Result<u32> {
    let probe = folder.join(unlike_any("probe"));
    let made = create_new(&probe).and_then(|file| file.metadata());
    let removed = fs::remove_file(&probe);
    let owner = made?.uid();
    removed.map(|()| owner)
}

/// What is wrong with a folder that nobody else may look into or write to: in words after its name.
#[must_use]
pub fn not_ours_alone(found: &Metadata, owner: u32) -> Option<&'static str> {
    if !found.is_dir() {
        Some("is no directory, or a link to one")
    } else if found.uid() != owner {
        Some("belongs to another user")
    } else if found.mode() & OTHERS != 0 {
        Some("is open to other users")
    } else {
        None
    }
}

/// Checks a folder of state: it is ours or root's, and not everybody may write there.
///
/// # Errors
/// With a sentence where others could write, or as the system says.
pub fn check_state(folder: &Path) -> io::Result<()> {
    let found = fs::metadata(folder)?;
    let owner = owner_in(folder)?;
    if found.uid() != owner && found.uid() != ROOT {
        return Err(shared(
            "it belongs to another user, who could put anything there: give a folder of this user's own",
        ));
    }
    check_writers(&found)
}

/// Checks a folder in which others put files for us: not everybody may.
///
/// # Errors
/// With a sentence where everybody could write, or as the system says.
pub fn check_shared(folder: &Path) -> io::Result<()> {
    check_writers(&fs::metadata(folder)?)
}

fn check_writers(found: &Metadata) -> io::Result<()> {
    if found.mode() & ANYBODY_WRITES == 0 {
        return Ok(());
    }
    Err(shared(
        "every user of this machine may write there and so decide what happens here: `chmod o-w` it, or give a folder inside it that only its owner may write to",
    ))
}

fn shared(sentence: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, sentence)
}

/// Whether a file is ours alone.
#[must_use]
pub fn is_ours_alone(found: &Metadata, owner: u32) -> bool {
    found.is_file() && found.uid() == owner && found.mode() & OTHERS == 0
}

/// A name that nobody else writes to, in this process or another.
fn unlike_any(name: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{name}.{}-{number}.tmp", std::process::id())
}

/// A new file that is ours alone, whatever the umask; what a crash left in its place goes.
///
/// # Errors
/// As the system says.
pub fn create_new(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(FILE_MODE);
    options.open(path)
}

/// Puts a file of ours in its place, where another may be: after a crash there is the old file or the
/// new one, and never half of one. Once this returns, the new one is on disk.
///
/// # Errors
/// As `write` or the system says; then the old file stays, and nothing is left of the new one.
pub fn replace(path: &Path, write: impl FnOnce(&mut Writer) -> io::Result<()>) -> io::Result<()> {
    place(path, write, |beside| fs::rename(beside, path))
}

/// [`replace`] where nothing may be yet.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`] where something is; else as [`replace`].
pub fn place_new(path: &Path, write: impl FnOnce(&mut Writer) -> io::Result<()>) -> io::Result<()> {
    place(path, write, |beside| {
        // Unlike a rename, this replaces nothing.
        fs::hard_link(beside, path)?;
        fs::remove_file(beside)
    })
}

/// A new file that is being written.
pub type Writer = BufWriter<File>;

/// The file is written beside its place, on the same file system, under a name of its own. Its content
/// is on disk before it has its name, and the name before this returns.
fn place(
    path: &Path,
    write: impl FnOnce(&mut Writer) -> io::Result<()>,
    put: impl FnOnce(&Path) -> io::Result<()>,
) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = path.with_file_name(unlike_any(&name));
    let mut file = BufWriter::new(create_new(&beside)?);
    let placed = write(&mut file)
        .and_then(|()| file.flush())
        .and_then(|()| file.get_ref().sync_all())
        .and_then(|()| put(&beside));
    if placed.is_err() {
        // The error that counts is the first one.
        let _ = fs::remove_file(&beside);
    }
    placed?;
    match path.parent() {
        Some(folder) if folder.as_os_str().is_empty() => sync_folder(Path::new(".")),
        Some(folder) => sync_folder(folder),
        None => Ok(()),
    }
}

/// Waits until the names in a folder are on disk.
///
/// # Errors
/// As the system says.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// A file to append to and read, made if there is none (0600). No link is followed.
///
/// # Errors
/// As the system says.
pub fn append(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true).mode(FILE_MODE);
    options.custom_flags(libc::O_NOFOLLOW).open(path)
}

/// [`append`] for a file of state, of which others may have had rights: they are taken away.
///
/// # Errors
/// As the system says; also for what is no regular file.
pub fn append_state(path: &Path) -> io::Result<File> {
    let file = regular(append(path)?)?;
    if file.metadata()?.mode() & OTHERS != 0 {
        file.set_permissions(Permissions::from_mode(FILE_MODE))?;
    }
    Ok(file)
}

/// A file to read. No link is followed, and nothing waits for who writes to a pipe.
///
/// # Errors
/// As the system says; also for what is no regular file.
pub fn read(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    regular(options.read(true).custom_flags(NO_LINK).open(path)?)
}

const NO_LINK: i32 = libc::O_NOFOLLOW | libc::O_NONBLOCK;

fn regular(file: File) -> io::Result<File> {
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::other("it is no regular file"))
    }
}

/// Opens what is called so in a folder, to read it. Links are followed as long as they stay in the
/// folder, which is how a whole set of files is put in place at once. None if one leads out.
///
/// # Errors
/// As the system says.
pub fn beneath(folder: &Path, name: &Path) -> io::Result<Option<File>> {
    let directory = File::open(folder)?;
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    match rustix::fs::openat2(&directory, name, flags, Mode::empty(), resolve) {
        Ok(opened) => Ok(Some(opened.into())),
        Err(Errno::XDEV | Errno::LOOP) => Ok(None),
        // A kernel before 5.6, or a sandbox that does not know the call.
        Err(Errno::NOSYS | Errno::PERM) => resolved(folder, name),
        Err(error) => Err(error.into()),
    }
}

/// The same by name: whoever may change links there could do so in between.
fn resolved(folder: &Path, name: &Path) -> io::Result<Option<File>> {
    let (folder, file) = (folder.canonicalize()?, folder.join(name).canonicalize()?);
    if !file.starts_with(folder) {
        return Ok(None);
    }
    let mut options = OpenOptions::new();
    options
        .read(true)
        .custom_flags(NO_LINK)
        .open(file)
        .map(Some)
}

#[cfg(test)]
mod tests;
