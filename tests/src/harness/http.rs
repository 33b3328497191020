//! As much HTTP/1.1 as a test needs, spelled out, so that nothing helpful stands between a test and
//! what the gateway says.

use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::wait::within;

/// The status line and headers of an answer, and what came behind them.
#[derive(Debug, Clone)]
pub struct Head {
    /// The status.
    pub status: u16,
    /// Names in lower case, in order.
    pub headers: Vec<(String, String)>,
    /// Bytes behind the head.
    pub rest: Bytes,
}

/// A whole answer.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// Names in lower case, in order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Head {
    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }
}

impl Reply {
    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// If it is not.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }
}

fn find<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers
        .iter()
        .find(|(known, _)| known == name)
        .map(|(_, value)| value.as_str())
}

/// Reads the head of an answer. None if the peer closed before it was complete.
pub async fn read_head(stream: &mut TcpStream) -> Option<Head> {
    let mut buffer = BytesMut::with_capacity(4_096);
    let end = loop {
        if let Some(at) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        match stream.read_buf(&mut buffer).await {
            Ok(1..) => {}
            Ok(0) | Err(_) => return None,
        }
    };
    let head = buffer.split_to(end + 4).freeze();
    let text = String::from_utf8_lossy(&head).into_owned();
    let mut lines = text.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    Some(Head {
        status,
        headers,
        rest: buffer.freeze(),
    })
}

/// Reads the rest of an answer whose head is there.
pub async fn read_body(stream: &mut TcpStream, head: Head) -> Reply {
    let mut body = BytesMut::from(&*head.rest);
    let length = head
        .header("content-length")
        .and_then(|length| length.parse::<usize>().ok());
    // What follows an upgrade is no body.
    while head.status != 101 && length.is_none_or(|length| body.len() < length) {
        match stream.read_buf(&mut body).await {
            Ok(1..) => {}
            Ok(0) | Err(_) => break,
        }
    }
    Reply {
        status: head.status,
        headers: head.headers,
        body: String::from_utf8_lossy(&body).into_owned(),
    }
}

/// Sends bytes on a connection of their own and reads the answer; none if there is none.
pub async fn exchange(address: SocketAddr, request: &[u8]) -> Option<Reply> {
    within("an answer", async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // A peer that has answered already need not take the rest.
        let _ = stream.write_all(request).await;
        let head = read_head(&mut stream).await?;
        Some(read_body(&mut stream, head).await)
    })
    .await
}

/// Bytes sent to the operators' API, such as a policy, with more headers.
///
/// # Panics
/// If there is no answer.
pub async fn put(address: SocketAddr, path: &str, headers: &[(&str, &str)], bytes: &[u8]) -> Reply {
    let headers: String = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let mut request = format!(
        "PUT {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n",
        bytes.len()
    )
    .into_bytes();
    request.extend_from_slice(bytes);
    exchange(address, &request)
        .await
        .unwrap_or_else(|| panic!("PUT {path}: no answer"))
}

/// A request to the operators' API.
///
/// # Panics
/// If there is no answer.
pub async fn ask(address: SocketAddr, method: &str, path: &str, body: Option<&Value>) -> Reply {
    let body = body.map(Value::to_string).unwrap_or_default();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    exchange(address, request.as_bytes())
        .await
        .unwrap_or_else(|| panic!("{method} {path}: no answer"))
}
