//! What the host would refuse at load, refused while compiling.
//!
//! What only the host knows (which signals it has, which scopes it asks for) is not repeated here.

use super::{Manifest, Parameter};

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scope;

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
}
