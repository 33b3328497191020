//! `[cluster]`: one limit for many nodes.

use super::{MINUTE, SECOND, Section};
use crate::config::EngineKind;
use crate::config::shape::edge::{name_or_none, word, word_or_none};
use crate::config::shape::{Credential, OptionalPath, Word, millis, one_of};
use wastegate_cluster::ledger::AwayRule;

pub(super) fn sections() -> Vec<Section> {
    vec![section! {
        |d| "cluster", "One limit for many nodes: the Redis or Valkey in which gateways count a user's managers together.";

        /// Where Redis (from 7.0 on) or Valkey is: `redis://USER:PASSWORD@HOST:PORT/DATABASE`, or
        /// `rediss://` for TLS. Several addresses have a comma between them. Without it this node
        /// is in no cluster, and counts its own managers only.
        restart engine: Credential => d.rooms.cluster.engine;

        /// What is at these addresses: one "server", Sentinels ("sentinel"), or nodes of a Redis
        /// "cluster". The servers behind Sentinels are reached with the user, password, database
        /// and TLS of the first address.
        restart kind: kinds() => d.rooms.cluster.kind;

        /// The name of the service that Sentinels watch.
        restart service: word_or_none() => d.rooms.cluster.service;

        /// What all keys begin with; another one for each cluster that shares an engine.
        restart prefix: word() => d.rooms.cluster.prefix;

        /// What names of users are hashed with before they go to the engine: at least 16 bytes, and
        /// the same on all nodes.
        restart secret: Credential => d.rooms.cluster.secret;

        /// A file whose first line is that secret. It goes before `secret`.
        restart secret_file: OptionalPath => d.rooms.cluster.secret_file;

        /// The node's name among those of its cluster; each has its own. Empty for the name of the
        /// host.
        restart node: word_or_none() => d.rooms.cluster.node;

        /// After how long without a sign of life a node is dead, so that its managers do not count
        /// any more; the same on all nodes. They beat once a second.
        restart node_dead_ms: millis(3 * SECOND, 10 * MINUTE) => d.rooms.cluster.dead_after;

        /// How long an admission waits for the engine.
        restart budget_ms: millis(1, SECOND) => d.rooms.cluster.budget;

        /// What decides about a new manager while the engine does not answer: "static" counts what
        /// its user holds here and what it was last known to hold elsewhere, "open" counts what it
        /// holds here, and "closed" lets none in. What is connected stays.
        restart away: rules() => d.rooms.cluster.away;

        /// Where this node's operators' API is for others, such as `http://10.0.0.1:9090`; shown by
        /// `/v1/nodes` of every node. Empty if it is for nobody.
        restart admin: name_or_none() => d.rooms.cluster.admin;
    }]
}

fn kinds() -> Word<EngineKind> {
    let words = [
        ("server", EngineKind::Server),
        ("sentinel", EngineKind::Sentinel),
        ("cluster", EngineKind::Cluster),
    ];
    one_of("kind of engine", words)
}

fn rules() -> Word<AwayRule> {
    let words = [
        ("static", AwayRule::Static),
        ("open", AwayRule::Open),
        ("closed", AwayRule::Closed),
    ];
    one_of("rule", words)
}
