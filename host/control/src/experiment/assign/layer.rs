//! Layers: experiments that may not meet share one, and each owns a slice of its users.

use super::hash::{HashVersion, place};

/// A slice [from, to) of a layer (GrowthBook's namespace).
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    name: String,
    from: f64,
    to: f64,
}

/// A slice that cannot be.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("a layer's range is 0 <= from < to <= 1, not {from} to {to}")]
pub struct BadLayer {
    from: f64,
    to: f64,
}

impl Layer {
    /// The slice of that layer.
    ///
    /// # Errors
    /// [`BadLayer`] unless 0 ≤ from < to ≤ 1.
    pub fn new(name: &str, from: f64, to: f64) -> Result<Self, BadLayer> {
        let sound = 0.0 <= from && from < to && to <= 1.0;
        sound
            .then(|| Self {
                name: name.to_owned(),
                from,
                to,
            })
            .ok_or(BadLayer { from, to })
    }

    /// The layer's name; experiments of one layer share no user.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it begins and ends.
    #[must_use]
    pub const fn range(&self) -> (f64, f64) {
        (self.from, self.to)
    }

    /// Whether a unit is in the slice.
    #[must_use]
    pub fn holds(&self, unit: &str) -> bool {
        let place = place(HashVersion::V1, &format!("__{}", self.name), unit);
        self.from <= place && place < self.to
    }

    /// Whether both claim a user.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.name == other.name && self.from < other.to && other.from < self.to
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_official_cases() {
        let holds = |unit, name, from, to| Layer::new(name, from, to).unwrap().holds(unit);
        assert!(holds("3", "namespace1", 0.4, 1.0));
        assert!(holds("3", "namespace2", 0.0, 0.4));
        assert!(!holds("1", "namespace1", 0.0, 0.4));
        assert!(holds("1", "namespace1", 0.4, 1.0));
    }

    #[test]
    fn slices_of_one_layer_meet_or_do_not() {
        let slice = |name, from, to| Layer::new(name, from, to).unwrap();
        assert!(!slice("a", 0.0, 0.5).overlaps(&slice("a", 0.5, 1.0)));
        assert!(slice("a", 0.0, 0.5).overlaps(&slice("a", 0.4, 0.6)));
        assert!(!slice("a", 0.0, 0.5).overlaps(&slice("b", 0.0, 0.5)));
        for (from, to) in [(0.5, 0.5), (-0.1, 0.5), (0.2, 1.1), (f64::NAN, 1.0)] {
            assert!(Layer::new("a", from, to).is_err());
        }
    }
}
