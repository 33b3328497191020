//! A descriptor that is kept back, to accept and refuse with when there is no other: the backlog would
//! otherwise hold clients that are never answered. An old trick, of libev's manual ("special problem of
//! accept()ing when you can't").

use std::fs::File;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};

/// What is opened to hold the descriptor: it is there on every Unix, and nothing comes of it.
const HELD: &str = "/dev/null";
/// How long an accept may take that has a descriptor: the socket is there already.
const ACCEPT_WITHIN: Duration = Duration::from_millis(10);

/// The spare descriptor, where it is still kept.
#[derive(Debug)]
pub(super) struct Spare(Option<File>);

impl Spare {
    pub(super) fn new() -> Self {
        Self(File::open(HELD).ok())
    }

    /// Has it back, if that is possible, once the socket that it went to is closed.
    pub(super) fn keep(&mut self) {
        if self.0.is_none() {
            self.0 = File::open(HELD).ok();
        }
    }

    /// Accepts one connection with it, to be refused and closed at once. None if there was no spare
    /// descriptor, or no connection after all.
    pub(super) async fn accept(&mut self, listener: &TcpListener) -> Option<TcpStream> {
        drop(self.0.take()?);
        let accepted = tokio::time::timeout(ACCEPT_WITHIN, listener.accept()).await;
        accepted.ok()?.ok().map(|(stream, _)| stream)
    }
}
