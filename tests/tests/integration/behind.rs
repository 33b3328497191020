//! Backends of somebody else that say who they are and what they were told, and a gateway in front.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use wastegate::manager::NoApplication;
use wastegate::tasks::Tasks;
use wastegate_tests::harness::{Setup, within};

/// A server of somebody else that says its name and what it was told, then echoes.
pub(crate) async fn backend(name: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    Tasks::new().spawn("backend", async move {
        while let Ok((stream, _)) = listener.accept().await {
            Tasks::new().spawn("backend", serve(name, stream));
        }
    });
    address
}

/// One connection of such a server.
pub(crate) async fn serve<S>(name: &'static str, stream: S)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut said = String::new();
    #[expect(clippy::result_large_err, reason = "it is what the library asks for")]
    let note = |request: &Request, mut response: Response| {
        let header = |name| request.headers().get(name).map(|it| it.to_str().unwrap());
        said = format!(
            "{name} {} {}",
            header("x-forwarded-for").unwrap_or_default(),
            header("x-forwarded-proto").unwrap_or_default(),
        );
        let headers = response.headers_mut();
        headers.insert("x-wastegate-in-flight", "2".parse().unwrap());
        headers.insert("set-cookie", "seat=7".parse().unwrap());
        Ok(response)
    };
    let Ok(mut socket) = tokio_tungstenite::accept_hdr_async(stream, note).await else {
        return;
    };
    socket.send(Message::text(said)).await.unwrap_or_default();
    while let Some(Ok(message)) = socket.next().await {
        if message.is_text() && socket.send(message).await.is_err() {
            return;
        }
    }
}

/// A gateway in front of these.
pub(crate) fn in_front_of(upstreams: &[String]) -> Setup {
    let upstreams = upstreams.iter().map(|url| url.parse().unwrap()).collect();
    Setup::new()
        .short_goodbyes()
        .application(NoApplication)
        .with(|config| config.gateway.upstream = upstreams)
}

/// The first thing that a backend says.
pub(crate) async fn greeting<S>(client: &mut WebSocketStream<S>) -> String
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let heard = within("a greeting", client.next()).await.unwrap().unwrap();
    heard.into_text().unwrap().to_string()
}
