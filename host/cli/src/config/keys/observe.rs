//! `[observe]`: log lines, journals, pseudonyms, alerts.

use super::{DAY, GIB, HOUR, MINUTE, Section};
use crate::config::draft::{Draft, JournalDraft};
use crate::config::shape::{
    BytesOrZero, Filter, MillisOrOff, OptionalPath, SHARE, SecretKey, bytes, count, millis, one_of,
};
use wastegate::observe::config::AccessLog;
use wastegate::observe::logging::LogFormat;

pub(super) fn sections() -> Vec<Section> {
    vec![
        section! {
            |d| "observe", "What is recorded about users.";

            /// The secret that ids in journals are hashed with. Without one it is made once and kept
            /// in `policy.rollout.state_dir`, or, without that too, made anew at every start, so that
            /// the records of two runs cannot be joined.
            restart pseudonym_key: SecretKey => d.rooms.observe.pseudonym_key;
        },
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
    section! {
        |d| "observe.log", "Log lines, which go to standard error.";

        /// Which lines are written.
        restart filter: Filter => d.rooms.observe.log.filter;

        /// The format of a line.
        restart format: one_of("format", [
            ("human", LogFormat::Human), ("json", LogFormat::Json),
        ]) => d.rooms.observe.log.format;

        /// One line at the end of each connection: `off`, `hashed` with user and manager as the keyed hashes of
        /// the journals, or `plain` with their names. It has the address, the reason, the close
        /// code if the gateway told one, how long the connection lasted, and the payload each way.
        restart access: one_of("kind of line", [
            ("off", AccessLog::Off), ("hashed", AccessLog::Hashed), ("plain", AccessLog::Plain),
        ]) => d.rooms.observe.log.access;

        /// Lines a second from one place in the code, from `info` upwards. What is beyond that is
        /// counted, and a later line reports the count. Lines of policies have their own quota
        /// (`policy.log_lines_per_second_max`).
        restart repeats_per_s_max: count(1, 1_000_000) => d.rooms.observe.log.repeats_per_s_max;
    }
}

fn journal(
    path: &'static str,
    doc: &'static str,
    of: fn(&mut Draft) -> &mut JournalDraft,
) -> Section {
    section! {
        |d| path,
        doc;

        /// The file that is appended to, in a folder that exists; empty keeps no journal.
        restart path: OptionalPath => of(d).path;

        /// The file is rotated before it would grow beyond this.
        restart rotate_bytes: bytes(4_096, 1_024 * GIB) => of(d).limits.rotate_bytes;

        /// The file is rotated when it is older than this and is written to.
        restart rotate_age_ms: MillisOrOff(millis(1_000, 366 * DAY)) => of(d).limits.rotate_age;

        /// Rotated files that are kept, newest first.
        restart keep_files: count(0, 100_000) => of(d).limits.keep_files;

        /// Lines that may wait for the disk; beyond it lines are dropped.
        restart queue_lines_max: count(1, 100_000_000) => of(d).limits.queue_lines_max;

        /// What may wait for the disk; beyond it lines are dropped.
        restart queue_bytes_max: bytes(1, 16 * GIB) => of(d).limits.queue_bytes_max;
    }
}

fn alerts() -> Section {
    section! {
        |d| "observe.alerts", "When alerts are raised.";

        /// Admission latency above which an alert is raised.
        restart latency_max_ms: millis(1, MINUTE) => d.rooms.observe.alerts.latency_max;

        /// Resident memory above which an alert is raised; 0 for none.
        restart memory_bytes_max: BytesOrZero { max: 1_024 * 1_024 * GIB }
            => d.rooms.observe.alerts.memory_bytes_max;

        /// How long a value must be at or below its limit before its alert is cleared.
        restart stabilise_ms: millis(0, HOUR) => d.rooms.observe.alerts.stabilise;
    }
}

fn pressure() -> Section {
    section! {
        |d| "observe.alerts.pressure",
        "Levels of pressure: the occupancy from which on each holds.";

        /// Worth a line in the log.
        restart info: SHARE => d.pressure.info;

        /// Worth an operator's attention.
        restart warning: SHARE => d.pressure.warning;

        /// Evictions are near.
        restart critical: SHARE => d.pressure.critical;

        /// There is almost no room left.
        restart emergency: SHARE => d.pressure.emergency;

        /// How far below its threshold a level ends.
        restart margin: SHARE => d.pressure.margin;
    }
}
