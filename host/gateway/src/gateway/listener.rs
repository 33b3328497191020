//! The accept loop: nothing a client does, and no passing shortage, ends it.
//!
//! A socket that has no place is answered 503, and so is one that there is not even a descriptor for: a
//! spare one is kept open for that, given up to accept with, and taken back when the refused socket is
//! closed. So a client never waits in a backlog that the gateway does not empty.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::StatusCode;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt;

use super::caps::{Cap, HalfOpen};
use super::door::Door;
use super::hello;
use super::passage::{OnPassage, Passage};
use super::peer::ProxiedPeer;
use super::places::{ConnectionSlot, Places};
use super::refuse;
use super::resting::Resting;
use crate::connection::Transport;
use crate::observe::Throttle;
use crate::tasks::Tasks;
use wastegate_core::types::{Clock, Timestamp};

/// How long the loop rests when the machine has nothing left to accept with.
const ACCEPT_REST: Duration = Duration::from_millis(50);
/// How long a refused client has to take its answer.
const REFUSAL_WITHIN: Duration = Duration::from_secs(1);
/// What it may have sent by then that is read, bytes: a socket that is closed with something unread is
/// reset, and its answer lost.
const REFUSED_BYTES_MAX: u64 = 64 * 1_024;
/// Between two log lines about the same shortage.
const REPORT_EVERY: Duration = Duration::from_secs(30);
/// The answer to a socket that the node has no place for.
static NO_PLACE: LazyLock<String> = LazyLock::new(|| {
    let message = "this server has no place for another connection; wait";
    refuse::at_the_door(StatusCode::SERVICE_UNAVAILABLE, "connection-limit", message)
});
/// The answer to a socket that is over a cap.
static TOO_MANY: LazyLock<String> = LazyLock::new(|| {
    let message = "too many connections begin here, or from this address; wait";
    refuse::at_the_door(
        StatusCode::TOO_MANY_REQUESTS,
        "too-many-handshakes",
        message,
    )
});

/// That a request came over TLS.
#[derive(Debug, Clone, Copy)]
pub(super) struct Encrypted;

/// How connections of one listener are taken.
#[derive(Clone)]
pub struct ListenerContext {
    /// The routes of the public listener.
    pub router: Router,
    /// Places for connections.
    pub places: Arc<Places>,
    /// What strangers meet first.
    pub door: Arc<Door>,
    /// The group of tasks that connections run in.
    pub tasks: Tasks,
}

/// A socket that was accepted, and when.
struct Accepted {
    stream: TcpStream,
    peer: SocketAddr,
    at: Timestamp,
}

/// What a listener is short of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Short {
    /// Places for connections.
    Places,
    /// Something of the system's, descriptors first of all.
    System,
}

/// Tells of shortages, a line for many.
struct Shortages {
    clock: Clock,
    reports: Throttle<Short>,
}

/// Serves a listener until the tasks stop.
pub async fn serve(listener: TcpListener, serving: ListenerContext) {
    prepare(&listener);
    let stop = serving.tasks.stopping();
    let mut spare = serving.places.spare();
    let shortages = Arc::new(Shortages {
        clock: Clock::system(),
        reports: Throttle::new(REPORT_EVERY),
    });
    loop {
        spare.keep();
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) if is_the_clients(&error) => continue,
            Err(error) => {
                shortages.of_system(&error);
                let refused = spare.accept(&listener).await;
                match refused {
                    Some(stream) => serving.refuse_at_once(&stream, NO_PLACE.as_bytes()),
                    None => tokio::time::sleep(ACCEPT_REST).await,
                }
                continue;
            }
        };
        serving.take(stream, peer, &shortages);
    }
}

impl Shortages {
    fn of_system(&self, error: &io::Error) {
        if let Some(suppressed) = self.reports.pass(self.clock.now(), Short::System) {
            let refused = suppressed.saturating_add(1);
            tracing::warn!(%error, refused, "cannot accept; connections are refused");
        }
    }

