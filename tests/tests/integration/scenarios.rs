//! The two tables of `tests/README.md`: scenarios, kept by hand and checked, and field cases, read
//! from the names of the tests.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;

use crate::reading::{code, room_of, root, sources, word};
use crate::tidy::none;

/// Every scenario that has to have a test.
const SCENARIOS: [(&str, &[u8]); 7] = [
    ("L", &[1, 2, 3, 4, 8, 9, 10, 12, 13]),
    ("T", &[1, 2, 3, 4, 6, 7, 9, 10, 12, 14, 15]),
    ("Z", &[1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 14]),
    ("R", &[1, 2, 3, 4, 6, 7, 9, 11, 12, 14, 16, 18, 19]),
    ("D", &[1, 2, 6, 7, 9, 10, 11, 12, 13, 14, 16, 17, 18]),
    ("M", &[1, 2, 3, 5, 10, 11, 12]),
    ("U", &[2, 3, 4, 5, 6, 8, 9]),
];

/// Every field case that has to have a test, by its letter: the first and the last of each run of
/// numbers.
const FIELD_CASES: [(char, &[(u8, u8)]); 4] = [
    (
        'w',
        &[(1, 15), (20, 24), (30, 35), (40, 46), (50, 67), (70, 84)],
    ),
    ('s', &[(1, 36)]),
    ('j', &[(1, 30)]),
    ('p', &[(1, 30)]),
];

/// What stands around the table of field cases.
const BEGIN: &str =
    "<!-- field cases: WASTEGATE_BLESS=1 cargo test -p wastegate-tests field_case -->\n";
const END: &str = "<!-- end of field cases -->\n";

/// The functions of a file by name.
fn functions(text: &str) -> impl Iterator<Item = String> {
    code(text).filter_map(|(_, line)| Some(word(line.split_once("fn ")?.1)))
}

#[test]
fn the_table_of_scenarios_is_complete_and_true() {
    let readme = fs::read_to_string(root().join("tests/README.md")).unwrap();
    let tests: BTreeSet<(String, String)> = sources(&[
        "host",
        "tests/src",
        "tests/tests",
        "tests/attacks",
        "tests/sim",
    ])
    .iter()
    .flat_map(|(path, text)| {
        let module = module(path);
        functions(text)
            .map(move |name| (module.clone(), name))
            .collect::<Vec<_>>()
    })
    .collect();
    // A file may have its tests in a module of its own.
    let is_there = |path: &str| {
        let (module, own) = path.rsplit_once("::").unwrap_or(("", path));
        let outer = module.strip_suffix("::tests").unwrap_or(module);
        [module, outer].iter().any(|module| {
            let test = ((*module).to_owned(), own.to_owned());
            tests.contains(&test)
        })
    };
    let rows = readme.lines().filter_map(|line| {
        let (id, tests) = line.strip_prefix("| ")?.split_once(" | ")?;
        Some((id.to_owned(), tests.to_owned()))
    });
    let rows: Vec<(String, String)> = rows.collect();
    let mut offences = String::new();
    for (letter, numbers) in SCENARIOS {
        for number in numbers {
            let id = format!("{letter}{number}");
            let row = rows.iter().find(|(known, _)| *known == id);
            let Some((_, named)) = row else {
                writeln!(offences, "tests/README.md: no row for {id}").unwrap();
                continue;
            };
            let names: Vec<&str> = named.split('`').skip(1).step_by(2).collect();
            if names.is_empty() {
                writeln!(offences, "tests/README.md: {id} names no test").unwrap();
            }
            for name in names {
                if !is_there(name) {
                    writeln!(offences, "tests/README.md: {id}: there is no test `{name}`").unwrap();
                }
            }
        }
    }
    none(&offences);
}

/// A test says which field cases it is about by the beginning of its name: `w56_w57_…`. The table
/// is made of that. With `WASTEGATE_BLESS=1` it is written.
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "how to bless is asked of whoever runs the test"
)]
fn every_field_case_has_a_test_and_a_row() {
    let tests = tests_of_field_cases();
    let mut offences = String::new();
    let mut table = String::from("| id | tests |\n| --- | --- |\n");
    for (letter, runs) in FIELD_CASES {
        let wanted = runs.iter().flat_map(|(first, last)| *first..=*last);
        for number in wanted {
            let id = format!("{letter}{number:02}");
            let Some(tests) = tests.get(&id) else {
                writeln!(offences, "no test has a name that begins with {id}_").unwrap();
                continue;
            };
            let tests: Vec<String> = tests.iter().map(|test| format!("`{test}`")).collect();
            writeln!(table, "| {} | {} |", id.to_uppercase(), tests.join(", ")).unwrap();
        }
    }
    none(&offences);

    let path = root().join("tests/README.md");
    let readme = fs::read_to_string(&path).unwrap();
    let (before, rest) = readme.split_once(BEGIN).expect("the table has a beginning");
    let (known, after) = rest.split_once(END).expect("the table has an end");
    if std::env::var_os("WASTEGATE_BLESS").is_some() {
        fs::write(path, format!("{before}{BEGIN}{table}{END}{after}")).unwrap();
        return;
    }
    assert!(
        known == table,
        "the table of field cases is not what the names of the tests say:\n\n    \
         WASTEGATE_BLESS=1 cargo test -p wastegate-tests --test integration field_case\n"
    );
}

/// The tests by the field cases that their names begin with, as `module::name`.
fn tests_of_field_cases() -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (path, text) in sources(&["host", "tests/tests", "tests/attacks", "tests/sim"]) {
        for name in functions(&text) {
            for id in name.split('_').take_while(|part| is_case(part)) {
                let test = format!("{}::{name}", module(&path));
                found.entry(id.to_owned()).or_default().insert(test);
            }
        }
    }
    found
}

fn is_case(part: &str) -> bool {
    let mut letters = part.chars();
    letters
        .next()
        .is_some_and(|letter| letter.is_ascii_lowercase())
        && part.len() == 3
        && letters.all(|letter| letter.is_ascii_digit())
}

/// The module of a file of tests, as the tables name it.
fn module(path: &str) -> String {
    let path = path.trim_end_matches(".rs").trim_end_matches("/mod");
    let path = match room_of(path) {
        Some((_, _, inner)) => format!("host/{inner}"),
        None => path
            .trim_start_matches("tests/tests/integration/")
            .to_owned(),
    };
    path.replace('/', "::")
}
