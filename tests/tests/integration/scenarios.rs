//! The table of scenarios in `tests/README.md` tells the truth.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;

use crate::reading::{code, root, sources, word};
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

#[test]
fn the_table_of_scenarios_is_complete_and_true() {
    let readme = fs::read_to_string(root().join("tests/README.md")).unwrap();
    let tests: BTreeSet<String> = sources(&["host/src", "tests/src", "tests/tests", "tests/sim"])
        .iter()
        .flat_map(|(_, text)| {
            let names = code(text).filter_map(|(_, line)| Some(word(line.split_once("fn ")?.1)));
            names.collect::<Vec<_>>()
        })
        .collect();
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
                let own = name.rsplit("::").next().unwrap();
                if !tests.contains(own) {
                    writeln!(offences, "tests/README.md: {id}: there is no test `{name}`").unwrap();
                }
            }
        }
    }
    none(&offences);
}
