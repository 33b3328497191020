//! The wall-clock backstop: one thread that moves the engine's epoch on while calls are in flight.
//!
//! Fuel ends nearly every bad call first. What fuel does not price (page faults, a machine that is
//! busy elsewhere) ends here. The thread sleeps for good while nothing runs, so an idle gateway
//! pays nothing; it stays awake for a few ticks after the last call, because decisions come in
//! bursts and waking a thread costs as much as a call. It holds the engine weakly and ends with it.
//!
//! Not here: how many ticks a call gets (`call`), and what happens then (the engine traps).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, Thread};
use std::time::Duration;

/// How many ticks it stays awake after the last call ended.
const LINGER_TICKS: u32 = 10;

/// The ticker of one engine. Dropping it ends the thread.
#[derive(Debug)]
pub(super) struct Ticker {
    shared: Arc<Shared>,
    thread: Thread,
}

#[derive(Debug, Default)]
struct Shared {
    in_flight: AtomicUsize,
    parked: AtomicBool,
    stopped: AtomicBool,
}

/// Keeps the ticker awake for as long as it lives.
#[derive(Debug)]
pub(super) struct InFlight<'a>(&'a Shared);

impl Ticker {
    /// Starts the thread of an engine.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub(super) fn start(engine: &wasmtime::Engine, tick: Duration) -> std::io::Result<Self> {
        let (weak, shared) = (engine.weak(), Arc::new(Shared::default()));
        let state = shared.clone();
        let handle = thread::Builder::new()
            .name("policy-ticker".to_owned())
            .spawn(move || {
                state.run(tick, || {
                    weak.upgrade().map(|engine| engine.increment_epoch())
                })
            })?;
        Ok(Self {
            shared,
            thread: handle.thread().clone(),
        })
    }

    /// Notes that a call begins. Costs no system call unless the thread has gone to sleep.
    pub(super) fn enter(&self) -> InFlight<'_> {
        self.shared.in_flight.fetch_add(1, Ordering::SeqCst);
        if self.shared.parked.load(Ordering::SeqCst) {
            self.thread.unpark();
        }
        InFlight(&self.shared)
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        self.thread.unpark();
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Shared {
    fn run(&self, tick: Duration, mut advance: impl FnMut() -> Option<()>) {
        let mut idle_ticks = LINGER_TICKS;
        while !self.stopped.load(Ordering::SeqCst) {
            idle_ticks = match self.in_flight.load(Ordering::SeqCst) {
                0 => idle_ticks.saturating_add(1),
                _ => 0,
            };
            if idle_ticks > LINGER_TICKS {
                self.park();
            } else {
                thread::sleep(tick);
                if advance().is_none() {
                    return;
                }
            }
        }
    }

    /// Sleeps until a call begins. Whoever enters counts itself before it looks at `parked`, and
    /// here the order is the other way round, so one of the two always sees the other.
    fn park(&self) {
        self.parked.store(true, Ordering::SeqCst);
        if self.in_flight.load(Ordering::SeqCst) == 0 && !self.stopped.load(Ordering::SeqCst) {
            thread::park();
        }
        self.parked.store(false, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shared_with_counter() -> (Arc<Shared>, Arc<AtomicUsize>, thread::JoinHandle<()>) {
        let (shared, ticks) = (Arc::new(Shared::default()), Arc::new(AtomicUsize::new(0)));
        let (state, counter) = (shared.clone(), ticks.clone());
        let handle = thread::spawn(move || {
            state.run(Duration::from_millis(1), || {
                counter.fetch_add(1, Ordering::SeqCst);
                Some(())
            });
        });
        (shared, ticks, handle)
    }

    fn wait_until(what: impl Fn() -> bool) {
        for _ in 0..5_000 {
            if what() {
                return;
            }
            thread::sleep(Duration::from_millis(1));
        }
        panic!("did not happen within 5 s");
    }

    #[test]
    fn it_sleeps_while_nothing_runs_and_ticks_while_something_does() {
        let (shared, ticks, handle) = shared_with_counter();
        let ticker = Ticker {
            shared: shared.clone(),
            thread: handle.thread().clone(),
        };
        wait_until(|| shared.parked.load(Ordering::SeqCst));
        assert_eq!(ticks.load(Ordering::SeqCst), 0);

        let call = ticker.enter();
        wait_until(|| ticks.load(Ordering::SeqCst) > LINGER_TICKS as usize * 2);
        drop(call);
        wait_until(|| shared.parked.load(Ordering::SeqCst));

        drop(ticker);
        handle.join().unwrap();
    }

    #[test]
    fn it_ends_with_the_engine() {
        let engine = wasmtime::Engine::default();
        let ticker = Ticker::start(&engine, Duration::from_millis(1)).unwrap();
        let shared = Arc::downgrade(&ticker.shared);
        drop((ticker, engine));
        wait_until(|| shared.upgrade().is_none());
    }
}
