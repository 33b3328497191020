//! Upgrades with headers of their own, for tests of what is asked of strangers.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderName;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};
use wastegate_tests::harness::within;

/// What a request came to.
pub(crate) type Knocked<S> = Result<WebSocketStream<S>, (u16, String)>;

/// Asks over a stream that is there already.
pub(crate) async fn over<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    host: &str,
    target: &str,
    headers: &[(&str, &str)],
) -> Knocked<S> {
    let mut request = format!("ws://{host}{target}")
        .into_client_request()
        .unwrap();
    for (name, value) in headers {
        let name: HeaderName = name.parse().unwrap();
        request.headers_mut().append(name, value.parse().unwrap());
    }
    match within("an answer to an upgrade", client_async(request, stream)).await {
        Ok((client, _)) => Ok(client),
        Err(Error::Http(response)) => {
            let body = response.body().clone().unwrap_or_default();
            Err((
                response.status().as_u16(),
                String::from_utf8_lossy(&body).into_owned(),
            ))
        }
        Err(error) => Err((0, error.to_string())),
    }
}

/// Asks a gateway.
pub(crate) async fn knock(
    gateway: SocketAddr,
    target: &str,
    headers: &[(&str, &str)],
) -> Knocked<TcpStream> {
    let stream = TcpStream::connect(gateway).await.unwrap();
    over(stream, &gateway.to_string(), target, headers).await
}

/// The status of a refusal.
pub(crate) fn status<S>(knocked: Knocked<S>) -> u16 {
    match knocked {
        Ok(_) => 101,
        Err((status, _)) => status,
    }
}

/// Says something and hears it again.
pub(crate) async fn echo<S: AsyncRead + AsyncWrite + Unpin>(
    client: &mut WebSocketStream<S>,
    said: &str,
) {
    client.send(Message::text(said)).await.unwrap();
    loop {
        match within("an echo", client.next()).await.unwrap().unwrap() {
            Message::Text(heard) => return assert_eq!(heard.as_str(), said),
            Message::Ping(_) | Message::Pong(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// The code of the Close that comes.
pub(crate) async fn closed<S: AsyncRead + AsyncWrite + Unpin>(
    client: &mut WebSocketStream<S>,
) -> u16 {
    loop {
        match within("a close", client.next()).await.unwrap().unwrap() {
            Message::Close(frame) => return frame.map_or(1_005, |frame| frame.code.into()),
            Message::Text(_) | Message::Ping(_) | Message::Pong(_) => {}
            other => panic!("{other:?}"),
        }
    }
}
