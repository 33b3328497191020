//! Where traces begin, and where their spans go.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::scope::{Apart, OpenSpan};
use super::{SpanContext, SpanKind, SpanRecord, SpanSink};
use crate::observe::Pseudonymizer;
use wastegate_core::types::{Clock, CloseReason, SplitMix64, Timestamp};

/// The bits of a trace's id that are random for certain (Trace Context, level 2, section 2.2.2): by them it is decided
/// which traces are kept.
const RANDOM_BITS: u32 = 56;

/// Whose `traceparent` is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ParentTrust {
    /// That of peers whose forwarding headers count (`gateway.trusted_proxies`).
    #[default]
    TrustedProxies,
    /// No one's: each handshake begins a trace.
    None,
}

/// What spans are made with.
pub struct SpansParts {
    /// Takes those that have ended.
    pub sink: Arc<dyn SpanSink>,
    /// Where moments come from.
    pub clock: Clock,
    /// Names users.
    pub pseudonyms: Pseudonymizer,
    /// The share of traces that are kept, from 0 to 1, of those that begin here.
    pub ratio: f64,
    /// Whose traces are continued.
    pub parents: ParentTrust,
    /// The code by which a client is told why its connection is closed.
    pub close_code: fn(CloseReason) -> u16,
    /// Ids are made of it; drawn at random, so that no two processes make the same ones.
    pub seed: u64,
}

/// Begins traces. Cheap to clone.
#[derive(Clone)]
pub struct Spans(Arc<SpanSource>);

/// See [`Spans`].
pub(super) struct SpanSource {
    pub(super) parts: SpansParts,
    /// A trace is kept if the random bits of its id are at least so many.
    keep_from: u64,
    ids: AtomicU64,
}

/// What another service said of the trace that a request belongs to.
pub(crate) enum Remote {
    /// Nothing that counts.
    Nothing,
    /// Its span is the parent, and its decision holds.
    Parent(SpanContext, Option<String>),
    /// Nothing that counts, but somewhere to look.
    Link(SpanContext),
}

impl fmt::Debug for Spans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Spans")
    }
}

impl Spans {
    /// For the program's whole life.
    #[must_use]
    pub fn new(parts: SpansParts) -> Self {
        Self(Arc::new(SpanSource {
            keep_from: keep_from(parts.ratio),
            ids: AtomicU64::new(0),
            parts,
        }))
    }

    /// Whether a peer's own span may be the parent of one here.
    pub(crate) fn follows(&self, is_peer_trusted: bool) -> bool {
        is_peer_trusted && self.0.parts.parents == ParentTrust::TrustedProxies
    }

    /// Begins the span of a request. Its context is for the next service also where the trace is not kept.
    pub(crate) fn begin(
        &self,
        remote: Remote,
        name: impl FnOnce() -> Cow<'static, str>,
        kind: SpanKind,
    ) -> (SpanContext, Option<Apart>) {
        let span = self.0.id();
        let (context, parent, state, link) = match remote {
            Remote::Parent(theirs, state) => {
                let context = SpanContext { span, ..theirs };
                (context, Some(theirs.span), state, None)
            }
            Remote::Nothing => (self.0.begin(span), None, None, None),
            Remote::Link(theirs) => (self.0.begin(span), None, None, Some(theirs)),
        };
        let apart = context.is_sampled.then(|| {
            let record = SpanRecord {
                parent,
                is_parent_remote: parent.is_some(),
                state,
                link,
                ..self.0.record(context, name(), kind)
            };
            Apart::new(self.0.clone(), OpenSpan::new(record))
        });
        (context, apart)
    }

    /// Begins the trace of background work, if it is to be kept.
    pub(crate) fn root(&self, name: &'static str) -> Option<Apart> {
        let name = || Cow::Borrowed(name);
        self.begin(Remote::Nothing, name, SpanKind::Internal).1
    }

    /// The same, for work of which nothing is told if it has no steps.
    pub(crate) fn root_of_steps(&self, name: &'static str) -> Option<Apart> {
        self.root(name).map(Apart::only_with_steps)
    }
}

impl SpanSource {
    /// An id of a span.
    fn id(&self) -> u64 {
        let place = self.ids.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        // 0 is no id.
        SplitMix64::nth(self.parts.seed, place).max(1)
    }

    /// The first span of a new trace.
    fn begin(&self, span: u64) -> SpanContext {
        let (high, low) = (self.id(), self.id());
        let random = low & ((1 << RANDOM_BITS) - 1);
        SpanContext {
            trace: u128::from(high) << 64 | u128::from(low),
            span,
            is_sampled: random >= self.keep_from,
        }
    }

    /// A span that begins now.
    fn record(&self, context: SpanContext, name: Cow<'static, str>, kind: SpanKind) -> SpanRecord {
        let begin_unix_us = self.unix_us(self.parts.clock.now());
        SpanRecord {
            context,
            parent: None,
            is_parent_remote: false,
            state: None,
            link: None,
            name,
            kind,
            begin_unix_us,
            end_unix_us: begin_unix_us,
            attributes: Vec::new(),
            failure: None,
        }
    }

    /// A part of another span that begins now.
    pub(super) fn part(&self, of: &SpanRecord, name: &'static str, kind: SpanKind) -> SpanRecord {
        let context = SpanContext {
            span: self.id(),
            ..of.context
        };
        SpanRecord {
            parent: Some(of.context.span),
            state: of.state.clone(),
            ..self.record(context, Cow::Borrowed(name), kind)
        }
    }

    /// A span ends now.
    pub(super) fn end(&self, mut span: SpanRecord) {
        let now = self.unix_us(self.parts.clock.now());
        span.end_unix_us = now.max(span.begin_unix_us);
        self.parts.sink.ended(span);
    }

    fn unix_us(&self, at: Timestamp) -> u64 {
        let whole = self.parts.clock.unix_ms(at).saturating_mul(1_000);
        whole.saturating_add(at.micros() % 1_000)
    }
}

/// From which number on the random bits of an id keep a trace.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a share of 2^56, of which 53 bits are enough"
)]
fn keep_from(ratio: f64) -> u64 {
    let all = (1_u64 << RANDOM_BITS) as f64;
    (all * (1.0 - ratio.clamp(0.0, 1.0))).round() as u64
}
