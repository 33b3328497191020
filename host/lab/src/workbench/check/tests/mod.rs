//! What is told to whoever brings something broken: the whole table, in `broken.txt`, as
//! `wastegate policy check` prints it.

mod inputs;

use std::fmt::Write as _;

use super::*;
use crate::workbench::inspect::inspect;
use wastegate_blessed::is_current;
use wastegate_engine::policy::testing::{Guest, engine};

#[test]
fn each_broken_input_is_refused_in_these_words() {
    let engine = engine();
    let mut report = String::from(
        "Broken inputs to `wastegate policy check`, and what it prints of the step that fails.\n",
    );
    let inputs = inputs::all();
    assert!(inputs.len() >= 40, "{} inputs", inputs.len());
    for (name, bytes, params) in inputs {
        let checkup = check(&engine, &bytes, &params);
        let failed = checkup
            .failed()
            .unwrap_or_else(|| panic!("{name} is taken"));
        write!(report, "\n== {name}\n✗ {failed}\n").unwrap();
        for problem in checkup.problems() {
            writeln!(report, "{problem}").unwrap();
        }
    }
    let name = "host/lab/src/workbench/check/tests/broken.txt";
    is_current(name, "workbench::check", &report);
}

#[test]
fn every_step_has_its_mark() {
    let engine = engine();
    let good = Guest::default().wasm();
    let checkup = check(&engine, &good, &Params::new());
    assert!(checkup.accepted());
    let steps: Vec<Step> = checkup.passed.iter().map(|(step, _)| *step).collect();
    assert_eq!(steps, Step::ALL);
    let text = checkup.to_string();
    assert!(
        text.contains("  ✓ parameters  1 at their defaults\n"),
        "{text}"
    );
    assert!(text.contains("largest 1.2.3 would be taken\n"), "{text}");

    let wasi = r#"(import "env" "f" (func))"#;
    let wants = Guest {
        fields: wasi.to_owned(),
        ..Guest::default()
    };
    let checkup = check(&engine, &wants.wasm(), &Params::new());
    let text = checkup.to_string();
    let begins = "  ✓ format      core module, made a component\n  - world\n  ✗ imports\n      the policy imports";
    assert!(text.contains(begins), "{text}");
    assert!(text.ends_with("  - kit\nit would not be taken\n"), "{text}");
    assert_eq!(checkup.json("x")["steps"][2]["mark"], "not-reached");
}

/// A module whose source has a large static buffer, and nothing else that is unusual.
#[test]
fn p29_what_starts_with_sixteen_mebibytes_is_called_heavy() {
    let engine = engine();
    let large = Guest {
        pages: 256,
        ..Guest::default()
    };
    let checkup = check(&engine, &large.wasm(), &Params::new());
    let text = checkup.to_string();
    let why = "heavy: it starts with more memory than a call about one user's managers gets";
    assert!(text.contains(&format!("would be taken\n  {why}")), "{text}");
    assert!(text.contains("within `policy.heavy.*`\n"), "{text}");
    assert_eq!(checkup.json("x")["weight"]["class"], "heavy");
    let inspection = inspect(&engine, &large.wasm(), &Params::new()).to_string();
    assert!(
        inspection.contains(&format!("  weight      {why}")),
        "{inspection}"
    );

    let small = check(&engine, &Guest::default().wasm(), &Params::new());
    assert!(!small.to_string().contains("heavy"), "{small}");
    assert_eq!(small.json("x")["weight"]["class"], "light");
}

/// The versions of the contract that this host runs besides its own.
#[test]
fn later_minor_versions_are_taken() {
    for version in ["1.0.7", "1.1.0"] {
        let guest = Guest {
            wit: wastegate_engine::policy::testing::WIT.replace("@1.0.0", &format!("@{version}")),
            version: version.to_owned(),
            ..Guest::default()
        };
        let checkup = check(&engine(), &guest.wasm(), &Params::new());
        assert!(checkup.accepted(), "{version}: {checkup}");
    }
}
