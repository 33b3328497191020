//! A call and its rows, described by name.

use crate::bindings::exports::wastegate::policy::ranker::Guest as _;
use crate::bindings::wastegate::policy::types as wire;
use crate::guest::Guest;
use crate::{Choice, Policy, Reason, Scope, Signal, Tier};

/// A call and its rows, from which each policy gets the columns that it declared.
///
/// Starts as a call of the force tier at user scope for one manager, with the limit reached: of
/// 20, unless there are more rows. A signal that a row does not mention is unknown.
///
/// ```
/// # use wastegate_policy::prelude::*;
/// # manifest! {
/// #     name: "oldest", version: "1.0.0", summary: "Doc.", scopes: [User],
/// #     signals: { AGE: AgeMs }, parameters: {}, reasons: { OLD: "old" },
/// # }
/// # struct Oldest;
/// # impl Policy for Oldest {
/// #     const MANIFEST: Manifest = MANIFEST;
/// #     fn rank(call: &Call, rows: &Rows<'_>) -> Result<Vec<Choice>, String> {
/// #         Ok(top_k(rows, call.enough(rows), |row| Some(Bid::new([row.get(AGE)?], OLD))))
/// #     }
/// # }
/// use wastegate_policy::testing::Fixture;
///
/// let fixture = Fixture::new()
///     .needed(2)
///     .row(&[(Signal::AgeMs, 10.0)])
///     .row(&[(Signal::AgeMs, 30.0), (Signal::IdleMs, 1.0)])
///     .row(&[(Signal::IdleMs, 99.0)]);
/// assert_eq!(fixture.victims::<Oldest>(), [1, 0]);
/// ```
#[derive(Clone, Debug)]
pub struct Fixture {
    tier: Tier,
    scope: Scope,
    needed: u32,
    limit: Option<u32>,
    held: Option<u32>,
    now_ms: u64,
    seed: u64,
    params: Vec<(String, f64)>,
    rows: Vec<Manager>,
}

/// One row: what is known of a manager.
#[derive(Clone, Debug, Default)]
pub(super) struct Manager {
    /// A label for whoever reads the test; no policy is told.
    pub(super) key: Option<String>,
    pub(super) signals: Vec<(Signal, f64)>,
}

impl Default for Fixture {
    fn default() -> Self {
        Self::new()
    }
}

impl Fixture {
    /// A call without rows.
    #[must_use]
    pub fn new() -> Self {
        Self {
            tier: Tier::Force,
            scope: Scope::User,
            needed: 1,
            limit: None,
            held: None,
            now_ms: 1_000_000,
            seed: 0,
            params: Vec::new(),
            rows: Vec::new(),
        }
    }

    /// How hard the host is looking for room.
    #[must_use]
    pub fn tier(self, tier: Tier) -> Self {
        Self { tier, ..self }
    }

    /// Whose managers the rows are.
    #[must_use]
    pub fn scope(self, scope: Scope) -> Self {
        Self { scope, ..self }
    }

    /// How many managers have to go.
    #[must_use]
    pub fn needed(self, needed: u32) -> Self {
        Self { needed, ..self }
    }

    /// How many managers the scope holds, and how many it may.
    #[must_use]
    pub fn held_of(self, held: u32, limit: u32) -> Self {
        Self {
            held: Some(held),
            limit: Some(limit),
            ..self
        }
    }

    /// When the decision is made, on the host's clock.
    #[must_use]
    pub fn now_ms(self, now_ms: u64) -> Self {
        Self { now_ms, ..self }
    }

    /// The decision's seed.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// What the operator set a parameter to; others are at their defaults.
    #[must_use]
    pub fn param(mut self, name: &str, value: f64) -> Self {
        self.params.retain(|(other, _)| other != name);
        self.params.push((name.to_owned(), value));
        self
    }

    /// One more manager, of which these signals are known.
    #[must_use]
    pub fn row(self, signals: &[(Signal, f64)]) -> Self {
        self.manager(Manager {
            key: None,
            signals: signals.to_vec(),
        })
    }

    pub(super) fn manager(mut self, manager: Manager) -> Self {
        self.rows.push(manager);
        self
    }

