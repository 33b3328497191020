//! Shapes: what a key takes, as text for people and as a check for values.
//!
//! A shape knows how to read one type from a raw value, how to show it again, and how to say in
//! words what it accepts. It knows neither keys nor places: that is `key`'s part of a message.

pub(super) mod edge;
mod number;
mod observe;
pub(super) mod parsed;
pub(super) mod route;
mod sources;
mod text;
mod unset;
mod word;

pub(super) use number::{
    BytesOrZero, FINITE, MillisOrOff, Number, RANGED, SHARE, bytes, count, millis,
};
pub(super) use observe::{Filter, SecretKey};
pub(super) use sources::{Credential, MinisignKeys, OptionalReference, OptionalText};
pub(super) use text::{Address, AddressOrOff, Name, OptionalPath};
pub(super) use unset::{auto, inherited};
pub(super) use word::{Word, Words, one_of};

use super::raw::{Raw, SettingValue};

/// What a key takes.
pub(super) trait Shape<T> {
    /// The shape as that of the key at a path.
    fn at(self, _path: &str) -> Self
    where
        Self: Sized,
    {
        self
    }
    /// What to give, as the object of "give".
    fn accepts(&self) -> String;
    /// The value, or what is wrong with it.
    fn read(&self, raw: &Raw) -> Result<T, String>;
    /// The value as it is written.
    fn show(&self, value: &T) -> SettingValue;
    /// Any value that it accepts, chosen by a seed.
    #[cfg(test)]
    fn sample(&self, seed: u64) -> SettingValue;
}

/// `true` or `false`.
pub(super) struct Switch;

impl Shape<bool> for Switch {
    fn accepts(&self) -> String {
        "`true` or `false`".to_owned()
    }

    fn read(&self, raw: &Raw) -> Result<bool, String> {
        raw.as_bool()
            .ok_or_else(|| format!("{raw} is neither true nor false"))
    }

    fn show(&self, value: &bool) -> SettingValue {
        SettingValue::Bool(*value)
    }

    #[cfg(test)]
    fn sample(&self, seed: u64) -> SettingValue {
        SettingValue::Bool(seed.is_multiple_of(2))
    }
}
