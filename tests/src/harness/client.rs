//! One WebSocket of a client, that behaves as it is told.
//!
//! A task of its own reads all the time, so an idle client answers pings as browsers do. Silent, it
//! reads nothing, as a suspended phone does; vanished, it is gone with a reset, as if killed.

use std::fmt;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use wastegate::tasks::Tasks;

use super::wait::within;

/// Messages that a test may leave unread.
const INBOX_MAX: usize = 16_384;
/// Things that a test may ask of a client before the client gets to them.
const COMMANDS_MAX: usize = 64;

/// A connected client. Dropped, it hangs up without a word.
pub struct Client {
    /// Whose it is.
    pub user: String,
    /// Its manager.
    pub key: String,
    /// Its device.
    pub device: String,
    commands: mpsc::Sender<Command>,
    inbox: mpsc::Receiver<Message>,
    end: watch::Receiver<Option<End>>,
}

/// How a connection ended, as its client sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// It was told why.
    Closed {
        /// The close code; 1005 if the frame has none.
        code: u16,
        /// The reason.
        reason: String,
    },
    /// The transport ended without a Close.
    Gone,
}

enum Command {
    Send(Message),
    /// With whom to tell once it is so.
    Silence(oneshot::Sender<()>),
    Wake,
    ReadEvery(Duration),
    Vanish,
}

enum Reading {
    Always,
    Never,
    Every(Duration),
}

impl Client {
    pub(super) fn new(
        socket: WebSocketStream<TcpStream>,
        user: String,
        key: String,
        device: String,
    ) -> Self {
        let (commands, orders) = mpsc::channel(COMMANDS_MAX);
        let (heard, inbox) = mpsc::channel(INBOX_MAX);
        let (ended, end) = watch::channel(None);
        let behave = Behaviour {
            socket,
            reading: Reading::Always,
            orders,
            heard,
            ended,
        };
        Tasks::new().spawn("client", behave.run());
        Self {
            user,
            key,
            device,
            commands,
            inbox,
            end,
        }
    }

    async fn tell(&self, command: Command) {
        // A client whose connection ended meanwhile says so in its end.
        let _ = self.commands.send(command).await;
    }

    /// Sends a text.
    pub async fn say(&self, text: &str) {
        self.send(Message::text(text)).await;
    }

    /// Sends a message.
    pub async fn send(&self, message: Message) {
        self.tell(Command::Send(message)).await;
    }

    /// The next message.
    ///
    /// # Panics
    /// If there is none.
    pub async fn hear(&mut self) -> Message {
        let what = format!("a message to {self:?}");
        let heard = within(what, self.inbox.recv()).await;
        heard.unwrap_or_else(|| panic!("{self:?} ended: {:?}", *self.end.borrow()))
    }

    /// The next text.
    ///
    /// # Panics
    /// If the next message is none.
    pub async fn hear_text(&mut self) -> String {
        match self.hear().await {
            Message::Text(text) => text.to_string(),
            other => panic!("{self:?} heard {other:?}"),
        }
    }

    /// The next text, as JSON.
    ///
    /// # Panics
    /// If it is none.
    pub async fn hear_json(&mut self) -> Value {
        serde_json::from_str(&self.hear_text().await).unwrap()
    }

    /// What was heard and not read yet.
    pub fn unread(&mut self) -> Vec<Message> {
        std::iter::from_fn(|| self.inbox.try_recv().ok()).collect()
    }

    /// Says something and hears the answer.
    pub async fn ask(&mut self, text: &str) -> String {
        self.say(text).await;
        self.hear_text().await
    }

    /// Says something and hears the same: it is there, and so is its manager.
    ///
    /// # Panics
    /// If it hears something else.
    pub async fn echo(&mut self, text: &str) {
        assert_eq!(self.ask(text).await, text, "{self:?}");
    }

    /// Stops reading and answering, with the socket open: nothing is answered once this returns.
    pub async fn silence(&self) {
        let (told, is_so) = oneshot::channel();
        self.tell(Command::Silence(told)).await;
        // A client whose connection ended meanwhile is silent too.
        let _ = is_so.await;
    }

