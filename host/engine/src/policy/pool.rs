//! A few threads for guest code that may take long: large calls and shadows.
//!
//! The queue is short and full is an answer, at once: whoever asked has the built-in ranking to
//! fall back on, and work that waits is work that comes too late. Not here: what the work is, and
//! how long anybody waits for it (`ranker`).

use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;

use parking_lot::Mutex;

type Job = Box<dyn FnOnce() + Send>;

/// The threads and their queue. The threads end when it is dropped and the queue is empty.
#[derive(Debug)]
pub struct Pool {
    queue: SyncSender<Job>,
}

/// Every thread is busy and the queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("every policy worker is busy and the queue is full")]
pub struct Saturated;

impl Pool {
    /// Starts the threads.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn start(workers: usize, queue_max: usize) -> std::io::Result<Self> {
        let (queue, jobs) = sync_channel(queue_max);
        let jobs = Arc::new(Mutex::new(jobs));
        for index in 0..workers {
            let jobs = jobs.clone();
            thread::Builder::new()
                .name(format!("policy-{index}"))
                .spawn(move || work(&jobs))?;
        }
        Ok(Self { queue })
    }

    /// Queues a job, or says at once that there is no room. Never blocks.
    ///
    /// # Errors
    /// [`Saturated`], and the job is dropped.
    pub fn submit(&self, job: impl FnOnce() + Send + 'static) -> Result<(), Saturated> {
        match self.queue.try_send(Box::new(job)) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => Err(Saturated),
        }
    }
}

/// Takes jobs until the queue is gone. The lock is a queue for the queue: one idle thread waits in
/// `recv`, the others for it, and none holds it while it works.
fn work(jobs: &Mutex<Receiver<Job>>) {
    loop {
        let job = jobs.lock().recv();
        let Ok(job) = job else { return };
        // A panic is a bug of ours and says so on stderr; the thread is needed all the same.
        if panic::catch_unwind(AssertUnwindSafe(job)).is_err() {
            tracing::error!("a policy worker panicked; it goes on with the next call");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_is_told_at_once_and_a_panic_costs_no_thread() {
        let pool = Pool::start(1, 1).unwrap();
        let (release, gate) = sync_channel::<()>(0);
        let (started, running) = sync_channel::<()>(1);
        pool.submit(move || {
            started.send(()).unwrap();
            let _ = gate.recv();
            panic!("on purpose");
        })
        .unwrap();
        running.recv().unwrap();
        let (done, end) = sync_channel(1);
        pool.submit(move || done.send(()).unwrap()).unwrap();
        assert_eq!(pool.submit(|| ()), Err(Saturated));
        drop(release);
        end.recv().unwrap();
    }
}
