//! `talkative`: ranks by age, at user scope only, and logs at every level while it does.

use wastegate_policy::prelude::*;

pub struct Talkative;

manifest! {
    name: "talkative",
    version: "1.0.0",
    summary: "Evicts the oldest and talks about it.",
    scopes: [User],
    signals: { AGE: AgeMs, TAKEN_OVER: TakenOver },
    parameters: {
        /// How often it says each of its four lines.
        TIMES: "times" = 1.0 in 0.0..=1_000.0,
        /// 1 makes it answer with an error.
        REFUSE: "refuse" = 0.0 in 0.0..=1.0,
    },
    reasons: { OLD: "old", REPLACED: "replaced" },
}

impl Policy for Talkative {
    const MANIFEST: Manifest = MANIFEST;

    fn rank(call: &Call, rows: &Rows<'_>) -> Result<Vec<Choice>, String> {
        let mut said = 0.0;
        while said < call.param(TIMES) {
            log(Level::Debug, "a debug line");
            log(Level::Info, "an info line");
            log(Level::Warn, "a warning, with an \u{e4} and a \u{1f6d1}");
            log(Level::Error, "");
            said += 1.0;
        }
        if call.param(REFUSE) != 0.0 {
            return Err("told to refuse".to_owned());
        }
        Ok(top_k(rows, call.enough(rows), |row| {
            let (taken_over, reason) = if row.is_set(TAKEN_OVER) {
                (1.0, REPLACED)
            } else {
                (0.0, OLD)
            };
            Some(Bid::new([taken_over, row.value(AGE)], reason).score(row.value(AGE)))
        }))
    }
}

export!(Talkative);
