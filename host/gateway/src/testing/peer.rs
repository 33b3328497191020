//! Connections without sockets: the owner task of each behaves as it was told to.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::OptionFuture;

use crate::manager::{EndReport, Manager, Port};
use crate::registry::Attachment;
use wastegate_core::types::{Clock, CloseReason, Timestamp};

/// How the far end of a connection behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    /// Answers pings and Closes after so long.
    Answers(Duration),
    /// Answers nothing, so that a Close of ours ends in a cut.
    Silent,
    /// Its transport is gone, as a write to it would find out.
    Gone,
    /// Not even our own task for it reports.
    Lost,
}

/// A peer that answers within a millisecond.
pub(super) const ALIVE: Peer = Peer::Answers(Duration::from_millis(1));
/// How long our side waits for the echo of a Close.
const CLOSE_DEADLINE: Duration = Duration::from_secs(2);

/// One fake connection.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) port: Arc<Port>,
    pub(crate) manager: Arc<Manager>,
}

impl Client {
    /// The client sends a message.
    pub(crate) fn speak(&self, now: Timestamp) {
        self.port.vitals.hear(now);
        self.manager.touch(now, &self.port.device, 1);
    }

    /// Its heartbeats are missed, so many in a row.
    pub(crate) fn miss(&self, times: u32, now: Timestamp) {
        for _ in 0..times {
            self.port.vitals.miss(now);
        }
    }

    /// The client says goodbye, or is lost.
    pub(crate) fn leave(&self, reason: CloseReason) {
        self.port.close(reason);
    }
}

/// The connection's owner task.
pub(super) async fn run(peer: Peer, attachment: Attachment, clock: Clock) {
    let port = attachment.port().clone();
    let mut answer = None;
    let reason = loop {
        tokio::select! {
            biased;
            reason = port.close_asked() => break reason,
            () = OptionFuture::from(answer.as_mut()).map(drop), if answer.is_some() => {
                answer = None;
                port.vitals.hear(clock.now());
                port.vitals.pong(clock.now());
            }
            () = port.vitals.ping_asked(), if answer.is_none() => if let Peer::Answers(after) = peer {
                port.vitals.ping_sent(clock.now());
                answer = Some(Box::pin(tokio::time::sleep(after)));
            },
        }
    };
    let report = |echoed_after, aborted| EndReport {
        reason,
        echoed_after,
        aborted,
        undecided: false,
    };
    let end = match peer {
        _ if reason.is_clients() => report(None, false),
        Peer::Answers(after) => {
            tokio::time::sleep(after).await;
            report(Some(after), false)
        }
        Peer::Silent => {
            tokio::time::sleep(CLOSE_DEADLINE).await;
            report(None, true)
        }
        Peer::Gone => report(None, false),
        Peer::Lost => std::future::pending().await,
    };
    port.report_end(end);
    attachment.leave(reason);
}
