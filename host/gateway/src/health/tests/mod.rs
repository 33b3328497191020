//! Verdicts and rounds of probes over connections without sockets.

mod rounds;
mod verdicts;

use super::*;
use crate::testing::{Client, Peer, Setup, World, settle};
use wastegate_core::types::{Evidence, EvidenceSource, Health};

impl World {
    fn judged(&self, client: &Client) -> Evidence {
        judge(&client.port, &self.health, self.clock.now())
    }
}
