//! What the rings have a list of.

use std::ops::Index;

/// One list of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Series {
    /// Connections attached to managers at the end of a step.
    Connections,
    /// Managers held at the end of a step.
    Managers,
    /// Users who hold one at the end of a step.
    Users,
    /// Clients that wait for a slot at the end of a step.
    Queued,
    /// Admissions that were admitted in a step.
    Admitted,
    /// Admissions that were refused in a step.
    Refused,
    /// Managers whose eviction was complete in a step.
    Evicted,
    /// Those of them whose client answered our Close.
    LiveKills,
    /// Descriptors open, read every ten seconds.
    OpenFds,
    /// Resident memory, bytes, read every ten seconds.
    RssBytes,
}

impl Series {
    /// How many there are.
    pub const COUNT: usize = Self::ALL.len();
    /// Every series, in the order of the variants.
    pub const ALL: [Self; 10] = [
        Self::Connections,
        Self::Managers,
        Self::Users,
        Self::Queued,
        Self::Admitted,
        Self::Refused,
        Self::Evicted,
        Self::LiveKills,
        Self::OpenFds,
        Self::RssBytes,
    ];

    /// Its name in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::Managers => "managers",
            Self::Users => "users",
            Self::Queued => "queued",
            Self::Admitted => "admitted",
            Self::Refused => "refused",
            Self::Evicted => "evicted",
            Self::LiveKills => "live_kills",
            Self::OpenFds => "open_fds",
            Self::RssBytes => "rss_bytes",
        }
    }

    /// Whether its values are what happened within a step, so that those of several steps add up.
    #[must_use]
    pub const fn counts(self) -> bool {
        matches!(
            self,
            Self::Admitted | Self::Refused | Self::Evicted | Self::LiveKills
        )
    }
}

/// One value a series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct PerSeries<T>([T; Series::COUNT]);

impl<T> PerSeries<T> {
    pub(super) fn of(value: impl FnMut(Series) -> T) -> Self {
        Self(Series::ALL.map(value))
    }
}

impl<T> Index<Series> for PerSeries<T> {
    type Output = T;

    #[expect(clippy::indexing_slicing, reason = "there is a place for each variant")]
    fn index(&self, series: Series) -> &T {
        &self.0[series as usize]
    }
}
