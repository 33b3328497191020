//! A client of ours: one upgraded connection that answers pings.

use std::io::ErrorKind::WouldBlock;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::backend::head;
use crate::frames::{CLOSE, Found, Head, PING, PONG, Reader, write_head};

/// Loopback addresses that connections come from: one has too few ports for a run.
const SOURCES: usize = 32;
/// Connections of one user of the gateway; below its limit of managers.
const PER_USER: usize = 10;
/// Nobody may take longer for an answer.
const PATIENCE: Duration = Duration::from_secs(20);

thread_local! {
    static BUFFER: std::cell::RefCell<Vec<u8>> = std::cell::RefCell::new(vec![0; 64 * 1_024]);
}

/// A connection.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    reader: Reader,
    /// Came behind the head of the answer.
    leftover: Vec<u8>,
    /// Answers to pings that wait to go out.
    pub(crate) answers: Vec<u8>,
    ping: Vec<u8>,
}

impl Client {
    /// Opens the connection of that number. All proxies are asked for the same path.
    pub(crate) async fn open(target: SocketAddr, number: usize) -> anyhow::Result<Self> {
        timeout(PATIENCE, Self::upgrade(target, number))
            .await
            .context("no upgrade in time")?
    }

    async fn upgrade(target: SocketAddr, number: usize) -> anyhow::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        let last = u8::try_from(number % SOURCES)? + 2;
        let source = IpAddr::V4(Ipv4Addr::new(127, 0, 0, last));
        socket.bind(SocketAddr::new(source, 0))?;
        let mut stream = socket.connect(target).await?;
        stream.set_nodelay(true)?;
        let (user, key) = (number / PER_USER, number % PER_USER);
        let request = format!(
            "GET /ws?user=u{user}&key=k{key} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let (head, leftover) = head(&mut stream).await?;
        if !head.starts_with("HTTP/1.1 101") {
            bail!("not upgraded: {}", head.lines().next().unwrap_or_default());
        }
        Ok(Self {
            stream,
            reader: Reader::default(),
            leftover,
            answers: Vec::new(),
            ping: Vec::new(),
        })
    }

    /// The same, and another handle of its socket, for whoever sends on it.
    pub(crate) fn shared(self) -> anyhow::Result<(Self, std::net::TcpStream)> {
        let socket = self.stream.into_std()?;
        let other = socket.try_clone()?;
        let stream = TcpStream::from_std(socket)?;
        Ok((Self { stream, ..self }, other))
    }

    /// Reads what is there; data frames are told. False at the end of the stream.
    pub(crate) fn read(&mut self, mut data: impl FnMut(Found<'_>)) -> anyhow::Result<bool> {
        let leftover = std::mem::take(&mut self.leftover);
        if !leftover.is_empty() {
            self.take(&leftover, &mut data);
        }
        let read = BUFFER.with_borrow_mut(|buffer| match self.stream.try_read(buffer) {
            Ok(0) => Ok(false),
            Ok(read) => {
                self.take(buffer.get(..read).unwrap_or_default(), &mut data);
                Ok(true)
            }
            Err(error) if error.kind() == WouldBlock => Ok(true),
            Err(error) => Err(error),
        })?;
        Ok(read)
    }

    fn take(&mut self, bytes: &[u8], data: &mut impl FnMut(Found<'_>)) {
        let (ping, answers) = (&mut self.ping, &mut self.answers);
        self.reader.feed(bytes, |found| {
            let (Found::Head(head) | Found::Payload(head, ..) | Found::End(head)) = found;
            if head.opcode() & 8 == 0 {
                return data(found);
            }
            if head.opcode() == PING {
                answer(ping, answers, head, &found);
            }
        });
    }

    /// Sends one message of that frame and waits for its echo, answering pings meanwhile.
    pub(crate) async fn round_trip(&mut self, frame: &[u8]) -> anyhow::Result<()> {
        self.stream.write_all(frame).await?;
        let mut back = false;
        while !back {
            timeout(PATIENCE, self.stream.readable())
                .await
                .context("no echo in time")??;
            let open = self.read(|found| back |= matches!(found, Found::End(_)))?;
            if !open {
                bail!("closed instead of an echo");
            }
            self.answer().await?;
        }
        Ok(())
    }

    /// Sends the answers to pings.
    pub(crate) async fn answer(&mut self) -> anyhow::Result<()> {
        if !self.answers.is_empty() {
            let answers = std::mem::take(&mut self.answers);
            self.stream.write_all(&answers).await?;
        }
        Ok(())
    }

    /// Says goodbye and waits until the other side has done so too.
    pub(crate) async fn close(mut self) -> anyhow::Result<()> {
        let mut close = Vec::new();
        write_head(&mut close, 0x80 | CLOSE, 2, true);
        close.extend(1_000_u16.to_be_bytes());
        self.stream.write_all(&close).await?;
        loop {
            timeout(PATIENCE, self.stream.readable())
                .await
                .context("no end in time")??;
            match self.read(|_| {}) {
                Ok(true) => {}
                // However it ends, it has ended.
                Ok(false) | Err(_) => return Ok(()),
            }
        }
    }
}

fn answer(ping: &mut Vec<u8>, answers: &mut Vec<u8>, head: Head, found: &Found<'_>) {
    match found {
        Found::Head(_) => ping.clear(),
        Found::Payload(_, _, part) => ping.extend_from_slice(part),
        Found::End(_) => {
            write_head(answers, 0x80 | PONG, head.length, true);
            answers.append(ping);
        }
    }
}

/// Opens so many, a few at a time.
pub(crate) async fn open_all(target: SocketAddr, count: usize) -> anyhow::Result<Vec<Client>> {
    const AT_ONCE: usize = 64;
    let mut clients = Vec::with_capacity(count);
    let mut opening = tokio::task::JoinSet::new();
    for number in 0..count {
        if opening.len() == AT_ONCE
            && let Some(opened) = opening.join_next().await
        {
            clients.push(opened??);
        }
        opening.spawn(Client::open(target, number));
    }
    while let Some(opened) = opening.join_next().await {
        clients.push(opened??);
    }
    Ok(clients)
}