    fn of_places(&self, places: &Places) {
        if let Some(suppressed) = self.reports.pass(self.clock.now(), Short::Places) {
            let (refused, places) = (suppressed.saturating_add(1), places.count());
            tracing::warn!(
                refused,
                places,
                "no place for a connection; refused (`limits.connections_total`, or the limit of open files)"
            );
        }
    }
}

/// An accept can fail for what one client did; that is no reason to rest.
fn is_the_clients(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}

/// What every socket has that is accepted: it is inherited, and costs no call for each of them.
fn prepare(listener: &TcpListener) {
    // Failing costs latency, never correctness.
    let _ = SockRef::from(listener).set_tcp_nodelay(true);
}

/// Answers a socket that is not served. What it has sent is read, so that it is not reset with the answer
/// on its way.
async fn turn_away(mut stream: TcpStream, words: &'static [u8]) {
    let answered = async {
        stream.write_all(words).await?;
        stream.shutdown().await?;
        let mut rest = (&mut stream).take(REFUSED_BYTES_MAX);
        tokio::io::copy(&mut rest, &mut tokio::io::sink()).await
    };
    // The client may not even read it; it is gone either way.
    let _ = tokio::time::timeout(REFUSAL_WITHIN, answered).await;
}

impl ListenerContext {
    fn take(&self, stream: TcpStream, peer: SocketAddr, shortages: &Arc<Shortages>) {
        let Ok(half_open) = self.door.begin_handshake(peer.ip()) else {
            return self.refuse(stream, TOO_MANY.as_bytes());
        };
        let half_open = Some(half_open);
        let accepted = Accepted {
            stream,
            peer,
            at: self.door.now(),
        };
        let Some(slot) = self.places.take() else {
            return self.wait(accepted, half_open, shortages.clone());
        };
        let serving = self.clone();
        self.tasks.spawn("http", async move {
            serving.meet(accepted, slot, half_open).await;
        });
    }

    /// Holds a socket that found no place until there is one, or it is clear that there is none.
    fn wait(&self, accepted: Accepted, half_open: Option<HalfOpen>, shortages: Arc<Shortages>) {
        let Some(waits) = self.places.may_wait() else {
            shortages.of_places(&self.places);
            return self.refuse_at_once(&accepted.stream, NO_PLACE.as_bytes());
        };
        let serving = self.clone();
        self.tasks.spawn("place", async move {
            let places = &serving.places;
            match places.wait(serving.door.admission()).await {
                Some(slot) => {
                    drop(waits);
                    serving.meet(accepted, slot, half_open).await;
                }
                None => {
                    shortages.of_places(places);
                    drop((half_open, waits));
                    serving.refuse(accepted.stream, NO_PLACE.as_bytes());
                }
            }
        });
    }

    /// Words that are not encrypted would be noise to who expects TLS.
    fn encrypts(&self) -> bool {
        self.door.encrypts()
    }

    fn refuse(&self, stream: TcpStream, words: &'static [u8]) {
        match self.places.may_linger() {
            Some(leaving) if !self.encrypts() => {
                self.tasks.spawn("refusal", async move {
                    turn_away(stream, words).await;
                    drop(leaving);
                });
            }
            _ => self.refuse_at_once(&stream, words),
        }
    }

    /// The same without waiting for anything: where there is no room even for sockets that are refused.
    fn refuse_at_once(&self, stream: &TcpStream, words: &'static [u8]) {
        if self.encrypts() {
            return;
        }
        let socket = SockRef::from(stream);
        // A new socket takes so little at once; if not, it is closed without a word.
        let _ = socket.send(words);
        let _ = socket.shutdown(std::net::Shutdown::Write);
        let mut rest = [std::mem::MaybeUninit::uninit(); 4_096];
        let _ = socket.recv(&mut rest);
    }

