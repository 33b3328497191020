//! Backends as metrics: their state, their connections, what failed, and how long connecting takes.

use std::fmt::Error;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use super::{Member, Members, Phase};

impl Phase {
    /// The names of all states, in the order in which a backend goes through them.
    const NAMES: [&'static str; 4] = ["unknown", "up", "away", "trying"];

    /// Its name in labels and views.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Up => "up",
            Self::Away { .. } => "away",
            Self::Trying { .. } => "trying",
        }
    }
}

impl Members {
    /// Every backend that is known now, by its address.
    fn all(&self) -> Vec<(String, Arc<Member>)> {
        let known = self.known.lock();
        let members = known.iter();
        let members =
            members.filter_map(|(url, member)| Some((url.clone(), Weak::upgrade(member)?)));
        let mut members: Vec<_> = members.collect();
        drop(known);
        members.sort_by(|(one, _), (other, _)| one.cmp(other));
        members
    }

    /// Writes them out for a scrape.
    pub(in crate::gateway) fn encode(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
    ) -> Result<(), Error> {
        let members = self.all();
        let mut states = encoder.encode_descriptor(
            "backend_state",
            "State of a backend: 1 at the state that it is in; `away` after a failure, `trying` while one client finds out",
            None,
            MetricType::Gauge,
        )?;
        for (url, member) in &members {
            let phase = member.record.lock().phase.name();
            for state in Phase::NAMES {
                let labels = [("backend", url.as_str()), ("state", state)];
                let gauge = ConstGauge::new(u64::from(phase == state));
                gauge.encode(states.encode_family(&labels)?)?;
            }
        }
        family(
            encoder,
            (
                "backend_connections",
                "Connections and requests that a backend has of this gateway now, attempts included",
                MetricType::Gauge,
            ),
            &members,
            |member, encoder| {
                let connections = member.connections.load(Ordering::Relaxed);
                ConstGauge::new(u64::from(connections)).encode(encoder)
            },
        )?;
        family(
            encoder,
            (
                "backend_failures",
                "Upgrades and looks that failed for a reason of the backend",
                MetricType::Counter,
            ),
            &members,
            |member, encoder| ConstCounter::new(member.record.lock().failed).encode(encoder),
        )?;
        family(
            encoder,
            (
                "backend_ejections",
                "Times that a backend got no clients for a while because it had failed",
                MetricType::Counter,
            ),
            &members,
            |member, encoder| ConstCounter::new(member.record.lock().ejected).encode(encoder),
        )?;
        family(
            encoder,
            (
                "backend_connect_duration_seconds",
                "Time to connect to a backend, TLS included, for connections that it upgraded",
                MetricType::Histogram,
            ),
            &members,
            |member, encoder| member.connecting.encode(encoder),
        )
    }
}

/// One metric of every backend.
fn family(
    encoder: &mut DescriptorEncoder<'_>,
    (name, help, kind): (&str, &str, MetricType),
    members: &[(String, Arc<Member>)],
    value: impl Fn(&Member, MetricEncoder<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut family = encoder.encode_descriptor(name, help, None, kind)?;
    for (url, member) in members {
        value(member, family.encode_family(&[("backend", url.as_str())])?)?;
    }
    Ok(())
}
