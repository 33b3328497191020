//! What a policy is and what it wants to be told, declared once and checked while compiling.
//!
//! [`manifest!`](crate::manifest!) turns a declaration into a constant [`Manifest`] and one typed
//! constant for every column, parameter and reason, so that a policy cannot read the wrong one.
//! [`Manifest::checked`] holds what the host would refuse at load; what only the host knows (which
//! signals it has, which scopes it asks for) is not repeated here.

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

impl Manifest {
    /// The manifest itself, if the host would take it.
    ///
    /// # Panics
    ///
    /// With the rule that it breaks. In a constant, where [`manifest!`](crate::manifest!) uses it,
    /// that is an error of the compiler.
    #[must_use]
    pub const fn checked(self) -> Self {
        assert!(
            is_kebab(self.name),
            "a name is lower case words joined by hyphens"
        );
        assert!(is_version(self.version), "a version is `major.minor.patch`");
        assert!(
            !self.summary.is_empty(),
            "the summary is one sentence for the operator"
        );
        assert!(
            !self.signals.is_empty(),
            "a policy without a signal cannot know its rows"
        );
        assert!(all_distinct(self.signals), "a signal is declared twice");
        assert!(
            !self.reasons.is_empty(),
            "a policy needs at least one reason"
        );
        assert!(all_distinct(self.reasons), "a reason is declared twice");
        assert!(!self.scopes.is_empty(), "a policy needs at least one scope");
        assert!(
            !matches!(self.scopes, [a, b] if *a as u8 == *b as u8) && self.scopes.len() <= 2,
            "a scope is declared twice"
        );
        let mut rest = self.parameters;
        while let [parameter, others @ ..] = rest {
            parameter.check();
            let mut others_left = others;
            while let [other, more @ ..] = others_left {
                assert!(
                    !same(parameter.name, other.name),
                    "a parameter is declared twice"
                );
                others_left = more;
            }
            rest = others;
        }
        self
    }
}

impl Parameter {
    const fn check(&self) {
        assert!(
            is_kebab(self.name),
            "a parameter's name is lower case words joined by hyphens"
        );
        assert!(
            !self.doc.is_empty(),
            "a parameter has one sentence for the operator"
        );
        assert!(
            self.min.is_finite() && self.max.is_finite(),
            "a parameter's range is finite"
        );
        assert!(
            self.min <= self.default && self.default <= self.max,
            "a parameter's default lies within its range"
        );
    }
}

const fn same(a: &str, b: &str) -> bool {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    while let ([x, a_rest @ ..], [y, b_rest @ ..]) = (a, b) {
        if *x != *y {
            return false;
        }
        (a, b) = (a_rest, b_rest);
    }
    a.is_empty() && b.is_empty()
}

const fn all_distinct(mut names: &[&str]) -> bool {
    while let [name, others @ ..] = names {
        let mut rest = others;
        while let [other, more @ ..] = rest {
            if same(name, other) {
                return false;
            }
            rest = more;
        }
        names = others;
    }
    true
}

/// Words of lower case letters and digits joined by single hyphens; a letter comes first.
const fn is_kebab(name: &str) -> bool {
    let mut rest = name.as_bytes();
    if !matches!(rest, [b'a'..=b'z', ..]) {
        return false;
    }
    let mut before = b'-';
    while let [byte, more @ ..] = rest {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' => {}
            b'-' if before != b'-' => {}
            _ => return false,
        }
        (before, rest) = (*byte, more);
    }
    before != b'-'
}

/// Three numbers joined by dots.
const fn is_version(version: &str) -> bool {
    let mut rest = version.as_bytes();
    let mut before = b'.';
    let mut dots = 0;
    while let [byte, more @ ..] = rest {
        match byte {
            b'0'..=b'9' => {}
            b'.' if before != b'.' => dots += 1,
            _ => return false,
        }
        (before, rest) = (*byte, more);
    }
    before != b'.' && dots == 2
}

