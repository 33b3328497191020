//! How many descriptors this process may have open.
//!
//! Systems give a small soft limit and a larger hard one, for the sake of programs that use `select(2)`
//! (systemd's daemon manual, "LimitNOFILE"). A server raises the one to the other, as the runtimes of Go
//! and Java do.

use rlimit::Resource;

/// The limit in force, if the system tells.
#[must_use]
pub fn limit() -> Option<u64> {
    Resource::NOFILE.get().ok().map(|(soft, _)| soft)
}

/// Raises the limit as far as this process may. Returns what is in force then.
pub fn raise() -> Option<u64> {
    let (soft, hard) = Resource::NOFILE.get().ok()?;
    if soft < hard {
        // Where that is refused the old one stays, and is what counts.
        if let Err(error) = Resource::NOFILE.set(hard, hard) {
            tracing::warn!(%error, soft, hard, "the limit of open files cannot be raised");
        }
    }
    limit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_becomes_the_hard_one() {
        let (_, hard) = Resource::NOFILE.get().unwrap();
        assert_eq!(raise(), Some(hard));
        assert_eq!(limit(), Some(hard));
    }
}
