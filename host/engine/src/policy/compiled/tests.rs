//! Whose directory it is, what is believed of a file, and how much is kept.

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;
use wastegate_core::types::chain;

fn directory() -> (tempfile::TempDir, CompiledDir) {
    let temporary = tempfile::tempdir().unwrap();
    let kept = CompiledDir::open(&temporary.path().join("kept")).unwrap();
    (temporary, kept)
}

fn found(directory: &CompiledDir, name: &str) -> Option<Vec<u8>> {
    directory.find(name).map(|kept| kept.content().to_vec())
}

fn names(directory: &CompiledDir) -> Vec<String> {
    let entries = fs::read_dir(&directory.path).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn what_was_kept_is_found_again_and_is_ours_alone() {
    let (_temporary, directory) = directory();
    assert_eq!(found(&directory, "a.cwasm"), None);
    directory.keep("a.cwasm", b"code");
    assert_eq!(found(&directory, "a.cwasm").unwrap(), b"code");
    assert_eq!(names(&directory), ["a.cwasm"], "nothing is left beside it");
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!(mode(&directory.path), 0o700);
    assert_eq!(mode(&directory.path.join("a.cwasm")), 0o600);
    directory.keep("a.cwasm", b"other code");
    assert_eq!(found(&directory, "a.cwasm").unwrap(), b"other code");
}

#[test]
fn a_directory_that_is_open_to_others_is_refused_with_a_remedy() {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().join("open");
    fs::create_dir(&path).unwrap();
    for mode in [0o750, 0o701, 0o777] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        assert_eq!(
            chain(&CompiledDir::open(&path).unwrap_err()),
            format!(
                "`policy.compiled_dir`: `{}` is open to other users, and what is in it runs as native code: give a directory of this user's own, or `chmod 700` this one",
                path.display()
            )
        );
    }
    fs::set_permissions(&path, Permissions::from_mode(0o700)).unwrap();
    CompiledDir::open(&path).unwrap();

    let link = temporary.path().join("link");
    symlink(&path, &link).unwrap();
    let text = chain(&CompiledDir::open(&link).unwrap_err());
    assert!(text.contains("is no directory, or a link to one"), "{text}");
}

#[test]
fn a_file_in_its_place_is_an_error_that_names_the_key() {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().join("file");
    fs::write(&path, "").unwrap();
    let text = chain(&CompiledDir::open(&path).unwrap_err());
    assert!(text.starts_with("`policy.compiled_dir`: "), "{text}");
}

/// How a file is spoilt, and what does it.
type Spoil = (&'static str, fn(&Path));

/// Each of these would otherwise run as native code.
#[test]
fn what_is_not_as_it_was_written_is_deleted() {
    let (_temporary, directory) = directory();
    let path = directory.path.join("a.cwasm");
    let spoil: [Spoil; 6] = [
        ("a flipped bit", |path| {
            let mut bytes = fs::read(path).unwrap();
            *bytes.last_mut().unwrap() ^= 1;
            fs::write(path, bytes).unwrap();
        }),
        ("a flipped bit in the sum", |path| {
            let mut bytes = fs::read(path).unwrap();
            bytes[MAGIC.len()] ^= 1;
            fs::write(path, bytes).unwrap();
        }),
        ("a torn end", |path| {
            let bytes = fs::read(path).unwrap();
            fs::write(path, &bytes[..bytes.len() - 1]).unwrap();
        }),
        ("nothing", |path| fs::write(path, "").unwrap()),
        ("readable by others", |path| {
            fs::set_permissions(path, Permissions::from_mode(0o644)).unwrap();
        }),
        ("a link", |path| {
            let elsewhere = path.with_extension("elsewhere");
            fs::rename(path, &elsewhere).unwrap();
            symlink(&elsewhere, path).unwrap();
        }),
    ];
    for (what, spoil) in spoil {
        directory.keep("a.cwasm", b"code");
        assert!(directory.find("a.cwasm").is_some());
        spoil(&path);
        assert!(directory.find("a.cwasm").is_none(), "{what}");
        assert!(!path.exists(), "{what}: it is gone");
    }
}

#[test]
fn the_oldest_go_when_there_are_too_many_and_never_the_newest() {
    let (_temporary, directory) = directory();
    let hour = std::time::Duration::from_secs(3_600);
    for number in 0..FILES_MAX + 3 {
        let name = format!("{number:02}.cwasm");
        directory.keep(&name, b"code");
        // Older than what comes next, whatever the resolution of the clock; the first is oldest.
        let file = fs::File::options()
            .write(true)
            .open(directory.path.join(&name));
        let age = hour * u32::try_from(FILES_MAX + 3 - number).unwrap();
        let modified = std::time::UNIX_EPOCH + hour * 10_000 - age;
        file.unwrap().set_modified(modified).unwrap();
    }
    let names = names(&directory);
    assert_eq!(names.len(), FILES_MAX);
    assert_eq!(names[0], "03.cwasm");
}
