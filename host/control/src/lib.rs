//! Who decides in a running gateway, and what is known of it: rollouts, experiments, quality, and the API by
//! which operators see and change that.

pub mod admin;

pub mod webhook;

#[cfg(feature = "otlp")]
pub mod otlp;

pub mod levers;

pub mod sharing;

pub mod rollout;

pub mod experiment;

pub mod quality;

pub mod why;

pub mod history;

pub mod page;

pub mod console;
