//! Policies made of policies: [`Protect`] shields rows from one, [`Blend`] lets two vote.
//!
//! They compose as types, and the result is a policy like any other: it is exported with
//! [`export!`](crate::export!), tested with a [`Fixture`](crate::testing::Fixture) and held to the
//! laws by [`check_laws`](crate::testing::check_laws).
//!
//! ```
//! use wastegate_policy::prelude::*;
//! use wastegate_policy::wrap::{Blend, Protect};
//! # mod oldest {
//! #     use wastegate_policy::prelude::*;
//! #     manifest! {
//! #         name: "oldest", version: "1.0.0", summary: "Evicts the oldest.", scopes: [User],
//! #         signals: { AGE: AgeMs }, parameters: {}, reasons: { OLD: "old" },
//! #     }
//! #     pub struct Oldest;
//! #     impl Policy for Oldest {
//! #         const MANIFEST: Manifest = MANIFEST;
//! #         fn rank(call: &Call, rows: &Rows<'_>) -> Result<Vec<Choice>, String> {
//! #             Ok(top_k(rows, call.enough(rows), |row| Some(Bid::new([row.value(AGE)], OLD))))
//! #         }
//! #     }
//! # }
//! # mod largest {
//! #     use wastegate_policy::prelude::*;
//! #     manifest! {
//! #         name: "largest", version: "1.0.0", summary: "Evicts the largest.", scopes: [User],
//! #         signals: { QUEUED: QueuedBytes }, parameters: {}, reasons: { LARGE: "large" },
//! #     }
//! #     pub struct Largest;
//! #     impl Policy for Largest {
//! #         const MANIFEST: Manifest = MANIFEST;
//! #         fn rank(call: &Call, rows: &Rows<'_>) -> Result<Vec<Choice>, String> {
//! #             Ok(top_k(rows, call.enough(rows), |row| Some(Bid::new([row.value(QUEUED)], LARGE))))
//! #         }
//! #     }
//! # }
//! # use {largest::Largest, oldest::Oldest};
//!
//! type Mine = Protect<Blend<Oldest, Largest>>;
//! export!(Mine);
//!
//! assert_eq!(Mine::MANIFEST.name, "protect-blend-oldest-largest");
//! ```
//!
//! The manifests are merged while compiling. A signal that several of them declare is asked for
//! once, and each policy still reads its own columns; a phrase that several use is one reason;
//! parameters are those of all, and two of one name do not compile. The scopes are those that all
//! rank in. To name the result yourself:
//!
//! ```
//! # use wastegate_policy::prelude::*;
//! # use wastegate_policy::wrap::Protect;
//! # struct Oldest;
//! # impl Policy for Oldest {
//! #     const MANIFEST: Manifest = Manifest {
//! #         name: "oldest", version: "1.0.0", summary: "S.", scopes: &[Scope::User],
//! #         signals: &["age-ms"], parameters: &[], reasons: &["old"],
//! #     };
//! #     fn rank(_: &Call, _: &Rows<'_>) -> Result<Vec<Choice>, String> { Ok(Vec::new()) }
//! # }
//! struct Mine;
//!
//! impl Policy for Mine {
//!     const MANIFEST: Manifest = Manifest {
//!         name: "mine",
//!         version: "1.0.0",
//!         summary: "Evicts the oldest, but not whom somebody needs.",
//!         ..Protect::<Oldest>::MANIFEST
//!     };
//!
//!     fn rank(call: &Call, rows: &Rows<'_>) -> Result<Vec<Choice>, String> {
//!         Protect::<Oldest>::rank(call, rows)
//!     }
//! }
//! # assert_eq!(Mine::MANIFEST.signals[0], "idle-ms");
//! ```
//!
//! A module exports one policy. A crate that already calls `export!` cannot be the library of
//! another policy, so wrap types of your own crate, or of one that only declares them.

mod blend;
mod inner;
mod merge;
mod protect;

#[cfg(test)]
mod tests;

pub use blend::Blend;
pub use protect::Protect;
