//! What a backend says instead of taking a connection. It goes to the client as it is: status, headers,
//! body. The body is handed on while it comes, within limits, and holds no slot.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONNECTION, HeaderValue, UPGRADE};
use axum::http::{Response, StatusCode};
use hyper::body::{Bytes, Frame, SizeHint};
use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::head;
use crate::tasks::Tasks;

/// The body of a refusal, bytes. What is longer ends with an error, which the client sees as an answer
/// that was cut off.
const BODY_BYTES_MAX: u64 = 1_024 * 1_024;
/// How long it may take to come.
const BODY_TIME_MAX: Duration = Duration::from_secs(10);

/// A backend's answer that is no upgrade.
pub(crate) struct BackendRefusal {
    response: Response<Body>,
}

impl BackendRefusal {
    pub(super) const fn new(response: Response<Body>) -> Self {
        Self { response }
    }

    /// The status of the backend's answer.
    #[must_use]
    pub(crate) fn status(&self) -> StatusCode {
        self.response.status()
    }

    /// The answer for the client, whose connection `cut` ends. A body that is not over in its time is given up
    /// on both sides: a client that does not read it is not asked for more of it, so a task beside it looks at
    /// the time.
    pub(in crate::gateway) fn into_response(
        self,
        tasks: &Tasks,
        cut: CancellationToken,
    ) -> Response<Body> {
        let (parts, body) = self.response.into_parts();
        let body = Arc::new(Mutex::new(Some(body)));
        let (done, is_done) = oneshot::channel();
        let watched = body.clone();
        tasks.spawn("refusal-body", async move {
            if tokio::time::timeout(BODY_TIME_MAX, is_done).await.is_err() {
                drop(watched.lock().take());
                cut.cancel();
            }
        });
        let body = Bounded {
            body,
            left: BODY_BYTES_MAX,
            _done: done,
        };
        let mut response = Response::new(Body::new(body));
        *response.status_mut() = parts.status;
        *response.headers_mut() = head::answer(&parts.headers);
        if parts.status == StatusCode::UPGRADE_REQUIRED {
            // Of one hop, and part of the answer's meaning (RFC 9110, section 15.5.22).
            let headers = response.headers_mut();
            headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
            headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        }
        response
    }
}

impl fmt::Display for BackendRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it answered {}", self.status())
    }
}

impl fmt::Debug for BackendRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Refusal").field(&self.status()).finish()
    }
}

/// A body that is cut off where it is too long or takes too long.
struct Bounded {
    /// None once its time is over. A lock, because that is noticed by another task; held for one look.
    body: Arc<Mutex<Option<Body>>>,
    left: u64,
    /// Dropped, the body has come to its end.
    _done: oneshot::Sender<()>,
}

impl hyper::body::Body for Bounded {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::BoxError>>> {
        let polled = match &mut *self.body.lock() {
            Some(body) => Pin::new(body).poll_frame(cx),
            None => return Poll::Ready(Some(Err("the body of a refusal took too long".into()))),
        };
        let frame = match std::task::ready!(polled) {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
            None => return Poll::Ready(None),
        };
        let bytes = frame.data_ref().map_or(0, Bytes::len) as u64;
        let Some(left) = self.left.checked_sub(bytes) else {
            return Poll::Ready(Some(Err("the body of a refusal is too long".into())));
        };
        self.left = left;
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        let body = self.body.lock();
        body.as_ref().is_some_and(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let body = self.body.lock();
        body.as_ref().map(Body::size_hint).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A client that does not read is not asked for more of the body, and holds nothing longer for that.
    #[tokio::test(start_paused = true)]
    async fn a_body_that_is_not_taken_ends_with_its_time_on_both_sides() {
        let (tasks, cut) = (Tasks::new(), CancellationToken::new());
        let body = HeldBody::default();
        let held = body.held.clone();
        let response = Response::new(Body::new(body));
        let answer = BackendRefusal::new(response).into_response(&tasks, cut.clone());
        tokio::time::sleep(BODY_TIME_MAX - Duration::from_millis(1)).await;
        assert!(!cut.is_cancelled() && Arc::strong_count(&held) == 2);
        tokio::time::sleep(Duration::from_millis(2)).await;
        assert!(cut.is_cancelled() && Arc::strong_count(&held) == 1);
        let taken = axum::body::to_bytes(answer.into_body(), 9).await;
        taken.unwrap_err();
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_is_over_in_time_cuts_nothing() {
        let (tasks, cut) = (Tasks::new(), CancellationToken::new());
        let refusal = BackendRefusal::new(Response::new(Body::from("no")));
        let answer = refusal.into_response(&tasks, cut.clone());
        let taken = axum::body::to_bytes(answer.into_body(), 9).await;
        assert_eq!(taken.unwrap(), "no");
        tokio::time::sleep(BODY_TIME_MAX * 2).await;
        assert!(!cut.is_cancelled() && tasks.running() == 0);
    }

    /// A body that never ends.
    #[derive(Default)]
    struct HeldBody {
        held: Arc<()>,
    }

    impl hyper::body::Body for HeldBody {
        type Data = Bytes;
        type Error = axum::BoxError;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, axum::BoxError>>> {
            Poll::Pending
        }
    }
}
