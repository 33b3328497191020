//! A registry of a few lines behind a real socket: it does as it is told, and remembers what it was asked.

use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::super::Reference;
use wastegate::tasks::Tasks;

/// What to do when a path is asked for.
pub(super) enum Reply {
    /// A status, headers with their line ends, and a body.
    Say(&'static str, String, Vec<u8>),
    /// These bytes, whatever they are.
    Raw(&'static [u8]),
    /// Headers, and bytes without end.
    Endless,
    Hang,
}

/// A server that does as it is told, and remembers the heads of what it was asked.
pub(super) struct Fake {
    pub(super) address: SocketAddr,
    pub(super) asked: Arc<Mutex<Vec<String>>>,
    tasks: Tasks,
}

/// What a script may look at: the method, the path, the whole head, and how many requests came before.
pub(super) struct Asked<'a> {
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    pub(super) head: &'a str,
    pub(super) before: usize,
}

impl Asked<'_> {
    /// Who the client says that it is.
    pub(super) fn says(&self) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let found = lines.find(|(name, _)| name.eq_ignore_ascii_case("authorization"));
        found.map(|(_, value)| value)
    }
}

type Script = dyn Fn(&Asked<'_>) -> Reply + Send + Sync;

impl Fake {
    /// The script is given the path and how many times anything was asked before.
    pub(super) async fn new(script: impl Fn(&str, usize) -> Reply + Send + Sync + 'static) -> Self {
        Self::hearing(move |asked| script(asked.path, asked.before)).await
    }

    /// The script is given all that was asked.
    pub(super) async fn hearing(
        script: impl Fn(&Asked<'_>) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (asked, tasks) = (Arc::new(Mutex::new(Vec::new())), Tasks::new());
        let (heads, inner, script) = (asked.clone(), tasks.clone(), Arc::new(script));
        tasks.spawn("fake registry", async move {
            while let Ok((socket, _)) = listener.accept().await {
                let serving = serve(socket, script.clone(), heads.clone());
                inner.spawn("fake connection", serving);
            }
        });
        Self {
            address,
            asked,
            tasks,
        }
    }

    pub(super) fn reference(&self, end: &str) -> Reference {
        format!("{}/policies/lru{end}", self.address)
            .parse()
            .unwrap()
    }

    pub(super) fn asked(&self) -> Vec<String> {
        let heads = self.asked.lock();
        let path = |head: &String| head.split(' ').nth(1).unwrap_or_default().to_owned();
        heads.iter().map(path).collect()
    }

    /// The same with the methods, such as `GET /v2/`.
    pub(super) fn requests(&self) -> Vec<String> {
        let heads = self.asked.lock();
        let request = |head: &String| head.split(" HTTP").next().unwrap_or_default().to_owned();
        heads.iter().map(request).collect()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.tasks.stop();
    }
}

async fn serve(mut socket: TcpStream, script: Arc<Script>, heads: Arc<Mutex<Vec<String>>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match socket.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8(head).unwrap();
    let mut words = head.split(' ').map(str::to_owned);
    let (method, path) = (words.next().unwrap(), words.next().unwrap());
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    let length = lines.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let mut body = vec![0; length.map_or(0, |(_, length)| length.parse().unwrap())];
    if socket.read_exact(&mut body).await.is_err() {
        return;
    }
    let before = {
        let mut heads = heads.lock();
        heads.push(head.clone());
        heads.len() - 1
    };
    let asked = Asked {
        method: &method,
        path: &path,
        head: &head,
        before,
    };
    match script(&asked) {
        Reply::Say(status, headers, body) => {
            let length = body.len();
            let head = format!(
                "HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n"
            );
            let _ = socket.write_all(head.as_bytes()).await;
            if method != "HEAD" {
                let _ = socket.write_all(&body).await;
            }
        }
        Reply::Raw(bytes) => {
            let _ = socket.write_all(bytes).await;
        }
        Reply::Endless => {
            let head = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
            let _ = socket.write_all(head).await;
            while socket.write_all(&[b' '; 4_096]).await.is_ok() {}
        }
        Reply::Hang => std::future::pending().await,
    }
}
