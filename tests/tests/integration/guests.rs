//! Every guest that misbehaves when it is loaded: refused with a sentence that says what to mend,
//! while whoever was in charge stays in charge. Those that load are `sleepers`' matter.

use wastegate::config::PolicySource;
use wastegate::policy::{Params, Pick};
use wastegate_tests::guests::{self, guest, raw};
use wastegate_tests::harness::Setup;
use wastegate_tests::harness::setup::chain;

use crate::sleepers;

const KIT: &str = "the policy did not pass the acceptance kit: ";
const DESCRIBE: &str = "the policy failed when it was asked to describe itself: `describe` has to \
                        return a constant, quickly: ";
const MANIFEST: &str = "the policy's manifest is wrong:\n  ";
const NO_ANSWER: &str = "it gave no answer (user scope, tier proactive, 0 rows): answer there too, \
                         with an empty list if need be: ";
const NO_SUCH_ROW: &str = "choose rows from 0 to one below the length of a column";
const NOT_GRANTED: &str = "the policy imports what policies are not granted:\n  ";
const ONLY_LOG: &str = "\nA policy may import `wastegate:policy/log@1.0.0` and nothing else; Rust \
                        built for `wasm32-unknown-unknown` imports nothing by itself";

/// What each guest is told, as parts that follow each other; `…` stands for what depends on the
/// compiler.
const REFUSED: &[(&str, &[&str])] = &[
    (
        "bad-parameter",
        &[
            MANIFEST,
            "parameter `share`: its default 2 is not within 0 to 1",
        ],
    ),
    (
        "clock-dependent",
        &[
            KIT,
            "with all clocks shifted it answered differently (user scope, tier force, 20 rows): use differences, which the signals are, and not `now-ms` itself",
        ],
    ),
    (
        "describe-spins",
        &[DESCRIBE, "used all of its 10000000 units of fuel"],
    ),
    (
        "describe-traps",
        &[DESCRIBE, "trapped: wasm `unreachable` instruction executed"],
    ),
    (
        "duplicate-signal",
        &[
            MANIFEST,
            "signal `idle-ms` is listed twice; list it once and read its column as often as you like",
        ],
    ),
    (
        "duplicates",
        &[
            KIT,
            "it chose row 0 twice (user scope, tier proactive, 1 rows): name each row once, at its best place",
        ],
    ),
    (
        "errs",
        &[KIT, NO_ANSWER, "refused to rank: this guest never answers"],
    ),
    (
        "foreign-rows",
        &[
            KIT,
            "it chose row 4294967295, which does not exist (user scope, tier proactive, 0 rows): ",
            NO_SUCH_ROW,
        ],
    ),
    (
        "huge-list",
        &[
            KIT,
            NO_ANSWER,
            "asked for more than its 2097152 bytes of memory",
        ],
    ),
    (
        "liar",
        &[
            KIT,
            "it chose row 0, which does not exist (user scope, tier proactive, 0 rows): ",
            NO_SUCH_ROW,
        ],
    ),
    (
        "memory-bomb",
        &[
            KIT,
            NO_ANSWER,
            "asked for more than its 2097152 bytes of memory",
        ],
    ),
    (
        "nan-scores",
        &[
            KIT,
            "it gave row 0 a score that is not a number (user scope, tier proactive, 1 rows): look for a division by zero",
        ],
    ),
    (
        "no-reasons",
        &[
            MANIFEST,
            "it has no reasons; give at least one phrase that says why a manager is chosen",
        ],
    ),
    (
        "over-budget-at-10000",
        &[
            KIT,
            "it runs out of fuel with 10000 rows; the most it can rank is ",
            "…",
            ": do less for each row (compare it with the best so far, not with every other), or raise `policy.fuel_per_row`",
        ],
    ),
    (
        "position-dependent",
        &[
            KIT,
            "the same managers in another order were ranked differently from place 0 on (user scope, tier force, 20 rows): break ties by a value that tells managers apart, such as `idle-ms`, and leave row numbers alone",
        ],
    ),
    (
        "spins",
        &[KIT, NO_ANSWER, "used all of its 20000 units of fuel"],
    ),
    (
        "stack-overflow",
        &[KIT, NO_ANSWER, "trapped: out of bounds memory access"],
    ),
    (
        "traps",
        &[
            KIT,
            NO_ANSWER,
            "trapped: wasm `unreachable` instruction executed",
        ],
    ),
    (
        "unknown-signal",
        &[
            MANIFEST,
            "signal `idle-mss` is unknown to this host; did you mean `idle-ms`?",
        ],
    ),
];