    /// The same call, in which these signals of one row have other values; NaN makes a signal
    /// unknown.
    ///
    /// # Panics
    ///
    /// If there is no such row.
    #[must_use]
    #[track_caller]
    pub fn with(mut self, row: u32, signals: &[(Signal, f64)]) -> Self {
        let rows = self.rows.len();
        let Some(manager) = self.rows.get_mut(row as usize) else {
            panic!("there is no row {row}, there are {rows}");
        };
        for &(signal, value) in signals {
            manager.signals.retain(|(known, _)| *known != signal);
            manager.signals.push((signal, value));
        }
        self
    }

    /// Runs a policy on this call.
    ///
    /// # Errors
    ///
    /// What the policy itself returns as an error.
    ///
    /// # Panics
    ///
    /// If the fixture asks for what the host never does: a parameter that the policy does not have
    /// or a value out of its range.
    #[track_caller]
    pub fn rank<P: Policy>(&self) -> Result<Vec<Choice>, String> {
        let columns = P::MANIFEST
            .signals
            .iter()
            .map(|name| self.column(name))
            .collect();
        let choices = Guest::<P>::rank(self.call::<P>(), columns)?;
        let choice = |choice: wire::Choice| Choice {
            row: choice.manager,
            score: choice.score,
            reason: Reason::at(choice.reason),
        };
        Ok(choices.into_iter().map(choice).collect())
    }

    /// The rows that a policy chooses, the best victim first.
    ///
    /// # Panics
    ///
    /// If the policy returns an error, and where [`rank`](Self::rank) does.
    #[must_use]
    #[track_caller]
    pub fn victims<P: Policy>(&self) -> Vec<u32> {
        match self.rank::<P>() {
            Ok(choices) => choices.into_iter().map(|choice| choice.row).collect(),
            Err(error) => panic!("{} answered with an error: {error}", P::MANIFEST.name),
        }
    }

    /// The keys of the rows that a policy chooses, the best victim first; where a row has none, its
    /// number.
    ///
    /// # Panics
    ///
    /// As [`victims`](Self::victims).
    #[must_use]
    #[track_caller]
    pub fn victim_keys<P: Policy>(&self) -> Vec<String> {
        let key = |row: u32| {
            let manager = self.rows.get(row as usize);
            let key = manager.and_then(|manager| manager.key.clone());
            key.unwrap_or_else(|| row.to_string())
        };
        self.victims::<P>().into_iter().map(key).collect()
    }

    /// The same call with its rows in another order: row `i` becomes what row `order[i]` was.
    pub(super) fn reordered(&self, order: &[u32]) -> Self {
        let row = |&row: &u32| self.rows.get(row as usize).cloned();
        let rows = order.iter().filter_map(row).collect();
        Self {
            rows,
            ..self.clone()
        }
    }

    fn column(&self, name: &str) -> Vec<f64> {
        let value = |row: &Manager| {
            let known = row.signals.iter().find(|(signal, _)| signal.name() == name);
            known.map_or(f64::NAN, |(_, value)| *value)
        };
        self.rows.iter().map(value).collect()
    }

    #[track_caller]
    fn call<P: Policy>(&self) -> wire::Call {
        let manifest = P::MANIFEST;
        for (name, value) in &self.params {
            let Some(parameter) = manifest.parameters.iter().find(|known| known.name == name)
            else {
                panic!("{} has no parameter `{name}`", manifest.name);
            };
            let range = parameter.min..=parameter.max;
            assert!(
                range.contains(value),
                "`{name}` must lie within {range:?}, not {value}"
            );
        }
        let set = |name| self.params.iter().find(|(other, _)| other == name);
        let rows = u32::try_from(self.rows.len()).unwrap_or(u32::MAX);
        let held = self.held.unwrap_or_else(|| rows.max(20));
        wire::Call {
            tier: self.tier,
            scope: self.scope,
            needed: self.needed,
            limit: self.limit.unwrap_or(held),
            held,
            now_ms: self.now_ms,
            seed: self.seed,
            params: manifest
                .parameters
                .iter()
                .map(|parameter| set(parameter.name).map_or(parameter.default, |(_, value)| *value))
                .collect(),
        }
    }
}
