//! Every guest that a test can load: the shipped policies, misbehaving ones, and things that are
//! no policy at all.
//!
//! The first two are compiled from `policies/` and `tests/guests/` by the build script and come as
//! components. What no compiler would produce is made by [`raw`]. Nothing here runs a guest.

pub mod raw;

#[cfg(test)]
mod sandbox;

include!(concat!(env!("OUT_DIR"), "/misbehaving.rs"));
include!(concat!(env!("OUT_DIR"), "/shipped.rs"));

/// The names that [`guest`] knows: one for every file of `tests/guests/examples`.
pub const ALL: &[&str] = &names::<{ MISBEHAVING.len() }>(MISBEHAVING);

/// The names that [`shipped`] knows.
pub const ALL_SHIPPED: &[&str] = &names::<{ SHIPPED.len() }>(SHIPPED);

/// A misbehaving guest, as a component.
///
/// # Panics
///
/// If there is no such guest, with the names of those there are.
#[must_use]
#[track_caller]
pub fn guest(name: &str) -> &'static [u8] {
    find(MISBEHAVING, name).unwrap_or_else(|| panic!("no guest `{name}`; there are {ALL:?}"))
}

/// A policy that the host ships, as a component.
///
/// # Panics
///
/// If there is no such policy, with the names of those there are.
#[must_use]
#[track_caller]
pub fn shipped(name: &str) -> &'static [u8] {
    find(SHIPPED, name).unwrap_or_else(|| panic!("no policy `{name}`; there are {ALL_SHIPPED:?}"))
}

fn find(table: &[(&str, &'static [u8])], name: &str) -> Option<&'static [u8]> {
    table
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, component)| *component)
}

const fn names<const N: usize>(table: &[(&'static str, &[u8])]) -> [&'static str; N] {
    let mut names = [""; N];
    let mut rest = (names.as_mut_slice(), table);
    while let ([name, names @ ..], [(known, _), table @ ..]) = rest {
        *name = known;
        rest = (names, table);
    }
    names
}
