//! The managers to rank, as a policy reads them: one row each, one column a declared signal.
//!
//! Columns are read through the constants that [`manifest!`](crate::manifest!) declares, never by
//! position, and an undeclared signal cannot be named at all. Nothing is copied.

use crate::Column;

/// The managers to rank. Row `i` is the host's manager `i` of this call; the least recently active
/// comes first.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    columns: &'a [&'a [f64]],
    len: usize,
}

/// One manager.
///
/// ```
/// # use wastegate_policy::prelude::*;
/// # use wastegate_policy::testing::Fixture;
/// # manifest! {
/// #     name: "doc", version: "1.0.0", summary: "Doc.", scopes: [User],
/// #     signals: { DETACHED: DetachedMs, TAKEN_OVER: TakenOver, HEALTH: Health },
/// #     parameters: {}, reasons: { GONE: "gone" },
/// # }
/// # struct Doc;
/// # impl Policy for Doc {
/// #     const MANIFEST: Manifest = MANIFEST;
/// #     fn rank(_: &Call, rows: &Rows<'_>) -> Result<Vec<Choice>, String> {
/// #         Ok(top_k(rows, rows.len(), bid))
/// #     }
/// # }
/// fn bid(row: Row<'_>) -> Option<Bid<2>> {
///     // A code, as an enum.
///     if Health::from_signal(row.value(HEALTH)) == Health::Alive {
///         return None;
///     }
///     // `get` is `None` where the host does not know; `?` leaves such a row out.
///     let detached = row.get(DETACHED)?;
///     let replaced = if row.is_set(TAKEN_OVER) { 1.0 } else { 0.0 };
///     Some(Bid::new([replaced, detached], GONE))
/// }
/// # let fixture = Fixture::new()
/// #     .row(&[(Signal::DetachedMs, 9.0)])
/// #     .row(&[(Signal::DetachedMs, 9.0), (Signal::Health, Health::Alive.to_signal())])
/// #     .row(&[(Signal::TakenOver, 1.0)])
/// #     .row(&[(Signal::DetachedMs, 1.0), (Signal::TakenOver, 1.0)]);
/// # assert_eq!(fixture.victims::<Doc>(), [3, 0]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    columns: &'a [&'a [f64]],
    index: usize,
}

impl<'a> Rows<'a> {
    /// Checks that the host sent what it promises to: every declared column, all equally long.
    ///
    /// The sentences are fixed ones: formatting a number would double the size of a small policy.
    pub(crate) fn new(columns: &'a [&'a [f64]], declared: usize) -> Result<Self, &'static str> {
        if columns.len() != declared {
            return Err("the host sent another number of columns than there are signals");
        }
        let len = columns.first().map_or(0, |column| column.len());
        if columns.iter().any(|column| column.len() != len) {
            return Err("the host sent columns of different lengths");
        }
        Ok(Self { columns, len })
    }

    /// How many managers there are to rank.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is nobody to rank.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// A whole column, one number a row, NaN where unknown.
    #[must_use]
    pub fn column(&self, column: Column) -> &'a [f64] {
        self.columns
            .get(column.index())
            .copied()
            .unwrap_or_default()
    }

    /// The rows in the order in which they came: the least recently active first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Row<'a>> + ExactSizeIterator + use<'a> {
        let columns = self.columns;
        (0..self.len).map(move |index| Row { columns, index })
    }
}

impl Row<'_> {
    /// The number by which the host knows this manager in this call.
    #[must_use]
    pub fn index(&self) -> u32 {
        // The host counts rows in a `u32` itself, so this never saturates.
        u32::try_from(self.index).unwrap_or(u32::MAX)
    }

    /// A signal's value, NaN where unknown.
    #[must_use]
    pub fn value(&self, column: Column) -> f64 {
        self.columns
            .get(column.index())
            .and_then(|column| column.get(self.index))
            .copied()
            .unwrap_or(f64::NAN)
    }

    /// A signal's value, `None` where unknown.
    #[must_use]
    pub fn get(&self, column: Column) -> Option<f64> {
        let value = self.value(column);
        (!value.is_nan()).then_some(value)
    }

    /// Whether a signal is known and not zero; for yes-or-no signals such as `taken-over`.
    #[must_use]
    pub fn is_set(&self, column: Column) -> bool {
        self.get(column).is_some_and(|value| value != 0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Column = Column::at(0);
    const SECOND: Column = Column::at(1);

    #[test]
    fn unknown_is_none_and_not_zero() {
        let columns: [&[f64]; 2] = [&[1.0, f64::NAN, 0.0], &[4.0, 5.0, 6.0]];
        let rows = Rows::new(&columns, 2).unwrap();
        let read: Vec<_> = rows
            .iter()
            .map(|row| (row.index(), row.get(FIRST)))
            .collect();
        assert_eq!(read, [(0, Some(1.0)), (1, None), (2, Some(0.0))]);
        assert_eq!(
            rows.iter().map(|row| row.is_set(FIRST)).collect::<Vec<_>>(),
            [true, false, false]
        );
        assert_eq!(rows.column(SECOND), [4.0, 5.0, 6.0]);
    }

    #[test]
    fn a_host_that_breaks_the_contract_is_told_so() {
        let ragged: [&[f64]; 2] = [&[1.0, 2.0], &[1.0]];
        assert!(
            Rows::new(&ragged, 2)
                .unwrap_err()
                .contains("different lengths")
        );
        assert!(
            Rows::new(&ragged, 3)
                .unwrap_err()
                .contains("another number of columns")
        );
    }
}
