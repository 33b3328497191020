//! Spans of OpenTelemetry: how long each step of a handshake, a cleanup or a sweep took, and which step it was a
//! part of.
//!
//! A [`Spans`] begins traces and hands each span that has ended to one [`SpanSink`]. The sink sends it; this
//! module knows no collector and no format. It makes no `tracing` spans: those would change log lines, and a
//! filter of the log would decide what is traced.
//!
//! # Which steps belong together
//! The spans of a trace that are open in a task are on a stack, which is a local of the task (`scope`). So a
//! room opens a span by one line, and passes nothing on to the rooms that it calls. A task that is spawned gets
//! a span of its own (`apart`) and continues with it (`around`). Where nothing is traced there is no stack,
//! and opening a span is one look at a variable of the thread. Only steps of handshakes and cleanups do that:
//! no frame does.
//!
//! # Which traces are kept
//! It is decided once, where a trace begins, by its id, so that all services that go by ids keep the same ones.
//! The decision of a client is followed only where its forwarding headers are ([`ParentTrust`]), because each
//! trace that is kept costs time here and at the backend.

pub(crate) mod context;
mod scope;
mod source;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

pub use self::context::SpanContext;
#[cfg(any(feature = "upstream", test))]
pub(crate) use self::scope::current;
pub(crate) use self::scope::{Apart, apart, around, child, failed, note, note_user};
pub(crate) use self::source::Remote;
pub use self::source::{ParentTrust, Spans, SpansParts};

/// The longest text of an attribute, bytes; the rest is cut off.
pub const ATTRIBUTE_BYTES_MAX: usize = 1024;

/// Takes spans that have ended. It is called in the way of handshakes, so it must not block.
pub trait SpanSink: Send + Sync + 'static {
    /// A span has ended.
    fn ended(&self, span: SpanRecord);
}

/// A span that has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct SpanRecord {
    /// Its trace and its own id.
    pub context: SpanContext,
    /// The id of the span that it is a part of; none for the root of a trace.
    pub parent: Option<u64>,
    /// That span is another service's.
    pub is_parent_remote: bool,
    /// The `tracestate` of the trace, as it came.
    pub state: Option<String>,
    /// A span of the client that has something to do with it and is not its parent.
    pub link: Option<SpanContext>,
    /// What it is a step of: a few names, never those of users.
    pub name: Cow<'static, str>,
    /// How it stands to other services.
    pub kind: SpanKind,
    /// When it began, microseconds since the Unix epoch.
    pub begin_unix_us: u64,
    /// When it ended, microseconds since the Unix epoch; not before it began.
    pub end_unix_us: u64,
    /// What is known of it.
    pub attributes: Vec<(&'static str, SpanValue)>,
    /// The word for how it failed, if it did.
    pub failure: Option<&'static str>,
}

/// How a span stands to other services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanKind {
    /// A step inside of the gateway.
    Internal,
    /// A request of a client.
    Server,
    /// A request to a backend.
    Client,
}

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq)]
pub enum SpanValue {
    /// At most [`ATTRIBUTE_BYTES_MAX`] bytes of text.
    Text(Cow<'static, str>),
    /// A few words of a closed list.
    Words(Vec<&'static str>),
    /// A count, or a code.
    Number(i64),
    /// Yes or no.
    Flag(bool),
}

impl From<&'static str> for SpanValue {
    fn from(text: &'static str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for SpanValue {
    fn from(mut text: String) -> Self {
        let cut = text.floor_char_boundary(ATTRIBUTE_BYTES_MAX);
        text.truncate(cut);
        Self::Text(Cow::Owned(text))
    }
}

impl From<u64> for SpanValue {
    fn from(number: u64) -> Self {
        Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<u32> for SpanValue {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

impl From<u16> for SpanValue {
    fn from(number: u16) -> Self {
        Self::Number(number.into())
    }
}

impl From<usize> for SpanValue {
    fn from(number: usize) -> Self {
        Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<bool> for SpanValue {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}
