//! What reaches a terminal or the log, read from the sources: by which way, and how often.

use std::fmt::Write as _;

use crate::reading::{code, sources};
use crate::tidy::none;

/// Files that name the process's own output. Everything else writes to a `cli::Terminal`, whose writers
/// show what a terminal would act on, or logs.
const OUTPUT: [(&str, &str); 5] = [
    ("host/cli/src/main.rs", "hands it to the `Terminal`"),
    (
        "host/engine/src/policy/load/workshop/child.rs",
        "answers its parent in bytes, by a pipe",
    ),
    (
        "host/gateway/src/observe/logging.rs",
        "hands it to `observe::lines`",
    ),
    (
        "host/cli/src/cli/replay/progress.rs",
        "goes back to the beginning of its line",
    ),
    (
        "host/cli/src/cli/prose.rs",
        "lends it to what draws on it or writes in colours",
    ),
];

/// Rooms whose lines a peer could cause.
const REACHED: [&str; 6] = [
    "host/gateway/src/gateway/",
    "host/gateway/src/connection/",
    "host/gateway/src/admission/",
    "host/gateway/src/manager/",
    "host/gateway/src/cleanup/",
    "host/control/src/admin/",
];

/// How far above a line its throttle may be asked.
const NEAR: usize = 30;

/// Lines in those rooms that no throttle at their place holds back, and what bounds them besides
/// `observe::lines`, which bounds every line: file, a piece of its text, why.
const BOUNDED: [(&str, &str, &str); 7] = [
    (
        "host/gateway/src/gateway/identity/jwt/keys.rs",
        "could not be read",
        "asked once in `identity.jwt.keys_retry_ms`",
    ),
    (
        "host/gateway/src/gateway/upstream/member.rs",
        "upgrades again",
        "one for each failure that was told",
    ),
    (
        "host/gateway/src/gateway/upstream/member.rs",
        "can be reached again",
        "one for each failure that was told",
    ),
    (
        "host/gateway/src/manager/work.rs",
        "closing its manager",
        "an application's fault",
    ),
    (
        "host/gateway/src/manager/work.rs",
        "when its manager ended",
        "an application's fault",
    ),
    (
        "host/gateway/src/cleanup/ask.rs",
        "the ranker panicked",
        "a fault of ours",
    ),
    (
        "host/gateway/src/cleanup/ask.rs",
        "the ranker does not answer",
        "a fault of ours",
    ),
];

#[test]
fn one_writer_stands_before_the_terminal() {
    let mut offences = String::new();
    let names = ["stdout()", "stderr()", "std::io::stderr", "std::io::stdout"];
    for (file, text) in sources(&["host"]) {
        if OUTPUT.iter().any(|(known, _)| *known == file) {
            continue;
        }
        for (number, line) in code(&text) {
            if names.iter().any(|name| line.contains(name)) {
                writeln!(
                    offences,
                    "{file}:{number}: write to the `Terminal` that the verb is given"
                )
                .unwrap();
            }
        }
    }
    none(&offences);
}

#[test]
fn lines_that_a_peer_could_cause_are_throttled_where_they_are_written() {
    let mut offences = String::new();
    let mut met = [false; BOUNDED.len()];
    let mut seen = 0;
    for (file, text) in sources(&["host"]) {
        if !REACHED.iter().any(|room| file.starts_with(room)) || file.contains("tests") {
            continue;
        }
        let lines: Vec<&str> = text.lines().collect();
        for (number, line) in code(&text) {
            let levels = ["tracing::info!", "tracing::warn!", "tracing::error!"];
            if !levels.iter().any(|level| line.contains(level)) {
                continue;
            }
            seen += 1;
            let above = &lines[number.saturating_sub(NEAR)..number];
            let throttled = |line: &&str| line.contains(".pass(") || line.contains(".overdue(");
            if above.iter().any(throttled) {
                continue;
            }
            let behind = lines[number - 1..].iter().take(8).copied();
            let behind: String = behind.collect::<Vec<_>>().join(" ");
            let bounded = BOUNDED
                .iter()
                .position(|(known, part, _)| *known == file && behind.contains(part));
            match bounded {
                Some(at) => met[at] = true,
                None => writeln!(
                    offences,
                    "{file}:{number}: ask an `observe::Throttle` first, and write how many were left out"
                )
                .unwrap(),
            }
        }
    }
    none(&offences);
    assert!(seen > 10, "lines are found: {seen}");
    let unmet = BOUNDED.iter().zip(met).filter(|(_, met)| !met);
    let unmet: Vec<_> = unmet.map(|(bounded, _)| bounded).collect();
    assert!(
        unmet.is_empty(),
        "no exceptions for what is not there: {unmet:?}"
    );
}
