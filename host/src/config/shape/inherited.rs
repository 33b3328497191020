//! A shape of what need not be set because something above it is.

use super::Shape;
use crate::config::raw::{Raw, Value};

/// What another shape takes, or `"inherit"`.
pub(in crate::config) struct Inherited<S>(pub S);

const INHERIT: &str = "inherit";

impl<T, S: Shape<T>> Shape<Option<T>> for Inherited<S> {
    fn accepts(&self) -> String {
        format!("{}, or \"{INHERIT}\"", self.0.accepts())
    }

    fn read(&self, raw: &Raw) -> Result<Option<T>, String> {
        if raw.as_text() == Some(INHERIT) {
            return Ok(None);
        }
        self.0.read(raw).map(Some)
    }

    fn show(&self, value: &Option<T>) -> Value {
        let value = value.as_ref();
        value.map_or_else(
            || Value::Text(INHERIT.to_owned()),
            |value| self.0.show(value),
        )
    }

    #[cfg(test)]
    fn sample(&self, seed: u64) -> Value {
        match seed % 4 {
            0 => Value::Text(INHERIT.to_owned()),
            _ => self.0.sample(seed),
        }
    }
}
