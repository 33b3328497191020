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

use wastegate::tasks::Tasks;

/// Answers that may wait to be looked at.
const ANSWERS_MAX: usize = 16;

/// A WebSocket client with a name.
#[derive(Debug)]
pub(super) struct Client {
    key: String,
    sink: SplitSink<WebSocketStream<TcpStream>, Message>,
    reading: Reading,
    asking: Asking,
    tasks: Tasks,
}

/// How it finds out whether there is still somebody at the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asking {
    /// By a text, of which the built-in application sends the echo.
    Echo,
    /// By a ping, which goes through to the backend: every WebSocket server answers, whatever it says
    /// otherwise.
    Ping,
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
        asking: Asking,
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
            asking,
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
                let (answers, received) = mpsc::channel(ANSWERS_MAX);
                let asking = self.asking;
                self.tasks.spawn("demo-client", async move {
                    while let Some(Ok(message)) = stream.next().await {
                        // Nobody looks at more answers than were asked for.
                        if let Some(answer) = asking.answer(message) {
                            let _ = answers.try_send(answer);
                        }
                    }
                });
                self.reading = Reading::Always(received);
            }
            other => self.reading = other,
        }
    }

    /// Asks, and waits for the answer.
    pub(super) async fn answers(&mut self, within: Duration) -> bool {
        const QUESTION: &str = "still here?";
        let question = match self.asking {
            Asking::Echo => Message::text(QUESTION),
            Asking::Ping => Message::Ping(QUESTION.into()),
        };
        let conversation = async {
            self.sink.send(question).await.ok()?;
            match &mut self.reading {
                Reading::Not(stream) => loop {
                    // What a backend says of itself is no answer.
                    if let Some(answer) = self.asking.answer(stream.next().await?.ok()?) {
                        return Some(answer);
                    }
                },
                Reading::Always(answers) => answers.recv().await,
                Reading::Starting => None,
            }
        };
        matches!(timeout(within, conversation).await, Ok(Some(answer)) if answer == QUESTION)
    }
}

impl Asking {
    /// What a message answers, if it may be an answer.
    fn answer(self, message: Message) -> Option<String> {
        match (self, message) {
            (Self::Echo, Message::Text(text)) => Some(text.to_string()),
            (Self::Ping, Message::Pong(payload)) => String::from_utf8(payload.to_vec()).ok(),
            _ => None,
        }
    }
}
