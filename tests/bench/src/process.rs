//! What the kernel says of the proxy's processes.

use std::fs;
use std::time::Duration;

use anyhow::Context;

/// CPU time of all threads of these processes, by the scheduler's own account in nanoseconds: ticks of
/// 10 ms are too coarse.
pub(crate) fn cpu(pids: &[u32]) -> anyhow::Result<Duration> {
    let mut nanos = 0;
    for pid in pids {
        for task in fs::read_dir(format!("/proc/{pid}/task"))? {
            let text = fs::read_to_string(task?.path().join("schedstat")).unwrap_or_default();
            let first = text.split(' ').next().and_then(|text| text.parse().ok());
            nanos += first.unwrap_or(0_u64);
        }
    }
    Ok(Duration::from_nanos(nanos))
}

/// Their memory with shared pages counted in part, KiB.
pub(crate) fn pss_kib(pids: &[u32]) -> anyhow::Result<u64> {
    let mut sum = 0;
    for pid in pids {
        let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
        let kib = line.and_then(|line| line.split_whitespace().next());
        sum += kib.context("no PSS")?.parse::<u64>()?;
    }
    Ok(sum)
}

/// Their open descriptors.
pub(crate) fn descriptors(pids: &[u32]) -> anyhow::Result<usize> {
    let counts = pids.iter().map(|pid| {
        let entries = fs::read_dir(format!("/proc/{pid}/fd"))?;
        Ok(entries.count())
    });
    counts.sum()
}
