//! Where policies are compiled: a few at once, each within its own limits, and none of them in the way
//! of another for longer than those.
//!
//! The program does it in a process of its own ([`child`]), which the system holds to its limits of
//! memory and processor time and which is killed at its deadline. A library user has no such program,
//! and compiles in a thread with a stack of known size: its deadline ends the wait and not the work,
//! which keeps its place until it is done.
//!
//! Not here: what is made (`make`), and what becomes of it (`link`).

pub mod child;
mod thread;
mod wire;

use std::collections::BTreeMap;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::error::LoadError;
use super::made::Made;
use super::make::Order;
use super::settings::{Allowed, LoadSettings};
use super::step::Step;

/// Set once, by the program that has the verb for it.
static HAS_CHILDREN: OnceLock<()> = OnceLock::new();

/// Says that this program has the verb [`child::VERB`], so that policies are compiled in processes of
/// their own from now on. For the program's `main`; an embedding server has no such verb.
pub fn compile_in_processes() {
    let _ = HAS_CHILDREN.set(());
}

/// Where policies are compiled. One for an engine; cheap to clone.
#[derive(Debug, Clone)]
pub(in crate::policy) struct Workshop(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: LoadSettings,
    /// Files larger than this have the limits of heavy ones.
    light_bytes_max: u64,
    /// A lock because loads come from several threads; held for a look at it.
    places: Mutex<Places>,
    /// Somebody left, or it is closed.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Places {
    /// Who is at work, and how they are told to stop.
    busy: BTreeMap<u64, SyncSender<Event>>,
    next: u64,
    is_closed: bool,
}

/// What ends the wait for a job.
#[derive(Debug)]
enum Event {
    /// The attempt to load ended.
    Ended(Ended),
    /// The host is going down.
    Stop,
}

/// How a job ended.
#[derive(Debug)]
enum Ended {
    Made(Made),
    Refused(LoadError),
    /// Without a word.
    Silent,
}

/// A place at work, given back when it is dropped.
struct Place {
    inner: Arc<Inner>,
    number: u64,
}

impl Workshop {
    pub(in crate::policy) fn new(settings: &LoadSettings, light_bytes_max: u64) -> Self {
        Self(Arc::new(Inner {
            settings: settings.clone(),
            light_bytes_max,
            places: Mutex::default(),
            changed: Condvar::new(),
        }))
    }

    /// Ends what is being made and makes nothing more: for when the host goes down.
    pub(in crate::policy) fn close(&self) {
        let mut places = self.0.places.lock();
        places.is_closed = true;
        for events in places.busy.values() {
            // Full only if there is an end in it already.
            let _ = events.try_send(Event::Stop);
        }
        self.0.changed.notify_all();
    }

    /// Makes it. Blocks, at most twice as long as its deadline.
    pub(super) fn make(
        &self,
        order: Order,
        bytes: &[u8],
        passed: &mut dyn FnMut(Step),
    ) -> Result<Made, LoadError> {
        let settings = &self.0.settings;
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let is_large = size > self.0.light_bytes_max;
        if is_large {
            tracing::info!(
                bytes = size,
                "compiling a policy that brings a language runtime; this takes up to a minute, and \
                 with `policy.compiled_dir` once"
            );
        }
        let allowed = settings.allowed(is_large);
        // An end and a stop.
        let (events, received) = sync_channel(2);
        let place = self.enter(&events, allowed)?;
        let wait = |deadline: Duration| match received.recv_timeout(deadline) {
            Ok(event) => Ok(event),
            Err(RecvTimeoutError::Timeout) => Err(LoadError::LoadDeadline {
                key: format!("{}deadline_ms", allowed.prefix),
                deadline,
            }),
            Err(RecvTimeoutError::Disconnected) => Ok(Event::Ended(Ended::Silent)),
        };
        if settings.own_process && HAS_CHILDREN.get().is_some() {
            child::make(&order, bytes, allowed, events, wait, passed)
        } else {
            thread::make(order, bytes, allowed, events, wait, place, passed)
        }
    }

    /// Waits for a place.
    fn enter(&self, events: &SyncSender<Event>, allowed: Allowed) -> Result<Place, LoadError> {
        let inner = &self.0;
        let max = inner.settings.at_once_max as usize;
        let mut places: MutexGuard<'_, Places> = inner.places.lock();
        let full = |places: &mut Places| !places.is_closed && places.busy.len() >= max;
        let waited = inner
            .changed
            .wait_while_for(&mut places, full, allowed.deadline);
        if places.is_closed {
            return Err(LoadError::Interrupted);
        }
        if waited.timed_out() && places.busy.len() >= max {
            return Err(LoadError::LoadersBusy {
                max: inner.settings.at_once_max,
            });
        }
        let number = places.next;
        places.next += 1;
        places.busy.insert(number, events.clone());
        drop(places);
        Ok(Place {
            inner: inner.clone(),
            number,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.inner.places.lock().busy.remove(&self.number);
        self.inner.changed.notify_one();
    }
}
