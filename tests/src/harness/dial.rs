//! From a wish to connect to a [`Client`] or a [`Refusal`].

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::Value;
use socket2::{Domain, Socket, Type};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::client::Client;
use super::http::{self, Reply};
use super::wait::{timed, within};

/// The key of RFC 6455, section 1.3, and the answer to it.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// An address of this machine that refuses connections, and what keeps every other listener from it.
#[must_use]
pub fn nowhere() -> (TcpSocket, SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

/// A client that is not connected yet.
#[derive(Debug, Clone)]
pub struct Dial {
    address: SocketAddr,
    user: String,
    key: String,
    device: String,
    premium: bool,
    notices: bool,
    receive_buffer: Option<usize>,
    lines: String,
    from: IpAddr,
}

/// An answer that is no upgrade.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// The whole of it.
    pub reply: Reply,
    /// How long it took.
    pub took: Duration,
}

impl Refusal {
    /// The body as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        self.reply.json()
    }

    /// Status, and the name of the refusal.
    #[must_use]
    pub fn kind(&self) -> (u16, String) {
        let error = self.json()["error"].as_str().unwrap_or_default().to_owned();
        (self.reply.status, error)
    }
}

impl Dial {
    /// Of a device that nobody else has.
    pub(super) fn new(address: SocketAddr, user: &str, key: &str) -> Self {
        static DEVICES: AtomicU64 = AtomicU64::new(0);
        let number = DEVICES.fetch_add(1, Ordering::Relaxed);
        Self {
            address,
            user: user.to_owned(),
            key: key.to_owned(),
            device: format!("device-{number}"),
            premium: false,
            notices: false,
            receive_buffer: None,
            lines: String::new(),
            from: Ipv4Addr::UNSPECIFIED.into(),
        }
    }

    /// To a gateway that runs elsewhere, e.g. as a process.
    #[must_use]
    pub fn to(address: SocketAddr, user: &str, key: &str) -> Self {
        Self::new(address, user, key)
    }

    /// Of that device.
    #[must_use]
    pub fn device(mut self, device: &str) -> Self {
        device.clone_into(&mut self.device);
        self
    }

    /// Of a user of the protected class.
    #[must_use]
    pub const fn premium(mut self) -> Self {
        self.premium = true;
        self
    }

    /// That understands notices.
    #[must_use]
    pub const fn notices(mut self) -> Self {
        self.notices = true;
        self
    }

    /// From this address of this machine.
    #[must_use]
    pub const fn from(mut self, address: IpAddr) -> Self {
        self.from = address;
        self
    }

    /// With one more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.lines.push_str(&format!("{name}: {value}\r\n"));
        self
    }

    /// Whose kernel takes about so many bytes that it does not read.
    #[must_use]
    pub const fn receive_buffer(mut self, bytes: usize) -> Self {
        self.receive_buffer = Some(bytes);
        self
    }

    /// The request that upgrades.
    #[must_use]
    pub fn request(&self) -> String {
        let class = if self.premium { "&class=premium" } else { "" };
        let protocol = if self.notices {
            "sec-websocket-protocol: wastegate.v1\r\n"
        } else {
            ""
        };
        format!(
            "GET /ws?user={}&key={}&device={}{class} HTTP/1.1\r\nhost: localhost\r\n\
             upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\n\
             sec-websocket-key: {KEY}\r\n{protocol}{}\r\n",
            self.user, self.key, self.device, self.lines
        )
    }

    /// A plain connection, with nothing said on it.
    ///
    /// # Panics
    /// If nobody listens.
    pub async fn tcp(&self) -> TcpStream {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_nonblocking(true).unwrap();
        if let Some(bytes) = self.receive_buffer {
            socket.set_recv_buffer_size(bytes).unwrap();
        }
        if !self.from.is_unspecified() {
            socket.bind(&SocketAddr::new(self.from, 0).into()).unwrap();
        }
        TcpSocket::from_std_stream(socket.into())
            .connect(self.address)
            .await
            .unwrap()
    }

    /// Connects, and says how long the answer took.
    ///
    /// # Errors
    /// [`Refusal`] if the answer is no upgrade.
    ///
    /// # Panics
    /// If there is no answer, or an upgrade that no client would believe.
    pub async fn connect(self) -> Result<Client, Refusal> {
        self.connect_timed().await.map(|(client, _)| client)
    }

    /// [`Dial::connect`] with the time that it took also where it went well.
    ///
    /// # Errors
    /// [`Refusal`] if the answer is no upgrade.
    ///
    /// # Panics
    /// If there is no answer, or an upgrade that no client would believe.
    pub async fn connect_timed(self) -> Result<(Client, Duration), Refusal> {
        let mut stream = self.tcp().await;
        let answer = async {
            stream.write_all(self.request().as_bytes()).await.ok()?;
            http::read_head(&mut stream).await
        };
        let (head, took) = within(format!("an answer to {self:?}"), timed(answer)).await;
        let head = head.unwrap_or_else(|| panic!("no answer to {self:?}"));
        if head.status != 101 {
            let reply = within("the body", http::read_body(&mut stream, head)).await;
            return Err(Refusal { reply, took });
        }
        assert_eq!(head.header("sec-websocket-accept"), Some(ACCEPT));
        let protocol = head.header("sec-websocket-protocol");
        assert_eq!(protocol.is_some(), self.notices, "{protocol:?}");
        let rest = head.rest.to_vec();
        let socket = WebSocketStream::from_partially_read(stream, rest, Role::Client, None).await;
        let client = Client::new(socket, self.user, self.key, self.device);
        Ok((client, took))
    }
}
