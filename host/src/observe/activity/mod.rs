//! The activity stream.
