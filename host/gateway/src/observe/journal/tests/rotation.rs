//! When a file is finished, what it becomes, and what a crash on the way leaves.

use super::*;

#[test]
fn it_rotates_before_the_limit_and_compresses_what_it_rotated() {
    let room = Room::rotating(100, 1_000);
    room.clock.advance(Duration::from_millis(1_234));
    room.write(0..100);
    let rotated = room.rotated();
    assert_eq!(rotated[0], "decisions.1234-1.ndjson.zst");
    for name in &rotated {
        assert!(name.ends_with(".ndjson.zst"), "{name}");
        let bytes: usize = room
            .read(name)
            .iter()
            .map(|line| line.to_string().len() + 1)
            .sum();
        assert!((80..=100).contains(&bytes), "{name} holds {bytes} bytes");
    }
    assert_eq!(room.lines(), numbered(0..100));
}

#[test]
fn a_line_longer_than_the_limit_gets_a_file_of_its_own() {
    let room = Room::rotating(5, 1_000);
    room.write(0..3);
    assert_eq!((room.rotated().len(), room.lines()), (2, numbered(0..3)));
}

#[test]
fn only_the_newest_rotated_files_are_kept_and_no_stranger_is_touched() {
    let room = Room::rotating(100, 3);
    let stranger = room.folder.path().join("decisions.old-1.ndjson.zst");
    fs::write(&stranger, "mine").unwrap();
    room.write(0..100);
    assert_eq!(fs::read(&stranger).unwrap(), b"mine");
    fs::remove_file(stranger).unwrap();
    assert_eq!(room.rotated().len(), 3);
    let kept = room.lines();
    assert_eq!(kept, numbered(100 - kept.len() as u64..100));
}

#[test]
fn an_old_file_is_rotated_when_it_is_written_to() {
    let mut room = Room::new();
    room.config.rotate_age = Some(Duration::from_secs(60));
    let (journal, thread) = room.open();
    journal.write(&json!({ "n": 0 }));
    room.wait_for(1);
    room.clock.advance(Duration::from_secs(61));
    assert!(room.rotated().is_empty(), "idle");
    journal.write(&json!({ "n": 1 }));
    thread.close().unwrap();
    assert_eq!(room.rotated().len(), 1);
    assert_eq!(room.lines(), numbered(0..2));
}

#[test]
fn what_a_crash_left_behind_is_put_in_order_at_the_next_start() {
    let room = Room::rotating(100, 10);
    let leave = |name: &str, bytes: &[u8]| fs::write(room.folder.path().join(name), bytes).unwrap();
    let packed = zstd::encode_all(&b"{\"n\":0}\n"[..], 3).unwrap();
    // After the rename of the compressed copy, before the removal of the plain file.
    leave("decisions.5-1.ndjson", b"{\"n\":0}\n");
    leave("decisions.5-1.ndjson.zst", &packed);
    // In the middle of compressing. The clock was set back meanwhile: the number still orders.
    leave("decisions.3-2.ndjson", b"{\"n\":1}\n");
    leave("decisions.3-2.ndjson.zst.tmp", &packed[..4]);
    room.write(2..40);
    let rotated = room.rotated();
    assert_eq!(
        rotated[..2],
        ["decisions.5-1.ndjson.zst", "decisions.3-2.ndjson.zst"]
    );
    assert!(rotated[2].contains("-3."), "{rotated:?}");
    assert_eq!(room.lines(), numbered(0..40));
}

#[test]
fn a_rotation_that_fails_holds_no_line_up() {
    let room = Room::rotating(100, 10);
    let (journal, thread) = room.open();
    // A folder has the only name that is left, and no file can take its place.
    let taken = room
        .folder
        .path()
        .join(format!("decisions.0-{}.ndjson", u64::MAX));
    fs::create_dir(&taken).unwrap();
    for n in 0..40 {
        journal.write(&json!({ "n": n }));
    }
    thread.close().unwrap();
    fs::remove_dir(taken).unwrap();
    assert_eq!((room.rotated().len(), room.lines()), (0, numbered(0..40)));
}
