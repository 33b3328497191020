//! A policy within another: it reads its own columns and parameters, and speaks in its own reasons.
//!
//! Columns are borrowed, not copied, unless only some of the rows are shown to it.

use std::ops::Range;

use super::merge::{LIST_MAX, Names};
use crate::{Call, Choice, Column, Manifest, Policy, Reason, Rows};

/// Where a policy's own things are among those of the whole.
pub(super) struct Inner {
    columns: [usize; LIST_MAX],
    signals: usize,
    params: (usize, usize),
    reasons: [u16; LIST_MAX],
}

impl Inner {
    /// Of a policy whose parameters begin at `first_param` of the whole's.
    #[expect(clippy::indexing_slicing, reason = "evaluated while compiling")]
    pub(super) const fn of(
        manifest: &Manifest,
        signals: &Names,
        reasons: &Names,
        first_param: usize,
    ) -> Self {
        let mut inner = Self {
            columns: [0; LIST_MAX],
            signals: manifest.signals.len(),
            params: (first_param, first_param + manifest.parameters.len()),
            reasons: [0; LIST_MAX],
        };
        let (mut rest, mut at) = (manifest.signals, 0);
        while let [name, more @ ..] = rest {
            if let Some(column) = signals.position(name) {
                inner.columns[at] = column;
            }
            (rest, at) = (more, at + 1);
        }
        let (mut rest, mut at) = (manifest.reasons, 0);
        while let [phrase, more @ ..] = rest {
            if let Some(reason) = reasons.position(phrase) {
                inner.reasons[at] = reason as u16;
            }
            (rest, at) = (more, at + 1);
        }
        inner
    }

    /// Asks the policy about all rows.
    pub(super) fn ask<P: Policy>(
        &self,
        call: &Call,
        rows: &Rows<'_>,
    ) -> Result<Vec<Choice>, String> {
        self.rank::<P>(call, &self.columns(rows))
    }

    /// Asks the policy about some rows, as if there were no others.
    pub(super) fn ask_about<P: Policy>(
        &self,
        call: &Call,
        rows: &Rows<'_>,
        some: &[u32],
    ) -> Result<Vec<Choice>, String> {
        let of_some = |column: &[f64]| -> Vec<f64> {
            let value = |row: &u32| column.get(*row as usize).copied().unwrap_or(f64::NAN);
            some.iter().map(value).collect()
        };
        let columns: Vec<Vec<f64>> = self.columns(rows).into_iter().map(of_some).collect();
        let columns: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
        let mut choices = self.rank::<P>(call, &columns)?;
        for choice in &mut choices {
            // A row that there is not stays one that there is not.
            choice.row = some.get(choice.row as usize).copied().unwrap_or(u32::MAX);
        }
        Ok(choices)
    }

    fn columns<'a>(&self, rows: &Rows<'a>) -> Vec<&'a [f64]> {
        let own = self.columns.iter().take(self.signals);
        own.map(|&at| rows.column(Column::at(at))).collect()
    }

    fn rank<P: Policy>(&self, call: &Call, columns: &[&[f64]]) -> Result<Vec<Choice>, String> {
        let rows = Rows::new(columns, self.signals)?;
        let mut choices = P::rank(&call.narrowed(self.params()), &rows)?;
        for choice in &mut choices {
            let reason = self.reasons.get(usize::from(choice.reason.index()));
            choice.reason = Reason::at(reason.copied().unwrap_or(u16::MAX));
        }
        Ok(choices)
    }

    fn params(&self) -> Range<usize> {
        let (from, to) = self.params;
        from..to
    }
}
