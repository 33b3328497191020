//! One client of the demonstration.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::types::Tasks;

/// Echoes that may wait to be looked at.
const ECHOES_MAX: usize = 16;

/// A WebSocket client with a name.
#[derive(Debug)]
pub(super) struct Client {
    key: String,
    sink: SplitSink<WebSocketStream<TcpStream>, Message>,
    reading: Reading,
    tasks: Tasks,
}

#[derive(Debug)]
enum Reading {
    /// Nobody reads: what arrives stays in the kernel.
    Not(SplitStream<WebSocketStream<TcpStream>>),
    /// A task reads, and with it answers pings and Closes.
    Always(mpsc::Receiver<String>),
    /// The task that reads is being started.
    Starting,
}

/// Why a client failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// It cannot reach the gateway.
    #[error("cannot connect to the gateway")]
    Connect(#[from] std::io::Error),
    /// The gateway did not let it in.
    #[error("the gateway did not let it in")]
    Refused(#[source] Box<Error>),
}

impl Client {
    /// Connects as a user's manager.
    pub(super) async fn connect(
        address: SocketAddr,
        user: &str,
        key: &str,
    ) -> Result<Self, ClientError> {
        let url = format!("ws://{address}/ws?user={user}&key={key}&device={key}");
        let stream = TcpStream::connect(address).await?;
        let (socket, _) = client_async(url, stream)
            .await
            .map_err(|error| ClientError::Refused(Box::new(error)))?;
        let (sink, stream) = socket.split();
        let reading = Reading::Not(stream);
        Ok(Self {
            key: key.to_owned(),
            sink,
            reading,
            tasks: Tasks::new(),
        })
    }

    /// Its manager's name.
    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// Reads from now on, whatever comes.
    pub(super) fn keep_reading(&mut self) {
        match std::mem::replace(&mut self.reading, Reading::Starting) {
            Reading::Not(mut stream) => {
                let (echoes, received) = mpsc::channel(ECHOES_MAX);
                self.tasks.spawn("demo-client", async move {
                    while let Some(Ok(message)) = stream.next().await {
                        // Nobody looks at more echoes than were asked for.
                        if let Message::Text(text) = message {
                            let _ = echoes.try_send(text.to_string());
                        }
                    }
                });
                self.reading = Reading::Always(received);
            }
            other => self.reading = other,
        }
    }

    /// Says something and waits for its echo.
    pub(super) async fn answers(&mut self, within: Duration) -> bool {
        const QUESTION: &str = "still here?";
        let conversation = async {
            self.sink.send(Message::text(QUESTION)).await.ok()?;
            match &mut self.reading {
                Reading::Not(stream) => stream
                    .next()
                    .await?
                    .ok()?
                    .into_text()
                    .ok()
                    .map(|t| t.to_string()),
                Reading::Always(echoes) => echoes.recv().await,
                Reading::Starting => None,
            }
        };
        matches!(timeout(within, conversation).await, Ok(Some(echo)) if echo == QUESTION)
    }
}
