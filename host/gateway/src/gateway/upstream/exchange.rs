//! The exchange of heads by which a backend upgrades.
//!
//! A 101 has no body, and what comes behind it is no HTTP: to write one head and to read one takes no HTTP
//! client, whose buffers, channels and allocations are a tenth of what a connection costs. Whatever else a
//! backend says is left to a client that knows all of HTTP: it gets to read what was read already.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode};
use bytes::BufMut;
use futures_util::future::{FusedFuture, FutureExt};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio_tungstenite::tungstenite::Bytes;

use super::{BackendRefusal, UpstreamError};
use crate::connection::Transport;
use crate::tasks::Tasks;

/// Bytes of a backend's response head, with those of interim responses before it.
const HEAD_BYTES_MAX: usize = 16 * 1_024;
/// Headers of a backend's response.
const HEADERS_MAX: usize = 64;
/// Bytes that most heads of either side are smaller than.
const HEAD_BYTES_USUAL: usize = 1_024;

/// A backend that has said yes.
pub(super) struct Switched {
    pub(super) transport: Transport,
    pub(super) headers: HeaderMap,
    /// What it sent behind its answer.
    pub(super) leftover: Bytes,
}

/// What a backend's first bytes are.
enum Heard {
    /// The head of a 101, and how many bytes it has with what came before it.
    Switched(HeaderMap, usize),
    /// Not yet a whole head.
    Part,
    /// Anything else.
    Other,
}

/// Asks a backend for an upgrade.
///
/// # Errors
/// [`UpstreamError`] with its answer, or why there is none.
pub(super) async fn switch(
    mut transport: Transport,
    request: Request<Body>,
    tasks: &Tasks,
) -> Result<Switched, UpstreamError> {
    let mut bytes = Vec::with_capacity(HEAD_BYTES_USUAL);
    write_head(&mut bytes, &request);
    let sent = async {
        transport.write_all(&bytes).await?;
        transport.flush().await
    };
    // Who refuses may have closed before it had read everything: its answer counts.
    let mut failed = sent.await.err();
    bytes.clear();
    while failed.is_none() && bytes.len() < HEAD_BYTES_MAX {
        let free = HEAD_BYTES_MAX - bytes.len();
        match transport.read_buf(&mut (&mut bytes).limit(free)).await {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) => failed = Some(error),
        }
        match hear(&bytes) {
            Heard::Part => {}
            Heard::Other => break,
            Heard::Switched(headers, length) => {
                let leftover = bytes.get(length..).unwrap_or_default();
                return Ok(Switched {
                    transport,
                    headers,
                    leftover: Bytes::copy_from_slice(leftover),
                });
            }
        }
    }
    let answered = Answered {
        is_asked: false,
        reader: None,
        heard: bytes.into(),
        failed,
        transport,
    };
    Err(refusal(answered, request, tasks).await)
}

/// Writes the head of a request, as RFC 9112 (section 3) has it.
fn write_head(to: &mut Vec<u8>, request: &Request<Body>) {
    let target = request.uri().path_and_query();
    let target = target.map_or("/", |target| target.as_str());
    for part in [request.method().as_str(), " ", target, " HTTP/1.1\r\n"] {
        to.extend_from_slice(part.as_bytes());
    }
    for (name, value) in request.headers() {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            to.extend_from_slice(part);
        }
    }
    to.extend_from_slice(b"\r\n");
}

/// Reads a head, if it is whole and that of a 101; interim responses before it say nothing that matters (RFC
/// 9110, section 15.2).
fn hear(bytes: &[u8]) -> Heard {
    let mut read = 0;
    loop {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut head = httparse::Response::new(&mut headers);
        let length = match head.parse(bytes.get(read..).unwrap_or_default()) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => return Heard::Part,
            Err(_) => return Heard::Other,
        };
        read += length;
        match (head.code, head.version) {
            (Some(101), Some(1)) => {
                let headers = owned(head.headers);
                return headers.map_or(Heard::Other, |headers| Heard::Switched(headers, read));
            }
            (Some(100..=199), Some(1)) => {}
            _ => return Heard::Other,
        }
    }
}

fn owned(read: &[httparse::Header<'_>]) -> Option<HeaderMap> {
    let mut headers = HeaderMap::with_capacity(read.len());
    for header in read {
        let name = HeaderName::from_bytes(header.name.as_bytes()).ok()?;
        headers.append(name, HeaderValue::from_bytes(header.value).ok()?);
    }
    Some(headers)
}

/// What a backend means that has not said yes.
async fn refusal(answered: Answered, request: Request<Body>, tasks: &Tasks) -> UpstreamError {
    let opened = http1::Builder::new()
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .handshake::<_, Body>(TokioIo::new(answered))
        .await;
    let (mut sender, connection) = match opened {
        Ok(opened) => opened,
        Err(error) => return UpstreamError::Http(error),
    };
    let mut connection = Box::pin(connection.fuse());
    let response = {
        let mut response = std::pin::pin!(sender.send_request(request));
        tokio::select! {
            biased;
            response = &mut response => response,
            ended = &mut connection => {
                note(ended);
                response.await
            }
        }
    };
    let response = match response {
        Ok(response) => response,
        Err(error) => return UpstreamError::Http(error),
    };
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        // One of HTTP/1.1 was heard before.
        return UpstreamError::Handshake("it is not of HTTP/1.1");
    }
    // Its body comes while the client reads it.
    if !connection.is_terminated() {
        tasks.spawn("upstream-answer", async move { note(connection.await) });
    }
    let response = response.map(Body::new);
    UpstreamError::Refused(Box::new(BackendRefusal::new(response)))
}