    /// Reads again.
    pub async fn wake(&self) {
        self.tell(Command::Wake).await;
    }

    /// Reads a frame and pauses, over and over.
    pub async fn read_every(&self, pause: Duration) {
        self.tell(Command::ReadEvery(pause)).await;
    }

    /// Is gone, with a reset.
    pub async fn vanish(mut self) {
        self.tell(Command::Vanish).await;
        self.ended().await;
    }

    /// Closes politely for good.
    pub async fn leave(self) -> End {
        self.leave_with(1000).await
    }

    /// Closes politely with a code, and waits for the answer.
    pub async fn leave_with(mut self, code: u16) -> End {
        let frame = CloseFrame {
            code: code.into(),
            reason: "".into(),
        };
        self.send(Message::Close(Some(frame))).await;
        self.ended().await
    }

    /// Waits for the end of the connection.
    pub async fn ended(&mut self) -> End {
        let what = format!("the end of {self:?}");
        let end = within(what, self.end.wait_for(Option::is_some)).await;
        end.ok().and_then(|end| end.clone()).unwrap_or(End::Gone)
    }

    /// Waits until it was told to go, and with which code.
    ///
    /// # Panics
    /// If the connection ends without a word.
    pub async fn closed(&mut self) -> u16 {
        match self.ended().await {
            End::Closed { code, .. } => code,
            End::Gone => panic!("{self:?} was cut off"),
        }
    }

    /// Whether the connection has not ended, as far as the client knows.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.end.borrow().is_none()
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.user, self.key, self.device)
    }
}

/// The client's own task.
struct Behaviour {
    socket: WebSocketStream<TcpStream>,
    reading: Reading,
    orders: mpsc::Receiver<Command>,
    heard: mpsc::Sender<Message>,
    ended: watch::Sender<Option<End>>,
}

impl Behaviour {
    async fn run(mut self) {
        while self.step().await.is_some() {}
        drop(self.socket);
        self.ended.send_if_modified(|end| {
            let unknown = end.is_none();
            end.get_or_insert(End::Gone);
            unknown
        });
    }

    /// None at the end.
    async fn step(&mut self) -> Option<()> {
        let pause = match self.reading {
            Reading::Always => Some(Duration::ZERO),
            Reading::Every(pause) => Some(pause),
            Reading::Never => None,
        };
        let socket = &mut self.socket;
        let read = async {
            match pause {
                None => std::future::pending().await,
                Some(pause) if pause.is_zero() => socket.next().await,
                Some(pause) => {
                    tokio::time::sleep(pause).await;
                    socket.next().await
                }
            }
        };
        tokio::select! {
            order = self.orders.recv() => self.obey(order?).await,
            frame = read => self.take(frame?.ok()?),
        }
    }

    async fn obey(&mut self, command: Command) -> Option<()> {
        match command {
            Command::Send(message) => self.socket.send(message).await.ok()?,
            Command::Silence(told) => {
                self.reading = Reading::Never;
                // Nobody has to wait for it.
                let _ = told.send(());
            }
            Command::Wake => self.reading = Reading::Always,
            Command::ReadEvery(pause) => self.reading = Reading::Every(pause),
            Command::Vanish => {
                // If this fails it ends with a FIN, which the server calls the same.
                let _ = SockRef::from(self.socket.get_ref()).set_linger(Some(Duration::ZERO));
                return None;
            }
        }
        Some(())
    }

    fn take(&mut self, frame: Message) -> Option<()> {
        match frame {
            Message::Close(frame) => {
                let (code, reason) = frame.map_or((1005, String::new()), |frame| {
                    (frame.code.into(), frame.reason.to_string())
                });
                self.ended.send_replace(Some(End::Closed { code, reason }));
            }
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            Message::Text(_) | Message::Binary(_) => {
                let full = self.heard.try_send(frame).is_err() && !self.heard.is_closed();
                assert!(!full, "a test reads what its clients are sent");
            }
        }
        Some(())
    }
}
