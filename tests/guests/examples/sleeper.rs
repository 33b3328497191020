//! `sleeper`: lawful wherever the acceptance kit looks (no rows, 1, 20, 1,000, 10,000), and awake
//! with 2 to 19 rows. What it does then is its parameter `dream`.
//!
//! The kit keeps honest mistakes out. This is what it cannot keep out, and what every limit at run
//! time is for.

use wastegate_policy::prelude::*;
use wastegate_policy::{Param, Parameter};
use wastegate_test_guests::{FIXTURE, IDLE, choice, honest, named};

struct Sleeper;

impl Policy for Sleeper {
    const MANIFEST: Manifest = Manifest {
        parameters: &[DREAM_PARAMETER],
        ..named("sleeper")
    };

    fn rank(call: &Call, rows: &Rows<'_>) -> Result<Vec<Choice>, String> {
        if !(2..20).contains(&rows.len()) {
            return Ok(top_k(rows, call.enough(rows), |row| {
                Some(Bid::new([row.value(IDLE)], FIXTURE))
            }));
        }
        match call.param(DREAM) {
            1.0 => panic!("this guest traps when it wakes"),
            2.0 => loop {
                std::hint::spin_loop();
            },
            3.0 => hoard(),
            4.0 => Ok(lie(rows)),
            5.0 => Ok(nonsense(rows)),
            6.0 => Err("this guest refuses when it wakes".to_owned()),
            7.0 => Ok(vec![choice(descend(0))]),
            8.0 => Ok(flood(rows)),
            _ => Ok(honest(rows)),
        }
    }
}

export!(Sleeper);

const DREAM: Param = Param::at(0);

const DREAM_PARAMETER: Parameter = Parameter {
    name: "dream",
    default: 0.0,
    min: 0.0,
    max: 8.0,
    doc: "0 nothing, 1 trap, 2 spin, 3 hoard, 4 lie, 5 NaN, 6 refuse, 7 recurse, 8 repeat.",
};

fn hoard() -> ! {
    let mut hoard = Vec::new();
    loop {
        let mut block = Vec::with_capacity(64 * 1024);
        block.push(1_u8);
        hoard.push(std::hint::black_box(block));
    }
}

/// Two rows that do not exist, and the best one twice.
fn lie(rows: &Rows<'_>) -> Vec<Choice> {
    let honest = honest(rows);
    let beyond = u32::try_from(rows.len()).unwrap_or(u32::MAX);
    let mut choices = vec![choice(beyond), choice(u32::MAX)];
    choices.extend(honest.first().copied());
    choices.extend(honest);
    choices
}

fn nonsense(rows: &Rows<'_>) -> Vec<Choice> {
    let nan = |choice| Choice {
        score: f64::NAN,
        ..choice
    };
    honest(rows).into_iter().map(nan).collect()
}

/// Far more choices than there are rows.
fn flood(rows: &Rows<'_>) -> Vec<Choice> {
    honest(rows).into_iter().cycle().take(100).collect()
}

#[expect(unconditional_recursion, reason = "that is what this dream is about")]
fn descend(depth: u32) -> u32 {
    let frame = std::mem::MaybeUninit::<[u8; 4_096]>::uninit();
    let deeper = descend(std::hint::black_box(depth).wrapping_add(1));
    std::hint::black_box(&frame);
    deeper
}
