//! What a mistyped name most likely meant.
//!
//! By the Damerau-Levenshtein distance: how many letters are inserted, left out, changed or swapped.

/// The known name that is nearest to a typed one; none if there are no names. For a sentence that has to name
/// one in any case.
pub fn closest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let distance = |name: &&str| strsim::damerau_levenshtein(typed, name);
    known.into_iter().min_by_key(distance)
}

/// The same if it is near: two letters away at the most, or a quarter of a long name. For "did you mean".
pub fn meant<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    within((typed.chars().count() / 4).max(2), typed, known)
}

/// The same if it is `most` letters away at the most.
pub fn within<'a>(
    most: usize,
    typed: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    closest(typed, known).filter(|name| strsim::damerau_levenshtein(typed, name) <= most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_understood_and_another_word_is_not() {
        let known = ["idle-ms", "age-ms", "connections"];
        assert_eq!(meant("idel-ms", known), Some("idle-ms"));
        assert_eq!(meant("conections", known), Some("connections"));
        assert_eq!(meant("fuel", known), None);
        assert_eq!(meant("idle", known), None);
        assert_eq!(within(3, "idle", known), Some("idle-ms"));
        assert_eq!(closest("idle", known), Some("idle-ms"));
        assert_eq!(closest("x", []), None);
    }
}
