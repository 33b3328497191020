//! Questions about managers that nobody has: the acceptance kit's numbers, as the host would ask.

use wastegate_core::decision::{Question, Row, Standing};
use wastegate_core::types::{
    DecisionId, Health, ManagerId, ManagerKey, Protection, ProtectionReason, Scope, Signal,
    SignalRow, Tier, Timestamp, UserId,
};
use wastegate_engine::policy::kit;

/// When every made-up question is asked.
const NOW: Timestamp = Timestamp::from_millis(1_000_000_000);

/// A question about so many rows, least recently active first. None where a name is refused, which
/// none of these is.
pub(super) fn question(scope: Scope, tier: Tier, rows: u32) -> Option<Question> {
    let user = UserId::new("made-up").ok()?;
    let made = (0..rows).map(|index| row(&user, index, rows));
    let needed = kit::needed(tier, rows);
    Some(Question {
        decision: DecisionId::from_raw(1),
        tier,
        scope,
        needed,
        most: needed,
        limit: rows.max(1),
        held: rows,
        now: NOW,
        seed: 0x5EED,
        rows: made.collect::<Option<_>>()?,
        kept_responsive: Vec::new(),
    })
}

fn row(user: &UserId, index: u32, rows: u32) -> Option<Row> {
    let mut signals = SignalRow::default();
    for &signal in Signal::ALL {
        signals[signal] = kit::value(signal, index, rows);
    }
    let health = signals[Signal::Health];
    let health = Health::ALL.into_iter().find(|known| known.code() == health);
    Some(Row {
        manager: ManagerId::next(),
        user: user.clone(),
        key: ManagerKey::new(&format!("row-{index}")).ok()?,
        last_activity: NOW,
        standing: Standing::Attached,
        health: health.unwrap_or_default(),
        taken_over: signals[Signal::TakenOver] > 0.5,
        protection: if signals[Signal::Protection] > 0.5 {
            Protection::Protected(ProtectionReason::InFlight)
        } else {
            Protection::Evictable
        },
        signals,
        elsewhere: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use wastegate_engine::policy::testing::Guest;

    /// What is timed is what the kit and the fuel model are about.
    #[test]
    fn a_made_up_question_becomes_the_kits_input() {
        let policy = Guest::default().load().unwrap();
        let signals = policy.program().signals();
        for tier in Tier::ALL {
            let question = question(Scope::User, tier, 50).unwrap();
            let input = kit::ordinary(signals, Scope::User, tier, 50);
            assert_eq!(policy.input(&question), input, "{tier}");
        }
    }
}
