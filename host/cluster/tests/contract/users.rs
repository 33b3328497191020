//! What holds for one user, on every ledger.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use wastegate_cluster::ledger::{
    Columns, EnterAnswer, LedgerVictim, LendAnswer, LendAsk, PartState, Publication,
    ReassertAnswer, UserLever,
};
use wastegate_core::decision::Standing;
use wastegate_core::types::{Health, Protection, Signal, SignalRow};

use crate::bench::{contract, epoch, key, life, publication, user, victim};

const MINUTE: Duration = Duration::from_secs(60);

fn held(answer: &EnterAnswer) -> u32 {
    match answer {
        EnterAnswer::Entered { held, .. } => *held,
        other => panic!("not entered: {other:?}"),
    }
}

fn is_full(answer: &EnterAnswer) -> bool {
    matches!(answer, EnterAnswer::Full { .. })
}

contract! {
    async fn the_same_life_that_asks_again_holds_no_more(b) {
        let ann = user("ann");
        for _ in 0..3 {
            assert_eq!(held(&b.enter(ann, life(1, 1), key("a"), 2).await), 1);
        }
        assert_eq!(held(&b.enter(ann, life(1, 2), key("b"), 2).await), 2);
        assert_eq!(held(&b.enter(ann, life(1, 1), key("a"), 2).await), 2);
        assert_eq!(b.held(user("bob"), &[]).await, []);
    }

    async fn at_the_limit_the_answer_is_what_is_held(b) {
        let ann = user("ann");
        let mut row = SignalRow::default();
        row[Signal::IdleMs] = 4_096.0;
        let state = PartState {
            standing: Standing::Detached,
            health: Health::HalfOpen,
            taken_over: true,
            protection: Protection::Pinned,
        };
        b.enter(ann, life(1, 1), key("a"), 2).await;
        let columns = Columns::of(&row, &[Signal::IdleMs]);
        let part = Publication { columns, state, ..publication(key("a"), life(1, 1).manager) };
        b.ledger.publish(ann, epoch(1), &[part]).await.unwrap();
        b.advance(Duration::from_secs(2)).await;
        b.enter(ann, life(2, 7), key("b"), 2).await;
        let asked = b.ledger.enter(ann, &b.asking(life(1, 3), key("c"), 2)).await.unwrap();
        let EnterAnswer::Full { limit: 2, entries } = asked.answer else {
            panic!("{asked:?}");
        };
        assert_eq!(entries.len(), 2);
        let a = entries.iter().find(|entry| entry.key == key("a")).unwrap();
        let [part] = a.parts.as_slice() else { panic!("{a:?}") };
        assert_eq!((part.life, part.provisional, part.state), (life(1, 1), false, state));
        assert_eq!(part.signals(asked.now_ms)[Signal::IdleMs], 6_096.0, "aged by the engine's clock");
        let other = entries.iter().find(|entry| entry.key == key("b")).unwrap();
        assert!(other.parts[0].provisional);
    }

    async fn what_is_never_published_runs_out_and_what_is_lasts(b) {
        let ann = user("ann");
        b.enter(ann, life(1, 1), key("a"), 1).await;
        b.advance(Duration::from_millis(9_999)).await;
        assert!(is_full(&b.enter(ann, life(2, 1), key("b"), 1).await));
        b.advance(Duration::from_millis(1)).await;
        assert_eq!(held(&b.enter(ann, life(2, 1), key("b"), 1).await), 1);
        assert_eq!(b.publish(ann, life(1, 1), key("a")).await, [key("a")], "a publication brings nothing back");
        assert_eq!(b.publish(ann, life(2, 1), key("b")).await, []);
        b.advance(10 * MINUTE - Duration::from_millis(1)).await;
        assert!(is_full(&b.enter(ann, life(1, 2), key("a"), 1).await));
        assert_eq!(b.publish(ann, life(2, 1), key("b")).await, []);
        b.advance(10 * MINUTE).await;
        assert_eq!(held(&b.enter(ann, life(1, 2), key("a"), 1).await), 1);
    }

    async fn only_its_own_life_leaves(b) {
        let ann = user("ann");
        b.settle(ann, life(1, 5), key("a"), 1).await;
        for other in [life(1, 4), life(1, 6), life(2, 5)] {
            assert!(!b.leave(ann, other, key("a")).await);
        }
        assert!(!b.leave(ann, life(1, 5), key("b")).await);
        assert!(b.leave(ann, life(1, 5), key("a")).await);
        assert!(!b.leave(ann, life(1, 5), key("a")).await);
        assert_eq!(b.held(ann, &[]).await, []);
    }

    /// An acquire that the client gave up is carried out later: it does nothing.
    async fn what_comes_too_late_does_nothing(b) {
        let ann = user("ann");
        let late = b.asking(life(1, 1), key("a"), 1);
        b.advance(Duration::from_millis(250)).await;
        assert_eq!(held(&b.ask(ann, &late).await), 1, "the last moment is in time");
        assert!(b.leave(ann, life(1, 1), key("a")).await);
        b.advance(Duration::from_millis(1)).await;
        assert_eq!(b.ask(ann, &late).await, EnterAnswer::Late);
        assert_eq!(b.held(ann, &[]).await, []);
    }

    async fn an_older_manager_of_the_node_does_not_take_the_newer_ones_entry(b) {
        let ann = user("ann");
        let older = b.asking(life(1, 1), key("a"), 1);
        b.settle(ann, life(1, 2), key("a"), 1).await;
        assert_eq!(b.ask(ann, &older).await, EnterAnswer::Late);
        assert_eq!(b.held(ann, &[]).await, [(key("a"), vec![life(1, 2)])]);
        assert_eq!(held(&b.enter(ann, life(1, 3), key("a"), 1).await), 1, "a newer one does");
        assert_eq!(b.publish(ann, life(1, 2), key("a")).await, [key("a")]);
    }

    async fn a_manager_on_two_nodes_counts_once(b) {
        let ann = user("ann");
        b.settle(ann, life(1, 1), key("a"), 1).await;
        let joined = b.enter(ann, life(2, 9), key("a"), 1).await;
        let EnterAnswer::Entered { held: 1, taken: 0, others } = joined else { panic!("{joined:?}") };
        assert_eq!(others.iter().map(|part| part.life).collect::<Vec<_>>(), [life(1, 1)]);
        assert!(is_full(&b.enter(ann, life(2, 10), key("b"), 1).await));
        assert!(b.leave(ann, life(1, 1), key("a")).await);
        assert_eq!(b.held(ann, &[]).await, [(key("a"), vec![life(2, 9)])]);
        assert!(b.leave(ann, life(2, 9), key("a")).await);
        assert_eq!(b.held(ann, &[]).await, []);
    }

    async fn what_a_dead_node_held_is_free_for_everybody_at_once(b) {
        let ann = user("ann");
        b.settle(ann, life(1, 1), key("a"), 2).await;
        b.settle(ann, life(1, 2), key("b"), 2).await;
        b.settle(ann, life(2, 1), key("b"), 2).await;
        let mut ask = b.asking(life(3, 1), key("c"), 2);
        assert!(is_full(&b.ask(ann, &ask).await));
        ask.dead = [epoch(1)].into();
        assert_eq!(held(&b.ask(ann, &ask).await), 2);
        assert_eq!(
            b.held(ann, &[]).await.into_iter().collect::<std::collections::BTreeMap<_, _>>(),
            [(key("b"), vec![life(2, 1)]), (key("c"), vec![life(3, 1)])].into(),
            "a manager with a part on a live node stays"
        );
        // Its own key comes back without room for it: the others were faster.
        let back = b.asking(life(2, 2), key("a"), 2);
        assert!(is_full(&b.ask(ann, &back).await));
    }

    async fn a_victim_leaves_for_a_newcomer_only_as_it_was_seen(b) {
        let ann = user("ann");
        b.settle(ann, life(1, 1), key("a"), 1).await;
        let mut ask = b.asking(life(2, 1), key("b"), 1);
        let EnterAnswer::Full { entries, .. } = b.ask(ann, &ask).await else { panic!("not full") };
        ask.victims = vec![victim(&entries[0])];
        // It got a connection on another node meanwhile: what was decided about it is out of date.
        b.settle(ann, life(3, 1), key("a"), 1).await;
        let EnterAnswer::Full { entries, .. } = b.ask(ann, &ask).await else { panic!("taken") };
        assert_eq!(entries[0].lives(), [life(1, 1), life(3, 1)]);
        ask.victims = vec![victim(&entries[0])];
        let taken = EnterAnswer::Entered { held: 1, taken: 1, others: vec![] };
        assert_eq!(b.ask(ann, &ask).await, taken);
        assert_eq!(b.held(ann, &[]).await, [(key("b"), vec![life(2, 1)])]);
        let again = EnterAnswer::Entered { held: 1, taken: 0, others: vec![] };
        assert_eq!(b.ask(ann, &ask).await, again, "the same again takes nobody");
    }

    async fn no_more_victims_leave_than_are_needed_and_all_or_none(b) {
        let ann = user("ann");
        for (manager, name) in [(1, "a"), (2, "b"), (3, "c")] {
            b.settle(ann, life(1, manager), key(name), 3).await;
        }
        let seen = |manager, name| LedgerVictim { key: key(name), lives: vec![life(1, manager)] };
        let mut ask = b.asking(life(2, 1), key("d"), 4);
        ask.victims = vec![seen(1, "a")];
        assert_eq!(b.ask(ann, &ask).await, EnterAnswer::Entered { held: 4, taken: 0, others: vec![] });
        // The limit was lowered: two have to leave for one.
        let mut ask = b.asking(life(2, 2), key("e"), 3);
        ask.victims = vec![seen(1, "a")];
        assert!(is_full(&b.ask(ann, &ask).await), "one is not enough");
        ask.victims = vec![seen(1, "a"), seen(9, "b"), seen(3, "c")];
        assert!(is_full(&b.ask(ann, &ask).await), "one of them is another by now");
        ask.victims = vec![seen(1, "a"), seen(1, "a"), seen(3, "c")];
        assert!(is_full(&b.ask(ann, &ask).await), "none leaves twice");
        ask.victims = vec![seen(1, "a"), seen(3, "c"), seen(2, "b")];
        assert_eq!(b.ask(ann, &ask).await, EnterAnswer::Entered { held: 3, taken: 2, others: vec![] });
        assert!(b.leave(ann, life(1, 2), key("b")).await, "the third was not needed");
    }

    /// The owner keeps what was evicted: its entry comes back for the newcomer's, and at no moment there are two.
    async fn an_entry_is_given_back_in_one_step(b) {
        let ann = user("ann");
        b.settle(ann, life(1, 1), key("a"), 1).await;
        let seen = |life, name| LedgerVictim { key: key(name), lives: vec![life] };
        let mut ask = b.asking(life(2, 1), key("b"), 1);
        ask.victims = vec![seen(life(1, 1), "a")];
        assert_eq!(held(&b.ask(ann, &ask).await), 1);
        let mut back = b.asking(life(1, 1), key("a"), 1);
        back.victims = vec![seen(life(2, 1), "b")];
        assert_eq!(held(&b.ask(ann, &back).await), 1);
        assert_eq!(b.held(ann, &[]).await, [(key("a"), vec![life(1, 1)])]);
    }

    async fn what_lives_is_reasserted_above_the_limit_and_shrinks_before_anyone_enters(b) {
        let ann = user("ann");
        b.settle(ann, life(1, 1), key("a"), 2).await;
        b.settle(ann, life(1, 2), key("b"), 2).await;
        let lost = [(life(2, 1), key("c")), (life(2, 2), key("d")), (life(2, 3), key("a"))];
        let asserted = ReassertAnswer::Asserted { held: 4, over: 2 };
        assert_eq!(b.reassert(ann, &lost, 2).await, asserted);
        assert_eq!(b.reassert(ann, &lost, 2).await, asserted, "twice is as once");
        assert!(is_full(&b.enter(ann, life(1, 3), key("e"), 2).await));
        assert_eq!(held(&b.enter(ann, life(1, 9), key("a"), 2).await), 4, "who is there joins");
        for (life, key) in [(life(1, 2), key("b")), (life(2, 1), key("c")), (life(2, 2), key("d"))] {
            assert!(b.leave(ann, life, key).await);
        }
        assert_eq!(held(&b.enter(ann, life(1, 3), key("e"), 2).await), 2);
        b.advance(Duration::from_secs(10)).await;
        assert_eq!(b.held(ann, &[]).await, [], "what was asserted and not published runs out");
    }

    async fn a_reassertion_of_the_past_does_nothing(b) {
        let ann = user("ann");
        b.settle(ann, life(1, 5), key("a"), 1).await;
        let older = [(life(1, 4), key("a"))];
        assert_eq!(b.reassert(ann, &older, 1).await, ReassertAnswer::Asserted { held: 1, over: 0 });
        assert_eq!(b.held(ann, &[]).await, [(key("a"), vec![life(1, 5)])]);
        let ask = wastegate_cluster::ledger::ReassertAsk {
            epoch: epoch(2),
            limit: 1,
            not_after_ms: b.now_ms() - 1,
            dead: Arc::default(),
            parts: vec![publication(key("b"), life(2, 1).manager)],
        };
        assert_eq!(b.ledger.reassert(ann, &ask).await.unwrap().answer, ReassertAnswer::Late);
        assert_eq!(b.held(ann, &[]).await.len(), 1);
    }

    async fn lost_writes_are_found_by_the_next_publication(b) {
        let ann = user("ann");
        b.settle(ann, life(1, 1), key("a"), 3).await;
        let before = b.keep(ann).await;
        b.settle(ann, life(1, 2), key("b"), 3).await;
        assert!(b.leave(ann, life(1, 1), key("a")).await);
        b.lose_since(&before).await;
        assert_eq!(b.publish(ann, life(1, 2), key("b")).await, [key("b")]);
        b.reassert(ann, &[(life(1, 2), key("b"))], 3).await;
        assert_eq!(b.publish(ann, life(1, 2), key("b")).await, []);
        // What had left and is back is published by nobody.
        b.advance(5 * MINUTE).await;
        assert_eq!(b.publish(ann, life(1, 2), key("b")).await, []);
        b.advance(5 * MINUTE).await;
        assert_eq!(b.held(ann, &[]).await, [(key("b"), vec![life(1, 2)])]);
    }

    async fn an_operators_limit_and_block_hold_on_all_nodes_and_end(b) {
        let ann = user("ann");
        let set = async |lever, lasting| b.ledger.set_lever(ann, lever, lasting).await.unwrap();
        set(UserLever::Limit(Some(2)), Some(MINUTE)).await;
        b.settle(ann, life(1, 1), key("a"), 1).await;
        b.settle(ann, life(2, 1), key("b"), 1).await;
        assert!(is_full(&b.enter(ann, life(1, 2), key("c"), 1).await));
        set(UserLever::Block(true), Some(MINUTE / 2)).await;
        let until_ms = Some(b.now_ms() + 30_000);
        assert_eq!(b.enter(ann, life(1, 1), key("a"), 1).await, EnterAnswer::Blocked { until_ms });
        let read = b.ledger.read(ann, 1, &[]).await.unwrap().answer;
        assert_eq!((read.limit, read.block, read.entries.len()), (2, Some(until_ms), 2));
        b.advance(MINUTE / 2).await;
        assert_eq!(held(&b.enter(ann, life(1, 1), key("a"), 1).await), 2);
        b.advance(MINUTE / 2).await;
        let read = b.ledger.read(ann, 1, &[]).await.unwrap().answer;
        assert_eq!((read.limit, read.block), (1, None));
        set(UserLever::Block(true), None).await;
        b.advance(60 * MINUTE).await;
        assert_eq!(b.enter(ann, life(1, 2), key("c"), 1).await, EnterAnswer::Blocked { until_ms: None });
        set(UserLever::Block(false), None).await;
        set(UserLever::Limit(Some(0)), None).await;
        assert!(is_full(&b.enter(ann, life(1, 2), key("c"), 1).await));
        set(UserLever::Limit(None), None).await;
        assert_eq!(held(&b.enter(ann, life(1, 2), key("c"), 1).await), 1);
    }

    async fn temporary_slots_are_lent_once_for_all_nodes(b) {
        let ann = user("ann");
        let ask = LendAsk { limit: 1, slots: 2, lasting: MINUTE, cool_down: 10 * MINUTE, dead: Arc::default() };
        let lend = async || b.ledger.lend(ann, &ask).await.unwrap().answer;
        b.settle(ann, life(1, 1), key("a"), 1).await;
        let begin = b.now_ms();
        assert_eq!(lend().await, LendAnswer::Lent(begin + 60_000));
        assert_eq!(lend().await, LendAnswer::Running(begin + 60_000));
        b.settle(ann, life(2, 1), key("b"), 1).await;
        b.settle(ann, life(2, 2), key("c"), 1).await;
        assert!(is_full(&b.enter(ann, life(1, 2), key("d"), 1).await));
        b.advance(MINUTE).await;
        assert_eq!(lend().await, LendAnswer::CoolingDown(begin + 660_000));
        for (life, key) in [(life(1, 1), key("a")), (life(2, 1), key("b")), (life(2, 2), key("c"))] {
            assert_eq!(b.publish(ann, life, key).await, [], "who has one keeps it for now");
        }
        b.advance(9 * MINUTE).await;
        for (life, key) in [(life(1, 1), key("a")), (life(2, 1), key("b"))] {
            assert_eq!(b.publish(ann, life, key).await, []);
        }
        b.advance(MINUTE).await;
        let now = b.now_ms();
        assert_eq!(lend().await, LendAnswer::CoolingDown(now), "the surplus has not left");
        assert!(b.leave(ann, life(2, 1), key("b")).await);
        assert_eq!(lend().await, LendAnswer::Lent(now + 60_000));
    }

    async fn two_hundred_at_once_are_as_many_as_the_limit(b) {
        let ann = user("ann");
        let asks: Vec<_> = (0..200)
            .map(|n| b.asking(life(1 + (n % 5) as u8, n), key(&format!("k{n}")), 20))
            .collect();
        let answers = join_all(asks.iter().map(|ask| b.ask(ann, ask))).await;
        let entered = answers.iter().filter(|answer| matches!(answer, EnterAnswer::Entered { .. })).count();
        assert_eq!((entered, b.held(ann, &[]).await.len()), (20, 20));
        // A fence acts once: fifty newcomers want the place of the same one.
        let EnterAnswer::Full { entries, .. } = b.ask(ann, &b.asking(life(9, 1), key("x"), 20)).await else {
            panic!("not full");
        };
        let asks: Vec<_> = (0..50)
            .map(|n| {
                let mut ask = b.asking(life(6, n), key(&format!("n{n}")), 20);
                ask.victims = vec![victim(&entries[3])];
                ask
            })
            .collect();
        let answers = join_all(asks.iter().map(|ask| b.ask(ann, ask))).await;
        let taken: usize = answers
            .iter()
            .map(|answer| if let EnterAnswer::Entered { taken, .. } = answer { *taken } else { 0 })
            .sum();
        assert_eq!((taken, b.held(ann, &[]).await.len()), (1, 20));
    }
}
