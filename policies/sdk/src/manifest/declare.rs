//! The macro that turns a declaration into a manifest and typed constants.
//!
//! It expands to constants only; the rules are those of [`Manifest::checked`](crate::Manifest::checked).

/// Declares a policy's manifest, and a constant for each of its columns, parameters and reasons.
///
/// Makes `MANIFEST: Manifest`, and of each name in capitals a [`Column`](crate::Column),
/// [`Param`](crate::Param) or [`Reason`](crate::Reason).
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
        const MANIFEST: $crate::Manifest = $crate::Manifest {
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
    use crate::{Column, Param, Reason};

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
