//! From a question that breaks a property to the smallest that still does: fewer rows, plainer
//! values, an ordinary call.
//!
//! Greedy and bounded: every change is tried on the policy itself and kept if the same property is
//! still broken. Not the least of all, but one that a person can read.

use super::generate::Question;
use wastegate_core::types::{Scope, Tier};
use wastegate_engine::policy::call::Input;
use wastegate_engine::policy::{KitFailure, Manifest};

/// Changes that are tried.
const TRIES_MAX: u32 = 2_000;

/// Values that are tried one by one only if there are no more than so many.
const VALUES_MAX: usize = 400;

/// A question and what it breaks.
#[derive(Debug, Clone)]
pub(super) struct Broken {
    pub(super) question: Question,
    pub(super) failure: KitFailure,
}

/// Makes it smaller as long as `judge` still finds the property broken.
pub(super) fn shrink(
    broken: Broken,
    manifest: &Manifest,
    judge: impl Fn(&Question) -> Option<KitFailure>,
) -> Broken {
    let mut shrinker = Shrinker {
        broken,
        judge,
        tries: 0,
    };
    loop {
        let before = shrinker.broken.question.clone();
        shrinker.rows();
        shrinker.call(manifest);
        shrinker.columns();
        shrinker.values();
        // NaN is no reason to go on: bits decide.
        let same = format!("{before:?}") == format!("{:?}", shrinker.broken.question);
        if same || shrinker.tries >= TRIES_MAX {
            return shrinker.broken;
        }
    }
}

struct Shrinker<F> {
    broken: Broken,
    judge: F,
    tries: u32,
}

impl<F: Fn(&Question) -> Option<KitFailure>> Shrinker<F> {
    /// Keeps a change if the property is still broken.
    fn attempt(&mut self, change: impl FnOnce(&mut Question)) -> bool {
        if self.tries >= TRIES_MAX {
            return false;
        }
        let mut question = self.broken.question.clone();
        change(&mut question);
        self.tries += 1;
        match (self.judge)(&question) {
            Some(failure) => {
                self.broken = Broken { question, failure };
                true
            }
            None => false,
        }
    }

    /// Takes rows away, half of them at a time, then fewer.
    fn rows(&mut self) {
        let mut chunk = self.broken.question.input.rows.div_ceil(2);
        while chunk > 0 {
            let mut at = 0;
            while at < self.broken.question.input.rows {
                let gone = self.attempt(|question| remove(&mut question.input, at, chunk));
                if !gone {
                    at += chunk;
                }
                if self.tries >= TRIES_MAX {
                    return;
                }
            }
            chunk /= 2;
        }
    }

    fn call(&mut self, manifest: &Manifest) {
        let rows = self.broken.question.input.rows;
        if manifest.scopes.contains(&Scope::User) {
            self.attempt_new(|input| {
                (input.scope != Scope::User).then(|| input.scope = Scope::User)
            });
        }
        self.attempt_new(|input| (input.tier != Tier::Force).then(|| input.tier = Tier::Force));
        let needed = rows.min(1);
        self.attempt_new(|input| (input.needed != needed).then(|| input.needed = needed));
        let limit = rows.max(1);
        self.attempt_new(|input| (input.limit != limit).then(|| input.limit = limit));
        self.attempt_new(|input| (input.held != rows).then(|| input.held = rows));
        self.attempt_new(|input| (input.now_ms != 0).then(|| input.now_ms = 0));
        self.attempt_new(|input| (input.seed != 0).then(|| input.seed = 0));
        for (index, parameter) in manifest.parameters.iter().enumerate() {
            let value = self.broken.question.params.get(index);
            if value.is_some_and(|value| *value != parameter.default) {
                self.attempt(|question| {
                    if let Some(value) = question.params.get_mut(index) {
                        *value = parameter.default;
                    }
                });
            }
        }
    }

    /// Tries a change of the call, if it is one.
    fn attempt_new(&mut self, change: impl Fn(&mut Input) -> Option<()>) {
        let mut probe = self.broken.question.input.clone();
        if change(&mut probe).is_some() {
            self.attempt(|question| question.input = probe);
        }
    }

    /// Makes whole columns plain: zero, unknown, or counted down.
    fn columns(&mut self) {
        for index in 0..self.broken.question.input.columns.len() {
            let plain: [&dyn Fn(usize, usize) -> f64; 3] =
                [&|_, _| 0.0, &|_, _| f64::NAN, &|row, rows| {
                    f64::from(u32::try_from(rows - row).unwrap_or(u32::MAX))
                }];
            for value in plain {
                let Some(column) = self.broken.question.input.columns.get(index) else {
                    break;
                };
                let rows = column.len();
                let column: Vec<f64> = (0..rows).map(|row| value(row, rows)).collect();
                if self.is_column(index, &column) || self.set_column(index, column) {
                    break;
                }
            }
        }
    }

    fn is_column(&self, index: usize, plain: &[f64]) -> bool {
        let now = self.broken.question.input.columns.get(index);
        now.is_some_and(|now| {
            let bits = |value: &f64| if value.is_nan() { 1 } else { value.to_bits() };
            now.iter().map(bits).eq(plain.iter().map(bits))
        })
    }

    fn set_column(&mut self, index: usize, plain: Vec<f64>) -> bool {
        self.attempt(|question| {
            if let Some(column) = question.input.columns.get_mut(index) {
                *column = plain;
            }
        })
    }

    /// Makes single values plain.
    fn values(&mut self) {
        let columns = &self.broken.question.input.columns;
        if columns.iter().map(Vec::len).sum::<usize>() > VALUES_MAX {
            return;
        }
        let places: Vec<(usize, usize)> = columns
            .iter()
            .enumerate()
            .flat_map(|(column, values)| (0..values.len()).map(move |row| (column, row)))
            .collect();
        for (column, row) in places {
            let now = self.value(column, row);
            for plain in [0.0, 1.0, now.trunc()] {
                if now.to_bits() == plain.to_bits() || now.is_nan() && plain.is_nan() {
                    break;
                }
                let kept = self.attempt(|question| {
                    let column = question.input.columns.get_mut(column);
                    if let Some(value) = column.and_then(|column| column.get_mut(row)) {
                        *value = plain;
                    }
                });
                if kept {
                    break;
                }
            }
        }
    }

    fn value(&self, column: usize, row: usize) -> f64 {
        let columns = &self.broken.question.input.columns;
        let column = columns.get(column);
        column
            .and_then(|column| column.get(row))
            .copied()
            .unwrap_or(0.0)
    }
}

/// Takes some rows out of a question; what is needed of it becomes no more than there are.
fn remove(input: &mut Input, at: u32, count: u32) {
    let end = at.saturating_add(count).min(input.rows);
    for column in &mut input.columns {
        let mut row = 0;
        column.retain(|_| {
            let kept = !(at..end).contains(&row);
            row += 1;
            kept
        });
    }
    input.rows -= end.saturating_sub(at);
    input.needed = input.needed.min(input.rows);
}
