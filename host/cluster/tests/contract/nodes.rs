//! What holds for nodes and their messages, on every ledger.

use std::time::Duration;

use wastegate_cluster::ledger::{
    Beat, BeatAnswer, BeatMode, BeatVerdict, Epoch, MessagesRead, NodeAnswer, NodeCommand,
    NodeMessage, NodeName, NodeNote, NodeOrder, NodeOutcome, WAITING_MAX,
};
use wastegate_core::types::Tier;

use crate::bench::{contract, epoch, key, life, user};

const SECOND: Duration = Duration::from_secs(1);

fn beat(name: &str, node: u8, mode: BeatMode) -> Beat {
    Beat {
        name: NodeName::new(name).unwrap(),
        epoch: epoch(node),
        mode,
        dead_after: 6 * SECOND,
        note: NodeNote {
            version: format!("0.{node}"),
            ..NodeNote::default()
        },
    }
}

fn live(answer: &BeatAnswer) -> Vec<(&str, Epoch)> {
    let nodes = answer.nodes.iter();
    nodes.map(|node| (node.name.as_str(), node.epoch)).collect()
}

fn command(number: u64) -> NodeMessage {
    NodeMessage::Command(NodeCommand {
        asker: epoch(2),
        number,
        user: user("ann"),
        key: key("a"),
        life: life(1, 7),
        order: NodeOrder::Evict {
            tier: Tier::Force,
            answering: true,
            past_pin: false,
        },
    })
}

fn answer(number: u64) -> NodeMessage {
    NodeMessage::Answer(NodeAnswer {
        number,
        outcome: NodeOutcome::Spared,
        idle_ms: Some(7),
    })
}

