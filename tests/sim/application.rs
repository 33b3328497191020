//! The application behind the gateway: it echoes, pushes, and on request hangs or panics.

use std::sync::Arc;
use std::time::Duration;

use wastegate::manager::{Application, Manager, ManagerEnd, Message, Peer};
use wastegate_core::types::CloseReason;

use crate::world::World;

/// A key that ends so has an application that panics when a connection leaves.
pub(crate) const PANICS_ON_LEAVE: &str = "-leave";
/// A key that ends so has an application that panics when its manager ends.
pub(crate) const PANICS_ON_END: &str = "-end";

/// Does what it is told.
pub(crate) struct Troubled {
    pub(crate) world: Arc<World>,
}

impl Application for Troubled {
    async fn message(&self, manager: &Arc<Manager>, from: Peer, message: Message) {
        let _busy = self.world.truths.busy(manager.id, self.world.clock.now());
        let Message::Text(text) = &message else {
            return;
        };
        let mut words = text.as_str().split(' ');
        let word = words.next().unwrap_or_default();
        let number = words
            .next()
            .and_then(|word| word.parse::<u32>().ok())
            .unwrap_or(0);
        match word {
            "hang" => std::future::pending::<()>().await,
            "busy" => tokio::time::sleep(Duration::from_millis(number.into())).await,
            "panic" => panic!("the application was told to"),
            "work" => manager.set_in_flight(number),
            "visible" => manager.set_visible(number > 0),
            "priority" => manager.set_priority(i32::try_from(number).unwrap_or(0)),
            "push" => {
                let message = Message::Text("x".repeat(1_024).into());
                for _ in 0..number {
                    manager.broadcast(&message, None);
                }
            }
            _ => {
                // Who is gone hears no answer.
                let _ = manager.send(from.connection, message);
            }
        }
    }

    fn detached(&self, manager: &Arc<Manager>, _: &Peer, _: CloseReason) {
        assert!(
            !manager.key.as_str().ends_with(PANICS_ON_LEAVE),
            "the application was made to"
        );
    }

    fn ended(&self, manager: &Arc<Manager>, _: ManagerEnd) {
        assert!(
            !manager.key.as_str().ends_with(PANICS_ON_END),
            "the application was made to"
        );
    }
}
