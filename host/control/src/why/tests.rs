//! What is remembered, what goes, and what is said of it.

use std::time::Duration;

use super::*;
use wastegate::admission::DenialReason;
use wastegate::gateway::{ConnectionEnd, ConnectionFacts, ConnectionObserver};
use wastegate::manager::EndReport;
use wastegate_core::types::{
    Clock, CloseReason, ConnectionId, ConnectionRefs, DeviceId, EvictionCause, ManagerId,
    ManagerKey, Timestamp, UserId,
};

struct World {
    clock: Clock,
    memory: Memory,
}

impl World {
    fn new() -> Self {
        let clock = Clock::manual();
        Self {
            memory: Memory::new(clock.clone()),
            clock,
        }
    }

    fn user(&self) -> UserId {
        UserId::new("ann").unwrap()
    }

    fn with(&self, number: u64, act: impl FnOnce(&ConnectionFacts<'_>, Timestamp)) {
        let key = ManagerKey::new("tab").unwrap();
        let (user, device) = (self.user(), DeviceId::new("phone").unwrap());
        let facts = ConnectionFacts {
            user: &user,
            key: &key,
            manager: ManagerId::from_raw(number),
            connection: ConnectionId::from_raw(number),
            reference: ConnectionRefs::new(1).of(ConnectionId::from_raw(number)),
            device: &device,
            from: "192.0.2.7".parse().ok(),
        };
        act(&facts, self.clock.now());
    }

    fn attached(&self, number: u64) {
        self.with(number, |facts, at| self.memory.attached(facts, at));
    }

    fn ended(&self, number: u64, reason: CloseReason) {
        let report = EndReport {
            reason,
            echoed_after: None,
            aborted: false,
            undecided: false,
        };
        self.with(number, |facts, at| {
            let end = ConnectionEnd {
                at,
                report,
                told: (!reason.is_clients()).then_some((4_000, "told")),
                lasted: Duration::from_secs(90),
                bytes: (10, 2_048),
            };
            self.memory.ended(facts, &end);
        });
    }

    fn of(&self, when: When) -> Timeline {
        self.memory.of(&self.user(), None, when)
    }
}

#[test]
fn the_end_that_is_asked_about_is_the_nearest() {
    let world = World::new();
    let seconds = |count| world.clock.advance(Duration::from_secs(count));
    world.attached(1);
    seconds(60);
    world.ended(1, CloseReason::SlowConsumer);
    seconds(14);
    world.attached(2);
    seconds(600);
    world.ended(2, CloseReason::ClientLeft);
    let last = world.of(When::Last).answer.unwrap();
    assert_eq!(
        last,
        "`tab` was disconnected at 00:11:14Z: its client went away, as a page does that is reloaded."
    );
    let first = world.of(When::At(70_000));
    assert_eq!(
        first.answer.unwrap(),
        "`tab` was disconnected at 00:01:00Z: it did not read what was sent to it. Its client was told 4000 \
         and did not answer. It came back after 14 s."
    );
    let texts: Vec<&str> = first.lines.iter().map(|line| &*line.text).collect();
    assert_eq!(
        texts[..2],
        [
            "connected from 192.0.2.7, device `phone`",
            "closed with 4000 (told): it did not read what was sent to it; it lasted 90 s, 10 B came in and \
             2 KiB went out",
        ]
    );
    assert_eq!(
        world
            .memory
            .of(&UserId::new("bob").unwrap(), None, When::Last)
            .answer,
        None
    );
}

#[test]
fn what_is_old_goes_and_the_memory_says_from_when_on_it_is_whole() {
    let world = World::new();
    world.attached(1);
    world.clock.advance(KEPT_FOR + Duration::from_secs(1));
    let timeline = world.of(When::Last);
    assert_eq!((timeline.lines.len(), timeline.since_ms), (0, 1_000));
    for number in 0..=FACTS_MAX as u64 {
        world.clock.advance(Duration::from_millis(1));
        world.attached(number);
    }
    let full = world.of(When::Last);
    let second = world.clock.now().millis() - FACTS_MAX as u64 + 1;
    assert_eq!(full.since_ms, second, "the oldest made room");
    assert!(full.lines.len() <= 200);
}

/// Every reason has a sentence, and none is said twice of two different things.
#[test]
fn every_reason_has_its_own_sentence() {
    let mut sentences = Vec::new();
    // Causes other than cleanup mean the same whether the client answered or not; a refusal has a reason of
    // its own.
    let own = CloseReason::all().filter(|reason| match reason {
        CloseReason::Displaced(cause) => matches!(cause, EvictionCause::Cleanup(_)),
        reason => *reason != CloseReason::Refused,
    });
    for reason in own {
        let world = World::new();
        world.ended(1, reason);
        sentences.push(world.of(When::Last).answer.unwrap());
    }
    for why in DenialReason::ALL {
        let world = World::new();
        let key = ManagerKey::new("tab").unwrap();
        world.memory.admission(&wastegate::admission::AdmissionEnd {
            user: &world.user(),
            key: &key,
            at: world.clock.now(),
            took: Duration::from_millis(7),
            triggered: true,
            refused: Some(why),
        });
        sentences.push(world.of(When::Last).answer.unwrap());
    }
    let all = sentences.len();
    sentences.sort_unstable();
    sentences.dedup();
    assert_eq!(sentences.len(), all);
}
