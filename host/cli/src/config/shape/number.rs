//! Shapes of numbers: counts, bytes, milliseconds, shares.
//!
//! No text is a number here: `"25s"` is refused, since the unit is in the key.

use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::time::Duration;

use super::Shape;
use crate::config::raw::{Raw, SettingValue};
use wastegate::embed;
use wastegate_core::types::time::whole_ms;

/// A whole number within a range.
pub(in crate::config) struct Whole {
    min: u64,
    max: u64,
    unit: &'static str,
}

/// A whole number of things.
pub(in crate::config) const fn count(min: u64, max: u64) -> Whole {
    Whole { min, max, unit: "" }
}

/// A whole number of bytes.
pub(in crate::config) const fn bytes(min: u64, max: u64) -> Whole {
    Whole {
        min,
        max,
        unit: " of bytes",
    }
}

impl Whole {
    fn read(&self, raw: &Raw) -> Result<u64, String> {
        let Some(found) = raw.as_whole() else {
            return Err(format!("{raw} is not a whole number"));
        };
        if found < i128::from(self.min) {
            Err(format!("{found} is below {}", self.min))
        } else if found > i128::from(self.max) {
            Err(format!("{found} is above {}", self.max))
        } else {
            u64::try_from(found).map_err(|_| format!("{found} is too large"))
        }
    }

    #[cfg(test)]
    fn sample(&self, seed: u64) -> SettingValue {
        SettingValue::Whole(self.min + seed % (self.max - self.min + 1))
    }
}

impl<T: Quantity> Shape<T> for Whole {
    fn accepts(&self) -> String {
        format!(
            "a whole number{} from {} to {}",
            self.unit, self.min, self.max
        )
    }

    fn read(&self, raw: &Raw) -> Result<T, String> {
        T::of(self.read(raw)?).ok_or_else(|| format!("{raw} is not possible on this machine"))
    }

    fn show(&self, value: &T) -> SettingValue {
        SettingValue::Whole(value.number())
    }

    #[cfg(test)]
    fn sample(&self, seed: u64) -> SettingValue {
        self.sample(seed)
    }
}

/// What rooms count with.
pub(in crate::config) trait Quantity: Copy {
    fn of(number: u64) -> Option<Self>;
    fn number(self) -> u64;
}

macro_rules! quantity {
    ($($plain:ty, $above_zero:ty;)*) => {$(
        impl Quantity for $plain {
            fn of(number: u64) -> Option<Self> {
                Self::try_from(number).ok()
            }

            fn number(self) -> u64 {
                u64::try_from(self).unwrap_or(u64::MAX)
            }
        }

        impl Quantity for $above_zero {
            fn of(number: u64) -> Option<Self> {
                Self::new(Quantity::of(number)?)
            }

            fn number(self) -> u64 {
                self.get().number()
            }
        }
    )*};
}

quantity! {
    u32, NonZeroU32;
    u64, NonZeroU64;
    usize, NonZeroUsize;
}

/// A number within the range that the library gives its setting: the range is the library's to say, so that an
/// embedding server cannot build what a file would be refused for.
#[derive(Clone, Copy)]
pub(in crate::config) struct Ranged {
    min: u64,
    max: u64,
    unit: &'static str,
}

/// The range of the setting whose key this becomes the shape of. Before that, and for a key that has none, it
/// accepts nothing, which a test of the defaults would notice.
pub(in crate::config) const RANGED: Ranged = Ranged {
    min: 1,
    max: 0,
    unit: "",
};

impl Ranged {
    fn of(self, path: &str) -> Self {
        embed::range(path).map_or(self, |range| Self {
            min: range.min,
            max: range.max,
            unit: range.unit.words(),
        })
    }

    const fn whole(self) -> Whole {
        let Self { min, max, unit } = self;
        Whole { min, max, unit }
    }

    const fn millis(self) -> Millis {
        Millis(self.whole())
    }

    #[expect(clippy::cast_precision_loss, reason = "ranges end below 2^53")]
    const fn number(self) -> Number {
        Number {
            min: self.min as f64,
            max: self.max as f64,
        }
    }
}

