//! One key of the table: its path, its sentence, when a change of it takes effect, its shape and the
//! field it sets.
//!
//! The field is given as one function from a draft to a mutable place; reading, writing and the
//! default all go through it, so that a key cannot read one field and write another.

use std::marker::PhantomData;

use super::draft::Draft;
use super::error::ConfigProblem;
use super::raw::{Entry, Raw, SettingValue};
use super::shape::Shape;

/// A key of the configuration, with what it accepts and the field that it sets.
pub(super) struct Key {
    path: String,
    doc: String,
    effect: Effect,
    access: Box<dyn Access>,
}

/// When a changed value takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// At SIGHUP, for new connections and requests.
    Live,
    /// At the next start.
    Restart,
}

impl Effect {
    /// The word of the reference.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Restart => "restart",
        }
    }
}

/// Whether a key's value may be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Secrecy {
    Open,
    Secret,
}

impl Key {
    pub(super) fn new<T, S, L>(path: String, effect: Effect, shape: S, doc: &str, lens: L) -> Self
    where
        T: Clone + PartialEq + 'static,
        S: Shape<T> + 'static,
        L: Fn(&mut Draft) -> &mut T + 'static,
    {
        Self {
            path,
            doc: doc.to_owned(),
            effect,
            access: Box::new(Field {
                shape,
                lens,
                of: PhantomData,
            }),
        }
    }

    /// When a changed value takes effect.
    pub(super) fn effect(&self) -> Effect {
        self.effect
    }

    /// Whether two drafts have different values of it.
    pub(super) fn differs(&self, one: &mut Draft, other: &mut Draft) -> bool {
        self.access.differs(one, other)
    }

    /// Gives a draft the value that another one has of it.
    pub(super) fn copy(&self, from: &mut Draft, to: &mut Draft) {
        self.access.copy(from, to);
    }

    /// The full path, joined by dots.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// The last part of the path.
    pub(super) fn name(&self) -> &str {
        self.path.rsplit('.').next().unwrap_or(&self.path)
    }

    /// Whether it is a key of one table in a list of tables.
    pub(super) fn is_of_list(&self) -> bool {
        self.path.contains('[')
    }

    pub(super) fn doc(&self) -> &str {
        &self.doc
    }

    pub(super) fn accepts(&self) -> String {
        self.access.accepts()
    }

    pub(super) fn secrecy(&self) -> Secrecy {
        match self.get(&mut Draft::default()) {
            SettingValue::Secret(_) => Secrecy::Secret,
            _ => Secrecy::Open,
        }
    }

    /// Its value in a draft.
    pub(super) fn get(&self, draft: &mut Draft) -> SettingValue {
        self.access.get(draft)
    }

    /// Checks an entry's value and puts it in its place.
    pub(super) fn set(&self, draft: &mut Draft, entry: &Entry) -> Result<(), ConfigProblem> {
        self.access.set(draft, &entry.raw).map_err(|reason| {
            let default = self.default().map(|value| format!(" (default {value})"));
            ConfigProblem::Value {
                key: self.path.clone(),
                origin: entry.origin.clone(),
                reason,
                accepts: self.accepts() + default.as_deref().unwrap_or_default(),
            }
        })
    }

    /// Its built-in value; none for a key that is not there unless it is set.
    pub(super) fn default(&self) -> Option<SettingValue> {
        match self.get(&mut Draft::default()) {
            SettingValue::Secret(_) => None,
            SettingValue::Number(number) if number.is_nan() => None,
            value => Some(value),
        }
    }

    #[cfg(test)]
    pub(super) fn sample(&self, seed: u64) -> SettingValue {
        self.access.sample(seed)
    }
}

/// A key with its type forgotten.
trait Access {
    fn accepts(&self) -> String;
    fn get(&self, draft: &mut Draft) -> SettingValue;
    fn differs(&self, one: &mut Draft, other: &mut Draft) -> bool;
    fn copy(&self, from: &mut Draft, to: &mut Draft);
    fn set(&self, draft: &mut Draft, raw: &Raw) -> Result<(), String>;
    #[cfg(test)]
    fn sample(&self, seed: u64) -> SettingValue;
}

struct Field<T, S, L> {
    shape: S,
    lens: L,
    of: PhantomData<fn(T)>,
}

impl<T, S, L> Access for Field<T, S, L>
where
    T: Clone + PartialEq,
    S: Shape<T>,
    L: Fn(&mut Draft) -> &mut T,
{
    fn accepts(&self) -> String {
        self.shape.accepts()
    }

    fn get(&self, draft: &mut Draft) -> SettingValue {
        self.shape.show((self.lens)(draft))
    }

    fn differs(&self, one: &mut Draft, other: &mut Draft) -> bool {
        (self.lens)(one) != (self.lens)(other)
    }

    fn copy(&self, from: &mut Draft, to: &mut Draft) {
        (self.lens)(to).clone_from((self.lens)(from));
    }

    fn set(&self, draft: &mut Draft, raw: &Raw) -> Result<(), String> {
        *(self.lens)(draft) = self.shape.read(raw)?;
        Ok(())
    }

    #[cfg(test)]
    fn sample(&self, seed: u64) -> SettingValue {
        self.shape.sample(seed)
    }
}
