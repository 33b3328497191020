//! What a policy logs while it is asked. The host gives a policy's lines to `tracing` under a
//! target of their own; here they are kept for whoever is trying the policy.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// The target of policies' lines.
const TARGET: &str = "policy";

/// Lines that are kept of one call; the host lets through fewer.
const LINES_MAX: usize = 4_096;

/// A line that a policy logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CapturedLine {
    /// The level that the policy logged it at.
    pub level: Level,
    /// The text that the policy logged.
    pub message: String,
}

/// Does something on this thread, and returns what policies logged meanwhile.
pub(super) fn listen<T>(something: impl FnOnce() -> T) -> (T, Vec<CapturedLine>) {
    // A lock, because subscribers are shared; only this thread ever takes it.
    let lines = Arc::new(Mutex::new(Vec::new()));
    let done = tracing::subscriber::with_default(Ear(lines.clone()), something);
    let received = std::mem::take(&mut *lines.lock());
    (done, received)
}

struct Ear(Arc<Mutex<Vec<CapturedLine>>>);

impl Subscriber for Ear {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == TARGET && metadata.is_event()
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = CapturedLine {
            level: *event.metadata().level(),
            message: String::new(),
        };
        event.record(&mut line);
        let mut lines = self.0.lock();
        if lines.len() < LINES_MAX {
            lines.push(line);
        }
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

impl Visit for CapturedLine {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lines_of_policies_are_captured_and_only_while_listening() {
        let ((), lines) = listen(|| {
            tracing::warn!(target: "policy", decision = 7, "too {}", "idle");
            tracing::warn!("the host's own");
        });
        tracing::warn!(target: "policy", "too late");
        let line = CapturedLine {
            level: Level::WARN,
            message: "too idle".to_owned(),
        };
        assert_eq!(lines, [line]);
    }
}
