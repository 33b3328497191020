//! Files that no server should take, each broken in its own way.

use wastegate_engine::policy::Params;
use wastegate_engine::policy::manifest::{Parameter, RawManifest};
use wastegate_engine::policy::testing::{Guest, LOOP, WIT};

/// A name, a file, and what the operator sets.
type Input = (&'static str, Vec<u8>, Params);

/// All of them, in the order of the steps.
pub(super) fn all() -> Vec<Input> {
    let mut inputs = Vec::new();
    for (name, bytes) in [files(), worlds(), types(), imports(), running(), kit()].concat() {
        inputs.push((name, bytes, Params::new()));
    }
    for (name, manifest) in manifests() {
        inputs.push((name, manifest.wasm(), Params::new()));
    }
    let set = |pairs: &[(&str, f64)]| {
        let pairs = pairs.iter().map(|&(name, value)| (name.to_owned(), value));
        pairs.collect::<Params>()
    };
    let good = Guest::default().wasm();
    inputs.push(("parameter: mistyped", good.clone(), set(&[("wieght", 0.5)])));
    inputs.push((
        "parameter: out of range",
        good.clone(),
        set(&[("weight", 1.5)]),
    ));
    inputs.push(("parameter: NaN", good, set(&[("weight", f64::NAN)])));
    let none = Guest::says(|manifest| manifest.parameters.clear()).wasm();
    inputs.push(("parameter: of none", none, set(&[("weight", 0.5)])));
    inputs
}

type Named = Vec<(&'static str, Vec<u8>)>;

fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

fn files() -> Named {
    let good = Guest::default().wasm();
    let cut = |at: usize| good.iter().copied().take(at).collect::<Vec<u8>>();
    let mut flipped = good.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0x40;
    vec![
        ("file: larger than allowed", vec![0; (24 << 20) + 1]),
        ("file: empty", Vec::new()),
        ("file: WebAssembly text", b"(module)\n".to_vec()),
        ("file: native code", b"\x7fELF\x02\x01\x01\0".to_vec()),
        ("file: gzip", b"\x1f\x8b\x08\0\0\0\0\0".to_vec()),
        ("file: zip", b"PK\x03\x04\x14\0".to_vec()),
        ("file: HTML", b"<!DOCTYPE html><html>404</html>".to_vec()),
        ("file: JSON", b"{\"schemaVersion\": 2}".to_vec()),
        (
            "file: Git LFS",
            b"version https://git-lfs.github.com/spec/v1\n".to_vec(),
        ),
        ("file: object library", b"!<arch>\n/".to_vec()),
        ("file: source code", b"fn main() {}\n".to_vec()),
        ("file: garbage", vec![0xde, 0xad, 0xbe, 0xef, 0, 1, 2, 3]),
        ("file: cut off in the header", cut(6)),
        ("file: cut off after the header", cut(20)),
        ("file: cut off in the middle", cut(good.len() / 2)),
        ("file: cut off before its last byte", cut(good.len() - 1)),
        ("file: a bit is wrong", flipped),
        (
            "file: WebAssembly of another version",
            b"\0asm\x02\0\0\0".to_vec(),
        ),
    ]
}

fn worlds() -> Named {
    let version = |version: &str| Guest {
        wit: WIT.replace("@1.0.0", &format!("@{version}")),
        version: version.to_owned(),
        ..Guest::default()
    };
    let exports = |fields: &str| Guest {
        fields: fields.to_owned(),
        ..Guest::default()
    };
    let other_names = Guest {
        version: "1.0.1".to_owned(),
        ..Guest::default()
    };
    // A world of the same package that exports nothing.
    let empty = Guest {
        wit: WIT.replace("    export ranker;\n", ""),
        ..exports("")
    };
    let command = r#"(component (instance $i) (export "wasi:cli/run@0.2.6" (instance $i)))"#;
    let near = r#"(component (instance $i)
        (export "wastegate:policy/rank@1.0.0" (instance $i))
        (export "wastegate:policies/ranker@1.0.0" (instance $i)))"#;
    vec![
        ("world: a core module without one", Guest::default().bare()),
        ("world: an empty core module", wat("(module)")),
        ("world: an empty component", wat("(component)")),
        ("world: a command", wat(command)),
        ("world: names nearly right", wat(near)),
        ("world: one that exports no ranker", empty.wasm()),
        ("world: version 0.9", version("0.9.0").wasm()),
        ("world: version 2.0", version("2.0.0").wasm()),
        ("world: exports of another version", other_names.wasm()),
    ]
}

fn types() -> Named {
    let differs = |from: &str, to: &str| {
        assert!(WIT.contains(from), "{from}");
        let guest = Guest {
            wit: WIT.replace(from, to),
            ..Guest::default()
        };
        guest.wasm()
    };
    let lacks = |functions: &str| {
        wat(&format!(
            r#"(component {functions} (export "wastegate:policy/ranker@1.0.0" (instance $i)))"#
        ))
    };
    let describes = Guest {
        wit: WIT.replace("rank: func(call: call,", "order: func(call: call,"),
        fields: r#"(func (export "wastegate:policy/ranker@1.0.0#order")
            (param i32 i32 i32 i32 i32 i64 i64 i32 i32 i32 i32) (result i32) unreachable)"#
            .to_owned(),
        ..Guest::default()
    };
    vec![
        ("types: neither function", lacks("(instance $i)")),
        ("types: a function by another name", describes.wasm()),
        (
            "types: a field more",
            differs("reason: u16,", "reason: u16,\n weight: f32,"),
        ),
        ("types: a field less", differs("        reason: u16,\n", "")),
        (
            "types: an argument less",
            differs("        seed: u64,\n", ""),
        ),
        (
            "types: a field renamed",
            differs("held: u32,", "holds: u32,"),
        ),
        (
            "types: a field of another type",
            differs("score: f64,", "score: f32,"),
        ),
        (
            "types: fields in another order",
            swapped("manager: u32,", "score: f64,"),
        ),
        (
            "types: cases in another order",
            swapped("        moderate,", "        aggressive,"),
        ),
        (
            "types: a case renamed",
            differs("        force,\n", "        forced,\n"),
        ),
        ("types: a case less", differs("        proactive,\n", "")),
        (
            "types: another signature",
            differs("-> result<list<choice>, string>", "-> list<choice>"),
        ),
    ]
}

