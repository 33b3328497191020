//! Snapshot files, version 1, as fixtures: the same files that `wastegate policy run` and
//! `wastegate policy test` take.
//!
//! Everything but the rows has a default, and the rows stay in their order. A misspelled name is an error here and never an unknown
//! signal. Not here: cases with their expectations, which are for the sandbox.

use std::str::FromStr;

use super::fixture::{Fixture, Manager};
use super::json::{self, Value};
use crate::{DeviceClass, Health, Protection, Scope, Signal, Tier, Unit, Visibility};

/// The version of the format that this reads.
const VERSION: u32 = 1;

const TIERS: [(&str, Tier); 5] = [
    ("proactive", Tier::Proactive),
    ("conservative", Tier::Conservative),
    ("moderate", Tier::Moderate),
    ("aggressive", Tier::Aggressive),
    ("force", Tier::Force),
];

const SCOPES: [(&str, Scope); 2] = [("user", Scope::User), ("node", Scope::Node)];

/// The fixture that a snapshot file describes.
pub(super) fn read(text: &str) -> Result<Fixture, String> {
    let Value::Object(members) = json::read(text)? else {
        return Err("a snapshot is an object with `rows`".to_owned());
    };
    let mut fixture = Fixture::new();
    let (mut limit, mut held) = (None, None);
    let mut rows = None;
    for (name, value) in members {
        match name.as_str() {
            "v" if whole("v", &value) == Ok(VERSION) => {}
            "v" => {
                return Err(format!(
                    "`v` must be {VERSION}, the version that this SDK reads"
                ));
            }
            "tier" => fixture = fixture.tier(word("tier", &value, &TIERS)?),
            "scope" => fixture = fixture.scope(word("scope", &value, &SCOPES)?),
            "needed" => fixture = fixture.needed(whole("needed", &value)?),
            "limit" => limit = Some(whole("limit", &value)?),
            "held" => held = Some(whole("held", &value)?),
            "now_ms" => fixture = fixture.now_ms(whole("now_ms", &value)?),
            "seed" => fixture = fixture.seed(whole("seed", &value)?),
            "rows" => rows = Some(value),
            // For the host's part of a decision, which is not played here.
            "most" => whole::<u32>("most", &value).map(|_| ())?,
            "as_asked" if value == Value::Bool(true) => {}
            other => {
                return Err(format!(
                    "a snapshot has no `{other}`; it has v, tier, scope, needed, most, limit, held, now_ms, seed, as_asked and rows"
                ));
            }
        }
    }
    let rows = match rows {
        Some(Value::List(rows)) => rows,
        Some(other) => return Err(format!("`rows` must be a list, not {}", other.kind())),
        None => return Err("a snapshot needs `rows`, if only an empty list".to_owned()),
    };
    let count = u32::try_from(rows.len()).unwrap_or(u32::MAX);
    let limit = limit.unwrap_or_else(|| count.max(20));
    fixture = fixture.held_of(held.unwrap_or(limit), limit);
    for (number, row) in rows.into_iter().enumerate() {
        let manager = manager(row).map_err(|wrong| format!("row {number}: {wrong}"))?;
        fixture = fixture.manager(manager);
    }
    Ok(fixture)
}

fn manager(row: Value) -> Result<Manager, String> {
    let Value::Object(members) = row else {
        return Err(format!("a row is an object, not {}", row.kind()));
    };
    let mut manager = Manager::default();
    for (name, value) in members {
        if name == "key" {
            manager.key = match value {
                Value::Text(key) => Some(key),
                Value::Null => None,
                other => return Err(format!("`key` must be a text, not {}", other.kind())),
            };
            continue;
        }
        // Which tier would show the row: for the host, which is not asked here.
        if name == "standing" && matches!(value, Value::Text(_)) {
            continue;
        }
        let Some(signal) = Signal::by_name(&name) else {
            let known: Vec<&str> = Signal::ALL.iter().map(|signal| signal.name()).collect();
            return Err(format!(
                "there is no signal `{name}`; known are {}",
                known.join(", ")
            ));
        };
        if let Some(value) = number(signal, value)? {
            manager.signals.push((signal, value));
        }
    }
    Ok(manager)
}

/// A signal's number; none where it is unknown.
fn number(signal: Signal, value: Value) -> Result<Option<f64>, String> {
    let code = |word: &str| match signal {
        Signal::Health => Health::by_name(word).map(Health::to_signal),
        Signal::Protection => Protection::by_name(word).map(Protection::to_signal),
        Signal::Visibility => Visibility::by_name(word).map(Visibility::to_signal),
        Signal::DeviceClass => DeviceClass::by_name(word).map(DeviceClass::to_signal),
        _ => None,
    };
    match value {
        Value::Null => Ok(None),
        Value::Number(number) => Ok(number.parse().ok()),
        Value::Bool(yes) if signal == Signal::TakenOver => Ok(Some(f64::from(u8::from(yes)))),
        Value::Text(word) if signal.unit() == Unit::Code => match code(&word) {
            Some(number) => Ok(Some(number)),
            None => Err(format!("`{}` has no code `{word}`", signal.name())),
        },
        other => Err(format!(
            "`{}` must be a number or null, not {}",
            signal.name(),
            other.kind()
        )),
    }
}

