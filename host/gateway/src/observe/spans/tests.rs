//! Which spans come of which steps.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::*;
use crate::observe::pseudonym::{PseudonymKey, Pseudonymizer};
use crate::tasks::Tasks;
use wastegate_core::types::{Clock, CloseReason, EvictionCause, UserId};

#[derive(Default)]
struct Kept(Mutex<Vec<SpanRecord>>);

impl SpanSink for Kept {
    fn ended(&self, span: SpanRecord) {
        self.0.lock().push(span);
    }
}

impl Kept {
    fn named(&self, name: &str) -> SpanRecord {
        let all = self.0.lock();
        let mut found = all.iter().filter(|span| span.name == name);
        let span = found
            .next()
            .unwrap_or_else(|| panic!("no span {name} in {all:?}"));
        assert!(found.next().is_none(), "{name} twice");
        span.clone()
    }
}

fn spans(ratio: f64, parents: ParentTrust) -> (Arc<Kept>, Clock, Spans) {
    let (kept, clock) = (Arc::<Kept>::default(), Clock::manual());
    let spans = Spans::new(SpansParts {
        sink: kept.clone(),
        clock: clock.clone(),
        pseudonyms: Pseudonymizer::new(PseudonymKey::from_bytes([7; 16])),
        ratio,
        parents,
        close_code: |reason| u16::from(matches!(reason, CloseReason::Evicted(_))),
        seed: 7,
    });
    (kept, clock, spans)
}

fn request(spans: &Spans, remote: Remote) -> (SpanContext, Option<Apart>) {
    spans.begin(remote, || Cow::Borrowed("GET /ws"), SpanKind::Server)
}

#[tokio::test]
async fn steps_are_parts_of_what_they_are_taken_in_also_in_other_tasks() {
    let (kept, clock, spans) = spans(1.0, ParentTrust::None);
    let (context, span) = request(&spans, Remote::Nothing);
    let tasks = Tasks::new();
    around(span, async {
        note_user(&UserId::new("ann").unwrap());
        let step = child("admission", SpanKind::Internal);
        clock.advance(Duration::from_micros(1_500));
        let cleanup = apart("cleanup");
        let other = tasks.spawn(
            "cleanup",
            around(cleanup, async {
                let _policy = child("policy", SpanKind::Internal);
                failed("trap");
                let mut eviction = apart("eviction").unwrap();
                eviction.note_close(CloseReason::Evicted(EvictionCause::Requested));
            }),
        );
        other.await.unwrap();
        note("outcome", || "admitted");
        drop(step);
        note("status", || 101_u16);
    })
    .await;
    let server = kept.named("GET /ws");
    let part = |name, of: &SpanRecord| {
        let part = kept.named(name);
        assert_eq!(part.parent, Some(of.context.span), "{name}");
        assert_eq!(part.context.trace, context.trace);
        part
    };
    assert_eq!((server.context, server.parent), (context, None));
    let admission = part("admission", &server);
    let cleanup = part("cleanup", &admission);
    let policy = part("policy", &cleanup);
    let eviction = part("eviction", &policy);
    assert_eq!(policy.failure, Some("trap"));
    assert_eq!(
        eviction.attributes,
        [("wastegate.close.code", SpanValue::Number(1))]
    );
    assert_eq!(admission.end_unix_us - admission.begin_unix_us, 1_500);
    // What a step is not about is noted of what is around it.
    assert_eq!(admission.attributes, [("outcome", "admitted".into())]);
    let told = format!("{:?}", server.attributes);
    assert!(
        told.contains("enduser.pseudo.id") && !told.contains("ann"),
        "{told}"
    );
    assert_eq!(
        server.attributes.last(),
        Some(&("status", SpanValue::Number(101)))
    );
    assert_eq!(kept.0.lock().len(), 5);
}

/// What a client says counts only where it may say it; else it is only something to look at.
#[test]
fn whose_trace_is_continued() {
    let theirs = SpanContext {
        trace: 5,
        span: 6,
        is_sampled: false,
    };
    let (kept, _, spans) = spans(1.0, ParentTrust::TrustedProxies);
    assert!(spans.follows(true) && !spans.follows(false));
    let state = Some("a=1".to_owned());
    let (unkept, span) = request(&spans, Remote::Parent(theirs, state.clone()));
    assert!(span.is_none() && !unkept.is_sampled && unkept.trace == 5 && unkept.span != 6);
    let sampled = SpanContext {
        is_sampled: true,
        ..theirs
    };
    drop(request(&spans, Remote::Parent(sampled, state.clone())));
    let continued = kept.0.lock().pop().unwrap();
    assert_eq!(
        (
            continued.parent,
            continued.is_parent_remote,
            continued.state
        ),
        (Some(6), true, state)
    );
    drop(request(&spans, Remote::Link(theirs)));
    let linked = kept.0.lock().pop().unwrap();
    assert_eq!((linked.parent, linked.link), (None, Some(theirs)));
    assert_ne!(linked.context.trace, 5);
}

#[test]
fn so_many_traces_are_kept() {
    for (ratio, least, most) in [(0.0, 0, 0), (1.0, 2_000, 2_000), (0.25, 420, 580)] {
        let (kept, _, spans) = spans(ratio, ParentTrust::None);
        for _ in 0..2_000 {
            drop(request(&spans, Remote::Nothing));
        }
        let count = kept.0.lock().len();
        assert!((least..=most).contains(&count), "{count} of {ratio}");
    }
}

/// Where nothing is traced nothing is noted, and a pass that did nothing is not told of.
#[tokio::test]
async fn nothing_comes_of_nothing() {
    let (kept, _, spans) = spans(1.0, ParentTrust::None);
    assert!(child("admission", SpanKind::Internal).is_none() && apart("cleanup").is_none());
    note("outcome", || -> &str { panic!("nothing is traced") });
    around(None, async { assert!(current().is_none()) }).await;
    around(spans.root_of_steps("sweep"), async {}).await;
    assert!(kept.0.lock().is_empty());
    around(spans.root_of_steps("sweep"), async {
        drop(apart("eviction"))
    })
    .await;
    assert_eq!(
        kept.named("eviction").parent,
        Some(kept.named("sweep").context.span)
    );
}

/// A client that leaves drops its handshake in the middle of a step: both end.
#[tokio::test]
async fn what_is_dropped_ends() {
    let (kept, _, spans) = spans(1.0, ParentTrust::None);
    let (_, span) = request(&spans, Remote::Nothing);
    let mut work = Box::pin(around(span, async {
        let _step = child("admission", SpanKind::Internal);
        std::future::pending::<()>().await;
    }));
    assert!(futures_util::poll!(&mut work).is_pending());
    drop(work);
    assert_eq!(
        kept.named("admission").parent,
        Some(kept.named("GET /ws").context.span)
    );
}

#[test]
fn a_text_is_cut_where_a_character_ends() {
    let text = SpanValue::from("\u{e9}".repeat(ATTRIBUTE_BYTES_MAX));
    let SpanValue::Text(text) = text else {
        panic!("no text");
    };
    assert_eq!(text.len(), ATTRIBUTE_BYTES_MAX);
}
