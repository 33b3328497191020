//! `[observe]`: log lines, journals, pseudonyms, alerts.

use super::{DAY, GIB, HOUR, MINUTE, Section};
use crate::config::draft::{Draft, JournalDraft};
use crate::config::shape::{
    BytesOrZero, Filter, MillisOrOff, OptionalPath, SHARE, SecretKey, Word, bytes, count, millis,
};
use wastegate::observe::logging::LogFormat;

pub(super) fn sections() -> Vec<Section> {
    vec![
        Section::new("observe", "What leaves the process about those who use it.").secret(
            "pseudonym_key",
            SecretKey,
            |d| &mut d.rooms.observe.pseudonym_key,
            "The secret that ids in journals are hashed with; without one it is made anew at every \
             start, so that the records of two runs cannot be joined.",
        ),
        log(),
        journal("observe.decisions", "The journal of decisions.", |d| {
            &mut d.decisions
        }),
        journal(
            "observe.activity",
            "The journal of activity, which replay runs on.",
            |d| &mut d.activity,
        ),
        alerts(),
        pressure(),
    ]
}

fn log() -> Section {
    let formats = vec![("human", LogFormat::Human), ("json", LogFormat::Json)];
    Section::new("observe.log", "Log lines, which go to standard error.")
        .key(
            "filter",
            Filter,
            |d| &mut d.rooms.observe.log.filter,
            "Which lines are written.",
        )
        .key(
            "format",
            Word {
                what: "format",
                words: formats,
            },
            |d| &mut d.rooms.observe.log.format,
            "What a line looks like.",
        )
        .key(
            "repeats_per_s_max",
            count(1, 1_000_000),
            |d| &mut d.rooms.observe.log.repeats_per_s_max,
            "Lines of one kind a second, from `info` upwards; the next one, or one when it is over, says \
             how many were left out. Lines of policies have their own quota (`policy.log_lines_per_second_max`).",
        )
}

fn journal(
    path: &'static str,
    doc: &'static str,
    of: fn(&mut Draft) -> &mut JournalDraft,
) -> Section {
    Section::new(path, doc)
        .key(
            "path",
            OptionalPath,
            move |d| &mut of(d).path,
            "The file that is appended to, in a folder that exists; empty keeps no journal.",
        )
        .key(
            "rotate_bytes",
            bytes(4_096, 1_024 * GIB),
            move |d| &mut of(d).limits.rotate_bytes,
            "The file is rotated before it would grow beyond this.",
        )
        .key(
            "rotate_age_ms",
            MillisOrOff(millis(1_000, 366 * DAY)),
            move |d| &mut of(d).limits.rotate_age,
            "The file is rotated when it is older than this and is written to.",
        )
        .key(
            "keep_files",
            count(0, 100_000),
            move |d| &mut of(d).limits.keep_files,
            "Rotated files that are kept, newest first.",
        )
        .key(
            "queue_lines_max",
            count(1, 100_000_000),
            move |d| &mut of(d).limits.queue_lines_max,
            "Lines that may wait for the disk; beyond it lines are dropped.",
        )
        .key(
            "queue_bytes_max",
            bytes(1, 16 * GIB),
            move |d| &mut of(d).limits.queue_bytes_max,
            "What may wait for the disk; beyond it lines are dropped.",
        )
}

fn alerts() -> Section {
    Section::new("observe.alerts", "When to speak up.")
        .key(
            "latency_max_ms",
            millis(1, MINUTE),
            |d| &mut d.rooms.observe.alerts.latency_max,
            "Admission latency above which an alert is raised.",
        )
        .key(
            "memory_bytes_max",
            BytesOrZero {
                max: 1_024 * 1_024 * GIB,
            },
            |d| &mut d.rooms.observe.alerts.memory_bytes_max,
            "Resident memory above which an alert is raised; 0 for none.",
        )
        .key(
            "stabilise_ms",
            millis(0, HOUR),
            |d| &mut d.rooms.observe.alerts.stabilise,
            "How long a value must be at or below its limit before its alert is cleared.",
        )
}

fn pressure() -> Section {
    Section::new(
        "observe.alerts.pressure",
        "Levels of pressure: the occupancy from which on each holds.",
    )
    .key("info", SHARE, |d| &mut d.pressure.info, "Worth a line.")
    .key(
        "warning",
        SHARE,
        |d| &mut d.pressure.warning,
        "Worth a look.",
    )
    .key(
        "critical",
        SHARE,
        |d| &mut d.pressure.critical,
        "Somebody is about to be evicted.",
    )
    .key(
        "emergency",
        SHARE,
        |d| &mut d.pressure.emergency,
        "There is next to no room.",
    )
    .key(
        "margin",
        SHARE,
        |d| &mut d.pressure.margin,
        "How far below its threshold a level ends.",
    )
}
