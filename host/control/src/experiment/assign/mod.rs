//! Who is in which arm: by hash, so that every node says the same and nothing has to be kept.
//!
//! GrowthBook's algorithm to the bit (its `cases.json`, specification 0.8.0), so that an exposure log
//! can be analysed there. A unit's place in [0, 1) is its hash; an arm owns a range of places. The
//! ranges begin where the weights say and are as long as the coverage lets them be, so raising the
//! coverage only adds units and moves nobody. Changing the weights moves units: that is a new phase.

mod hash;
mod layer;
mod range;

pub use hash::{HashVersion, place};
pub use layer::{BadLayer, Layer};
pub use range::{Range, choose, ranges};
