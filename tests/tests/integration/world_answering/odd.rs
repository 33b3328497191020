//! A client whose library does with pings what it likes, byte by byte.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, watch};
use wastegate::tasks::Tasks;
use wastegate_tests::harness::{Server, http, until, within};

pub(super) const TEXT: u8 = 0x81;
pub(super) const CLOSE: u8 = 0x88;
pub(super) const PING: u8 = 0x89;
pub(super) const PONG: u8 = 0x8a;

/// What it does when it is pinged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pongs {
    /// A pong as the protocol has it.
    Good,
    /// A pong without a mask.
    Unmasked,
    /// A pong, after so long.
    Late(Duration),
    /// Nothing.
    Never,
}

/// A frame of a client, masked with zeros or not at all.
pub(super) fn frame(first: u8, payload: &[u8], masked: bool) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap();
    let mut frame = vec![first];
    match u8::try_from(length) {
        Ok(length) if length < 126 => frame.push(length),
        _ => frame.extend([&[126][..], &length.to_be_bytes()].concat()),
    }
    if masked {
        frame[1] |= 0x80;
        frame.extend([0; 4]);
    }
    frame.extend(payload);
    frame
}

/// A connected client. Its pings are dealt with by itself.
pub(super) struct Odd {
    say: mpsc::Sender<Vec<u8>>,
    heard: mpsc::Receiver<(u8, Vec<u8>)>,
    stopped: watch::Sender<bool>,
    pub(super) pinged: watch::Receiver<u32>,
}

impl Odd {
    /// One that is let in.
    pub(super) async fn enter(server: &Server, key: &str, pongs: Pongs) -> Self {
        let dial = server.dial("ann", key);
        let mut stream = dial.tcp().await;
        stream.write_all(dial.request().as_bytes()).await.unwrap();
        let head = within("an upgrade", http::read_head(&mut stream)).await;
        assert_eq!(head.unwrap().status, 101);
        until(format!("{key} to attach"), || {
            let manager = server.manager("ann", key);
            manager.is_some_and(|manager| !manager.ports().is_empty())
        })
        .await;
        Self::over(stream, pongs)
    }

    fn over(stream: TcpStream, pongs: Pongs) -> Self {
        stream.set_nodelay(true).unwrap();
        let (reading, writing) = stream.into_split();
        let (say, said) = mpsc::channel(1_000);
        let (hear, heard) = mpsc::channel(1_000);
        let (stopped, is_stopped) = watch::channel(false);
        let (ping, pinged) = watch::channel(0);
        let tasks = Tasks::new();
        tasks.spawn("odd writer", write(writing, said));
        let answers = say.clone();
        tasks.spawn("odd reader", async move {
            read(reading, pongs, answers, hear, is_stopped, ping).await;
        });
        Self {
            say,
            heard,
            stopped,
            pinged,
        }
    }

    /// Sends these bytes as they are.
    pub(super) async fn send(&self, bytes: Vec<u8>) {
        // Whether they still arrive is seen by what comes back.
        let _ = self.say.send(bytes).await;
    }

    /// The next frame that is no ping; none at the end.
    pub(super) async fn hear(&mut self) -> Option<(u8, Vec<u8>)> {
        within("a frame", self.heard.recv()).await
    }

    /// Says something, and hears it again.
    pub(super) async fn echo(&mut self, text: &str) {
        self.send(frame(TEXT, text.as_bytes(), true)).await;
        let heard = self.hear().await;
        assert_eq!(heard, Some((TEXT, text.as_bytes().to_vec())));
    }

    /// The code that it is closed with.
    pub(super) async fn closed(&mut self) -> u16 {
        loop {
            let (first, payload) = self.hear().await.expect("a Close");
            if first == CLOSE {
                return u16::from_be_bytes([payload[0], payload[1]]);
            }
        }
    }

    /// Waits until it was pinged so often in all.
    pub(super) async fn pinged(&mut self, times: u32) {
        let pinged = self.pinged.wait_for(|pinged| *pinged >= times);
        within(format!("{times} pings"), pinged).await.unwrap();
    }

    /// Reads nothing more, and answers nothing; its kernel goes on.
    pub(super) fn stop(&self) {
        self.stopped.send_replace(true);
    }
}

async fn write(mut stream: OwnedWriteHalf, mut said: mpsc::Receiver<Vec<u8>>) {
    while let Some(bytes) = said.recv().await {
        if stream.write_all(&bytes).await.is_err() {
            return;
        }
    }
}

async fn read(
    mut stream: OwnedReadHalf,
    pongs: Pongs,
    answers: mpsc::Sender<Vec<u8>>,
    heard: mpsc::Sender<(u8, Vec<u8>)>,
    mut stopped: watch::Receiver<bool>,
    pinged: watch::Sender<u32>,
) {
    loop {
        let frame = tokio::select! {
            told = stopped.wait_for(|stopped| *stopped) => told.map(|_| None).unwrap_or_default(),
            frame = next(&mut stream) => Some(frame),
        };
        let Some(frame) = frame else {
            // It is held open until the test is over.
            heard.closed().await;
            return;
        };
        let Ok((first, payload)) = frame else { return };
        if first != PING {
            // A test that is over hears nothing more.
            let _ = heard.send((first, payload)).await;
            continue;
        }
        pinged.send_modify(|pinged| *pinged += 1);
        let pong = frame_of(pongs, &payload);
        match (pongs, pong) {
            (Pongs::Late(after), Some(pong)) => {
                let answers = answers.clone();
                Tasks::new().spawn("late pong", async move {
                    tokio::time::sleep(after).await;
                    let _ = answers.send(pong).await;
                });
            }
            (_, Some(pong)) => drop(answers.send(pong).await),
            (_, None) => {}
        }
    }
}

fn frame_of(pongs: Pongs, payload: &[u8]) -> Option<Vec<u8>> {
    match pongs {
        Pongs::Good | Pongs::Late(_) => Some(frame(PONG, payload, true)),
        Pongs::Unmasked => Some(frame(PONG, payload, false)),
        Pongs::Never => None,
    }
}

/// One frame of the server, of at most 64 KiB.
async fn next(stream: &mut OwnedReadHalf) -> std::io::Result<(u8, Vec<u8>)> {
    let first = stream.read_u8().await?;
    let length = match stream.read_u8().await? {
        short @ ..126 => u16::from(short),
        126 => stream.read_u16().await?,
        long => panic!("a length of {long}: no such frames are sent here"),
    };
    let mut payload = vec![0; usize::from(length)];
    stream.read_exact(&mut payload).await?;
    Ok((first, payload))
}
