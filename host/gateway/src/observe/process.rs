//! What this process uses, as the kernel tells it: memory, descriptors, processor time.
//!
//! Read from `/proc/self`, which only Linux has; elsewhere, and whenever a file cannot be read or
//! understood, a reading is `None`. No figure here is ever made up. Reading costs about 70
//! microseconds and blocks (never on a disk): once a second is right, once a frame is not.

use std::fs;
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use super::descriptors;

/// What the process used at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Readings {
    /// Memory it keeps resident, bytes.
    pub rss_bytes: Option<u64>,
    /// Addresses it has mapped, bytes. Far more than its memory: sandboxes of policies reserve addresses.
    pub virtual_bytes: Option<u64>,
    /// Descriptors it has open.
    pub open_fds: Option<u64>,
    /// Descriptors it may have open.
    pub max_fds: Option<u64>,
    /// When it was started, since the Unix epoch, to a hundredth of a second.
    pub started: Option<Duration>,
    /// Processor time it has spent since its start, in user and kernel mode, all threads.
    pub cpu: Option<Duration>,
}

/// The two constants of the running kernel that the readings are counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Units {
    page_bytes: Option<u64>,
    ticks_per_second: Option<u64>,
}

/// Takes the readings.
#[must_use]
pub fn read() -> Readings {
    let units = Units::of(&fs::read("/proc/self/auxv").unwrap_or_default());
    let text = |path| fs::read_to_string(path).ok();
    let (statm, stat) = (text("/proc/self/statm"), text("/proc/self/stat"));
    let memory = |field| pages(statm.as_deref()?, field)?.checked_mul(units.page_bytes?);
    let timed =
        |read: fn(&str, u64) -> Option<Duration>| read(stat.as_deref()?, units.ticks_per_second?);
    Readings {
        rss_bytes: memory(RESIDENT),
        virtual_bytes: memory(VIRTUAL),
        open_fds: open_fds(),
        max_fds: descriptors::limit(),
        started: text("/proc/stat")
            .and_then(|system| timed(since_boot)?.checked_add(boot(&system)?)),
        cpu: timed(cpu),
    }
}

/// Adds the readings to a registry under the names that every Prometheus client uses for them.
/// They are taken at each scrape; one that is unknown is left out of it.
pub fn register(registry: &mut Registry) {
    registry.register_collector(Box::new(ProcessCollector));
}

impl Units {
    /// From the auxiliary vector: pairs of machine words, a type and its value.
    fn of(auxv: &[u8]) -> Self {
        const WORD: usize = size_of::<usize>();
        // The types' numbers are the same on every Linux.
        const PAGE_BYTES: usize = 6;
        const TICKS_PER_SECOND: usize = 17;
        let words: Vec<usize> = auxv
            .as_chunks::<WORD>()
            .0
            .iter()
            .map(|word| usize::from_ne_bytes(*word))
            .collect();
        let value = |wanted| {
            let pair = words
                .as_chunks::<2>()
                .0
                .iter()
                .find(|pair| pair[0] == wanted)?;
            u64::try_from(pair[1]).ok().filter(|value| *value > 0)
        };
        Self {
            page_bytes: value(PAGE_BYTES),
            ticks_per_second: value(TICKS_PER_SECOND),
        }
    }
}

/// Which field of `statm` is all that is mapped.
const VIRTUAL: usize = 0;
/// Which is what is resident of it.
const RESIDENT: usize = 1;

/// A field of `statm`.
fn pages(statm: &str, field: usize) -> Option<u64> {
    statm.split_ascii_whitespace().nth(field)?.parse().ok()
}

/// When the system was started: a line of its own `stat`, in seconds since the Unix epoch.
fn boot(system: &str) -> Option<Duration> {
    let line = system.lines().find_map(|line| line.strip_prefix("btime "));
    line?.trim().parse().ok().map(Duration::from_secs)
}

/// The fields of a process's `stat` from the third on. Field 2 is the program's name in parentheses and may
/// hold anything, so counting starts behind the last parenthesis.
fn fields(stat: &str) -> Option<std::str::SplitAsciiWhitespace<'_>> {
    let (_, after_name) = stat.rsplit_once(')')?;
    Some(after_name.split_ascii_whitespace())
}

/// Field 22 of `stat`: the process's start, in clock ticks since that of the system.
fn since_boot(stat: &str, ticks_per_second: u64) -> Option<Duration> {
    let ticks = fields(stat)?.nth(19)?.parse().ok()?;
    time_of(ticks, ticks_per_second)
}

/// Fields 14 and 15 of `stat`, in clock ticks.
fn cpu(stat: &str, ticks_per_second: u64) -> Option<Duration> {
    let mut fields = fields(stat)?.skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    time_of(ticks()?.checked_add(ticks()?)?, ticks_per_second)
}

fn time_of(ticks: u64, ticks_per_second: u64) -> Option<Duration> {
    Some(Duration::from_micros(
        ticks.checked_mul(1_000_000)? / ticks_per_second,
    ))
}

