//! The operators' listener: connections that every client that reaches it may open, and that none may keep
//! from those who have something to ask. Who has which place is `desks`' matter.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::header::{CONNECTION, HeaderValue};
use axum::http::{Request, Response, StatusCode};
use axum::response::IntoResponse;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt;

use super::config::Config;
use super::notes::{Note, Notes};
use super::places::{OperatorPlace, OperatorPlaces, Seat, Visit};
use super::policies::refusal::Refusal;
use super::token::PROBES;
use wastegate::gateway::Gateway;
use wastegate::tasks::Tasks;
use wastegate_core::types::Clock;

/// How long the loop rests when the machine has nothing left to accept with.
const ACCEPT_REST: Duration = Duration::from_millis(50);
/// How long a connection that has to end may take over the answer that it is being sent.
const END_WITHIN: Duration = Duration::from_secs(1);

/// How connections of operators are taken.
#[derive(Clone)]
pub struct AdminListenerContext {
    /// The routes of the operators' API.
    pub router: Router,
    /// Places and times.
    pub config: Config,
    /// Whose settings also bound the heads of operators' requests.
    pub gateway: Arc<Gateway>,
    /// How long data may stay unacknowledged before the kernel gives up.
    pub user_timeout: Duration,
    /// Where moments come from.
    pub clock: Clock,
    /// The group of tasks that connections run in.
    pub tasks: Tasks,
}

/// Serves the listener until the tasks stop.
pub async fn serve(listener: TcpListener, serving: AdminListenerContext) {
    let places = OperatorPlaces::new(serving.config.clone(), serving.clock.clone());
    let stop = serving.tasks.stopping();
    let notes = Notes::default();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                prepare(&stream, serving.user_timeout);
                let (place, full) = places.take();
                if full {
                    notes.report(
                        Note::Places,
                        &serving.clock,
                        "every place is taken (`admin.connections_max`), so one that rests is given up, or only probes are answered",
                    );
                }
                let serving = serving.clone();
                serving
                    .tasks
                    .clone()
                    .spawn("http", serving.converse(stream, peer, place));
            }
            Err(error) => {
                notes.report(Note::Accept, &serving.clock, &error.to_string());
                places.give_one_up();
                tokio::time::sleep(ACCEPT_REST).await;
            }
        }
    }
}

fn prepare(stream: &TcpStream, user_timeout: Duration) {
    // Either failing costs latency or patience, never correctness.
    let _ = stream.set_nodelay(true);
    #[cfg(target_os = "linux")]
    let _ = SockRef::from(stream).set_tcp_user_timeout(Some(user_timeout));
}

impl AdminListenerContext {
    async fn converse(self, stream: TcpStream, peer: SocketAddr, place: OperatorPlace) {
        let seat = &place.seat;
        let service = service_fn(|request: Request<Incoming>| {
            seat.asks();
            let answered = self.answer(request, peer, &place);
            async move {
                let answer = answered.await;
                seat.answered();
                Ok::<_, std::convert::Infallible>(answer)
            }
        });
        let heads = self.gateway.config();
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(heads.header_timeout)
            .max_buf_size(heads.header_bytes_max)
            .max_headers(heads.headers_max)
            .serve_connection(
                TokioIo::new(Taking {
                    stream,
                    seat: seat.clone(),
                }),
                service,
            );
        let mut connection = std::pin::pin!(connection);
        let stop = self.tasks.stopping();
        let within = loop {
            let due = seat.due(&self.config);
            tokio::select! {
                ended = connection.as_mut() => return log_end(ended),
                () = seat.cut.cancelled() => return,
                () = stop.cancelled() => break self.config.request_max,
                () = seat.changed.notified() => {}
                () = tokio::time::sleep(seat.until(due)) => {
                    if seat.until(seat.due(&self.config)).is_zero() {
                        break END_WITHIN;
                    }
                }
            }
        };
        connection.as_mut().graceful_shutdown();
        tokio::select! {
            ended = connection => log_end(ended),
            () = seat.cut.cancelled() => {}
            () = tokio::time::sleep(within) => {}
        }
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
        peer: SocketAddr,
        place: &OperatorPlace,
    ) -> Response<Body> {
        let seat = &place.seat;
        let (mut parts, body) = request.into_parts();
        if seat.for_probes && !PROBES.contains(&parts.uri.path()) {
            return no_place();
        }
        parts.extensions.insert(ConnectInfo(peer));
        parts.extensions.insert(Visit::new(seat.clone()));
        let request = Request::from_parts(parts, Body::new(body));
        let Ok(mut answer) = self.router.clone().oneshot(request).await;
        if seat.for_probes {
            let close = HeaderValue::from_static("close");
            answer.headers_mut().insert(CONNECTION, close);
        }
        answer
    }
}

/// A connection that notes when something of an answer is taken.
struct Taking {
    stream: TcpStream,
    seat: Arc<Seat>,
}

impl Taking {
    fn noted(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if matches!(written, Poll::Ready(Ok(1..))) {
            self.seat.moved();
        }
        written
    }
}

impl AsyncRead for Taking {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Taking {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.noted(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.noted(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

fn log_end(ended: hyper::Result<()>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "an operator's connection failed");
    }
}

/// The answer to a connection that may only ask what probes ask.
fn no_place() -> Response<Body> {
    let message = "requests are under way in every place for operators (`admin.connections_max`): only `/healthz` and `/readyz` are answered; wait";
    let status = StatusCode::SERVICE_UNAVAILABLE;
    let mut answer = Refusal::new(status, "connection-limit", message).into_response();
    let headers = answer.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    answer
}
