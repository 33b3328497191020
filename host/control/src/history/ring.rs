//! The last steps of every series.

use std::collections::VecDeque;

use super::series::{PerSeries, Series};

/// Steps, the oldest of which make room. It grows up to its size, so a process that starts pays nothing.
#[derive(Debug)]
pub(super) struct Ring {
    steps: VecDeque<PerSeries<f64>>,
    steps_max: usize,
}

impl Ring {
    pub(super) const fn new(steps_max: usize) -> Self {
        Self {
            steps: VecDeque::new(),
            steps_max,
        }
    }

    pub(super) fn push(&mut self, step: PerSeries<f64>) {
        if self.steps.len() >= self.steps_max {
            self.steps.pop_front();
        }
        self.steps.push_back(step);
    }

    /// A series, oldest first.
    pub(super) fn of(&self, series: Series) -> Vec<f64> {
        self.steps.iter().map(|step| step[series]).collect()
    }

    /// The last values of a series.
    pub(super) fn last(&self, series: Series, steps: usize) -> impl Iterator<Item = f64> {
        let newest_first = self.steps.iter().rev().take(steps);
        newest_first.map(move |step| step[series])
    }
}