contract! {
    async fn a_node_that_is_silent_is_dead_for_all_and_for_ever(b) {
        let say = async |beat: Beat| b.ledger.beat(&beat).await.unwrap().answer;
        let first = say(beat("a", 1, BeatMode::Start)).await;
        assert_eq!((first.verdict, live(&first)), (BeatVerdict::New, vec![("a", epoch(1))]));
        assert_eq!(first.nodes[0].note.version, "0.1");
        assert_eq!(first.nodes[0].beat_ms, b.now_ms());
        say(beat("b", 2, BeatMode::Start)).await;
        for _ in 0..5 {
            b.advance(SECOND).await;
            let seen = say(beat("b", 2, BeatMode::Live)).await;
            assert_eq!((seen.verdict, seen.dead.len(), seen.nodes.len()), (BeatVerdict::Known, 0, 2));
        }
        b.advance(SECOND).await;
        let seen = say(beat("b", 2, BeatMode::Live)).await;
        assert_eq!((live(&seen), &*seen.dead), (vec![("b", epoch(2))], &[epoch(1)][..]));
        // It was frozen, and goes on: that life of it is over.
        for mode in [BeatMode::Live, BeatMode::Start] {
            let late = say(beat("a", 1, mode)).await;
            assert_eq!((late.verdict, late.nodes.len()), (BeatVerdict::Dead, 1));
        }
        let back = say(beat("a", 3, BeatMode::Live)).await;
        assert_eq!((back.verdict, back.nodes.len(), back.dead.len()), (BeatVerdict::New, 2, 1));
        // It is remembered until nothing of that life can be left.
        for _ in 0..609 {
            b.advance(SECOND).await;
            assert_eq!(say(beat("b", 2, BeatMode::Live)).await.dead[0], epoch(1));
        }
        b.advance(SECOND).await;
        assert_eq!(say(beat("b", 2, BeatMode::Live)).await.dead, [epoch(3)]);
    }

    async fn while_the_engine_was_away_nobody_died(b) {
        let say = async |beat: Beat| b.ledger.beat(&beat).await.unwrap().answer;
        say(beat("a", 1, BeatMode::Start)).await;
        say(beat("b", 2, BeatMode::Start)).await;
        b.advance(30 * SECOND).await;
        assert_eq!(say(beat("b", 2, BeatMode::Live)).await.dead, []);
        for _ in 0..5 {
            b.advance(SECOND).await;
            assert_eq!(say(beat("b", 2, BeatMode::Live)).await.dead, []);
        }
        b.advance(SECOND).await;
        assert_eq!(say(beat("b", 2, BeatMode::Live)).await.dead, [epoch(1)], "from then on it counts");
    }

    async fn a_start_takes_the_name_and_a_second_process_does_not_take_it_back(b) {
        let say = async |beat: Beat| b.ledger.beat(&beat).await.unwrap().answer;
        say(beat("a", 1, BeatMode::Start)).await;
        let restarted = say(beat("a", 2, BeatMode::Start)).await;
        assert_eq!((restarted.verdict, restarted.dead), (BeatVerdict::New, vec![epoch(1)]));
        assert_eq!(say(beat("a", 1, BeatMode::Live)).await.verdict, BeatVerdict::Dead);
        let taken = say(beat("a", 3, BeatMode::Live)).await;
        assert_eq!((taken.verdict, live(&taken)), (BeatVerdict::NameTaken, vec![("a", epoch(2))]));
        for _ in 0..6 {
            b.advance(SECOND).await;
            say(beat("b", 9, BeatMode::Start)).await;
        }
        assert_eq!(say(beat("a", 3, BeatMode::Live)).await.verdict, BeatVerdict::New, "the other is gone");
    }

    async fn a_node_that_ends_leaves_nothing_to_wait_for(b) {
        let say = async |beat: Beat| b.ledger.beat(&beat).await.unwrap().answer;
        say(beat("a", 1, BeatMode::Start)).await;
        say(beat("b", 2, BeatMode::Start)).await;
        say(beat("a", 1, BeatMode::End)).await;
        let seen = say(beat("b", 2, BeatMode::Live)).await;
        assert_eq!((live(&seen), &*seen.dead), (vec![("b", epoch(2))], &[epoch(1)][..]));
    }

    async fn messages_come_in_order_to_the_life_that_they_are_for(b) {
        let none = MessagesRead::default();
        let receive = async |node, read: &MessagesRead| {
            b.ledger.receive(epoch(node), read, Duration::ZERO).await.unwrap().answer
        };
        assert_eq!(receive(1, &none).await.messages, []);
        for message in [answer(1), command(2), command(3), answer(4)] {
            b.ledger.send(epoch(1), &message).await.unwrap();
        }
        let inbox = receive(1, &none).await;
        assert_eq!(inbox.messages, [command(2), command(3), answer(1), answer(4)]);
        assert_eq!(receive(1, &inbox.read).await.messages, []);
        b.ledger.send(epoch(1), &command(5)).await.unwrap();
        assert_eq!(receive(1, &inbox.read).await.messages, [command(5)]);
        assert_eq!(receive(2, &none).await.messages, []);
    }

    async fn more_messages_than_wait_push_out_the_oldest_of_their_kind(b) {
        b.ledger.send(epoch(1), &answer(0)).await.unwrap();
        for number in 0..=WAITING_MAX as u64 {
            b.ledger.send(epoch(1), &command(number)).await.unwrap();
        }
        let (mut read, mut found) = (MessagesRead::default(), Vec::new());
        loop {
            let inbox = b.ledger.receive(epoch(1), &read, Duration::ZERO).await.unwrap().answer;
            if inbox.messages.is_empty() {
                break;
            }
            (read, found) = (inbox.read, [found, inbox.messages].concat());
        }
        let commands: Vec<_> = found.iter().filter(|message| matches!(message, NodeMessage::Command(_))).collect();
        assert_eq!((commands.len(), commands[0]), (WAITING_MAX, &command(1)));
        assert_eq!(found.len(), WAITING_MAX + 1, "commands push out no answer");
    }

    async fn a_wait_for_messages_ends_with_the_first(b) {
        let read = MessagesRead::default();
        let wait = b.ledger.receive(epoch(1), &read, 30 * SECOND);
        let message = command(1);
        let (inbox, sent) = futures_util::future::join(wait, b.ledger.send(epoch(1), &message)).await;
        sent.unwrap();
        assert_eq!(inbox.unwrap().answer.messages, [message]);
    }
}
