//! What a policy is and what it wants to be told, declared once and checked while compiling.
//!
//! [`manifest!`](crate::manifest!) turns a declaration into a constant [`Manifest`] and one typed
//! constant for every column, parameter and reason, so that a policy cannot read the wrong one.

mod check;
mod declare;

use crate::Scope;

/// What a policy is and what it wants to be told. Usually made by [`manifest!`](crate::manifest!).
#[derive(Clone, Copy, Debug)]
pub struct Manifest {
    /// Lower case words joined by hyphens.
    pub name: &'static str,
    /// The policy's own version, `major.minor.patch`.
    pub version: &'static str,
    /// One sentence for the operator.
    pub summary: &'static str,
    /// The names of the signals it reads. At least one: the columns are all that tells how many
    /// rows there are.
    pub signals: &'static [&'static str],
    /// The numbers that the operator may set.
    pub parameters: &'static [Parameter],
    /// The phrases that choices refer to; at least one.
    pub reasons: &'static [&'static str],
    /// The scopes it can rank in; at least one.
    pub scopes: &'static [Scope],
}

/// A number that the operator may set.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// Lower case words joined by hyphens.
    pub name: &'static str,
    /// Used where the operator sets nothing.
    pub default: f64,
    /// The smallest value the host accepts.
    pub min: f64,
    /// The largest value the host accepts.
    pub max: f64,
    /// One sentence for the operator, with the unit.
    pub doc: &'static str,
}

macro_rules! indices {
    ($($(#[$doc:meta])* $name:ident($number:ty);)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub struct $name($number);

        impl $name {
            /// The position in the manifest, from 0. [`manifest!`](crate::manifest!) counts better.
            #[must_use]
            pub const fn at(position: $number) -> Self {
                Self(position)
            }
        }
    )*};
}

indices! {
    /// A declared signal.
    Column(usize);
    /// A declared parameter.
    Param(usize);
    /// A declared reason.
    Reason(u16);
}

impl Column {
    pub(crate) const fn index(self) -> usize {
        self.0
    }
}

impl Param {
    pub(crate) const fn index(self) -> usize {
        self.0
    }
}

impl Reason {
    /// The position in the manifest, from 0, as it crosses the boundary.
    #[must_use]
    pub const fn index(self) -> u16 {
        self.0
    }
}
