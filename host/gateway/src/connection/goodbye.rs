//! How a connection of the embedded application ends: what waits, the Close, its answer, the socket.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use tokio_tungstenite::tungstenite::{Error, Message as Frame};

use super::echo::EchoWait;
use super::linger::linger;
use super::patience::{Patience, Uptake};
use super::pump::{ConnectionContext, Pump};
use super::transport::{abort_on_drop, set_kernel_patience};
use super::writer::Writer;
use crate::health;
use crate::manager::{EndReport, Message, Port};
use wastegate_core::types::{CloseReason, Timestamp};

/// How a goodbye ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// The client answered.
    Answered,
    /// Its transport ended, or there was nothing to answer.
    Over,
    /// It has everything and did not answer, or there was no time left.
    Unanswered,
    /// It takes nothing.
    Stalled,
}

impl Pump {
    /// Says goodbye, lets go of the place, and ends the socket.
    pub(super) async fn end(mut self, reason: CloseReason) -> EndReport {
        let start = self.session.clock.now();
        let echo = EchoWait::new(&self.session, reason, start);
        let outcome = self.goodbye(reason, start, echo.deadline).await;
        let aborted =
            matches!(outcome, Outcome::Unanswered | Outcome::Stalled) && !reason.is_clients();
        let report = EndReport {
            reason,
            echoed_after: (outcome == Outcome::Answered)
                .then(|| self.session.clock.now().since(start)),
            aborted,
            undecided: aborted && echo.is_undecided(&self.port.vitals),
        };
        self.port.report_end(report);
        drop(echo);
        let Self {
            session,
            attachment,
            port,
            writer,
            frames,
            ..
        } = self;
        attachment.leave(report.reason);
        if outcome == Outcome::Stalled {
            abort_on_drop(&port.socket);
        } else if let Some(mut transport) = writer.into_transport(frames) {
            set_kernel_patience(transport.tcp(), session.health.dead_after);
            linger(&mut transport, session.config.close_deadline).await;
        }
        report
    }

    async fn goodbye(
        &mut self,
        reason: CloseReason,
        start: Timestamp,
        deadline: Duration,
    ) -> Outcome {
        let wait = Wait {
            session: self.session.clone(),
            port: self.port.clone(),
            deadline,
        };
        if reason.is_clients() {
            self.port
                .note_client_gone(self.attachment.is_for_good(reason), start);
            // Answers a Close if there was one; a transport that is gone fails at once.
            let flushing = async {
                let _ = self.writer.flush().await;
                Outcome::Over
            };
            return wait.out(None, flushing, std::future::pending()).await;
        }
        let (code, text) = self.session.told(reason, self.port.id);
        let notice = (self.session.notice)(reason).filter(|_| self.port.notices);
        // What the application sent before it closed is delivered for as long as the client takes it.
        // Where we end it, that has to come to an end.
        let delivers = reason == CloseReason::ApplicationClosed;
        let until = (!delivers).then(|| start.after(deadline));
        let Self {
            writer,
            frames,
            port,
            ..
        } = self;
        let writing = async {
            match say(writer, port, delivers, notice, (code, text)).await {
                Ok(()) => Outcome::Answered,
                Err(_) => Outcome::Over,
            }
        };
        let reading = async {
            while let Some(Ok(frame)) = frames.next().await {
                if let Frame::Close(_) = frame {
                    return Outcome::Answered;
                }
            }
            Outcome::Over
        };
        wait.out(until, writing, reading).await
    }
}

/// Sends what waits, if that is to be delivered, and a Close.
async fn say(
    writer: &mut Writer,
    port: &Port,
    delivers: bool,
    notice: Option<Message>,
    (code, text): (u16, String),
) -> Result<(), Error> {
    while delivers && port.outbox.queued().messages > 0 {
        writer.step().await?;
    }
    writer.close(notice, code, text).await
}

/// Waits for one client at an end.
struct Wait {
    session: Arc<ConnectionContext>,
    port: Arc<Port>,
    /// How long a client that has everything has to answer.
    deadline: Duration,
}

impl Wait {
    /// Until everything is written, for as long as the client takes some of it, and then until it
    /// has answered. Over at `until`, whatever is left; somebody may ask for an end meanwhile.
    async fn out(
        &self,
        mut until: Option<Timestamp>,
        writing: impl Future<Output = Outcome>,
        reading: impl Future<Output = Outcome>,
    ) -> Outcome {
        let (config, clock) = (&self.session.config, &self.session.clock);
        let socket = self.port.socket.upgrade();
        let backlog = &self.port.vitals.backlog;
        let (mut writing, mut reading) = (pin!(writing), pin!(reading));
        let mut asked = pin!(self.port.close_asked());
        let (mut patience, mut written, mut received) = (Patience::new(), false, None);
        let mut hurried = clock.now();
        loop {
            // What the client says before it is told everything is no answer, nor is its end.
            if let Some(outcome) = received.filter(|_| written) {
                return outcome;
            }
            let now = clock.now();
            if until.is_some_and(|until| now >= until) {
                health::look(backlog, socket.as_deref(), now);
                let stalled = backlog.since().is_some_and(|since| since <= hurried);
                return if stalled {
                    Outcome::Stalled
                } else {
                    Outcome::Unanswered
                };
            }
            let stall_max = until.map_or(config.stall_max, |_| Duration::MAX);
            let peer = (backlog, socket.as_deref());
            let wake = match patience.look(peer, !written, stall_max, now) {
                Uptake::Waits(tick) => tick,
                Uptake::Stalled => return Outcome::Stalled,
                Uptake::Has(since) => {
                    let left = since.after(self.deadline).since(now);
                    if left.is_zero() {
                        return Outcome::Unanswered;
                    }
                    left
                }
            };
            let wake = until.map_or(wake, |until| wake.min(until.since(now)));
            tokio::select! {
                biased;
                outcome = &mut reading, if received.is_none() => received = Some(outcome),
                outcome = &mut writing, if !written => match outcome {
                    Outcome::Answered => written = true,
                    over => return over,
                },
                _ = &mut asked, if until.is_none() => {
                    // An eviction or a stop of the server cannot wait for a slow reader.
                    hurried = clock.now();
                    until = Some(hurried.after(self.deadline));
                }
                () = tokio::time::sleep(wake) => {}
            }
        }
    }
}
