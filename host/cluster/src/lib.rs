//! One limit for many nodes: the ledger that they share.
//!
//! A node counts its own managers in its registry. Where several nodes stand behind one address, a user's managers
//! are counted by a *ledger* too: in memory ([`local`], for one process and for simulations), or in Redis or Valkey
//! (`redis`, a feature). Both pass the same tests (`tests/contract`). The rooms, in reading order; each imports only
//! those below it: `redis`, [`local`], [`shared`], [`ledger`].
//!
//! # What is kept
//! An **entry** is one manager of a user: it counts once. It has a **part** for each node with connections of it.
//! A part names its **life**: the node's [`Epoch`](ledger::Epoch) and the manager's number there. With it go a
//! lease, and what the node last published: its belief and some signals, with their age by the engine's clock.
//!
//! In the engine an entry is one field of one hash of its user, packed (`library.lua`). There is no sorted set of
//! expiries beside it: leases matter only when a user is at its limit, and then all entries are read anyway, to
//! be shown to the asker. Below the limit an entry costs one field and one count, and nothing is purged.
//!
//! # Fences
//! A life is the fence. The node gives out both of its numbers, the epoch at random and the manager's in sequence,
//! and the engine none: a counter of the engine that loses its last writes would give the same fence out twice.
//! Every call and every command names the life that it is about and leaves any other alone, so each can come
//! twice, late, or not at all. A victim is named by all lives that were seen of it: one that got a connection on
//! another node meanwhile is another one.
//!
//! # Calls that time out
//! The asker says until which moment of the engine's clock a call may be carried out
//! ([`Membership::not_after_ms`](ledger::Membership::not_after_ms)); later it does nothing. One that was carried
//! out while its answer was lost is taken back by `leave`. Where even that is lost, the part was *provisional*: it
//! runs out after 10 s, unless its node publishes it.
//!
//! # Dead nodes
//! Beats are in another hash slot than users, and a step of a Redis Cluster sees one slot. So the beat decides who
//! is dead, its answer lists them, and every call carries the list. **Death is final**: a life that is listed never
//! counts again, and its node goes on under a new epoch and asserts what lives on it. Then a list that is out of
//! date can only be too short, and the harm is that a call counts what the next one does not:
//!
//! - *The asker's list is a beat old.* Parts of a node that died within it count for up to one more second.
//! - *A list of live nodes instead* would be unsafe: one that lacks a node which just started frees what it holds.
//! - *A node that was frozen* asks with its old epoch before it beats. A node does not ask once its last beat is
//!   as old as death ([`Membership::is_live`](ledger::Membership::is_live)); what was on its way is late by the
//!   engine's clock, or enters below the limit with an epoch that counts for nobody else.
//! - *The engine was away*: nobody's beat came. After a gap of half the time to death all nodes have that time
//!   again from the first beat on. An absence of the engine is no evidence against a node.
//! - *Two processes with one name*: a process that starts takes the name, which is right for a restart. The one
//!   before learns that its life is over and does not take the name back from a live node.
//! - *More than 1,024 deaths in ten minutes*: the oldest are forgotten, and their parts count until their leases end.
//!
//! # Between ledger and owner
//! `enter` with victims takes them out of the ledger and the newcomer in, in one step. The command to their owners
//! follows as a message, because their streams are in other slots. If the asker dies in between, the owner finds
//! the part lost at its next publication, at most three minutes later. If the owner keeps a manager that was
//! taken, the asker gives the entry back by the same call the other way round.
//!
//! # Not here
//! Whom to evict, sockets, tasks and retries: the caller's. The queue of waiting admissions, rotation damping and
//! flap bans are not in the ledger yet; limits and blocks of operators and temporary slots are.

#[cfg(feature = "redis")]
pub mod redis;

pub mod local;

pub mod shared;

pub mod ledger;
