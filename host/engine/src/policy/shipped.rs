//! The policies that the host is built with. Their sources are in `policies`, and the build script
//! compiles them; here are only the bytes.

use super::catalog::Shipped;

include!(concat!(env!("OUT_DIR"), "/shipped.rs"));

/// Component bytes by name. Every name is also the one in the policy's manifest.
#[must_use]
pub const fn table() -> Shipped {
    SHIPPED
}

/// The bytes of the policy of that name, if the host ships one.
#[must_use]
pub fn find(name: &str) -> Option<&'static [u8]> {
    let mut table = table().iter();
    table
        .find(|(known, _)| *known == name)
        .map(|&(_, bytes)| bytes)
}

/// The names of all of them.
pub fn names<'a>() -> impl Iterator<Item = &'a str> {
    table().iter().map(|&(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::testing::engine;
    use crate::policy::{Params, load};

    #[test]
    fn every_shipped_policy_passes_the_kit_and_has_room_to_spare() {
        let engine = engine();
        for (name, bytes) in table() {
            let policy = load::policy(&engine, bytes, &Params::new())
                .unwrap_or_else(|error| panic!("{name}: {}", wastegate_core::types::chain(&error)));
            assert_eq!(&*policy.about().name, *name);
            let share = policy.report().fuel_share;
            assert!(share < 0.9, "{name} uses {share} of its fuel");
        }
    }

    /// A half-life that is not the host's takes arithmetic for each row.
    #[test]
    fn lrfu_passes_the_kit_with_any_half_life() {
        let engine = engine();
        let lrfu = find("lrfu").unwrap();
        assert_eq!((find("lrf"), names().count()), (None, table().len()));
        for half_life in [60_000.0, 600_000.0, 2_592_000_000.0] {
            let params = Params::from([("half-life-ms".to_owned(), half_life)]);
            let policy = load::policy(&engine, lrfu, &params).unwrap_or_else(|error| {
                panic!("{half_life}: {}", wastegate_core::types::chain(&error))
            });
            let share = policy.report().fuel_share;
            assert!(share < 0.95, "{half_life}: {share}");
        }
    }
}
