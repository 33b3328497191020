//! Hyper's client with our way to a backend: TCP, and TLS where the backend wants it. Connections that
//! are at rest are kept for a moment and used again.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::http::Uri;
use axum::response::Response;
use futures_util::future::BoxFuture;
use hyper::body::Incoming;
use hyper::rt::{Executor, Read, ReadBufCursor, Write};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioIo, TokioTimer};

use super::body::Upload;
use crate::connection::Transport;
use crate::gateway::GatewayError;
use crate::gateway::config::Config;
use crate::gateway::upstream::{Dialer, Upstream, UpstreamError};
use crate::tasks::Tasks;

/// Bytes of a response head. Sites set many cookies.
pub(super) const HEAD_BYTES_MAX: usize = 64 * 1_024;
/// Headers of a response.
const HEADERS_MAX: usize = 128;
/// Connections to one backend that are kept at rest.
const IDLE_PER_BACKEND_MAX: usize = 32;
/// For how long: shorter than any server is known to keep them, so that none is closed just when it is
/// used.
const IDLE_FOR: Duration = Duration::from_millis(1_500);

/// Why there is no answer.
pub(super) enum Failure {
    /// The backend was not reached; it has nothing of the request.
    Unreachable(UpstreamError),
    /// It was, and what it answered is none.
    Answer(legacy::Error),
    /// It did not begin its answer in time.
    Late(Duration),
    /// The client did not send its body in time.
    Upload,
    /// What the client sent as a body is none.
    Body,
    /// The server has stopped.
    Stopping,
}

impl Failure {
    /// Whether the backend's connection ended before a byte of an answer.
    pub(super) fn is_end_before_answer(&self) -> bool {
        let Self::Answer(error) = self else {
            return false;
        };
        let chain = std::iter::successors(Some(error as &dyn std::error::Error), |it| it.source());
        chain.into_iter().any(|cause| {
            let is_incomplete = |it: &hyper::Error| it.is_incomplete_message();
            let is_reset = |it: &io::Error| {
                use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
                matches!(it.kind(), BrokenPipe | ConnectionAborted | ConnectionReset)
            };
            cause.downcast_ref().is_some_and(is_incomplete)
                || cause.downcast_ref().is_some_and(is_reset)
        })
    }
}

/// The HTTP client for requests to backends that are no upgrade.
pub(in crate::gateway) struct Client(legacy::Client<Connector, Upload>);

impl Client {
    /// For the backends of a configuration.
    pub(in crate::gateway) fn of(config: &Config) -> Result<Self, GatewayError> {
        let connector = Connector {
            dialer: Dialer::of(config, config.upstreams())?,
            timeout: config.upstream_timeout,
        };
        // A set of its own: a connection at rest is nothing that a stop waits for, and one in use is
        // waited for by the request that uses it.
        let client = legacy::Client::builder(InTasks(Tasks::new()))
            .pool_idle_timeout(IDLE_FOR)
            .pool_max_idle_per_host(IDLE_PER_BACKEND_MAX)
            .pool_timer(TokioTimer::new())
            .http1_max_buf_size(HEAD_BYTES_MAX)
            .http1_max_headers(HEADERS_MAX)
            .set_host(false)
            .build(connector);
        Ok(Self(client))
    }

    /// Sends a request and waits for the head of its answer.
    pub(super) async fn request(
        &self,
        request: axum::http::Request<Upload>,
    ) -> Result<Response<Incoming>, Failure> {
        let answered = self.0.request(request).await;
        answered.map_err(|error| {
            if error.is_connect() {
                Failure::Unreachable(unreachable(&error))
            } else {
                Failure::Answer(error)
            }
        })
    }
}

/// Why the connector reached nothing. Of the reasons of an upgrade, those that are of connecting.
#[derive(Debug, thiserror::Error)]
enum Unreached {
    #[error("no connection")]
    Connect(#[source] io::Error),
    #[error("no TLS")]
    Tls(#[source] io::Error),
    #[error("no connection within {} ms", .0.as_millis())]
    Timeout(Duration),
}

impl From<UpstreamError> for Unreached {
    fn from(error: UpstreamError) -> Self {
        match error {
            UpstreamError::Connect(error) => Self::Connect(error),
            UpstreamError::Tls(error) => Self::Tls(error),
            UpstreamError::Timeout(timeout) => Self::Timeout(timeout),
            other => Self::Connect(io::Error::other(other.to_string())),
        }
    }
}

/// What the connector said.
fn unreachable(error: &legacy::Error) -> UpstreamError {
    let again = |error: &io::Error| {
        let code = error.raw_os_error().map(io::Error::from_raw_os_error);
        code.unwrap_or_else(|| io::Error::new(error.kind(), error.to_string()))
    };
    let source = std::error::Error::source(error);
    match source.and_then(|source| source.downcast_ref::<Unreached>()) {
        Some(Unreached::Connect(error)) => UpstreamError::Connect(again(error)),
        Some(Unreached::Tls(error)) => UpstreamError::Tls(again(error)),
        Some(Unreached::Timeout(timeout)) => UpstreamError::Timeout(*timeout),
        None => UpstreamError::Connect(io::Error::other(wastegate_core::types::chain(error))),
    }
}

/// Runs the client's connections as tasks.
#[derive(Clone)]
struct InTasks(Tasks);

impl<F> Executor<F> for InTasks
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, connection: F) {
        self.0.spawn("upstream-http", connection);
    }
}

/// The way to a backend.
#[derive(Clone)]
struct Connector {
    dialer: Dialer,
    timeout: Duration,
}

impl tower::Service<Uri> for Connector {
    type Response = Wire;
    type Error = Unreached;
    type Future = BoxFuture<'static, Result<Wire, Unreached>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Unreached>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let Self { dialer, timeout } = self.clone();
        Box::pin(async move {
            let backend = Upstream::of_target(&uri).ok_or_else(|| {
                UpstreamError::Connect(io::Error::other("a target without a host"))
            })?;
            let reached = tokio::time::timeout(timeout, dialer.reach(&backend)).await;
            let transport = reached.unwrap_or(Err(UpstreamError::Timeout(timeout)))?;
            Ok(Wire(TokioIo::new(transport)))
        })
    }
}

/// A connection to a backend.
struct Wire(TokioIo<Transport>);

impl Connection for Wire {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl Read for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl Write for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