fn note(ended: hyper::Result<()>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection to the upstream failed");
    }
}

/// A connection whose request is sent, and whose answer is read in part: it gives what was read once more, as
/// soon as the request is written once more, and sends nothing of that.
struct Answered {
    /// An answer before its request would be to none.
    is_asked: bool,
    reader: Option<Waker>,
    heard: Bytes,
    /// What came behind that instead of more.
    failed: Option<io::Error>,
    transport: Transport,
}

impl AsyncRead for Answered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.is_asked {
            self.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        if !self.heard.is_empty() {
            let length = self.heard.len().min(buf.remaining());
            buf.put_slice(&self.heard.split_to(length));
            return Poll::Ready(Ok(()));
        }
        if let Some(error) = self.failed.take() {
            return Poll::Ready(Err(error));
        }
        Pin::new(&mut self.transport).poll_read(cx, buf)
    }
}

impl AsyncWrite for Answered {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.is_asked = true;
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use tokio::io::{DuplexStream, duplex};

    use super::*;

    const YES: &str =
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nX-A: 1\r\nX-A: 2\r\n\r\n";

    fn request() -> Request<Body> {
        let request = Request::get("/chat?room=1").header("host", "backend");
        let request = request.header("x-a", "\u{fc}").header("x-a", "2");
        request.body(Body::empty()).unwrap()
    }

    /// Reads the head that a backend was sent.
    async fn head(backend: &mut DuplexStream) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(backend.read_u8().await.unwrap());
        }
        String::from_utf8_lossy(&head).into_owned()
    }

    /// Asks a backend that answers in pieces of a size, and closes behind that if it is told to.
    async fn answered(
        pieces: usize,
        answer: &str,
        closes: bool,
    ) -> Result<(HeaderMap, Vec<u8>), UpstreamError> {
        let (ours, mut backend) = duplex(64 * 1_024);
        let tasks = Tasks::new();
        let transport = Transport::Other(Box::new(ours));
        let switched = switch(transport, request(), &tasks);
        let answering = async {
            let head = head(&mut backend).await;
            for piece in answer.as_bytes().chunks(pieces) {
                // Who was told enough does not read on.
                let _ = backend.write_all(piece).await;
                tokio::task::yield_now().await;
            }
            (head, (!closes).then_some(backend))
        };
        let (switched, (head, _backend)) = tokio::join!(switched, answering);
        assert_eq!(
            head,
            "GET /chat?room=1 HTTP/1.1\r\nhost: backend\r\nx-a: \u{fc}\r\nx-a: 2\r\n\r\n"
        );
        let mut switched = switched?;
        drop(_backend);
        let mut rest = switched.leftover.to_vec();
        switched.transport.read_to_end(&mut rest).await.unwrap();
        Ok((switched.headers, rest))
    }

    /// However it comes: what stands behind the head is the connection's, to the last byte.
    #[tokio::test]
    async fn a_101_is_read_and_nothing_behind_it_is_lost() {
        let early = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n";
        for before in ["", early] {
            for pieces in [1, 7, 1_000] {
                let answer = format!("{before}{YES}frames\r\n\r\n");
                let (headers, rest) = answered(pieces, &answer, false).await.unwrap();
                assert!(headers.get_all("x-a").iter().eq(["1", "2"]), "{headers:?}");
                assert_eq!(headers.len(), 3);
                assert_eq!(rest, b"frames\r\n\r\n", "{pieces}");
            }
        }
    }

    #[tokio::test]
    async fn a_refusal_comes_whole_with_its_body() {
        let chunked =
            "HTTP/1.1 403 Forbidden\r\ntransfer-encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n";
        let to_the_end = "HTTP/1.0 403 Forbidden\r\n\r\nno";
        let interim =
            "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 403 F\r\ncontent-length: 2\r\n\r\nno";
        for (answer, closes) in [(chunked, false), (to_the_end, true), (interim, false)] {
            for pieces in [1, 7, 1_000] {
                let error = answered(pieces, answer, closes).await.unwrap_err();
                let UpstreamError::Refused(refusal) = error else {
                    panic!("{answer}: {error}");
                };
                assert_eq!(refusal.status(), StatusCode::FORBIDDEN);
                let body = refusal.into_response().into_body();
                assert_eq!(&to_bytes(body, 9).await.unwrap()[..], b"no", "{answer}");
            }
        }
    }

    #[tokio::test]
    async fn what_is_no_answer_is_told_as_such() {
        let long = format!(
            "HTTP/1.1 101 S\r\nx: {}\r\n\r\n",
            "a".repeat(HEAD_BYTES_MAX)
        );
        let many = format!(
            "HTTP/1.1 101 S\r\n{}\r\n",
            "a: b\r\n".repeat(HEADERS_MAX + 1)
        );
        for (answer, why) in [
            ("SSH-2.0-x\r\n\r\n", "invalid HTTP version parsed"),
            ("HTTP/1.1 101", "connection closed before message completed"),
            ("", "connection closed before message completed"),
            (&long, "message head is too large"),
            (&many, "message head is too large"),
        ] {
            let error = answered(500, answer, true).await.unwrap_err();
            assert!(matches!(&error, UpstreamError::Http(_)), "{error:?}");
            assert!(error.to_string().contains(why), "{error}");
        }
        let old = YES.replace("/1.1", "/1.0");
        let error = answered(500, &old, true).await.unwrap_err();
        assert!(matches!(error, UpstreamError::Handshake(_)), "{error:?}");
    }
}
