//! The weather of the simulation, and what happened in it: a storm in which nothing happens shows nothing.

/// What happens to the nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weather {
    /// Faults of all kinds, and clients that come and go.
    Storm,
    /// Clients only.
    Fair,
    /// Nothing.
    Calm,
}

/// How often what happened.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) entered: u64,
    pub(crate) full: u64,
    pub(crate) taken: u64,
    pub(crate) late: u64,
    pub(crate) lost_answers: u64,
    pub(crate) deaths: u64,
    pub(crate) lost_writes: u64,
    pub(crate) over: u64,
    pub(crate) reasserted: u64,
}

impl Seen {
    fn figures(&mut self) -> [&mut u64; 9] {
        [
            &mut self.entered,
            &mut self.full,
            &mut self.taken,
            &mut self.late,
            &mut self.lost_answers,
            &mut self.deaths,
            &mut self.lost_writes,
            &mut self.over,
            &mut self.reasserted,
        ]
    }

    pub(crate) fn add(&mut self, mut other: Self) {
        let pairs = self.figures().into_iter().zip(other.figures());
        pairs.for_each(|(sum, one)| *sum += *one);
    }

    pub(crate) fn has_everything(mut self, seeds: u64) {
        let all = self;
        for figure in self.figures() {
            assert!(*figure >= seeds / 20, "{all:?}");
        }
    }
}