fn word<T: Copy>(name: &str, value: &Value, known: &[(&str, T)]) -> Result<T, String> {
    let words: Vec<&str> = known.iter().map(|(word, _)| *word).collect();
    let found = match value {
        Value::Text(text) => known.iter().find(|(word, _)| word == text),
        _ => None,
    };
    found
        .map(|(_, meaning)| *meaning)
        .ok_or_else(|| format!("`{name}` must be one of {}", words.join(", ")))
}

/// A whole number, as wide as it is stored.
fn whole<T: FromStr>(name: &str, value: &Value) -> Result<T, String> {
    let found = match value {
        Value::Number(number) => number.parse().ok(),
        _ => None,
    };
    found.ok_or_else(|| format!("`{name}` must be a whole number from 0 on"))
}

#[cfg(test)]
mod tests {
    use crate::prelude::*;
    use crate::testing::Fixture;

    manifest! {
        name: "told",
        version: "1.0.0",
        summary: "Ranks by health, then by idle time.",
        scopes: [User, Node],
        signals: { HEALTH: Health, TAKEN_OVER: TakenOver, IDLE: IdleMs },
        parameters: {},
        reasons: { SICK: "sick" },
    }

    struct Told;

    impl Policy for Told {
        const MANIFEST: Manifest = MANIFEST;

        fn rank(call: &Call, rows: &Rows<'_>) -> Result<Vec<Choice>, String> {
            log(Level::Info, &format!("{call:?}"));
            Ok(top_k(rows, rows.len(), |row| {
                let key = [TAKEN_OVER, HEALTH, IDLE].map(|column| row.value(column));
                Some(Bid::new(key, SICK))
            }))
        }
    }

    #[test]
    fn a_snapshot_says_what_the_policy_is_told() {
        let fixture = Fixture::snapshot(
            r#"{ "v": 1, "tier": "aggressive", "scope": "node", "needed": 2, "limit": 30,
                 "held": 29, "most": 3, "now_ms": 5, "seed": 18446744073709551615,
                 "rows": [ { "key": "a", "idle-ms": 9, "health": "alive" },
                           { "idle-ms": 1.5, "health": 5, "rtt-ms": null },
                           { "key": "c", "taken-over": true, "standing": "detached" } ] }"#,
        );
        assert_eq!(fixture.victims::<Told>(), [2, 1, 0]);
        assert_eq!(fixture.victim_keys::<Told>(), ["c", "1", "a"]);
        let (_, told) = crate::testing::take_log().remove(0);
        assert_eq!(
            told,
            "Call { tier: Tier::Aggressive, scope: Scope::Node, needed: 2, limit: 30, held: 29, \
             now_ms: 5, seed: 18446744073709551615, params: [] }"
        );
    }

    #[test]
    fn everything_but_the_rows_has_a_default() {
        assert_eq!(Fixture::snapshot(r#"{"rows": []}"#).victims::<Told>(), []);
        let (_, told) = crate::testing::take_log().remove(0);
        assert_eq!(
            told,
            "Call { tier: Tier::Force, scope: Scope::User, needed: 1, limit: 20, held: 20, \
             now_ms: 1000000, seed: 0, params: [] }"
        );
    }

    #[test]
    fn what_is_wrong_with_a_snapshot_is_told() {
        let cases = [
            ("[]", "a snapshot is an object with `rows`"),
            ("{}", "a snapshot needs `rows`, if only an empty list"),
            (r#"{"rows": 1}"#, "`rows` must be a list, not a number"),
            (
                r#"{"v": 2, "rows": []}"#,
                "`v` must be 1, the version that this SDK reads",
            ),
            (
                r#"{"teir": 1}"#,
                "a snapshot has no `teir`; it has v, tier,",
            ),
            (
                r#"{"tier": "hard"}"#,
                "`tier` must be one of proactive, conservative, moderate,",
            ),
            (r#"{"scope": 1}"#, "`scope` must be one of user, node"),
            (
                r#"{"needed": -1}"#,
                "`needed` must be a whole number from 0 on",
            ),
            (
                r#"{"held": 1.5}"#,
                "`held` must be a whole number from 0 on",
            ),
            (
                r#"{"rows": [{}, 3]}"#,
                "row 1: a row is an object, not a number",
            ),
            (
                r#"{"rows": [{"idle_ms": 3}]}"#,
                "row 0: there is no signal `idle_ms`; known are age-ms,",
            ),
            (
                r#"{"rows": [{"health": "ill"}]}"#,
                "row 0: `health` has no code `ill`",
            ),
            (
                r#"{"rows": [{"idle-ms": "3"}]}"#,
                "row 0: `idle-ms` must be a number or null, not a text",
            ),
            (
                r#"{"rows": [{"key": 3}]}"#,
                "row 0: `key` must be a text, not a number",
            ),
        ];
        for (text, told) in cases {
            let wrong = super::read(text).unwrap_err();
            assert!(wrong.starts_with(told), "{wrong}");
        }
    }
}
