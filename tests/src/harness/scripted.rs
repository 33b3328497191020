//! Backends that note every request head as it came and answer what a test gives them; and requests that
//! are spelled out.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use wastegate::tasks::Tasks;

use super::http::{Reply, exchange};
use super::wait::within;

/// The key of RFC 6455, section 1.3, and the answer to it.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// A backend with one answer for every request.
pub struct Scripted {
    /// Where it listens.
    pub address: SocketAddr,
    answer: Arc<Mutex<Vec<u8>>>,
    hangs: Arc<AtomicBool>,
    heads: mpsc::Receiver<Seen>,
}

/// A request head as a backend got it.
#[derive(Debug)]
pub struct Seen(String);

impl Scripted {
    /// One that answers with these bytes and hangs up, or goes on listening behind a 101.
    ///
    /// # Panics
    /// If it cannot listen.
    pub async fn answering(answer: impl Into<Vec<u8>>) -> Self {
        let answer = Arc::new(Mutex::new(answer.into()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (note, heads) = mpsc::channel(4_096);
        let (current, hangs) = (answer.clone(), Arc::<AtomicBool>::default());
        let hanging = hangs.clone();
        Tasks::new().spawn("backend", async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (note, answer) = (note.clone(), current.lock().unwrap().clone());
                let hangs = hanging.load(Ordering::Relaxed);
                Tasks::new().spawn("backend", serve(stream, note, answer, hangs));
            }
        });
        Self {
            address,
            answer,
            hangs,
            heads,
        }
    }

    /// Takes requests and never answers, from now on.
    pub fn hang(&self) {
        self.hangs.store(true, Ordering::Relaxed);
    }

    /// Answers with these bytes from now on.
    ///
    /// # Panics
    /// Never.
    pub fn change(&self, answer: impl Into<Vec<u8>>) {
        *self.answer.lock().unwrap() = answer.into();
    }

    /// One that upgrades, with more headers in its answer and these bytes behind it.
    pub async fn upgrading(headers: &str, behind: &[u8]) -> Self {
        Self::answering(upgraded(headers, behind)).await
    }

    /// Its address as that of a backend.
    #[must_use]
    pub fn url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// How many requests came that nobody looked at yet, which are forgotten by that.
    pub fn count(&mut self) -> usize {
        std::iter::from_fn(|| self.heads.try_recv().ok()).count()
    }

    /// The next head that it got.
    ///
    /// # Panics
    /// If none comes.
    pub async fn seen(&mut self) -> Seen {
        within("a request at the backend", self.heads.recv())
            .await
            .unwrap()
    }
}

/// A 101 as it should be, with more headers, and bytes behind it.
#[must_use]
pub fn upgraded(headers: &str, behind: &[u8]) -> Vec<u8> {
    let mut answer = switching("HTTP/1.1", &format!("connection: Upgrade\r\n{headers}"));
    answer.extend_from_slice(behind);
    answer
}

/// A 101 of some version, with `Upgrade`, the right accept, and these headers.
#[must_use]
pub fn switching(version: &str, headers: &str) -> Vec<u8> {
    format!(
        "{version} 101 Switching Protocols\r\nupgrade: websocket\r\n\
         sec-websocket-accept: {ACCEPT}\r\n{headers}\r\n"
    )
    .into_bytes()
}

async fn serve(mut stream: TcpStream, note: mpsc::Sender<Seen>, answer: Vec<u8>, hangs: bool) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = head.iter().map(|byte| char::from(*byte)).collect();
    note.send(Seen(head)).await.unwrap();
    // A client that has had enough of it is no fault of a backend.
    if !hangs {
        let _ = stream.write_all(&answer).await;
    }
    if hangs || answer.windows(5).take(16).any(|window| window == b" 101 ") {
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
    }
}

impl Seen {
    /// All values of a header, one a line.
    #[must_use]
    pub fn all(&self, name: &str) -> Vec<&str> {
        let lines = self.0.split("\r\n").filter_map(|line| line.split_once(':'));
        lines
            .filter(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
            .collect()
    }

    /// The one value of a header; empty if there is none.
    ///
    /// # Panics
    /// If there are more.
    #[must_use]
    pub fn one(&self, name: &str) -> &str {
        match self.all(name).as_slice() {
            [] => "",
            [one] => one,
            more => panic!("{name}: {more:?}"),
        }
    }
}

/// A valid upgrade for ann of one host, with more header lines.
#[must_use]
pub fn upgrade(host: &str, lines: &str) -> Vec<u8> {
    upgrade_of(
        "GET /ws?user=ann&key=k1 HTTP/1.1",
        &format!("host: {host}\r\n{lines}"),
    )
}

/// An upgrade with this request line and these header lines.
#[must_use]
pub fn upgrade_of(line: &str, lines: &str) -> Vec<u8> {
    format!(
        "{line}\r\n{lines}upgrade: websocket\r\nconnection: Upgrade\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: {KEY}\r\n\r\n"
    )
    .into_bytes()
}

/// What a gateway answers.
///
/// # Panics
/// If it does not.
pub async fn answer(gateway: SocketAddr, request: &[u8]) -> Reply {
    exchange(gateway, request).await.expect("an answer")
}

/// All values of a header of an answer.
#[must_use]
pub fn all<'a>(reply: &'a Reply, name: &str) -> Vec<&'a str> {
    let found = reply.headers.iter().filter(|(found, _)| found == name);
    found.map(|(_, value)| value.as_str()).collect()
}
