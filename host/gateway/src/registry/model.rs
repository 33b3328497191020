//! The table under shuttle: every test body runs through thousands of randomised schedules, and
//! what fails prints the schedule that failed.
//!
//! R1: one key, many connections, one entry. R2 to R4: never above the limit at any instant.
//! L10: releasing twice changes nothing.

use std::sync::Arc;

use shuttle::sync::Mutex;
use shuttle::thread;

use super::table::{Reserved, SlotEntry, Table};
use wastegate_core::types::{ManagerId, ManagerKey, UserId};

/// Schedules tried for every test.
const SCHEDULES: usize = 3_000;

#[derive(Debug)]
struct Unit {
    id: ManagerId,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    on_the_way: usize,
    ended: bool,
}

impl Unit {
    fn newborn(id: u64) -> Arc<Self> {
        let state = Mutex::new(State {
            on_the_way: 1,
            ended: false,
        });
        Arc::new(Self {
            id: ManagerId::from_raw(id),
            state,
        })
    }
}

impl SlotEntry for Unit {
    fn id(&self) -> ManagerId {
        self.id
    }

    fn join(&self) -> bool {
        let mut state = self.state.lock().unwrap();
        state.on_the_way += usize::from(!state.ended);
        !state.ended
    }
}

fn user(name: &str) -> UserId {
    UserId::new(name).unwrap()
}

fn key(number: u64) -> ManagerKey {
    ManagerKey::new(&format!("k{number}")).unwrap()
}

fn all_schedules(body: impl Fn() + Send + Sync + 'static) {
    shuttle::check_random(body, SCHEDULES);
}

#[test]
fn r1_one_key_makes_one_entry() {
    all_schedules(|| {
        let table = Arc::new(Table::default());
        let threads: Vec<_> = (0..4)
            .map(|id| {
                let table = table.clone();
                thread::spawn(move || {
                    let reserved =
                        table.reserve(&user("ann"), &key(0), 20, 20, || Unit::newborn(id));
                    match reserved {
                        Reserved::Created(unit) | Reserved::Joined(unit) => unit.id,
                        other => panic!("{other:?}"),
                    }
                })
            })
            .collect();
        let ids: Vec<_> = threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect();
        assert!(ids.windows(2).all(|pair| pair[0] == pair[1]), "{ids:?}");
        assert_eq!((table.held(&user("ann")), table.total()), (1, 1));
        let unit = table.get(&user("ann"), &key(0)).unwrap();
        assert_eq!(
            unit.state.lock().unwrap().on_the_way,
            4,
            "all four are expected"
        );
    });
}

#[test]
fn r2_r4_nobody_ever_passes_a_limit() {
    all_schedules(|| {
        let table = Arc::new(Table::<Unit>::default());
        let threads: Vec<_> = (0..5)
            .map(|id| {
                let table = table.clone();
                thread::spawn(move || {
                    let name = if id % 2 == 0 { "ann" } else { "bob" };
                    let reserved = table.reserve(&user(name), &key(id), 2, 3, || Unit::newborn(id));
                    assert!(table.held(&user(name)) <= 2 && table.total() <= 3);
                    matches!(reserved, Reserved::Created(_))
                })
            })
            .collect();
        let created = threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .filter(|&c| c);
        let created = created.count();
        assert_eq!(table.total() as usize, created);
        assert!(
            (2..=3).contains(&created),
            "a free slot was refused: {created}"
        );
        let summed: u32 = table.users().iter().map(|(_, held)| held).sum();
        assert_eq!(summed, table.total());
    });
}

#[test]
fn l10_a_slot_is_freed_once_and_can_be_taken_again() {
    all_schedules(|| {
        let table = Arc::new(Table::<Unit>::default());
        let _ = table.reserve(&user("ann"), &key(0), 1, 1, || Unit::newborn(7));
        let id = ManagerId::from_raw(7);
        let releases: Vec<_> = (0..2)
            .map(|_| {
                let table = table.clone();
                thread::spawn(move || {
                    table
                        .remove_if(&user("ann"), &key(0), id, |_| true)
                        .is_some()
                })
            })
            .collect();
        let newcomer = {
            let table = table.clone();
            thread::spawn(move || {
                let reserved = table.reserve(&user("ann"), &key(1), 1, 1, || Unit::newborn(8));
                matches!(reserved, Reserved::Created(_))
            })
        };
        let released = releases
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .filter(|&done| done)
            .count();
        let entered = newcomer.join().unwrap();
        assert_eq!(released, 1, "true once, false after");
        assert_eq!(table.total(), u32::from(entered));
    });
}

/// An entry that ends while others join it: each of them gets one that lives.
#[test]
fn an_ended_entry_is_never_joined() {
    all_schedules(|| {
        let table = Arc::new(Table::<Unit>::default());
        let Reserved::Created(first) =
            table.reserve(&user("ann"), &key(0), 1, 1, || Unit::newborn(1))
        else {
            panic!("the table was empty")
        };
        let ender = {
            let (table, first) = (table.clone(), first.clone());
            thread::spawn(move || {
                first.state.lock().unwrap().ended = true;
                table.remove_if(&user("ann"), &key(0), first.id, |_| true);
            })
        };
        let joiner = {
            let table = table.clone();
            thread::spawn(move || {
                match table.reserve(&user("ann"), &key(0), 1, 1, || Unit::newborn(2)) {
                    Reserved::Created(unit) | Reserved::Joined(unit) => unit,
                    other => panic!("its own key's slot is never full for it: {other:?}"),
                }
            })
        };
        ender.join().unwrap();
        let unit = joiner.join().unwrap();
        assert!(unit.state.lock().unwrap().on_the_way >= 1);
        assert!(table.total() <= 1);
    });
}

/// Permits and attachments as the room uses the table: who comes joins or reserves, then attaches or
/// gives up; who is last out frees the slot, by the very steps of `Permit` and `Attachment`. Whoever
/// is attached has its slot, and in the end there is none.
#[test]
fn permits_attach_and_release_without_losing_a_slot() {
    all_schedules(|| {
        let table = Arc::new(Table::<Unit>::default());
        let threads: Vec<_> = (0..3)
            .map(|id| {
                let table = table.clone();
                thread::spawn(move || {
                    let (ann, key) = (user("ann"), key(0));
                    let reserved = table.reserve(&ann, &key, 1, 1, || Unit::newborn(id));
                    let (Reserved::Created(unit) | Reserved::Joined(unit)) = reserved else {
                        panic!("its own key's slot is never full for it")
                    };
                    if id != 0 {
                        // Attached, for a moment.
                        let held = table.get(&ann, &key);
                        assert!(held.is_some_and(|held| Arc::ptr_eq(&held, &unit)), "{id}");
                    }
                    unit.state.lock().unwrap().on_the_way -= 1;
                    let empty = |unit: &Unit| unit.state.lock().unwrap().on_the_way == 0;
                    if let Some(removed) = table.remove_if(&ann, &key, unit.id, empty) {
                        removed.state.lock().unwrap().ended = true;
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!((table.total(), table.users().len()), (0, 0));
    });
}
