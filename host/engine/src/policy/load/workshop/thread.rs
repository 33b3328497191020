//! Compiling in a thread of this process, for whoever has no program to start: the stack is of known
//! size, and the deadline ends the wait. The work itself cannot be ended, so it keeps its place.

use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use parking_lot::Mutex;

use super::{Ended, Event, Place};
use crate::policy::load::error::LoadError;
use crate::policy::load::made::Made;
use crate::policy::load::make::{self, Order};
use crate::policy::load::settings::Allowed;
use crate::policy::load::step::Step;

pub(super) fn make(
    order: Order,
    bytes: &[u8],
    allowed: Allowed,
    events: SyncSender<Event>,
    wait: impl Fn(Duration) -> Result<Event, LoadError>,
    place: Place,
    passed: &mut dyn FnMut(Step),
) -> Result<Made, LoadError> {
    // A lock because the steps are passed over there and told here; held for one of them.
    let steps = Arc::new(Mutex::new(Vec::new()));
    let (bytes, reported) = (bytes.to_vec(), steps.clone());
    std::thread::Builder::new()
        .name("policy-load".to_owned())
        .stack_size(make::STACK_BYTES)
        .spawn(move || {
            let made = make::make(&order, &bytes, &mut |step| reported.lock().push(step));
            drop(place);
            let ended = made.map_or_else(Ended::Refused, Ended::Made);
            // Nobody may be waiting any more.
            let _ = events.try_send(Event::Ended(ended));
        })
        .map_err(LoadError::NoLoader)?;
    let event = wait(allowed.deadline);
    steps.lock().drain(..).for_each(passed);
    match event? {
        Event::Ended(Ended::Made(made)) => Ok(made),
        Event::Ended(Ended::Refused(error)) => Err(error),
        Event::Ended(Ended::Silent) | Event::Stop => Err(LoadError::Interrupted),
    }
}