/// The contract with two lines in each other's place.
fn swapped(one: &str, other: &str) -> Vec<u8> {
    let marked = WIT.replace(one, "MARK").replace(other, one);
    let guest = Guest {
        wit: marked.replace("MARK", other),
        ..Guest::default()
    };
    guest.wasm()
}

fn imports() -> Named {
    let component = |name: &str| {
        wat(&format!(
            r#"(component (import "{name}" (instance)) (instance $i)
                (export "wastegate:policy/ranker@1.0.0" (instance $i)))"#
        ))
    };
    let module = |module: &str| {
        let guest = Guest {
            fields: format!(r#"(import "{module}" "f" (func))"#),
            ..Guest::default()
        };
        guest.wasm()
    };
    vec![
        ("import: sockets", component("wasi:sockets/tcp@0.2.6")),
        ("import: files", component("wasi:filesystem/types@0.2.6")),
        (
            "import: HTTP",
            component("wasi:http/outgoing-handler@0.2.6"),
        ),
        (
            "import: another host's function",
            component("acme:geo/lookup@1.0.0"),
        ),
        (
            "import: a log of another version",
            component("wastegate:policy/log@2.0.0"),
        ),
        (
            "import: WASI of the first preview",
            module("wasi_snapshot_preview1"),
        ),
        ("import: env", module("env")),
        ("import: another module", module("acme")),
    ]
}

fn running() -> Named {
    let describe = |body: &str| Guest {
        describe: body.to_owned(),
        ..Guest::default()
    };
    let memory = |pages| Guest {
        pages,
        ..Guest::default()
    };
    let shared = Guest {
        fields: "(memory $shared 1 1 shared)".to_owned(),
        ..Guest::default()
    };
    let start = Guest {
        start: Some("(loop $again (br $again))".to_owned()),
        ..Guest::default()
    };
    vec![
        (
            "compile: too much memory from the start",
            memory(2_000).wasm(),
        ),
        ("compile: shared memory", shared.wasm()),
        ("describe: traps", describe("(unreachable)").wasm()),
        ("describe: loops", describe(LOOP).wasm()),
        (
            "describe: eats memory",
            describe("(drop (call $alloc (i32.const 100000000))) (global.get $manifest)").wasm(),
        ),
        (
            "describe: points outside",
            describe("(i32.const 0x7ffffff0)").wasm(),
        ),
        ("describe: a start function loops", start.wasm()),
    ]
}

fn parameter(name: &str, default: f64, min: f64, max: f64) -> Parameter {
    Parameter {
        name: name.to_owned(),
        default,
        min,
        max,
        doc: String::new(),
    }
}

