//! A backend of somebody else whose mood a test can change, and that counts what it is asked.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::{SinkExt, StreamExt};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use wastegate::manager::NoApplication;
use wastegate::tasks::Tasks;
use wastegate_tests::harness::Setup;

async fn echo(stream: TcpStream) {
    let Ok(mut socket) = tokio_tungstenite::accept_async(stream).await else {
        return;
    };
    while let Some(Ok(message)) = socket.next().await {
        let is_data = message.is_text() || message.is_binary();
        if is_data && socket.send(message).await.is_err() {
            return;
        }
    }
}

/// What a backend does with an upgrade.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Echo,
    Busy,
    Closes,
}

/// A backend whose mood can be changed, and that counts what it is asked.
pub(crate) struct Backend {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
    pub(crate) mood: watch::Sender<Mood>,
}

impl Backend {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::<AtomicUsize>::default();
        let (mood, moods) = watch::channel(Mood::Echo);
        let count = asked.clone();
        Tasks::new().spawn("backend", async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let now = *moods.borrow();
                Tasks::new().spawn("backend", async move {
                    match now {
                        Mood::Echo => echo(stream).await,
                        Mood::Closes => {}
                        Mood::Busy => {
                            let busy = b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n";
                            // The gateway may be gone by then.
                            let _ = stream.write_all(busy).await;
                        }
                    }
                });
            }
        });
        Self {
            address,
            asked,
            mood,
        }
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    pub(crate) fn in_front(&self) -> Setup {
        let upstream = format!("ws://{}", self.address);
        Setup::new()
            .short_goodbyes()
            .application(NoApplication)
            .with(|config| config.gateway.upstream = vec![upstream.parse().unwrap()])
    }
}
