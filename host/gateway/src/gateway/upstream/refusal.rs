//! What a backend says instead of taking a connection. It goes to the client as it is: status, headers,
//! body. The body is handed on while it comes, within limits, and holds no slot.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONNECTION, HeaderMap, HeaderValue, UPGRADE};
use axum::http::{Response, StatusCode};
use hyper::body::{Bytes, Frame, SizeHint};
use tokio::time::Sleep;

use super::head;

/// The body of a refusal, bytes. What is longer ends with an error, which the client sees as an answer
/// that was cut off.
const BODY_BYTES_MAX: u64 = 1_024 * 1_024;
/// How long it may take to come.
const BODY_TIME_MAX: Duration = Duration::from_secs(10);

/// A backend's answer that is no upgrade.
pub struct BackendRefusal {
    response: Response<Body>,
}

impl BackendRefusal {
    pub(super) const fn new(response: Response<Body>) -> Self {
        Self { response }
    }

    /// The status of the backend's answer.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.response.status()
    }

    /// The answer for the client.
    pub(in crate::gateway) fn into_response(self) -> Response<Body> {
        let (parts, body) = self.response.into_parts();
        let body = Bounded {
            body,
            left: BODY_BYTES_MAX,
            end: Box::pin(tokio::time::sleep(BODY_TIME_MAX)),
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

    /// The headers of the backend's answer.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }
}

impl fmt::Debug for BackendRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Refusal").field(&self.status()).finish()
    }
}

/// A body that is cut off where it is too long or takes too long.
struct Bounded {
    body: Body,
    left: u64,
    end: Pin<Box<Sleep>>,
}

impl hyper::body::Body for Bounded {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::BoxError>>> {
        if self.end.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Some(Err("the body of a refusal took too long".into())));
        }
        let frame = match std::task::ready!(Pin::new(&mut self.body).poll_frame(cx)) {
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
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
