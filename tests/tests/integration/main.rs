//! The gateway on real sockets, with real clients and real policies. `tests/README.md` says which
//! scenario is tested where.

#[cfg(test)]
mod authoring;
#[cfg(test)]
mod behind;
#[cfg(test)]
mod breaker;
#[cfg(test)]
mod browser;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod cluster;
#[cfg(test)]
mod contract;
#[cfg(test)]
mod crowds;
#[cfg(test)]
mod demo;
#[cfg(test)]
mod edge;
#[cfg(test)]
mod embedding;
#[cfg(test)]
mod evidence;
#[cfg(test)]
mod experiments;
#[cfg(test)]
mod exposition;
#[cfg(test)]
mod gateway;
#[cfg(test)]
mod gateway_grace;
#[cfg(test)]
mod gateway_hostile;
#[cfg(test)]
mod gateway_peers;
#[cfg(test)]
mod guests;
#[cfg(test)]
mod identity;
#[cfg(test)]
mod inspecting;
#[cfg(test)]
mod isolation;
#[cfg(test)]
mod kept;
#[cfg(test)]
mod knock;
#[cfg(test)]
mod languages;
#[cfg(test)]
mod leaks;
#[cfg(test)]
mod levers;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod looking;
#[cfg(test)]
mod measured;
#[cfg(test)]
mod metrics;
#[cfg(test)]
mod monitoring;
#[cfg(test)]
mod moody;
#[cfg(test)]
mod node_levers;
#[cfg(test)]
mod operating;
#[cfg(test)]
mod projects;
#[cfg(test)]
mod prometheus;
#[cfg(test)]
mod proposals;
#[cfg(test)]
mod python;
#[cfg(test)]
mod quality;
#[cfg(test)]
mod queue;
#[cfg(test)]
mod races;
#[cfg(test)]
mod reading;
#[cfg(test)]
mod recordings;
#[cfg(test)]
mod records;
#[cfg(test)]
mod recovery;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod replaying;
#[cfg(test)]
mod requests;
#[cfg(test)]
mod revocations;
#[cfg(test)]
mod roles;
#[cfg(test)]
mod scaffolding;
#[cfg(test)]
mod scenarios;
#[cfg(test)]
mod scripted;
#[cfg(test)]
mod shadows;
#[cfg(test)]
mod sleepers;
#[cfg(test)]
mod sources;
#[cfg(test)]
mod spans;
#[cfg(test)]
mod status;
#[cfg(test)]
mod swaps;
#[cfg(test)]
mod terminals;

#[cfg(test)]
mod tidy;
#[cfg(test)]
mod tidy_logs;
#[cfg(test)]
mod tidy_names;
#[cfg(test)]
mod tidy_packages;
#[cfg(test)]
mod tidy_paths;
#[cfg(test)]
mod tiers;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod traces;
#[cfg(test)]
mod why;
#[cfg(test)]
mod why_ends;
#[cfg(test)]
mod wire;
#[cfg(test)]
mod world_answering;
#[cfg(test)]
mod world_answers;
#[cfg(test)]
mod world_backend;
#[cfg(test)]
mod world_backends;
#[cfg(test)]
mod world_check;
#[cfg(test)]
mod world_drain;
#[cfg(test)]
mod world_embed;
#[cfg(test)]
mod world_endings;
#[cfg(test)]
mod world_heads;
#[cfg(test)]
mod world_http;
#[cfg(test)]
mod world_origins;
#[cfg(test)]
mod world_paths;
#[cfg(test)]
mod world_places;
#[cfg(test)]
mod world_process;
#[cfg(test)]
mod world_promises;
#[cfg(test)]
mod world_refusals;
#[cfg(test)]
mod world_requests;
#[cfg(test)]
mod world_rotation;
#[cfg(test)]
mod world_samples;
#[cfg(test)]
mod world_taking;
#[cfg(test)]
mod world_who;
#[cfg(test)]
mod world_words;
#[cfg(test)]
mod wrapped;
#[cfg(test)]
mod zombies;
