//! What is told to whoever brings a policy that is refused: one entry for each guest and file.

pub(super) const KIT: &str = "the policy did not pass the acceptance kit: ";
pub(super) const DESCRIBE: &str = "the policy failed when it was asked to describe itself: `describe`, and \
                        whatever runs before it at the start, has to end quickly, with a constant: ";
pub(super) const MANIFEST: &str = "the policy's manifest is wrong:\n  ";
pub(super) const NO_ANSWER: &str = "it gave no answer (user scope, tier proactive, 0 rows): answer there too, \
                         with an empty list if need be: ";
pub(super) const NO_FUEL: &str = "it gave no answer (user scope, tier proactive, 0 rows): look for a loop that \
                       does not end: ";
pub(super) const NO_MEMORY: &str = "it gave no answer (user scope, tier proactive, 0 rows): keep less for each \
                         row, and nothing that the answer does not need: ";
pub(super) const NO_SUCH_ROW: &str = "choose rows from 0 to one below the length of a column";
pub(super) const NOT_GRANTED: &str = "the policy imports what policies are not granted:\n  ";
pub(super) const ONLY_LOG: &str = "\nA policy may import `wastegate:policy/log@1.0.0` and the stubs of \
                        what a standard library pulls in; Rust built for `wasm32-unknown-unknown` imports nothing by itself";

/// What each guest is told, as parts that follow each other; `…` stands for what depends on the
/// compiler.
pub(super) const REFUSED: &[(&str, &[&str])] = &[
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
            "it chose row 0 twice (user scope, tier proactive, 1 row): name each row once, at its best place",
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
            NO_MEMORY,
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
            NO_MEMORY,
            "asked for more than its 2097152 bytes of memory",
        ],
    ),
    (
        "nan-scores",
        &[
            KIT,
            "it gave row 0 a score that is not a number (user scope, tier proactive, 1 row): look for a division by zero",
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
        &[KIT, NO_FUEL, "used all of its 20000 units of fuel"],
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
pub(super) const REFUSED_RAW: &[(&str, &[&str])] = &[
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
            "the policy exports nothing that this host could ask (- the contract, + this policy):\n  - wastegate:policy/ranker@1.0.0\nBuild it for the world `policy` of `wit/policy.wit`",
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
            "wasi:sockets/tcp@0.2.0: policies may not open sockets; build without them (componentize-py: `--stub-wasi`)",
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
            "the policy does not compile within this host's limits: avoid threads, 64-bit memory, and more memory from the start than `policy.memory_user_bytes`: ",
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
