//! How far a long run has come, on a terminal.

use std::io::{IsTerminal, Write};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use wastegate_core::types::visible;
use wastegate_lab::replay::Progress;

/// Between two lines of progress; a run that takes less says nothing.
const TOLD_EVERY: Duration = Duration::from_secs(2);

/// Runs `work`, and tells on standard error how far it has come if that is a terminal.
pub(in crate::cli) fn shown<T>(
    name: &str,
    progress: &Progress,
    users: usize,
    work: impl FnOnce() -> T,
) -> T {
    if !std::io::stderr().is_terminal() {
        return work();
    }
    let (finished, over) = sync_channel::<()>(0);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut is_shown = false;
            while over.recv_timeout(TOLD_EVERY) == Err(RecvTimeoutError::Timeout) {
                let (done, mut err) = (progress.done(), std::io::stderr());
                // Nobody is kept from the result by a terminal that is gone.
                let _ = write!(err, "\r{}: {done} of {users} users", visible::line(name));
                let _ = err.flush();
                is_shown = true;
            }
            if is_shown {
                let _ = writeln!(std::io::stderr());
            }
        });
        let done = work();
        drop(finished);
        done
    })
}
