//! The spans of one trace that are open in a task.

use std::cell::RefCell;
use std::future::Future;
use std::sync::Arc;

#[cfg(any(feature = "upstream", test))]
use super::SpanContext;
use super::source::SpanSource;
use super::{SpanKind, SpanRecord, SpanValue};
use wastegate_core::types::{CloseReason, UserId};

tokio::task_local! {
    static SCOPE: Scope;
}

/// The open spans, the innermost last; none where nothing is traced. Those that are left end with it.
struct Scope {
    trace: Option<Trace>,
}

struct Trace {
    source: Arc<SpanSource>,
    // Of one task, and never borrowed across a call of another function.
    open: RefCell<Vec<OpenSpan>>,
}

/// A span that has not ended.
pub(super) struct OpenSpan {
    record: SpanRecord,
    has_parts: bool,
    /// Nothing is told of it if it has no parts.
    is_nothing_alone: bool,
}

impl OpenSpan {
    pub(super) const fn new(record: SpanRecord) -> Self {
        Self {
            record,
            has_parts: false,
            is_nothing_alone: false,
        }
    }

    fn note(&mut self, key: &'static str, value: SpanValue) {
        self.record.attributes.push((key, value));
    }

    fn end(self, source: &SpanSource) {
        if self.has_parts || !self.is_nothing_alone {
            source.end(self.record);
        }
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        while let Some(span) = self.open.get_mut().pop() {
            span.end(&self.source);
        }
    }
}

/// Does something with the innermost span, if there is one.
fn innermost<R>(act: impl FnOnce(&Arc<SpanSource>, &mut Vec<OpenSpan>) -> Option<R>) -> Option<R> {
    let found = SCOPE.try_with(|scope| {
        let trace = scope.trace.as_ref()?;
        act(&trace.source, &mut trace.open.borrow_mut())
    });
    found.ok().flatten()
}

fn part_of(
    source: &SpanSource,
    open: &mut [OpenSpan],
    name: &'static str,
    kind: SpanKind,
) -> Option<OpenSpan> {
    let parent = open.last_mut()?;
    parent.has_parts = true;
    Some(OpenSpan::new(source.part(&parent.record, name, kind)))
}

/// A step that a task takes; it ends when this is dropped.
#[must_use = "a span ends when it is dropped"]
pub(crate) struct Child {
    /// How many spans are open around it.
    depth: usize,
}

impl Drop for Child {
    fn drop(&mut self) {
        innermost(|source, open| {
            while open.len() > self.depth {
                open.pop()?.end(source);
            }
            Some(())
        });
    }
}

/// Opens a part of the innermost span, which is the innermost one from now on; none where nothing is traced.
pub(crate) fn child(name: &'static str, kind: SpanKind) -> Option<Child> {
    innermost(|source, open| {
        let span = part_of(source, open, name, kind)?;
        let depth = open.len();
        open.push(span);
        Some(Child { depth })
    })
}

/// Opens a part of the innermost span that is for another task; none where nothing is traced.
pub(crate) fn apart(name: &'static str) -> Option<Apart> {
    innermost(|source, open| {
        let span = part_of(source, open, name, SpanKind::Internal)?;
        Some(Apart::new(source.clone(), span))
    })
}

/// Notes something about the innermost span. What it is, is only asked where something is traced.
pub(crate) fn note<V: Into<SpanValue>>(key: &'static str, value: impl FnOnce() -> V) {
    innermost(|_, open| {
        open.last_mut()?.note(key, value().into());
        Some(())
    });
}

/// Notes which user the innermost span is about, as journals name it.
pub(crate) fn note_user(user: &UserId) {
    innermost(|source, open| {
        let user = source.parts.pseudonyms.user(user).to_string();
        open.last_mut()?.note("enduser.pseudo.id", user.into());
        Some(())
    });
}

/// Notes that the innermost span failed, by a word of a closed list.
pub(crate) fn failed(failure: &'static str) {
    innermost(|_, open| {
        let span = open.last_mut()?;
        span.note("error.type", failure.into());
        span.record.failure = Some(failure);
        Some(())
    });
}

/// The innermost span, for a backend.
#[cfg(any(feature = "upstream", test))]
pub(crate) fn current() -> Option<SpanContext> {
    innermost(|_, open| open.last().map(|span| span.record.context))
}

/// A span that is not on a task's stack; it ends when this is dropped.
#[must_use = "a span ends when it is dropped"]
pub(crate) struct Apart {
    source: Arc<SpanSource>,
    span: Option<OpenSpan>,
}

impl Apart {
    pub(super) const fn new(source: Arc<SpanSource>, span: OpenSpan) -> Self {
        let span = Some(span);
        Self { source, span }
    }

    /// Nothing is told of it if no part of it is opened.
    pub(super) fn only_with_steps(mut self) -> Self {
        if let Some(span) = &mut self.span {
            span.is_nothing_alone = true;
        }
        self
    }

    /// Notes something about it.
    pub(crate) fn note(&mut self, key: &'static str, value: impl Into<SpanValue>) {
        if let Some(span) = &mut self.span {
            span.note(key, value.into());
        }
    }

    /// Notes what the client of a connection is told that is closed.
    pub(crate) fn note_close(&mut self, reason: CloseReason) {
        let code = (self.source.parts.close_code)(reason);
        self.note("wastegate.close.code", code);
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        if let Some(span) = self.span.take() {
            span.end(&self.source);
        }
    }
}

/// Work of which a span is the outermost one, if there is a span. It ends with the work, also where the work is
/// dropped.
pub(crate) fn around<F: Future>(span: Option<Apart>, work: F) -> impl Future<Output = F::Output> {
    let trace = span.and_then(|mut apart| {
        let open = RefCell::new(vec![apart.span.take()?]);
        let source = apart.source.clone();
        Some(Trace { source, open })
    });
    SCOPE.scope(Scope { trace }, work)
}