macro_rules! ranged {
    ($shape:ident, $type:ty $(, $generic:ident: $bound:ident)?) => {
        impl $(<$generic: $bound>)? Shape<$type> for Ranged {
            fn at(self, path: &str) -> Self {
                self.of(path)
            }

            fn accepts(&self) -> String {
                Shape::<$type>::accepts(&self.$shape())
            }

            fn read(&self, raw: &Raw) -> Result<$type, String> {
                Shape::<$type>::read(&self.$shape(), raw)
            }

            fn show(&self, value: &$type) -> SettingValue {
                Shape::<$type>::show(&self.$shape(), value)
            }

            #[cfg(test)]
            fn sample(&self, seed: u64) -> SettingValue {
                Shape::<$type>::sample(&self.$shape(), seed)
            }
        }
    };
}

ranged!(whole, T, T: Quantity);
ranged!(millis, Duration);
ranged!(number, f64);

/// A whole number of bytes, or 0 for none.
pub(in crate::config) struct BytesOrZero {
    pub max: u64,
}

impl Shape<Option<NonZeroU64>> for BytesOrZero {
    fn accepts(&self) -> String {
        Shape::<u64>::accepts(&bytes(0, self.max))
    }

    fn read(&self, raw: &Raw) -> Result<Option<NonZeroU64>, String> {
        bytes(0, self.max).read(raw).map(NonZeroU64::new)
    }

    fn show(&self, value: &Option<NonZeroU64>) -> SettingValue {
        SettingValue::Whole(value.map_or(0, NonZeroU64::get))
    }

    #[cfg(test)]
    fn sample(&self, seed: u64) -> SettingValue {
        bytes(0, self.max).sample(seed)
    }
}

/// A time in whole milliseconds.
pub(in crate::config) struct Millis(Whole);

/// Milliseconds from `min` to `max`.
pub(in crate::config) const fn millis(min: u64, max: u64) -> Millis {
    Millis(Whole {
        min,
        max,
        unit: " of milliseconds",
    })
}

impl Shape<Duration> for Millis {
    fn accepts(&self) -> String {
        <Whole as Shape<u64>>::accepts(&self.0)
    }

    fn read(&self, raw: &Raw) -> Result<Duration, String> {
        self.0.read(raw).map(Duration::from_millis)
    }

    fn show(&self, value: &Duration) -> SettingValue {
        SettingValue::Whole(whole_ms(*value))
    }

    #[cfg(test)]
    fn sample(&self, seed: u64) -> SettingValue {
        self.0.sample(seed)
    }
}

/// A time in whole milliseconds, or `"off"`.
pub(in crate::config) struct MillisOrOff(pub Millis);

impl Shape<Option<Duration>> for MillisOrOff {
    fn accepts(&self) -> String {
        format!("{}, or \"off\"", self.0.accepts())
    }

    fn read(&self, raw: &Raw) -> Result<Option<Duration>, String> {
        if raw.as_text() == Some(OFF) {
            return Ok(None);
        }
        self.0.read(raw).map(Some)
    }

    fn show(&self, value: &Option<Duration>) -> SettingValue {
        value.map_or_else(
            || SettingValue::Text(OFF.to_owned()),
            |value| self.0.show(&value),
        )
    }

    #[cfg(test)]
    fn sample(&self, seed: u64) -> SettingValue {
        match seed % 4 {
            0 => SettingValue::Text(OFF.to_owned()),
            _ => self.0.sample(seed),
        }
    }
}

const OFF: &str = "off";

/// A finite number within a range.
pub(in crate::config) struct Number {
    pub min: f64,
    pub max: f64,
}

/// A part of a whole.
pub(in crate::config) const SHARE: Number = Number { min: 0.0, max: 1.0 };
/// Any finite number.
pub(in crate::config) const FINITE: Number = Number {
    min: f64::MIN,
    max: f64::MAX,
};

impl Shape<f64> for Number {
    fn accepts(&self) -> String {
        if self.min == f64::MIN && self.max == f64::MAX {
            "a finite number".to_owned()
        } else {
            format!("a number from {} to {}", self.min, self.max)
        }
    }

    fn read(&self, raw: &Raw) -> Result<f64, String> {
        match raw.as_number() {
            None => Err(format!("{raw} is not a finite number")),
            Some(found) if found < self.min => Err(format!("{found} is below {}", self.min)),
            Some(found) if found > self.max => Err(format!("{found} is above {}", self.max)),
            Some(found) => Ok(found),
        }
    }

    fn show(&self, value: &f64) -> SettingValue {
        SettingValue::Number(*value)
    }

    #[cfg(test)]
    fn sample(&self, seed: u64) -> SettingValue {
        let part = f64::from(u32::try_from(seed % 1_000).unwrap()) / 999.0;
        SettingValue::Number(self.min.max(-1e6) + part * (self.max.min(1e6) - self.min.max(-1e6)))
    }
}
