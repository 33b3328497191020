//! The accept loop: nothing a client does, and no passing shortage, ends it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use socket2::SockRef;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::ServiceExt;

use super::config::Config;
use crate::types::Tasks;

/// How long the loop rests when the machine is out of descriptors or memory.
const ACCEPT_REST: Duration = Duration::from_millis(50);
/// The answer to a socket that the node has no place for.
const NO_PLACE: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\n\
content-type: application/json\r\ncontent-length: 29\r\nconnection: close\r\n\r\n\
{\"error\":\"connection-limit\"}\n";

/// A place among the node's connections, from accept to the end of the upgraded connection.
#[derive(Debug, Clone)]
pub struct ConnectionSlot {
    _permit: Arc<OwnedSemaphorePermit>,
}

/// Serves a router on a listener until the tasks stop. Every connection runs in `tasks`.
/// `user_timeout` bounds how long data may stay unacknowledged before the kernel gives up.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    config: Config,
    connections: Arc<Semaphore>,
    user_timeout: Duration,
    tasks: Tasks,
) {
    let stop = tasks.stopping();
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
        prepare(&stream, user_timeout);
        match connections.clone().try_acquire_owned() {
            Ok(permit) => {
                let slot = ConnectionSlot {
                    _permit: Arc::new(permit),
                };
                let connection = converse(
                    (stream, peer),
                    router.clone(),
                    config.clone(),
                    slot,
                    tasks.clone(),
                );
                tasks.spawn("http", connection);
            }
            Err(_) => {
                tasks.spawn("no-place", turn_away(stream, config.header_timeout));
            }
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

fn prepare(stream: &TcpStream, user_timeout: Duration) {
    // Either failing costs latency or patience, never correctness.
    let _ = stream.set_nodelay(true);
    #[cfg(target_os = "linux")]
    let _ = SockRef::from(stream).set_tcp_user_timeout(Some(user_timeout));
}

async fn turn_away(mut stream: TcpStream, within: Duration) {
    // The client may not even read it; it is gone either way.
    let _ = tokio::time::timeout(within, stream.write_all(NO_PLACE)).await;
}

async fn converse(
    (stream, peer): (TcpStream, SocketAddr),
    router: Router,
    config: Config,
    slot: ConnectionSlot,
    tasks: Tasks,
) {
    let service = router.map_request(
        move |mut request: axum::http::Request<hyper::body::Incoming>| {
            request.extensions_mut().insert(slot.clone());
            request.extensions_mut().insert(ConnectInfo(peer));
            request
        },
    );
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(config.header_timeout)
        .max_buf_size(config.header_bytes_max)
        .max_headers(config.headers_max)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let stop = tasks.stopping();
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "http connection failed");
    }
}
