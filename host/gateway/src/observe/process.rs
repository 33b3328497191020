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

/// What the process used at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Readings {
    /// Memory it keeps resident, bytes.
    pub rss_bytes: Option<u64>,
    /// Descriptors it has open.
    pub open_fds: Option<u64>,
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
    Readings {
        rss_bytes: text("/proc/self/statm")
            .and_then(|statm| resident_pages(&statm)?.checked_mul(units.page_bytes?)),
        open_fds: open_fds(),
        cpu: text("/proc/self/stat").and_then(|stat| cpu(&stat, units.ticks_per_second?)),
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

/// The second field of `statm`.
fn resident_pages(statm: &str) -> Option<u64> {
    statm.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// Fields 14 and 15 of `stat`, in clock ticks. Field 2 is the program's name in parentheses and may
/// hold anything, so counting starts behind the last parenthesis.
fn cpu(stat: &str, ticks_per_second: u64) -> Option<Duration> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    let spent = ticks()?.checked_add(ticks()?)?;
    Some(Duration::from_micros(
        spent.checked_mul(1_000_000)? / ticks_per_second,
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
            ("process_open_fds", "Open descriptors", readings.open_fds),
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
    use super::*;

    #[test]
    fn fields_are_found_whatever_the_program_is_called() {
        let stat = "7 (a) b (c)) S 1 7 7 0 -1 4194304 100 0 0 0 250 50 9 9 20 0 4 0 1 1 1";
        assert_eq!(cpu(stat, 100), Some(Duration::from_secs(3)));
        assert_eq!(cpu("7 (a) S 1 7", 100), None);
        assert_eq!(resident_pages("900 31 5 1 0 40 0\n"), Some(31));
        assert_eq!(resident_pages(""), None);
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
            "process_open_fds ",
            "process_cpu_seconds_total ",
        ] {
            assert!(text.contains(name), "{text}");
        }
    }
}
