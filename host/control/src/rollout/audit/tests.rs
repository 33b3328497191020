//! The audit log: every entry once, in order, over restarts, rotations and crashes.

use std::fs;

use tempfile::tempdir;

use super::file::{AuditFile, name};
use super::*;
use crate::rollout::ledger::Move;

fn entry(seq: u64) -> AuditEntry {
    AuditEntry {
        seq,
        unix_ms: seq,
        by: Actor::guard(),
        note: Note::new(What::Recovered, "three trials went well"),
    }
}

#[test]
fn entries_are_read_back_after_a_restart_and_counted_on() {
    let folder = tempdir().unwrap();
    let seven = RevisionId::new(7).unwrap();
    {
        let (audit, problems) = AuditLog::open(Clock::manual(), folder.path()).unwrap();
        assert_eq!((problems.len(), audit.highest_revision()), (0, None));
        let note = Note::new(What::Accepted, "fine").of("lru").revision(seven);
        assert!(audit.write(&Actor::config(), note));
        assert!(audit.write(&Actor::config(), Note::new(What::Started, "")));
    }
    let (audit, _) = AuditLog::open(Clock::manual(), folder.path()).unwrap();
    audit.write(&Actor::guard(), Note::new(What::Recovered, ""));
    let seqs: Vec<u64> = audit.recent(0, 10).iter().map(|entry| entry.seq).collect();
    assert_eq!(seqs, [1, 2, 3]);
    assert_eq!(audit.highest_revision(), Some(seven));
    let after: Vec<u64> = audit.recent(1, 1).iter().map(|entry| entry.seq).collect();
    assert_eq!(after, [3], "the last ones, of those that are newer");
}

#[test]
fn a_line_that_a_crash_cut_short_costs_itself_only() {
    let folder = tempdir().unwrap();
    let path = name(folder.path(), 0);
    let whole = serde_json::to_string(&entry(1)).unwrap();
    fs::write(&path, format!("{whole}\n{{\"seq\":2,\"unix")).unwrap();
    let (audit, problems) = AuditLog::open(Clock::manual(), folder.path()).unwrap();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(
        problems[0].contains("1 lines are no entries"),
        "{problems:?}"
    );
    audit.write(&Actor::guard(), Note::new(What::Started, ""));
    drop(audit);
    let (audit, _) = AuditLog::open(Clock::manual(), folder.path()).unwrap();
    let seqs: Vec<u64> = audit.recent(0, 10).iter().map(|entry| entry.seq).collect();
    assert_eq!(seqs, [1, 2]);
}

#[test]
fn full_files_are_set_aside_and_the_oldest_removed() {
    let folder = tempdir().unwrap();
    let (file, _, _) = AuditFile::open(folder.path()).unwrap();
    let mut file = file.with_bytes_max(400);
    for seq in 1..=100 {
        file.append(&entry(seq)).unwrap();
    }
    let kept = fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(kept, AUDIT_FILES_KEPT + 1);
    for age in 0..=AUDIT_FILES_KEPT {
        assert!(fs::metadata(name(folder.path(), age)).unwrap().len() <= 400);
    }
    // Two files are enough to know where to go on.
    let (audit, problems) = AuditLog::open(Clock::manual(), folder.path()).unwrap();
    assert_eq!(problems, Vec::<String>::new());
    assert_eq!(audit.recent(0, 1).first().map(|entry| entry.seq), Some(100));
}

#[test]
fn memory_holds_the_last_ones() {
    let audit = AuditLog::in_memory(Clock::manual());
    for _ in 0..RECENT_MAX + 5 {
        audit.write(&Actor::guard(), Note::new(What::Started, ""));
    }
    let recent = audit.recent(0, usize::MAX);
    assert_eq!(recent.len(), RECENT_MAX);
    assert_eq!(recent.first().map(|entry| entry.seq), Some(6));
}

#[test]
fn seats_are_told_in_one_phrase_where_they_agree() {
    let id = RevisionId::new;
    let moved = |tier, from, to| Move { tier, from, to };
    let all = wastegate_core::types::Tier::ALL.map(|tier| moved(tier, id(6), id(7)));
    assert_eq!(in_words(&all), "all tiers r6 -> r7");
    let two = [
        moved(wastegate_core::types::Tier::Moderate, None, id(7)),
        moved(wastegate_core::types::Tier::Force, id(6), None),
    ];
    assert_eq!(
        in_words(&two),
        "moderate built-in -> r7, force r6 -> built-in"
    );
}

#[test]
fn a_long_reason_is_cut_off_in_whole_characters() {
    let note = Note::new(What::Refused, "ä".repeat(REASON_BYTES_MAX));
    assert_eq!(note.reason.len(), REASON_BYTES_MAX);
}
