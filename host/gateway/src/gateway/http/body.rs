//! Bodies on their way: a client's, which waits until a backend is there for it, and a backend's.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use axum::BoxError;
use axum::body::Body;
use hyper::body::{Body as _, Bytes, Frame, Incoming, SizeHint};
use parking_lot::Mutex;
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::requests::Place;
use super::watch::{Done, Progress};

/// A client's body. Requests are made with it until one has begun to read it.
pub(super) struct Source {
    // A lock, because the connection that reads it is a task of its own; held to take it out.
    body: Arc<Mutex<Option<Body>>>,
    hint: SizeHint,
    is_empty: bool,
    is_sent: Arc<AtomicBool>,
    is_broken: Arc<AtomicBool>,
    progress: Progress,
}

impl Source {
    pub(super) fn new(body: Body, progress: Progress) -> Self {
        let (hint, is_empty) = (body.size_hint(), body.is_end_stream());
        Self {
            body: Arc::new(Mutex::new(Some(body))),
            hint,
            is_empty,
            is_sent: Arc::new(AtomicBool::new(is_empty)),
            is_broken: Arc::default(),
            progress,
        }
    }

    /// The body for one request.
    pub(super) fn body(&self) -> Upload {
        Upload {
            source: self.body.clone(),
            body: None,
            hint: self.hint,
            is_empty: self.is_empty,
            is_sent: self.is_sent.clone(),
            is_broken: self.is_broken.clone(),
            progress: self.progress.clone(),
        }
    }

    /// Whether the client sent something that is no body, or hung up in it.
    pub(super) fn is_broken(&self) -> bool {
        self.is_broken.load(Ordering::Relaxed)
    }

    /// Whether all of it was read.
    pub(super) fn is_sent(&self) -> Arc<AtomicBool> {
        self.is_sent.clone()
    }
}

/// A client's body, for the backend.
pub(super) struct Upload {
    source: Arc<Mutex<Option<Body>>>,
    /// From its first read on.
    body: Option<Body>,
    hint: SizeHint,
    is_empty: bool,
    is_sent: Arc<AtomicBool>,
    is_broken: Arc<AtomicBool>,
    progress: Progress,
}

impl hyper::body::Body for Upload {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.body.is_none() {
            let taken = self.source.lock().take();
            self.body = taken;
        }
        let Some(body) = self.body.as_mut() else {
            return Poll::Ready(Some(Err("another request has read this body".into())));
        };
        let frame = ready!(Pin::new(body).poll_frame(cx));
        self.progress.moved();
        match &frame {
            None => self.is_sent.store(true, Ordering::Relaxed),
            Some(Err(_)) => self.is_broken.store(true, Ordering::Relaxed),
            Some(Ok(_)) => {}
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        let is_read = |body: &Body| body.is_end_stream();
        self.body.as_ref().map_or(self.is_empty, is_read)
    }

    fn size_hint(&self) -> SizeHint {
        let left = self.body.as_ref().map(hyper::body::Body::size_hint);
        left.unwrap_or(self.hint)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        // A body of known length ends without an end being read.
        if self.body.as_ref().is_some_and(Body::is_end_stream) {
            self.is_sent.store(true, Ordering::Relaxed);
        }
    }
}

/// A backend's body, for the client.
pub(super) struct Download {
    pub(super) body: Incoming,
    pub(super) progress: Progress,
    /// Nothing moved for too long, or the server stops.
    pub(super) cut: Pin<Box<WaitForCancellationFutureOwned>>,
    pub(super) _place: Place,
    pub(super) _done: Done,
}

impl hyper::body::Body for Download {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.cut.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Some(Err("nothing moved for too long".into())));
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        self.progress.moved();
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// No body, where that does not mean a body of no length: behind the answer to a HEAD.
pub(super) struct Nothing;

impl hyper::body::Body for Nothing {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        true
    }
}
