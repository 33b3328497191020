//! The echo server: what comes is sent back while it comes, so that it is never what is waited for.

use std::net::SocketAddr;

use anyhow::{Context, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::frames::{CLOSE, Found, PING, PONG, Reader, write_head};

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 4_096;
/// The largest request head.
const HEAD_MAX: usize = 16 * 1_024;

thread_local! {
    /// One for all: it is used between two awaits only.
    static BUFFER: std::cell::RefCell<Vec<u8>> = std::cell::RefCell::new(vec![0; 64 * 1_024]);
}

pub(crate) async fn run(listen: SocketAddr) -> anyhow::Result<()> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(listen)?;
    let listener = socket.listen(BACKLOG)?;
    loop {
        let (stream, _) = listener.accept().await?;
        // How one connection ends is its client's to see.
        tokio::spawn(serve(stream));
    }
}

async fn serve(mut stream: TcpStream) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let (head, leftover) = head(&mut stream).await?;
    let key = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-key"))
        .map(|(_, value)| value.trim())
        .context("no key")?;
    let accept = derive_accept_key(key.as_bytes());
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    stream.write_all(answer.as_bytes()).await?;
    let mut echo = Echo::default();
    let mut out = Vec::new();
    echo.take(&leftover, &mut out);
    loop {
        stream.write_all(&out).await?;
        if echo.closed {
            return Ok(stream.shutdown().await?);
        }
        out.clear();
        if out.capacity() > 256 * 1_024 {
            out = Vec::new();
        }
        stream.readable().await?;
        let read = BUFFER.with_borrow_mut(|buffer| {
            let read = stream.try_read(buffer)?;
            echo.take(buffer.get(..read).unwrap_or_default(), &mut out);
            Ok::<usize, std::io::Error>(read)
        });
        match read {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Reads a head; it and what came behind it.
pub(crate) async fn head(stream: &mut TcpStream) -> anyhow::Result<(String, Vec<u8>)> {
    let mut bytes = Vec::with_capacity(1_024);
    loop {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(end) = end {
            let leftover = bytes.split_off(end + 4);
            return Ok((String::from_utf8(bytes)?, leftover));
        }
        if stream.read_buf(&mut bytes).await? == 0 || bytes.len() > HEAD_MAX {
            bail!("no head");
        }
    }
}

#[derive(Default)]
struct Echo {
    reader: Reader,
    closed: bool,
}

impl Echo {
    fn take(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let closed = &mut self.closed;
        self.reader.feed(bytes, |found| match found {
            Found::Head(head) => {
                let first = if head.opcode() == PING {
                    0x80 | PONG
                } else {
                    head.first
                };
                if head.opcode() != PONG {
                    write_head(out, first, head.length, false);
                }
            }
            Found::Payload(head, at, part) if head.opcode() != PONG => {
                if head.mask == [0; 4] {
                    out.extend_from_slice(part);
                } else {
                    let skip = usize::try_from(at % 4).unwrap_or_default();
                    let mask = head.mask.iter().cycle().skip(skip);
                    out.extend(part.iter().zip(mask).map(|(byte, mask)| byte ^ mask));
                }
            }
            Found::End(head) if head.opcode() == CLOSE => *closed = true,
            _ => {}
        });
    }
}
