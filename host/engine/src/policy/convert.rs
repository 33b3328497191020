//! Between the contract's types and ours, in one place.
//!
//! Numbers go over as they are; what is refused is refused by `manifest` (what a policy says of
//! itself) and by `decision::guard` (what it answers).

use super::bindings::exports::wastegate::policy::ranker as wit;
use super::bindings::wastegate::policy::types as wit_types;
use super::call::Input;
use super::manifest::{Parameter, RawManifest};
use wastegate_core::decision::{Choice, Question, Ranking, Row};
use wastegate_core::types::{Scope, Signal, Tier};

/// Rows are copied in blocks that stay in the first-level cache while every column reads them.
const BLOCK_ROWS: usize = 32;

/// One column for each signal, in order; position `i` of each is row `i`.
pub(super) fn columns(rows: &[Row], signals: &[Signal]) -> Vec<Vec<f64>> {
    let mut columns: Vec<Vec<f64>> = signals
        .iter()
        .map(|_| Vec::with_capacity(rows.len()))
        .collect();
    for block in rows.chunks(BLOCK_ROWS) {
        for (column, &signal) in columns.iter_mut().zip(signals) {
            column.extend(block.iter().map(|row| row.signals[signal]));
        }
    }
    columns
}

/// What a policy is asked in place of a question: its columns and nothing that names anybody.
pub(super) fn input(question: &Question, signals: &[Signal]) -> Input {
    Input {
        tier: question.tier,
        scope: question.scope,
        needed: question.most,
        limit: question.limit,
        held: question.held,
        now_ms: question.now.millis(),
        seed: question.seed,
        rows: u32::try_from(question.rows.len()).unwrap_or(u32::MAX),
        columns: columns(&question.rows, signals),
    }
}

/// The record that goes over with the columns.
pub(super) fn call(input: &Input, params: &[f64]) -> wit::Call {
    wit::Call {
        tier: match input.tier {
            Tier::Proactive => wit_types::Tier::Proactive,
            Tier::Conservative => wit_types::Tier::Conservative,
            Tier::Moderate => wit_types::Tier::Moderate,
            Tier::Aggressive => wit_types::Tier::Aggressive,
            Tier::Force => wit_types::Tier::Force,
        },
        scope: match input.scope {
            Scope::User => wit_types::Scope::User,
            Scope::Node => wit_types::Scope::Node,
        },
        needed: input.needed,
        limit: input.limit,
        held: input.held,
        now_ms: input.now_ms,
        seed: input.seed,
        params: params.to_vec(),
    }
}

/// An answer, still untrusted.
pub(super) fn ranking(choices: &[wit::Choice]) -> Ranking {
    Ranking {
        choices: choices
            .iter()
            .map(|choice| Choice {
                row: choice.manager,
                score: choice.score,
                reason: choice.reason,
            })
            .collect(),
    }
}

/// What a policy says of itself, still unchecked.
pub(super) fn manifest(manifest: wit::Manifest) -> RawManifest {
    RawManifest {
        name: manifest.name,
        version: manifest.version,
        summary: manifest.summary,
        signals: manifest.signals,
        parameters: manifest.parameters.into_iter().map(parameter).collect(),
        reasons: manifest.reasons,
        scopes: manifest.scopes.into_iter().map(scope).collect(),
    }
}

fn parameter(parameter: wit_types::Parameter) -> Parameter {
    Parameter {
        name: parameter.name,
        default: parameter.default,
        min: parameter.min,
        max: parameter.max,
        doc: parameter.doc,
    }
}

const fn scope(scope: wit_types::Scope) -> Scope {
    match scope {
        wit_types::Scope::User => Scope::User,
        wit_types::Scope::Node => Scope::Node,
    }
}
