//! wastegate: a WebSocket gateway that never locks a user out.

pub mod decision;
pub mod policy;
pub mod types;
