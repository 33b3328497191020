//! How signals come about: what live managers and replayed ones measure alike.
//!
//! A manager that runs and one that is simulated count activity with the same type, judge hints by the same
//! rule and live by the same settings, so that their signals are equal to the bit. Pure: no sockets, no
//! tasks, and every moment is given.

mod activity;
mod heartbeats;
mod hints;
mod lifetimes;

pub use activity::{Activity, HeldBytes};
pub use heartbeats::Heartbeats;
pub use hints::{DeviceClass, Hints, Pin};
pub use lifetimes::Lifetimes;
