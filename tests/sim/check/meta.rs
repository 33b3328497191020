//! Checkers that cannot fail prove nothing: each is shown what it must not let pass.
