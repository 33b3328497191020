//! One client: a real WebSocket over a line with faults, doing what it is told.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};

use crate::pipe::End;
use crate::seen::Seen;
use crate::truth::Peer;
use crate::world::World;

/// What a client is told to do.
#[derive(Debug)]
pub(crate) enum Order {
    Say(String),
    /// Says goodbye with that code.
    Close(u16),
    /// Reads nothing for so long.
    Stall(Duration),
    /// Never reads or writes again, and never hangs up.
    Vanish,
    /// Its process ends, without a word.
    Die,
}

/// Runs a client until its connection is over or nobody gives orders any more.
pub(crate) async fn run(
    world: Arc<World>,
    end: End,
    peer: Arc<Peer>,
    mut orders: mpsc::Receiver<Order>,
) {
    let mut socket = WebSocketStream::from_raw_socket(end, Role::Client, None).await;
    let change = |stays: bool, reads: bool| {
        peer.change(world.clock.now(), |state| {
            state.reads = reads;
            state.stays &= stays;
        });
    };
    let mut leaving = false;
    loop {
        tokio::select! {
            biased;
            frame = socket.next() => match frame {
                Some(Ok(Frame::Close(frame))) if !leaving => {
                    let code = frame.map_or(1_005, |frame| frame.code.into());
                    world.see(&Seen::Told { link: peer.link, code });
                    change(false, true);
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => break,
            },
            order = orders.recv() => match order {
                // What cannot be sent is noticed by the next read.
                Some(Order::Say(text)) => drop(socket.send(Frame::Text(text.into())).await),
                Some(Order::Close(code)) => {
                    change(false, true);
                    leaving = true;
                    let frame = CloseFrame { code: code.into(), reason: "".into() };
                    drop(socket.close(Some(frame)).await);
                }
                Some(Order::Stall(lasting)) => {
                    change(true, false);
                    tokio::time::sleep(lasting).await;
                    change(true, true);
                }
                Some(Order::Vanish) => {
                    change(false, false);
                    // The line stays as it is until there is nobody left to command this client.
                    while orders.recv().await.is_some() {}
                    break;
                }
                Some(Order::Die) | None => break,
            },
        }
    }
    change(false, false);
}