/// The entries of the descriptor directory, less the one that reading it takes.
fn open_fds() -> Option<u64> {
    let listed = fs::read_dir("/proc/self/fd").ok()?.count();
    u64::try_from(listed.checked_sub(1)?).ok()
}

#[derive(Debug)]
struct ProcessCollector;

impl Collector for ProcessCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let readings = read();
        let gauges = [
            (
                "process_resident_memory_bytes",
                "Resident memory, bytes",
                readings.rss_bytes,
            ),
            (
                "process_virtual_memory_bytes",
                "Mapped addresses, bytes; sandboxes of policies reserve far more than they use",
                readings.virtual_bytes,
            ),
            ("process_open_fds", "Open descriptors", readings.open_fds),
            (
                "process_max_fds",
                "Descriptors that the process may have open",
                readings.max_fds,
            ),
        ];
        for (name, help, value) in gauges {
            if let Some(value) = value {
                let gauge = ConstGauge::new(value);
                gauge.encode(encoder.encode_descriptor(
                    name,
                    help,
                    None,
                    gauge.metric_type(),
                )?)?;
            }
        }
        if let Some(started) = readings.started {
            let gauge = ConstGauge::new(started.as_secs_f64());
            let (name, kind) = ("process_start_time_seconds", gauge.metric_type());
            let help = "Start of the process, seconds since the Unix epoch";
            gauge.encode(encoder.encode_descriptor(name, help, None, kind)?)?;
        }
        if let Some(cpu) = readings.cpu {
            let counter = ConstCounter::new(cpu.as_secs_f64());
            let help = "Processor time spent, seconds";
            let kind = counter.metric_type();
            counter.encode(encoder.encode_descriptor(
                "process_cpu_seconds",
                help,
                None,
                kind,
            )?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use wastegate_core::types::Clock;

    use super::*;

    #[test]
    fn fields_are_found_whatever_the_program_is_called() {
        let stat = "7 (a) b (c)) S 1 7 7 0 -1 4194304 100 0 0 0 250 50 9 9 20 0 4 0 1 1 1";
        assert_eq!(cpu(stat, 100), Some(Duration::from_secs(3)));
        assert_eq!(cpu("7 (a) S 1 7", 100), None);
        let since = "7 (a) S 1 7 7 0 -1 4194304 100 0 0 0 250 50 9 9 20 0 4 0 1234 1 1";
        assert_eq!(since_boot(since, 100), Some(Duration::from_millis(12_340)));
        assert_eq!(
            boot("cpu 1 2\nbtime 1700000000\n"),
            Some(Duration::from_secs(1_700_000_000))
        );
        assert_eq!(boot("cpu 1 2\n"), None);
        let statm = "900 31 5 1 0 40 0\n";
        assert_eq!(
            (pages(statm, VIRTUAL), pages(statm, RESIDENT)),
            (Some(900), Some(31))
        );
        assert_eq!(pages("", RESIDENT), None);
    }

    #[test]
    fn units_come_from_the_kernel_or_are_unknown() {
        let words = [6_usize, 16_384, 17, 100, 0, 0];
        let auxv: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        assert_eq!(
            Units::of(&auxv),
            Units {
                page_bytes: Some(16_384),
                ticks_per_second: Some(100)
            }
        );
        assert_eq!(Units::of(&[]).page_bytes, None);
    }

    /// M6: the figures are readings, not constants.
    #[test]
    #[cfg(target_os = "linux")]
    fn readings_follow_what_the_process_does() {
        let before = read();
        let files: Vec<_> = (0..200)
            .map(|_| fs::File::open("/dev/null").unwrap())
            .collect();
        let memory = std::hint::black_box(vec![1_u8; 64 << 20]);
        let mut work = 0_u64;
        while read().cpu.unwrap() < before.cpu.unwrap() + Duration::from_millis(20) {
            work = (0..100_000).fold(work, |sum, n| std::hint::black_box(sum ^ n));
        }
        let after = read();
        assert!(after.rss_bytes.unwrap() > before.rss_bytes.unwrap() + (32 << 20));
        assert!(after.virtual_bytes > after.rss_bytes);
        assert!(after.max_fds > after.open_fds);
        let clock = Clock::system();
        let now = Duration::from_millis(clock.unix_ms(clock.now()));
        let age = now.checked_sub(after.started.unwrap());
        assert!(age.unwrap() < Duration::from_secs(3_600), "{age:?}");
        // Other tests open and close files meanwhile.
        assert!(after.open_fds.unwrap() > before.open_fds.unwrap() + 100);
        drop((files, memory));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_scrape_carries_them() {
        let mut registry = Registry::default();
        register(&mut registry);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        for name in [
            "process_resident_memory_bytes ",
            "process_virtual_memory_bytes ",
            "process_open_fds ",
            "process_max_fds ",
            "process_start_time_seconds ",
            "process_cpu_seconds_total ",
        ] {
            assert!(text.contains(name), "{text}");
        }
    }
}
