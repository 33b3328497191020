//! The two primitives the table is made of. Under the `model-check` feature they are shuttle's,
//! which runs the table through thousands of schedules; everything above them is the same code.

#[cfg(feature = "model-check")]
pub(super) use shuttle::sync::{Mutex, MutexGuard, atomic::AtomicUsize};
#[cfg(not(feature = "model-check"))]
pub(super) use std::sync::{Mutex, MutexGuard, atomic::AtomicUsize};

/// Locks, also after a panic elsewhere: every critical section here leaves the table whole at each
/// of its steps.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
