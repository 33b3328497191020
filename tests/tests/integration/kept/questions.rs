//! The questions that are kept beside the binaries, as the engine wants them.

use serde_json::Value;
use wastegate_core::types::{Scope, Signal, Tier};
use wastegate_engine::policy::Params;
use wastegate_engine::policy::call::Input;

/// One question with everything that is known of its rows.
pub(super) struct Question {
    pub(super) name: String,
    pub(super) scope: Scope,
    value: Value,
}

impl Question {
    pub(super) fn all(file: &Value) -> Vec<Self> {
        let one = |value: &Value| Self {
            name: value["name"].as_str().unwrap().to_owned(),
            scope: scope(&value["scope"]),
            value: value.clone(),
        };
        file.as_array().unwrap().iter().map(one).collect()
    }

    /// What the question sets of a policy's parameters.
    pub(super) fn params(&self, policy: &str) -> Params {
        let set = self.value["params"][policy].as_object();
        set.into_iter()
            .flatten()
            .map(|(name, value)| (name.clone(), value.as_f64().unwrap()))
            .collect()
    }

    /// What a policy that reads these signals is asked; what a row does not mention is unknown.
    pub(super) fn input(&self, signals: &[Signal]) -> Input {
        let rows = self.value["rows"].as_array().unwrap();
        let number = |key: &str| self.value[key].as_u64().unwrap();
        let count = |key: &str| u32::try_from(number(key)).unwrap();
        let column = |signal: &Signal| {
            let known = |row: &Value| row.get(signal.name()).map(|value| value.as_f64().unwrap());
            rows.iter()
                .map(|row| known(row).unwrap_or(f64::NAN))
                .collect()
        };
        Input {
            tier: tier(&self.value["tier"]),
            scope: self.scope,
            needed: count("needed"),
            limit: count("limit"),
            held: count("held"),
            now_ms: number("now-ms"),
            seed: number("seed"),
            rows: u32::try_from(rows.len()).unwrap(),
            columns: signals.iter().map(column).collect(),
        }
    }
}

fn tier(name: &Value) -> Tier {
    let named = |tier: &&Tier| Some(tier.name()) == name.as_str();
    *Tier::ALL.iter().find(named).unwrap()
}

fn scope(name: &Value) -> Scope {
    let named = |scope: &&Scope| Some(scope.name()) == name.as_str();
    *[Scope::User, Scope::Node].iter().find(named).unwrap()
}