fn manifests() -> Vec<(&'static str, Guest)> {
    let says = |change: &dyn Fn(&mut RawManifest)| Guest::says(change);
    let ranged =
        |default, min, max| says(&|m| m.parameters = vec![parameter("share", default, min, max)]);
    vec![
        ("manifest: name", says(&|m| m.name = "My Policy".to_owned())),
        ("manifest: no name", says(&|m| m.name.clear())),
        ("manifest: version", says(&|m| m.version = "1.0".to_owned())),
        (
            "manifest: summary too long",
            says(&|m| m.summary = "x".repeat(513)),
        ),
        (
            "manifest: unknown signal",
            says(&|m| m.signals = vec!["idle-mss".to_owned()]),
        ),
        (
            "manifest: signal twice",
            says(&|m| {
                m.signals = vec!["age-ms".to_owned(), "age-ms".to_owned()];
            }),
        ),
        ("manifest: default out of range", ranged(2.0, 0.0, 1.0)),
        ("manifest: range the wrong way round", ranged(0.5, 1.0, 0.0)),
        ("manifest: infinite range", ranged(0.5, 0.0, f64::INFINITY)),
        ("manifest: default NaN", ranged(f64::NAN, 0.0, 1.0)),
        ("manifest: range NaN", ranged(0.5, f64::NAN, 1.0)),
        (
            "manifest: parameter name",
            says(&|m| m.parameters[0].name = "Weight".to_owned()),
        ),
        (
            "manifest: parameter twice",
            says(&|m| {
                m.parameters = vec![m.parameters[0].clone(); 2];
            }),
        ),
        (
            "manifest: too many parameters",
            says(&|m| {
                m.parameters = (0..65)
                    .map(|number| parameter(&format!("p{number}"), 0.5, 0.0, 1.0))
                    .collect();
            }),
        ),
        ("manifest: no reasons", says(&|m| m.reasons.clear())),
        (
            "manifest: an empty reason",
            says(&|m| m.reasons = vec![" ".to_owned()]),
        ),
        (
            "manifest: a reason too long",
            says(&|m| m.reasons = vec!["x".repeat(513)]),
        ),
        ("manifest: no scopes", says(&|m| m.scopes.clear())),
        (
            "manifest: several things",
            says(&|m| {
                m.name.clear();
                m.version.clear();
                m.scopes.clear();
            }),
        ),
    ]
}

/// One choice, in front of whatever follows.
fn one(row: &str, score: &str, reason: &str, len: u32) -> Vec<u8> {
    let guest = Guest::ranks(&format!(
        "(local $out i32)
        (local.set $out (call $alloc (i32.const 96)))
        (i32.store (local.get $out) {row})
        (f64.store offset=8 (local.get $out) {score})
        (i32.store16 offset=16 (local.get $out) {reason})
        (call $answer (local.get $out)
            (i32.mul (i32.const {len}) (i32.ne (call $rows (local.get $columns)) (i32.const 0))))"
    ));
    guest.wasm()
}

fn kit() -> Named {
    let (zero, score) = ("(i32.const 0)", "(f64.const 1)");
    let ranks = |body: &str| Guest::ranks(body).wasm();
    let nothing = "(call $answer (i32.const 0) (i32.const 0))";
    let when = |rows: u32, then: &str| {
        ranks(&format!(
            "(if (i32.ge_u (call $rows (local.get $columns)) (i32.const {rows})) (then {then})) {nothing}"
        ))
    };
    let nan = format!(
        "(local $first f64)
        (if (call $rows (local.get $columns)) (then
            (local.set $first (f64.load (i32.load (local.get $columns))))
            (if (f64.ne (local.get $first) (local.get $first)) (then (unreachable)))))
        {nothing}"
    );
    let burn = "(local.set $needed (i32.const 5000000))
        (loop $burn (local.set $needed (i32.sub (local.get $needed) (i32.const 1)))
            (br_if $burn (local.get $needed)))";
    vec![
        ("kit: traps", ranks("(unreachable)")),
        ("kit: loops", ranks(LOOP)),
        ("kit: traps on unknown values", ranks(&nan)),
        ("kit: too much fuel for many rows", when(10_000, burn)),
        (
            "kit: too much memory",
            when(20, "(drop (call $alloc (i32.const 100000000)))"),
        ),
        (
            "kit: too long an answer",
            ranks("(call $answer (call $alloc (i32.const 8000)) (i32.const 300))"),
        ),
        (
            "kit: a row that does not exist",
            one("(i32.const 99999)", score, zero, 1),
        ),
        ("kit: a row twice", one(zero, score, zero, 2)),
        (
            "kit: a score that is no number",
            one(zero, "(f64.const nan)", zero, 1),
        ),
        (
            "kit: a reason that is not declared",
            one(zero, score, "(i32.const 3)", 1),
        ),
        ("kit: row numbers matter", one(zero, score, zero, 1)),
        (
            "kit: the clock matters",
            one(zero, "(f64.convert_i64_u (local.get $now))", zero, 1),
        ),
    ]
}
