//! A difference between the contract and a policy, as lines that show only what differs.
//!
//! `-` is what the contract has and `+` what the policy has in its place, as in any diff.

/// A type or a function, taken apart as far as a difference in it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Definition {
    /// Whatever is told as a whole: a function, or a type without parts.
    Whole(String),
    /// What is made of named parts.
    Parts {
        /// A record, an enum.
        kind: &'static str,
        /// Each a name and, if it has one, a type.
        parts: Vec<(String, Option<String>)>,
    },
}

impl Definition {
    /// As one line of WIT.
    pub(super) fn line(&self) -> String {
        match self {
            Self::Whole(text) => text.clone(),
            Self::Parts { kind, parts } => {
                let parts: Vec<String> = parts.iter().map(part).collect();
                format!("{kind} {{ {} }}", parts.join(", "))
            }
        }
    }
}

/// The lines that tell how `theirs` differs from `ours`; none where they are the same.
pub(super) fn lines(name: &str, ours: &Definition, theirs: &Definition) -> Option<String> {
    if ours == theirs {
        return None;
    }
    let changes = match (ours, theirs) {
        (
            Definition::Parts { kind, parts: ours },
            Definition::Parts {
                kind: other,
                parts: theirs,
            },
        ) if kind == other => parts(ours, theirs),
        _ => vec![format!("- {}", ours.line()), format!("+ {}", theirs.line())],
    };
    Some(format!("{name}:\n    {}", changes.join("\n    ")))
}

fn parts(ours: &[(String, Option<String>)], theirs: &[(String, Option<String>)]) -> Vec<String> {
    let lost = ours.iter().filter(|part| !theirs.contains(part));
    let gained = theirs.iter().filter(|part| !ours.contains(part));
    let changes: Vec<String> = lost
        .map(|lost| format!("- {}", part(lost)))
        .chain(gained.map(|gained| format!("+ {}", part(gained))))
        .collect();
    if !changes.is_empty() {
        return changes;
    }
    let names = |parts: &[(String, Option<String>)]| {
        let names: Vec<&str> = parts.iter().map(|(name, _)| name.as_str()).collect();
        names.join(", ")
    };
    vec![
        format!("- in the order {}", names(ours)),
        format!("+ in the order {}", names(theirs)),
    ]
}

fn part((name, ty): &(String, Option<String>)) -> String {
    match ty {
        Some(ty) => format!("{name}: {ty}"),
        None => name.clone(),
    }
}
