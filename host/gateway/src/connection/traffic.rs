//! Messages and bytes of all connections, both ways, counted as they pass.
//!
//! A count that moved at the end of a connection would stand still for hours and then jump. So every read and
//! every written message adds to it. All worker threads do that all the time, and one counter for all of them
//! would be one cache line that travels from core to core. Each thread therefore adds to a stripe of its own, a
//! whole cache line that others hardly touch; a scrape adds the stripes up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::registry::Registry;

/// Stripes. With more threads than that some share one, which costs time and no count.
const STRIPES: usize = 32;

/// Which way something passes, seen from the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// From the client.
    In,
    /// To the client.
    Out,
}

/// What is at the other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// The application: the gateway reads the messages.
    Embedded,
    /// A backend: the gateway passes frames on.
    #[cfg(feature = "upstream")]
    Relayed,
}

/// The counts of all connections.
#[derive(Debug)]
pub struct Traffic {
    stripes: Box<[Stripe]>,
}

/// What one thread counted. As large as two cache lines, which some processors fetch together.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Stripe {
    /// By the end, then by the way.
    counts: [[Count; 2]; 2],
}

#[derive(Debug, Default)]
struct Count {
    messages: AtomicU64,
    bytes: AtomicU64,
}

/// One of the numbers of a count.
type Part = fn(&Count) -> &AtomicU64;

impl Default for Traffic {
    fn default() -> Self {
        Self {
            stripes: (0..STRIPES).map(|_| Stripe::default()).collect(),
        }
    }
}

impl Way {
    const ALL: [Self; 2] = [Self::In, Self::Out];

    const fn name(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
        }
    }
}

impl Ending {
    const ALL: &'static [Self] = &[
        Self::Embedded,
        #[cfg(feature = "upstream")]
        Self::Relayed,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            #[cfg(feature = "upstream")]
            Self::Relayed => "relayed",
        }
    }
}

impl Stripe {
    fn of(&self, ending: Ending, way: Way) -> &Count {
        let [embedded, relayed] = &self.counts;
        let [inwards, outwards] = match ending {
            Ending::Embedded => embedded,
            #[cfg(feature = "upstream")]
            Ending::Relayed => relayed,
        };
        #[cfg(not(feature = "upstream"))]
        let _ = relayed;
        match way {
            Way::In => inwards,
            Way::Out => outwards,
        }
    }
}

impl Traffic {
    /// Registers under `wastegate_connection_`.
    pub fn register(self: &Arc<Self>, registry: &mut Registry) {
        registry.register_collector(Box::new(TrafficCollector(self.clone())));
    }

    /// Counts messages, and bytes of payload, which may be a part of a message.
    pub(super) fn add(&self, ending: Ending, way: Way, messages: u64, bytes: usize) {
        let Some(stripe) = self.stripes.get(own_stripe()) else {
            return;
        };
        let count = stripe.of(ending, way);
        if messages > 0 {
            count.messages.fetch_add(messages, Ordering::Relaxed);
        }
        count.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    fn sum(&self, ending: Ending, way: Way, of: Part) -> u64 {
        let counts = self.stripes.iter().map(|stripe| stripe.of(ending, way));
        counts.map(|count| of(count).load(Ordering::Relaxed)).sum()
    }
}

/// The stripe of this thread.
fn own_stripe() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static OWN: usize = NEXT.fetch_add(1, Ordering::Relaxed) % STRIPES;
    }
    OWN.with(|own| *own)
}

#[derive(Debug)]
struct TrafficCollector(Arc<Traffic>);

impl Collector for TrafficCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let metrics: [(_, _, Part); 2] = [
            (
                "messages",
                "Messages of clients (in) and to clients (out), by what is at the other end; a relayed one counts when its last frame begins",
                |count| &count.messages,
            ),
            (
                "payload_bytes",
                "Payload of messages of clients (in) and to clients (out), bytes, by what is at the other end; frame headers are left out, and what is compressed counts as it travels",
                |count| &count.bytes,
            ),
        ];
        for (name, help, of) in metrics {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for ending in Ending::ALL {
                for way in Way::ALL {
                    let labels = [("mode", ending.name()), ("direction", way.name())];
                    let counter = ConstCounter::new(self.0.sum(*ending, way, of));
                    counter.encode(family.encode_family(&labels)?)?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_threads_count_adds_up() {
        let traffic = Arc::new(Traffic::default());
        std::thread::scope(|scope| {
            for _ in 0..2 * STRIPES {
                scope.spawn(|| {
                    for _ in 0..100 {
                        traffic.add(Ending::Embedded, Way::In, 1, 10);
                        traffic.add(Ending::Embedded, Way::Out, 0, 3);
                    }
                });
            }
        });
        let mut registry = Registry::default();
        traffic.register(&mut registry);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        for line in [
            "messages_total{mode=\"embedded\",direction=\"in\"} 6400",
            "messages_total{mode=\"embedded\",direction=\"out\"} 0",
            "payload_bytes_total{mode=\"embedded\",direction=\"in\"} 64000",
            "payload_bytes_total{mode=\"embedded\",direction=\"out\"} 19200",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
    }
}
