//! Strategies compared on real users: shadows, experiments, off-policy estimates.
//!
//! Who is in which arm, who has been exposed, what was measured, and what may be concluded. An
//! experiment is a [`Ranker`](crate::decision::Ranker) in front of others, so nothing that evicts
//! knows of it. Not here: managers and sockets, how a policy is called, and anything a shadow could
//! evict with.
