//! What authors do in a new project: the change of the guide, and unit tests in other languages.

use std::fs;

use wastegate_core::types::Signal;
use wastegate_tests::harness::program::python;

use crate::cli::PROGRAM;
use crate::reading::root;
use crate::scaffolding::{run, succeeds, told};

/// The guide's own change (step 3, visibility first) passes the commands that the guide names. A row that
/// is better than all before it is the dearest for the SDK, and the budget is enough for that.
#[test]
fn p30_the_policy_of_the_guide_has_fuel_for_every_order() {
    let folder = tempfile::tempdir().unwrap();
    succeeds(folder.path(), PROGRAM, &["policy", "new", "my-policy"]);
    let project = folder.path().join("my-policy");
    let guide = fs::read_to_string(root().join("policies/README.md")).unwrap();
    let (_, step) = guide.split_once("**3. Change it.**").unwrap();
    let (step, _) = step.split_once("**4. Test it**").unwrap();
    let file = project.join("src/lib.rs");
    let mut source = fs::read_to_string(&file).unwrap();
    let mut changes = 0;
    for block in step.split("```diff\n").skip(1) {
        let (block, _) = block.split_once("```").unwrap();
        let side = |sign: char| {
            let lines = block.lines().filter_map(|line| line.strip_prefix(sign));
            lines.collect::<Vec<_>>().join("\n")
        };
        let (old, new) = (side('-'), side('+'));
        assert!(source.contains(&old), "the guide takes away:\n{old}");
        source = source.replace(&old, &new);
        changes += 1;
    }
    assert_eq!(changes, 2);
    fs::write(&file, source).unwrap();

    let built = succeeds(&project, PROGRAM, &["policy", "build"]);
    let file = told(&built, "file ").to_owned();
    let checked = succeeds(&project, PROGRAM, &["policy", "check", &file]);
    let sentence = "of the budget; it does not run out at any number of rows\n";
    assert!(checked.ends_with(sentence), "{checked}");
    let fuzzed = succeeds(&project, PROGRAM, &["policy", "fuzz", &file]);
    assert!(fuzzed.contains("and nothing broke"), "{fuzzed}");

    // With half the budget both say so, and neither speaks of a loop.
    let half = ["--set", "policy.fuel_per_row=900"];
    let checked = succeeds(
        &project,
        PROGRAM,
        &[&["policy", "check", &file], &half[..]].concat(),
    );
    let (_, end) = checked.rsplit_once("of the budget; ").unwrap();
    assert!(end.starts_with("it runs out from about "), "{checked}");
    let fuzz = [&["policy", "fuzz", &file], &half[..]].concat();
    let (code, fuzzed, _) = run(&project, PROGRAM, &fuzz);
    assert_eq!(code, Some(1), "{fuzzed}");
    assert!(fuzzed.contains("raise `policy.fuel_per_row`"), "{fuzzed}");
    assert!(!fuzzed.contains("loop"), "{fuzzed}");
}

/// Unit tests of projects in other languages run without a sandbox and without anything to install.
#[test]
fn new_projects_have_unit_tests_that_run_in_plain_c_node_and_python() {
    let folder = tempfile::tempdir().unwrap();
    for lang in ["c", "js", "python"] {
        succeeds(
            folder.path(),
            PROGRAM,
            &["policy", "new", &format!("in-{lang}"), "--lang", lang],
        );
    }
    let project = |lang: &str| folder.path().join(format!("in-{lang}"));

    let sources = ["test/policy_test.c", "src/policy.c", "src/wastegate.c"];
    let flags = [
        "-std=c11",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-o",
        "build-test",
    ];
    succeeds(&project("c"), "cc", &[&flags[..], &sources].concat());
    assert_eq!(succeeds(&project("c"), "./build-test", &[]), "2 passed\n");

    let tests = succeeds(&project("js"), "node", &["--test"]);
    assert!(
        tests.contains("pass 2") && tests.contains("fail 0"),
        "{tests}"
    );

    let python = python();
    let (code, _, complaints) = run(
        &project("python"),
        python.to_str().unwrap(),
        &["-m", "unittest"],
    );
    assert_eq!(code, Some(0), "{complaints}");
    assert!(complaints.contains("Ran 2 tests"), "{complaints}");
}

/// The types that a project in JavaScript has for its editor name every signal that there is.
#[test]
fn the_types_for_javascript_have_every_signal() {
    let folder = tempfile::tempdir().unwrap();
    succeeds(
        folder.path(),
        PROGRAM,
        &["policy", "new", "j", "--lang", "js"],
    );
    let types = fs::read_to_string(folder.path().join("j/src/wastegate.d.ts")).unwrap();
    let (_, list) = types.split_once("export type Signal =").unwrap();
    let (list, _) = list.split_once(';').unwrap();
    let named: Vec<&str> = list.split('"').skip(1).step_by(2).collect();
    let known: Vec<&str> = Signal::ALL.iter().map(|signal| signal.name()).collect();
    assert_eq!(named, known);
}