    async fn meet(self, accepted: Accepted, slot: ConnectionSlot, half_open: Option<HalfOpen>) {
        if let Err(error) = self.greet(accepted, slot, half_open).await {
            tracing::debug!(%error, "a connection ended before its first request");
        }
    }

    /// What comes before HTTP, within the deadline of a request's head.
    async fn greet(
        self,
        accepted: Accepted,
        slot: ConnectionSlot,
        half_open: Option<HalfOpen>,
    ) -> io::Result<()> {
        let Accepted {
            mut stream,
            peer,
            at: accepted,
        } = accepted;
        let door = self.door.clone();
        let within = door.config().header_timeout;
        let begun = door.now();
        let mut half_open = half_open;
        let mut proxied = None;
        if door.hears_proxies(peer.ip()) {
            proxied = tokio::time::timeout(within, hello::proxied(&mut stream)).await??;
            if let Some(client) = proxied {
                // The proxy speaks for one of many: that one is counted.
                drop(half_open);
                half_open = door.begin_handshake(client.ip()).ok();
                if half_open.is_none() {
                    return Ok(());
                }
            }
        }
        let transport = tokio::time::timeout(within, door.open(stream)).await??;
        let passage = Passage::new(slot, half_open);
        let left = door.half_open_left(begun);
        let overdue = passage.overdue(left);
        tokio::select! {
            () = self.converse(transport, (peer, proxied), &passage, accepted) => {}
            () = overdue => door.count(Cap::HalfOpenTime),
        }
        Ok(())
    }

    async fn converse(
        self,
        transport: Transport,
        (peer, proxied): (SocketAddr, Option<SocketAddr>),
        passage: &Arc<Passage>,
        accepted: Timestamp,
    ) {
        let is_tls = transport.is_tls();
        let resting = Resting::default();
        // The first request began with its connection.
        let is_first = AtomicBool::new(true);
        let service = service_fn(|mut request: axum::http::Request<hyper::body::Incoming>| {
            let extensions = request.extensions_mut();
            extensions.insert(ConnectInfo(peer));
            extensions.insert(OnPassage(passage.clone()));
            if let Some(proxied) = proxied {
                extensions.insert(ProxiedPeer(proxied));
            }
            if is_tls {
                extensions.insert(Encrypted);
            }
            let begun = if is_first.swap(false, Ordering::Relaxed) {
                accepted
            } else {
                self.door.now()
            };
            let answered = self.router.clone().oneshot(request);
            resting.begin();
            let (resting, door) = (&resting, &self.door);
            async move {
                let mut answer = answered.await;
                if let Ok(response) = &answer {
                    door.answered(response.status(), begun);
                }
                let refused = answer.as_mut().map(|response| passage.answered(response));
                resting.end(refused == Ok(true));
                answer
            }
        });
        let config = self.door.config();
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(config.header_timeout)
            .max_buf_size(config.header_bytes_max)
            .max_headers(config.headers_max)
            .serve_connection(TokioIo::new(transport), service)
            .with_upgrades();
        let mut connection = std::pin::pin!(connection);
        let stop = self.tasks.stopping();
        let rest = self.door.rest();
        let ended = loop {
            tokio::select! {
                biased;
                ended = connection.as_mut() => break ended,
                () = passage.cut().cancelled() => return,
                () = stop.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    tokio::select! {
                        ended = connection => break ended,
                        () = passage.cut().cancelled() => return,
                    }
                }
                () = self.places.needed() => {
                    if resting.is_resting() {
                        connection.as_mut().graceful_shutdown();
                    }
                }
                () = resting.for_long(rest) => connection.as_mut().graceful_shutdown(),
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "http connection failed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_the_listener_is_told_its_sockets_know() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        prepare(&listener);
        let address = listener.local_addr().unwrap();
        let (_client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
        assert!(accepted.unwrap().0.nodelay().unwrap());
    }
}
