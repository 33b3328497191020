//! From sessions to events, with faults at declared rates.

use super::chats::{Owner, Turn};
use super::random_draw::{RandomDraws, ms};
use crate::trace::builder::{NotTaken, RawEvent, TraceBuilder};
use crate::trace::event::{Trace, TraceEventKind};

/// After how long somebody who says nothing more leaves or hides, ms, in the mean.
const LINGER_MS_MEAN: f64 = 300_000.0;
/// A pause from which on a client may lose its connection, ms.
const LONG_PAUSE_MS: u64 = 60_000;
/// Kinds of clients, with how many of ten users have them.
const DEVICES: [(&str, f64); 3] = [("desktop", 5.0), ("phone", 4.0), ("tablet", 1.0)];

/// How often what goes wrong; shares from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FaultRates {
    /// Sessions whose client is gone at the end without a word.
    pub die_silently: f64,
    /// Sessions that are closed properly at the end. The rest stays open and quiet.
    pub close: f64,
    /// Pauses in which the page is hidden.
    pub background: f64,
    /// Long pauses after which the client comes back under a new key, the old one neither closed nor
    /// answering.
    pub reconnect_without_close: f64,
    /// From which everything is drawn.
    pub seed: u64,
}

impl Default for FaultRates {
    /// As section E of our reference has it, where it says a number.
    fn default() -> Self {
        Self {
            die_silently: 0.1,
            close: 0.3,
            background: 0.3,
            reconnect_without_close: 0.15,
            seed: 1,
        }
    }
}

struct Line {
    at_ms: u64,
    owner: usize,
    key: String,
    kind: TraceEventKind,
}

impl FaultRates {
    /// The events of sessions, in order of time.
    ///
    /// # Errors
    /// [`NotTaken`] when there are more than a trace may have.
    pub fn events(&self, owners: &[Owner]) -> Result<Trace, NotTaken> {
        let mut lines = Vec::new();
        for (place, owner) in owners.iter().enumerate() {
            self.session(place, owner, &mut lines);
        }
        // Stable: what happened at one moment stays in its order.
        lines.sort_by_key(|line| line.at_ms);
        let mut builder = TraceBuilder::default();
        for Line {
            at_ms,
            owner,
            key,
            kind,
        } in lines
        {
            let Some(owner) = owners.get(owner) else {
                continue;
            };
            let device = format!("{}-{}", owner.user, self.device(&owner.user));
            builder.add(RawEvent {
                at_ms,
                user: &owner.user,
                key: &key,
                device: Some(&device),
                kind,
            })?;
        }
        Ok(builder.build())
    }

    fn device(&self, user: &str) -> &'static str {
        let thing = user.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let weights = DEVICES.map(|(_, weight)| weight);
        let place = RandomDraws::of(self.seed, thing).weighted(&weights);
        place
            .and_then(|place| DEVICES.get(place))
            .map_or("desktop", |(name, _)| name)
    }

    fn session(&self, place: usize, owner: &Owner, lines: &mut Vec<Line>) {
        // Another stream than the one that dealt the session.
        let mut draws = RandomDraws::of(self.seed ^ 0x5eed_fa17, owner.chat.number);
        let (mut lives, mut before): (u32, Option<Turn>) = (0, None);
        let name = |lives: u32| match lives {
            0 => format!("chat-{}", owner.chat.number),
            again => format!("chat-{}-{again}", owner.chat.number),
        };
        let mut key = name(0);
        let mut put = |at_ms: u64, key: &str, kind: TraceEventKind| {
            let key = key.to_owned();
            lines.push(Line {
                at_ms,
                owner: place,
                key,
                kind,
            });
        };
        for turn in &owner.chat.turns {
            match before {
                None => {
                    put(turn.at_ms, &key, TraceEventKind::Open { wait_ms: 0 });
                    put(turn.at_ms, &key, TraceEventKind::Attach);
                }
                Some(last) => {
                    let quiet_ms = last.at_ms.saturating_add(last.answer_ms);
                    let pause_ms = turn.at_ms.saturating_sub(quiet_ms);
                    if pause_ms > LONG_PAUSE_MS && draws.happens(self.reconnect_without_close) {
                        put(quiet_ms + pause_ms / 2, &key, TraceEventKind::DieSilently);
                        lives += 1;
                        key = name(lives);
                        put(turn.at_ms, &key, TraceEventKind::Open { wait_ms: 0 });
                        put(turn.at_ms, &key, TraceEventKind::Attach);
                    } else if pause_ms > LONG_PAUSE_MS && draws.happens(self.background) {
                        put(quiet_ms + pause_ms / 4, &key, TraceEventKind::Hidden);
                        put(turn.at_ms, &key, TraceEventKind::Visible);
                    }
                }
            }
            put(
                turn.at_ms,
                &key,
                TraceEventKind::In {
                    n: 1,
                    bytes: 200,
                    last_ms: 0,
                },
            );
            let answer_ms = u32::try_from(turn.answer_ms).unwrap_or(u32::MAX);
            put(
                turn.at_ms,
                &key,
                TraceEventKind::Out {
                    n: 2,
                    bytes: turn.answer_bytes,
                    last_ms: answer_ms,
                },
            );
            before = Some(*turn);
        }
        let Some(last) = before else { return };
        let end_ms = last.at_ms + last.answer_ms + ms(draws.exponential(LINGER_MS_MEAN));
        let fate = draws.even();
        if fate < self.die_silently {
            put(end_ms, &key, TraceEventKind::DieSilently);
        } else if fate < self.die_silently + self.close {
            put(end_ms, &key, TraceEventKind::Close);
        } else if draws.happens(self.background) {
            put(end_ms, &key, TraceEventKind::Hidden);
        }
    }
}