/// The same for files that are no policies at all.
const REFUSED_RAW: &[(&str, &[&str])] = &[
    (
        "empty",
        &["the policy is empty: give the `.wasm` file that the build wrote"],
    ),
    (
        "text",
        &[
            "this is not WebAssembly (it begins with 6e 61 6d 65): give the `.wasm` file that the build wrote",
        ],
    ),
    (
        "core-without-world",
        &[
            "this is a core module that does not say which world it is built for: build it with the wastegate SDK, or add the world with `wasm-tools component embed`",
        ],
    ),
    (
        "component-without-world",
        &[
            "the policy exports nothing that this host could ask: it needs `wastegate:policy/ranker@1.0.0`, and exports nothing",
        ],
    ),
    (
        "wrong-world-version",
        &[
            "the policy was built against wastegate:policy@2.0.0; this host offers 1.0.0: build it with an SDK of version 1",
        ],
    ),
    (
        "forbidden-import",
        &[
            NOT_GRANTED,
            "wasi:sockets/tcp@0.2.0: policies may not open sockets",
            ONLY_LOG,
        ],
    ),
    (
        "unknown-core-import",
        &[
            NOT_GRANTED,
            "env: this host offers nothing of that name",
            ONLY_LOG,
        ],
    ),
    (
        "two-gib-memory",
        &[
            "the policy does not compile within this host's limits: avoid threads, 64-bit memory and more than 64 MiB of memory: ",
            "…",
        ],
    ),
    (
        "start-loops",
        &[DESCRIBE, "used all of its 10000000 units of fuel"],
    ),
    (
        "truncated",
        &[
            "the policy is no valid WebAssembly: build it again, and compare its size and digest if it was copied: unexpected end-of-file (at offset 0x",
            "…",
            ")",
        ],
    ),
    (
        "cwasm-magic",
        &[
            "this is a precompiled `.cwasm`, which would run as native code without a sandbox: give the `.wasm` that it was made from",
        ],
    ),
];

/// Whether a text is made of those parts.
fn consists_of(text: &str, parts: &[&str]) -> bool {
    match parts {
        [] => text.is_empty(),
        ["…"] => !text.is_empty(),
        ["…", next, rest @ ..] => text
            .split_once(next)
            .is_some_and(|(some, text)| !some.is_empty() && consists_of(text, rest)),
        [part, rest @ ..] => text
            .strip_prefix(part)
            .is_some_and(|text| consists_of(text, rest)),
    }
}

#[test]
fn every_guest_is_used() {
    let mut used: Vec<&str> = REFUSED.iter().map(|(name, _)| *name).collect();
    used.extend(sleepers::ACCEPTED);
    used.sort_unstable();
    assert_eq!(used, guests::ALL, "each once");
    let mut files: Vec<&str> = REFUSED_RAW.iter().map(|(name, _)| *name).collect();
    let mut all: Vec<&str> = raw::ALL.iter().map(|(name, _)| *name).collect();
    files.sort_unstable();
    all.sort_unstable();
    assert_eq!(files, all);
}

/// Promise 10: a policy that is not accepted says why, and changes nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_breaks_a_rule_is_refused_with_a_sentence_and_changes_nothing() {
    let server = Setup::new().limit(2).policy("lru").start().await;
    let digest = server.catalog.current().unwrap().about().digest.clone();
    let guests = REFUSED
        .iter()
        .map(|(name, told)| (*name, guest(name).to_vec(), *told));
    let files = REFUSED_RAW.iter().map(|(name, told)| {
        let make = raw::ALL.iter().find(|(known, _)| known == name).unwrap().1;
        (*name, make(), *told)
    });
    for (name, bytes, told) in guests.chain(files) {
        let pick = Pick::Bytes(bytes.into());
        let refused = server.catalog.activate_async(pick, Params::new()).await;
        let text = chain(&refused.unwrap_err());
        assert!(consists_of(&text, told), "{name}: {text}");
        assert_eq!(
            server.catalog.current().unwrap().about().digest,
            digest,
            "{name}"
        );
    }
    let refused = REFUSED.len() + REFUSED_RAW.len();
    let loads = server
        .metric(r#"wastegate_policy_loads_total{result="refused"}"#)
        .await;
    assert_eq!(loads, f64::from(u32::try_from(refused).unwrap()));
    let mut clients = server.fill("ann", 2).await;
    server.enter("ann", "new").await.echo("served").await;
    assert_eq!(clients.remove(0).closed().await, 4001);
}

/// The same at the start: the server does not come up without the policy it was told to use.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_does_not_start_with_a_policy_that_is_refused() {
    let refused = Setup::new().policy_bytes(guest("traps")).try_start().await;
    let text = chain(&refused.err().unwrap());
    assert!(
        consists_of(
            &text,
            &["the policy was not accepted: ", KIT, NO_ANSWER, "…"]
        ),
        "{text}"
    );

    let unknown = Setup::new().policy("lruu").try_start().await;
    let text = chain(&unknown.err().unwrap());
    let told = "there is no policy `lruu` in this host; did you mean `lru`?";
    assert_eq!(text, format!("the policy was not accepted: {told}"));

    let missing = Setup::new().with(|config| {
        config.ranking.source = PolicySource::File("no/such/policy.wasm".into());
    });
    let text = chain(&missing.try_start().await.err().unwrap());
    let told = "cannot read the policy in no/such/policy.wasm (`policy.file`): ";
    assert!(text.starts_with(told), "{text}");
}
