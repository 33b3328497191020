//! Waiting for a thing to become true, with a deadline that names it when it does not.

use std::future::Future;
use std::time::Duration;

use wastegate_core::types::Clock;

/// How long anything may take on a machine that is busy with something else. Never part of what a
/// test asserts: a test that comes here has failed.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Within which every admission has its answer: the promise, and what a busy machine may add.
pub const BUDGET: Duration = Duration::from_millis(2_000 + 1_500);

/// Between two looks at a condition.
const LOOK_EVERY: Duration = Duration::from_millis(4);

/// Waits until a condition holds.
///
/// # Panics
/// If it does not within [`PATIENCE`], with `what` was waited for.
#[track_caller]
pub fn until(
    what: impl Into<String>,
    mut condition: impl FnMut() -> bool,
) -> impl Future<Output = ()> {
    within(what, async move {
        while !condition() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    })
}

/// The same for a condition that has to be asked for.
///
/// # Panics
/// If it does not hold within [`PATIENCE`].
#[track_caller]
pub fn until_async(
    what: impl Into<String>,
    mut condition: impl AsyncFnMut() -> bool,
) -> impl Future<Output = ()> {
    within(what, async move {
        while !condition().await {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    })
}

/// Waits for a future.
///
/// # Panics
/// If it takes longer than [`PATIENCE`], with `what` was waited for.
#[track_caller]
pub fn within<T>(
    what: impl Into<String>,
    future: impl Future<Output = T>,
) -> impl Future<Output = T> {
    let (what, place) = (what.into(), std::panic::Location::caller());
    async move {
        match tokio::time::timeout(PATIENCE, future).await {
            Ok(value) => value,
            Err(_) => panic!("{place}: waited {PATIENCE:?} for {what}"),
        }
    }
}

/// A future's value, and how long it took.
pub async fn timed<T>(future: impl Future<Output = T>) -> (T, Duration) {
    let clock = Clock::system();
    let start = clock.now();
    let value = future.await;
    (value, clock.now().since(start))
}
