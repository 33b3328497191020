//! Asks the standard library for what a sandbox should not have, and answers what it got as the
//! score of its one choice. Built for `wasm32-wasip2`, where that becomes imports of WASI.
//!
//! What it asks for is the parameter `question`; with 0, the default, it is an ordinary policy, so
//! that it passes the acceptance kit.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it is here to do what the host forbids itself"
)]

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::io::Read as _;
use std::time::{Duration, Instant, SystemTime};

use wastegate_policy::prelude::*;

/// Asks, and tells.
#[derive(Debug)]
pub struct Std;

manifest! {
    name: "std",
    version: env!("CARGO_PKG_VERSION"),
    summary: "Answers what the standard library told it.",
    scopes: [User],
    signals: { IDLE: IdleMs },
    parameters: {
        /// Which question, from 1; 0 ranks by idle time.
        QUESTION: "question" = 0.0 in 0.0..=100.0,
    },
    reasons: { TOLD: "told" },
}

impl Policy for Std {
    const MANIFEST: Manifest = MANIFEST;

    fn rank(call: &Call, rows: &Rows<'_>) -> Result<Vec<Choice>, String> {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a small whole number"
        )]
        let question = call.param(QUESTION) as u32;
        if question == 0 {
            // A map with random keys, so that the ordinary answer takes randomness and must not
            // depend on it.
            let idle: HashMap<u32, f64> = rows
                .iter()
                .map(|row| (row.index(), row.value(IDLE)))
                .collect();
            return Ok(top_k(rows, call.enough(rows), |row| {
                Some(Bid::new([*idle.get(&row.index())?], TOLD))
            }));
        }
        let score = answer(question)?;
        Ok(top_k(rows, 1, |_| Some(Bid::new([score], TOLD))))
    }
}

export!(Std);

/// What it got. Numbers that tests know.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts and milliseconds, far below 2^53"
)]
fn answer(question: u32) -> Result<f64, String> {
    Ok(match question {
        1 => std::env::vars().count() as f64,
        2 => std::env::args().count() as f64,
        3 => {
            let mut input = Vec::new();
            std::io::stdin()
                .read_to_end(&mut input)
                .map_err(|error| error.to_string())? as f64
        }
        4 => SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_err(|error| error.to_string())?
            .as_millis() as f64,
        5 => Instant::now().elapsed().as_nanos() as f64,
        // Two maps, so that two numbers have to differ.
        6 => f64::from(RandomState::new().hash_one(1) != RandomState::new().hash_one(1)),
        // 32 bits of it are exact.
        7 => (RandomState::new().hash_one(1) >> 32) as f64,
        8 => {
            println!("first\nsecond");
            print!("third, unfinished");
            eprintln!("a warning");
            8.0
        }
        9 => {
            std::thread::sleep(Duration::from_millis(1));
            9.0
        }
        10 => std::process::exit(3),
        11 => f64::from(std::fs::read("/etc/passwd").is_err()),
        12 => f64::from(std::env::current_dir().is_err()),
        13 => panic!("on purpose"),
        14 => {
            for line in 0..1_000 {
                println!("line {line}");
            }
            14.0
        }
        other => return Err(format!("no question {other}")),
    })
}