/// Declares a policy's manifest, and a constant for each of its columns, parameters and reasons.
///
/// Makes `MANIFEST: Manifest`, and of each name in capitals a [`Column`], [`Param`] or [`Reason`].
/// Signals are variants of [`Signal`](crate::Signal); a parameter's doc comment is what the
/// operator reads. What the host would refuse does not compile.
///
/// ```
/// wastegate_policy::manifest! {
///     name: "patient",
///     version: "1.2.0",
///     summary: "Evicts what has been idle for long enough, the largest first.",
///     scopes: [User],
///     signals: { IDLE: IdleMs, QUEUED: QueuedBytes },
///     parameters: {
///         /// How long a manager may idle before it counts, in milliseconds.
///         PATIENCE_MS: "patience-ms" = 60_000.0 in 0.0..=86_400_000.0,
///     },
///     reasons: { LARGE: "idle and large" },
/// }
/// assert_eq!(MANIFEST.signals, ["idle-ms", "queued-bytes"]);
/// assert_eq!(MANIFEST.parameters[0].doc, "How long a manager may idle before it counts, in milliseconds.");
/// # let _ = (IDLE, QUEUED, PATIENCE_MS, LARGE);
/// ```
///
/// ```compile_fail
/// wastegate_policy::manifest! {
///     name: "bad", version: "1.0.0", summary: "Its default is out of range.", scopes: [User],
///     signals: { IDLE: IdleMs },
///     parameters: {
///         /// Out of range.
///         SHARE: "share" = 2.0 in 0.0..=1.0,
///     },
///     reasons: { IDLE_LONG: "idle" },
/// }
/// ```
#[macro_export]
macro_rules! manifest {
    (
        name: $name:expr,
        version: $version:expr,
        summary: $summary:expr,
        scopes: [$($scope:ident),+ $(,)?],
        signals: { $($column:ident: $signal:ident),+ $(,)? },
        parameters: { $(
            $(#[doc = $doc:literal])+
            $param:ident: $param_name:literal = $default:literal in $min:literal..=$max:literal
        ),* $(,)? },
        reasons: { $($reason:ident: $phrase:literal),+ $(,)? } $(,)?
    ) => {
        /// What this policy is and what it wants to be told.
        pub const MANIFEST: $crate::Manifest = $crate::Manifest {
            name: $name,
            version: $version,
            summary: $summary,
            signals: &[$($crate::Signal::$signal.name()),+],
            parameters: &[$($crate::Parameter {
                name: $param_name,
                default: $default,
                min: $min,
                max: $max,
                doc: concat!($($doc),+).trim_ascii(),
            }),*],
            reasons: &[$($phrase),+],
            scopes: &[$($crate::Scope::$scope),+],
        }
        .checked();

        $crate::manifest!(@count Column usize; $($column)+);
        $crate::manifest!(@count Param usize; $($param)*);
        $crate::manifest!(@count Reason u16; $($reason)+);
    };
    // The variants of an enum are numbered from 0: that does the counting.
    (@count $index:ident $number:ident;) => {};
    (@count $index:ident $number:ident; $($item:ident)+) => {
        $crate::manifest!(@each $index $number; [$($item)+] $($item)+);
    };
    (@each $index:ident $number:ident; $all:tt $($item:ident)+) => {
        $($crate::manifest!(@one $index $number; $all $item);)+
    };
    (@one $index:ident $number:ident; [$($all:ident)+] $item:ident) => {
        const $item: $crate::$index = {
            #[allow(dead_code, non_camel_case_types, clippy::upper_case_acronyms, reason = "counts")]
            enum Position {
                $($all),+
            }
            $crate::$index::at(Position::$item as $number)
        };
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: Manifest = Manifest {
        name: "good-2",
        version: "1.20.3",
        summary: "Good.",
        signals: &["idle-ms"],
        parameters: &[Parameter {
            name: "a",
            default: 1.0,
            min: 0.0,
            max: 2.0,
            doc: "A.",
        }],
        reasons: &["idle"],
        scopes: &[Scope::User, Scope::Node],
    };

    #[track_caller]
    fn refused(manifest: Manifest, rule: &str) {
        let panic = std::panic::catch_unwind(|| manifest.checked()).unwrap_err();
        assert_eq!(panic.downcast_ref::<&str>().copied(), Some(rule));
    }

    #[test]
    fn a_good_manifest_passes_unchanged() {
        assert_eq!(GOOD.checked().name, "good-2");
    }

    #[test]
    fn each_rule_is_named_when_broken() {
        const NAME: &str = "a name is lower case words joined by hyphens";
        for name in ["", "Bad", "-a", "a-", "a--b", "a_b", "1a"] {
            refused(Manifest { name, ..GOOD }, NAME);
        }
        for version in ["", "1", "1.0", "1.0.", "1..0", "1.0.0.0", "1.0.x"] {
            refused(
                Manifest { version, ..GOOD },
                "a version is `major.minor.patch`",
            );
        }
        refused(
            Manifest {
                signals: &[],
                ..GOOD
            },
            "a policy without a signal cannot know its rows",
        );
        refused(
            Manifest {
                signals: &["x", "y", "x"],
                ..GOOD
            },
            "a signal is declared twice",
        );
        refused(
            Manifest {
                reasons: &[],
                ..GOOD
            },
            "a policy needs at least one reason",
        );
        refused(
            Manifest {
                scopes: &[],
                ..GOOD
            },
            "a policy needs at least one scope",
        );
        refused(
            Manifest {
                scopes: &[Scope::Node, Scope::Node],
                ..GOOD
            },
            "a scope is declared twice",
        );
        const A: Parameter = Parameter {
            name: "a",
            default: 1.0,
            min: 0.0,
            max: 2.0,
            doc: "A.",
        };
        refused(
            Manifest {
                parameters: &[A, A],
                ..GOOD
            },
            "a parameter is declared twice",
        );
        refused(
            Manifest {
                parameters: &[Parameter { default: 3.0, ..A }],
                ..GOOD
            },
            "a parameter's default lies within its range",
        );
        refused(
            Manifest {
                parameters: &[Parameter {
                    max: f64::INFINITY,
                    ..A
                }],
                ..GOOD
            },
            "a parameter's range is finite",
        );
    }

    #[test]
    fn constants_count_from_zero_in_the_order_of_the_declaration() {
        crate::manifest! {
            name: "counted",
            version: "1.0.0",
            summary: "Counts.",
            scopes: [User],
            signals: { AGE: AgeMs, IDLE: IdleMs },
            parameters: {
                /// The first of two lines,
                /// and the second.
                LOW: "low" = -1.0 in -2.0..=0.0,
            },
            reasons: { OLD: "old", IDLING: "idling" },
        }
        assert_eq!((AGE, IDLE), (Column::at(0), Column::at(1)));
        assert_eq!(
            (LOW, OLD, IDLING),
            (Param::at(0), Reason::at(0), Reason::at(1))
        );
        assert_eq!(
            MANIFEST.parameters[0].doc,
            "The first of two lines, and the second."
        );
    }
}
