//! The accept loop: nothing a client does, and no passing shortage, ends it.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::StatusCode;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use socket2::SockRef;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::caps::HalfOpen;
use super::config::Config;
use super::door::Door;
use super::hello;
use super::peer::Said;
use super::refuse;
use crate::connection::{Plain, Transport};
use crate::types::Tasks;

/// How long the loop rests when the machine is out of descriptors or memory.
const ACCEPT_REST: Duration = Duration::from_millis(50);
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

/// A place among the node's connections, from accept to the end of the upgraded connection.
#[derive(Debug, Clone)]
pub struct ConnectionSlot {
    _permit: Arc<OwnedSemaphorePermit>,
}

/// That a request's handshake is not done yet; dropped once it is known who asks.
#[derive(Debug, Clone)]
pub(super) struct Knocking {
    _half_open: Arc<HalfOpen>,
}

/// By which a connection is ended at once, whatever it is in the middle of.
#[derive(Debug, Clone, Default)]
pub(super) struct Cut(pub(super) CancellationToken);

/// That a request came over TLS.
#[derive(Debug, Clone, Copy)]
pub(super) struct Encrypted;

/// How connections of one listener are taken.
#[derive(Clone)]
pub struct Serving {
    /// What answers requests.
    pub router: Router,
    /// Sizes and deadlines of requests.
    pub config: Arc<Config>,
    /// Places for connections.
    pub places: Arc<Semaphore>,
    /// How long data may stay unacknowledged before the kernel gives up.
    pub user_timeout: Duration,
    /// What strangers meet first; none on a listener for operators.
    pub door: Option<Arc<Door>>,
    /// Where connections run.
    pub tasks: Tasks,
}

/// Serves a listener until the tasks stop.
pub async fn serve(listener: TcpListener, serving: Serving) {
    let stop = serving.tasks.stopping();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) if is_the_clients(&error) => continue,
            Err(error) => {
                tracing::warn!(%error, "cannot accept; resting");
                tokio::time::sleep(ACCEPT_REST).await;
                continue;
            }
        };
        serving.take(stream, peer);
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

fn prepare(stream: &TcpStream, user_timeout: Duration) {
    // Either failing costs latency or patience, never correctness.
    let _ = stream.set_nodelay(true);
    #[cfg(target_os = "linux")]
    let _ = SockRef::from(stream).set_tcp_user_timeout(Some(user_timeout));
}

async fn turn_away(mut stream: TcpStream, words: &'static [u8], within: Duration) {
    // The client may not even read it; it is gone either way.
    let _ = tokio::time::timeout(within, stream.write_all(words)).await;
}

impl Serving {
    fn take(&self, stream: TcpStream, peer: SocketAddr) {
        prepare(&stream, self.user_timeout);
        let within = self.config.header_timeout;
        // Words that are not encrypted would be noise to who expects TLS.
        let encrypts = self.door.as_ref().is_some_and(|door| door.encrypts());
        let refuse = |stream, words| {
            if !encrypts {
                self.tasks
                    .spawn("no-place", turn_away(stream, words, within));
            }
        };
        let Ok(permit) = self.places.clone().try_acquire_owned() else {
            return refuse(stream, NO_PLACE.as_bytes());
        };
        let half_open = match self.door.as_ref().map(|door| door.knock(peer.ip())) {
            None => None,
            Some(Ok(half_open)) => Some(half_open),
            Some(Err(())) => return refuse(stream, TOO_MANY.as_bytes()),
        };
        let slot = ConnectionSlot {
            _permit: Arc::new(permit),
        };
        let serving = self.clone();
        self.tasks.spawn("http", async move {
            if let Err(error) = serving.greet(stream, peer, slot, half_open).await {
                tracing::debug!(%error, "a connection ended before its first request");
            }
        });
    }

    /// What comes before HTTP, within the deadline of a request's head.
    async fn greet(
        self,
        mut stream: TcpStream,
        peer: SocketAddr,
        slot: ConnectionSlot,
        half_open: Option<HalfOpen>,
    ) -> io::Result<()> {
        let Some(door) = self.door.clone() else {
            self.converse(stream.into(), (peer, None), slot, None).await;
            return Ok(());
        };
        let within = self.config.header_timeout;
        let mut half_open = half_open;
        let mut said = None;
        if door.hears_proxies(peer.ip()) {
            said = tokio::time::timeout(within, hello::proxied(&mut stream)).await??;
            if let Some(client) = said {
                // The proxy speaks for one of many: that one is counted.
                drop(half_open);
                half_open = door.knock(client.ip()).ok();
                if half_open.is_none() {
                    return Ok(());
                }
            }
        }
        let transport = match door.acceptor() {
            None => stream.into(),
            Some(acceptor) => {
                let accepted = acceptor.accept(Plain::from(stream));
                let accepted = tokio::time::timeout(within, accepted).await??;
                Transport::Tls(Box::new(accepted.into()))
            }
        };
        let knocking = half_open.map(|half_open| Knocking {
            _half_open: Arc::new(half_open),
        });
        self.converse(transport, (peer, said), slot, knocking).await;
        Ok(())
    }

    async fn converse(
        self,
        transport: Transport,
        (peer, said): (SocketAddr, Option<SocketAddr>),
        slot: ConnectionSlot,
        knocking: Option<Knocking>,
    ) {
        let is_tls = transport.is_tls();
        // The first request takes it along; later ones of the same connection are no strangers.
        let knocking = Arc::new(parking_lot::Mutex::new(knocking));
        let cut = Cut::default();
        let service = self.router.map_request({
            let knocking = knocking.clone();
            let cut = cut.clone();
            move |mut request: axum::http::Request<hyper::body::Incoming>| {
                let extensions = request.extensions_mut();
                extensions.insert(slot.clone());
                extensions.insert(cut.clone());
                extensions.insert(ConnectInfo(peer));
                if let Some(knocking) = knocking.lock().take() {
                    extensions.insert(knocking);
                }
                if let Some(said) = said {
                    extensions.insert(Said(said));
                }
                if is_tls {
                    extensions.insert(Encrypted);
                }
                request
            }
        });
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.config.header_timeout)
            .max_buf_size(self.config.header_bytes_max)
            .max_headers(self.config.headers_max)
            .serve_connection(TokioIo::new(transport), TowerToHyperService::new(service))
            .with_upgrades();
        let mut connection = std::pin::pin!(connection);
        let stop = self.tasks.stopping();
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = cut.0.cancelled() => return,
            () = stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                tokio::select! {
                    ended = connection => ended,
                    () = cut.0.cancelled() => return,
                }
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "http connection failed");
        }
    }
}
