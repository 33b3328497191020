//! What a policy says of itself, and what the operator sets.

use super::*;
use crate::policy::manifest::Parameter;
use crate::policy::testing::LOOP;
use wastegate_core::types::chain;

#[test]
fn describe_is_called_under_limits() {
    let describe = |body: &str| {
        let guest = Guest {
            describe: body.to_owned(),
            ..Guest::default()
        };
        chain(&refused(&guest.wasm()))
    };
    let sentence = "the policy failed when it was asked to describe itself: `describe`, and whatever runs before it at the start, has to end quickly, with a constant";
    assert_eq!(
        describe(LOOP),
        format!("{sentence}: used all of its 10000000 units of fuel")
    );
    assert_eq!(
        describe("(unreachable)"),
        format!("{sentence}: trapped: wasm `unreachable` instruction executed")
    );
    assert_eq!(
        describe("(drop (call $alloc (i32.const 100000000))) (global.get $manifest)"),
        format!("{sentence}: asked for more than its 2097152 bytes of memory")
    );
    assert_eq!(
        describe("(i32.const 0x7ffffff0)"),
        format!("{sentence}: trapped: pointer out of bounds of memory")
    );
}

#[test]
fn every_mistake_in_a_manifest_is_told_at_once() {
    let guest = Guest::says(|manifest| {
        manifest.name = "My Policy".to_owned();
        manifest.version = "1.0".to_owned();
        manifest.summary = "x".repeat(513);
        manifest.signals = ["idle-mss", "age-ms", "age-ms"].map(str::to_owned).to_vec();
        let parameter = |name: &str, default, min, max| Parameter {
            name: name.to_owned(),
            default,
            min,
            max,
            doc: String::new(),
        };
        manifest.parameters = vec![
            parameter("a", 2.0, 0.0, 1.0),
            parameter("a", 0.5, 1.0, 0.0),
            parameter("b-", 0.5, 0.0, f64::INFINITY),
        ];
        manifest.reasons = vec![" ".to_owned()];
        manifest.scopes = Vec::new();
    });
    assert_eq!(
        refusal(&guest.wasm()),
        "the policy's manifest is wrong:
  `My Policy` cannot be the name of a policy: use lower case words joined by hyphens, at most 64 bytes
  `1.0` is no version: write `major.minor.patch`, for example `1.0.0`
  the summary has 513 bytes; at most 512 are allowed
  signal `idle-mss` is unknown to this host; did you mean `idle-ms`?
  signal `age-ms` is listed twice; list it once and read its column as often as you like
  parameter `a`: its default 2 is not within 0 to 1
  parameter `a` is declared twice; give each its own name
  parameter `a`: its range 1 to 0 must be finite, smallest first
  `b-` cannot be the name of a parameter: use lower case words joined by hyphens, at most 64 bytes
  parameter `b-`: its range 0 to inf must be finite, smallest first
  reason 0 is empty; say in a few words why a manager is chosen
  it has no scopes; name `user`, `node` or both"
    );
    let guest = Guest::says(|manifest| {
        manifest.reasons = Vec::new();
        manifest.parameters = vec![manifest.parameters[0].clone(); 65];
    });
    let sentences = refusal(&guest.wasm());
    assert!(sentences.contains("\n  it has 65 parameters; at most 64 are allowed\n"));
    assert!(sentences.ends_with(
        "\n  it has no reasons; give at least one phrase that says why a manager is chosen"
    ));
}

#[test]
fn parameters_are_the_operators_within_their_ranges() {
    let engine = engine();
    let program = program(&engine, &Guest::default().wasm()).unwrap();
    let set = |pairs: &[(&str, f64)]| {
        let params = pairs.iter().map(|&(name, value)| (name.to_owned(), value));
        ready(program.clone(), &params.collect())
    };
    assert_eq!(**set(&[("weight", 0.25)]).unwrap().params(), [0.25]);
    assert_eq!(
        set(&[("wieght", 0.5), ("weight", 1.5)])
            .unwrap_err()
            .to_string(),
        "the policy's parameters are wrong:
  it has no parameter `wieght`; did you mean `weight`?
  `weight` = 1.5 is out of range; it may be from 0 to 1"
    );
    assert!(set(&[("weight", f64::NAN)]).is_err());
    let none = Guest::says(|manifest| manifest.parameters.clear()).wasm();
    let params = Params::from([("weight".to_owned(), 1.0)]);
    assert_eq!(
        policy(&engine, &none, &params).unwrap_err().to_string(),
        "the policy's parameters are wrong:\n  it has no parameters, so `weight` cannot be set"
    );
}
