//! Whose folders are taken, and which links are followed.

use std::io::Read;
use std::os::unix::fs::symlink;

use super::*;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o777
}

fn set(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_folder_that_everybody_may_write_to_is_refused_with_a_remedy() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("a/b");
    make_folder(&folder).unwrap();
    assert_eq!(
        (mode(&folder), mode(folder.parent().unwrap())),
        (0o700, 0o700)
    );
    for taken in [0o700, 0o755, 0o775] {
        set(&folder, taken);
        check_state(&folder).unwrap();
        check_shared(&folder).unwrap();
    }
    set(&folder, 0o777);
    for refused in [check_state(&folder), check_shared(&folder)] {
        let text = refused.unwrap_err().to_string();
        assert!(text.contains("`chmod o-w` it"), "{text}");
    }
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0, "nothing is left");
}

#[test]
fn files_of_state_are_ours_alone_and_no_link_is_followed() {
    let temporary = tempfile::tempdir().unwrap();
    let at = |name: &str| temporary.path().join(name);
    append(&at("new")).unwrap();
    assert_eq!(mode(&at("new")), 0o600);
    fs::write(at("old"), "kept").unwrap();
    set(&at("old"), 0o644);
    append_state(&at("old")).unwrap();
    assert_eq!(
        (mode(&at("old")), fs::read(at("old")).unwrap()),
        (0o600, b"kept".to_vec())
    );

    fs::write(at("target"), "untouched").unwrap();
    symlink(at("target"), at("link")).unwrap();
    append(&at("link")).unwrap_err();
    read(&at("link")).unwrap_err();
    create_new(&at("link")).unwrap();
    assert_eq!(fs::read(at("target")).unwrap(), b"untouched");
    read(temporary.path()).unwrap_err();
}

#[test]
fn links_are_followed_within_a_folder_and_never_out_of_it() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("in");
    fs::create_dir_all(folder.join("v1")).unwrap();
    fs::write(temporary.path().join("secret"), "secret").unwrap();
    fs::write(folder.join("v1/a"), "inside").unwrap();
    symlink("v1", folder.join("now")).unwrap();
    symlink("now/a", folder.join("a")).unwrap();
    symlink("../secret", folder.join("up")).unwrap();
    symlink(temporary.path().join("secret"), folder.join("away")).unwrap();
    for open in [beneath, resolved] {
        let mut text = String::new();
        let mut file = open(&folder, Path::new("a")).unwrap().unwrap();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "inside");
        assert!(open(&folder, Path::new("up")).unwrap().is_none());
        assert!(open(&folder, Path::new("away")).unwrap().is_none());
        let absent = open(&folder, Path::new("absent")).unwrap_err();
        assert_eq!(absent.kind(), io::ErrorKind::NotFound);
    }
}

#[test]
fn a_file_is_replaced_as_a_whole_or_stays_as_it_was() {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().join("ledger");
    let write = |text: &'static [u8]| move |file: &mut Writer| file.write_all(text);
    replace(&path, write(b"one")).unwrap();
    replace(&path, write(b"two")).unwrap();
    assert_eq!(
        (mode(&path), fs::read(&path).unwrap()),
        (0o600, b"two".to_vec())
    );
    let failed = replace(&path, |file| {
        file.write_all(b"half")?;
        Err(io::ErrorKind::StorageFull.into())
    });
    assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::StorageFull);
    let taken = place_new(&path, write(b"three")).unwrap_err();
    assert_eq!(taken.kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(fs::read(&path).unwrap(), b"two");
    let other = temporary.path().join("token");
    place_new(&other, write(b"new")).unwrap();
    assert_eq!(
        (mode(&other), fs::read(&other).unwrap()),
        (0o600, b"new".to_vec())
    );
    let names = fs::read_dir(temporary.path()).unwrap().count();
    assert_eq!(names, 2, "nothing else is left");
}
