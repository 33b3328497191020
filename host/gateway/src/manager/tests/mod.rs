//! One manager with its own task, in a gateway without a network.

mod ending;
mod task;

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::*;
use crate::testing::{Setup, World, key, settle, user};
use wastegate_core::types::CloseReason;

/// An application that writes down what it is told, and does what messages say: `panic`, `hang`,
/// `work` (hangs with a unit of work in flight).
#[derive(Default)]
struct Diary(Mutex<Vec<String>>);

impl Diary {
    fn note(&self, line: &str) {
        self.0.lock().push(line.to_owned());
    }

    fn lines(&self) -> Vec<String> {
        self.0.lock().clone()
    }
}

struct Writes(Arc<Diary>);

impl Application for Writes {
    fn attached(&self, _: &Arc<Manager>, peer: &Peer) {
        self.0.note(&format!("attached {}", peer.device));
    }

    async fn message(&self, manager: &Arc<Manager>, _: Peer, message: Message) {
        let Message::Text(text) = message else { return };
        self.0.note(&format!("message {text}"));
        match text.as_str() {
            "panic" => panic!("as it was told to"),
            "hang" => std::future::pending().await,
            "work" => {
                let _work = manager.begin_work();
                tokio::time::sleep(Duration::from_secs(60)).await;
            }
            _ => {}
        }
    }

    fn detached(&self, _: &Arc<Manager>, peer: &Peer, reason: CloseReason) {
        self.0
            .note(&format!("detached {} {}", peer.device, reason.name()));
    }

    fn ended(&self, manager: &Arc<Manager>, end: ManagerEnd) {
        self.0
            .note(&format!("ended {} {}", manager.key, end.reason.name()));
    }
}

fn world() -> (World, Arc<Diary>) {
    let diary = Arc::new(Diary::default());
    let setup = Setup {
        application: Writes(diary.clone()).into(),
        ..Setup::default()
    };
    (setup.build(), diary)
}

/// The client says something.
fn say(world: &World, client: &crate::testing::Client, text: &str) -> Option<Delivery> {
    let peer = Peer {
        connection: client.port.id,
        device: client.port.device.clone(),
    };
    let mut letter = Some((peer, Message::Text(text.into())));
    client
        .manager
        .mailbox
        .try_deliver(world.clock.now(), &mut letter)
}
