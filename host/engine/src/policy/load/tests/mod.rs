//! Every way in which loading can fail, with its sentence in full.

mod heavy;
mod manifest;

use super::*;
use crate::policy::testing::{Guest, WIT, config, engine};
use crate::policy::{Config, HeavySettings};
use wastegate_core::types::time::Clock;

fn refusal(bytes: &[u8]) -> String {
    refused(bytes).to_string()
}

fn refused(bytes: &[u8]) -> LoadError {
    policy(&engine(), bytes, &Params::new()).unwrap_err()
}

fn component(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

#[test]
fn a_good_guest_becomes_a_policy() {
    let bytes = Guest::default().wasm();
    let policy = policy(&engine(), &bytes, &Params::new()).unwrap();
    assert_eq!(&*policy.about().name, "largest");
    assert_eq!(&*policy.about().version, "1.2.3");
    assert_eq!(policy.about().digest, digest(&bytes));
    assert_eq!(**policy.params(), [0.5]);
    assert_eq!(policy.report().breaking_point, None);
}

#[test]
fn a_component_is_taken_as_it_is() {
    let module = Guest::default().wasm();
    let component = format::component(&module, &mut |_| {}).unwrap();
    let policy = policy(&engine(), &component, &Params::new()).unwrap();
    assert_eq!(policy.about().digest, digest(&component));
}

#[tokio::test]
async fn loading_leaves_the_serving_thread_alone() {
    let bytes = Guest::default().wasm().into();
    let policy = policy_async(engine(), bytes, Params::new()).await.unwrap();
    assert_eq!(&*policy.about().name, "largest");
}

#[test]
fn the_digest_is_sha_256_in_hex() {
    assert_eq!(
        &*digest(b"abc"),
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
}

#[test]
fn files_that_are_no_policy_each_have_their_sentence() {
    let sentences = [
        (
            &b""[..],
            "the policy is empty: give the `.wasm` file that the build wrote",
        ),
        (
            b"\n(module)",
            "this is WebAssembly text, not a binary: translate it with `wasm-tools parse`",
        ),
        (
            b"\x7fELF\x02\x01",
            "this is a precompiled `.cwasm`, which would run as native code without a sandbox: give the `.wasm` that it was made from",
        ),
        (
            b"MZ\x90\x00....",
            "this is not WebAssembly (it begins with 4d 5a 90 00): give the `.wasm` file that the build wrote",
        ),
        (
            b"\0asm\x01\0\0\0\x01",
            "the policy is no valid WebAssembly: build it again, and compare its size and digest if it was copied",
        ),
    ];
    for (bytes, sentence) in sentences {
        assert_eq!(refusal(bytes), sentence);
    }
}

#[test]
fn a_large_file_is_refused_before_it_is_looked_at() {
    let small = Config {
        size_bytes_max: 100,
        heavy: HeavySettings {
            size_bytes_max: 99,
            ..HeavySettings::default()
        },
        ..config()
    };
    let engine = Engine::new(small, Clock::system()).unwrap();
    let error = policy(&engine, &[0; 101], &Params::new()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the policy has 101 bytes and at most 100 are accepted: build it for size and strip it, or raise `policy.size_bytes_max`"
    );
}

#[test]
fn a_core_module_has_to_name_its_world() {
    assert_eq!(
        refusal(&Guest::default().bare()),
        "this is a core module that does not say which world it is built for: build it with the wastegate SDK, or add the world with `wasm-tools component embed`"
    );
}

#[test]
fn a_core_module_has_to_keep_to_its_world() {
    let guest = Guest {
        version: "1.0.1".to_owned(),
        ..Guest::default()
    };
    assert_eq!(
        refusal(&guest.wasm()),
        "this core module does not export what the world that it is built for asks (- the world, + this module):
  - wastegate:policy/ranker@1.0.0#describe
  - wastegate:policy/ranker@1.0.0#rank
  + wastegate:policy/ranker@1.0.1#describe
  + wastegate:policy/ranker@1.0.1#rank
Build it again with the SDK of one version"
    );
}

#[test]
fn imports_are_refused_by_name_and_in_words() {
    let ranker = r#"(instance $i) (export "wastegate:policy/ranker@1.0.0" (instance $i))"#;
    let guest = component(&format!(
        r#"(component
            (import "wasi:sockets/tcp@0.2.6" (instance))
            (import "wasi:clocks/wall-clock@0.3.0" (instance))
            (import "wastegate:policy/log@2.1.0" (instance))
            (import "acme:geo/lookup@1.0.0" (instance))
            (import "wastegate:policy/log@1.4.0" (instance))
            {ranker})"#
    ));
    assert_eq!(
        refusal(&guest),
        "the policy imports what policies are not granted:
  wasi:sockets/tcp@0.2.6: policies may not open sockets; build without them (componentize-py: `--stub-wasi`)
  wasi:clocks/wall-clock@0.3.0: policies own no clock; the moment of the decision is `now-ms` of the call, and what the stub of version 0.2 tells
  wastegate:policy/log@2.1.0: this host offers `log` of version 1 only
  acme:geo/lookup@1.0.0: this host offers nothing of that name
A policy may import `wastegate:policy/log@1.0.0` and the stubs of what a standard library pulls in; Rust built for `wasm32-unknown-unknown` imports nothing by itself"
    );
}

#[test]
fn a_module_that_wants_wasi_is_told_how_to_do_without() {
    let guest = Guest {
        fields: r#"(import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))"#
            .to_owned(),
        ..Guest::default()
    };
    assert_eq!(
        refusal(&guest.wasm()),
        "the policy imports what policies are not granted:
  wasi_snapshot_preview1: a core module gets no WASI; build for `wasm32-unknown-unknown`, or make a component of it
A policy may import `wastegate:policy/log@1.0.0` and the stubs of what a standard library pulls in; Rust built for `wasm32-unknown-unknown` imports nothing by itself"
    );
}

#[test]
fn a_component_of_another_world_is_told_what_is_missing() {
    assert_eq!(
        refusal(&component("(component)")),
        "the policy exports nothing that this host could ask (- the contract, + this policy):
  - wastegate:policy/ranker@1.0.0
Build it for the world `policy` of `wit/policy.wit`"
    );
    let other = r#"(component (instance $i) (export "wasi:cli/run@0.2.6" (instance $i)))"#;
    assert_eq!(
        refusal(&component(other)),
        "the policy exports nothing that this host could ask (- the contract, + this policy):
  - wastegate:policy/ranker@1.0.0
  + wasi:cli/run@0.2.6
Build it for the world `policy` of `wit/policy.wit`"
    );
}

#[test]
fn another_version_of_the_contract_is_named() {
    let guest = Guest {
        wit: WIT.replace("@1.0.0", "@2.0.0"),
        version: "2.0.0".to_owned(),
        ..Guest::default()
    };
    assert_eq!(
        refusal(&guest.wasm()),
        "the policy was built against wastegate:policy@2.0.0; this host offers 1.0.0: build it with an SDK of version 1"
    );
}

#[test]
fn types_that_differ_are_shown_side_by_side() {
    let guest = Guest {
        wit: WIT.replace("reason: u16,", "reason: u16,\n weight: f32,"),
        ..Guest::default()
    };
    assert_eq!(
        refusal(&guest.wasm()),
        "the policy's interface differs from wastegate:policy@1.0.0 (- the contract, + this policy):
  types.choice:
    + weight: f32
Build it against the `wit/policy.wit` of this host"
    );
}

#[test]
fn a_missing_function_is_shown() {
    let lacks =
        r#"(component (instance $i) (export "wastegate:policy/ranker@1.0.0" (instance $i)))"#;
    assert_eq!(
        refusal(&component(lacks)),
        "the policy's interface differs from wastegate:policy@1.0.0 (- the contract, + this policy):
  ranker.describe:
    - func() -> manifest
  ranker.rank:
    - func(call: call, columns: list<list<f64>>) -> result<list<choice>, string>
Build it against the `wit/policy.wit` of this host"
    );
}

#[test]
fn what_does_not_compile_within_the_limits_is_refused() {
    let guest = Guest {
        pages: 2_000,
        ..Guest::default()
    };
    assert_eq!(
        refusal(&guest.wasm()),
        "the policy does not compile within this host's limits: avoid threads, 64-bit memory, and more memory from the start than `policy.memory_user_bytes`"
    );
}
