//! What would another policy have done? A recorded activity stream run again, on virtual time, with
//! the planner and the sandbox that serve.
//!
//! Users' activity is taken as given; who is held, who is evicted and who comes back is simulated
//! for each policy, because each eviction changes what comes after. Not here: live managers, and
//! the files themselves (`trace`).
