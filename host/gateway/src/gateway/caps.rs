//! Which handshakes are accepted: caps on handshakes that are not done, and on how fast new ones come, for each
//! address and for all together. A connection is charged when it is taken, and for each further request
//! that it brings.
//!
//! An address is an IPv4 address or an IPv6 network of 64 bits. Proxies that are trusted speak for
//! many and are not counted one by one. A client over a cap is refused before anything is read.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::peer::ClientNetwork;
use wastegate_core::types::Timestamp;

/// Addresses that are counted at once. Above it, those at rest are forgotten; if nobody is, nobody
/// new is let in: so many addresses at once are an attack.
const ORIGINS_MAX: usize = 100_000;
/// For how many seconds an address may save up its rate.
const BURST_S: f64 = 5.0;

/// The caps; 0 for none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Handshakes that are not done, of all. 5,000.
    pub half_open_max: u32,
    /// The same of one address. 200.
    pub half_open_per_address_max: u32,
    /// How long a connection may take until it is known who it is, or its first request is handed on. 30 s.
    pub half_open_lifetime: Duration,
    /// New connections a second, of all, and further requests of a connection that want to be upgrades. 0.
    pub per_s_max: u32,
    /// The same of one address. 100.
    pub per_address_per_s_max: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            half_open_max: 5_000,
            half_open_per_address_max: 200,
            half_open_lifetime: Duration::from_secs(30),
            per_s_max: 0,
            per_address_per_s_max: 100,
        }
    }
}

/// Which cap was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cap {
    /// Handshakes that are not done, of all.
    HalfOpen,
    /// The same of one address.
    HalfOpenPerAddress,
    /// Connections that took too long to become something else.
    HalfOpenTime,
    /// New connections and requests a second, of all.
    Rate,
    /// The same of one address.
    RatePerAddress,
    /// Requests a second that are no upgrade, of all.
    #[cfg(feature = "upstream")]
    HttpRate,
    /// The same of one address.
    #[cfg(feature = "upstream")]
    HttpRatePerAddress,
}

impl Cap {
    /// The same of requests that are no upgrade.
    #[cfg(feature = "upstream")]
    pub(super) const fn of_http(self) -> Self {
        match self {
            Self::RatePerAddress => Self::HttpRatePerAddress,
            _ => Self::HttpRate,
        }
    }

    /// Every cap, in the order of the variants.
    pub const ALL: &'static [Self] = &[
        Self::HalfOpen,
        Self::HalfOpenPerAddress,
        Self::HalfOpenTime,
        Self::Rate,
        Self::RatePerAddress,
        #[cfg(feature = "upstream")]
        Self::HttpRate,
        #[cfg(feature = "upstream")]
        Self::HttpRatePerAddress,
    ];

    /// Its name in labels.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::HalfOpen => "half-open",
            Self::HalfOpenPerAddress => "half-open-per-address",
            Self::HalfOpenTime => "half-open-time",
            Self::Rate => "rate",
            Self::RatePerAddress => "rate-per-address",
            #[cfg(feature = "upstream")]
            Self::HttpRate => "http-rate",
            #[cfg(feature = "upstream")]
            Self::HttpRatePerAddress => "http-rate-per-address",
        }
    }
}

/// A bucket that fills with a rate and holds a burst.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: f64,
    at: Timestamp,
}

impl Bucket {
    fn take(&mut self, per_s: u32, now: Timestamp) -> bool {
        let most = f64::from(per_s) * BURST_S;
        let since = now.since(self.at).as_secs_f64();
        self.tokens = (self.tokens + since * f64::from(per_s)).min(most);
        self.at = now;
        let is_there = self.tokens >= 1.0;
        if is_there {
            self.tokens -= 1.0;
        }
        is_there
    }
}

#[derive(Debug)]
struct Counted {
    half_open: u32,
    bucket: Bucket,
}

#[derive(Debug)]
struct Counts {
    half_open: u32,
    bucket: Bucket,
    origins: HashMap<ClientNetwork, Counted>,
}

/// Counts handshakes by their addresses.
#[derive(Debug)]
pub struct Caps {
    // Held for a few additions; for one clean-up of the whole map when it is full.
    counts: Mutex<Counts>,
}

/// A handshake that is not done. Dropped, it is.
#[derive(Debug)]
pub struct HalfOpen {
    caps: Arc<Caps>,
    origin: Option<ClientNetwork>,
}

impl Caps {
    /// No connection was counted yet.
    #[must_use]
    pub fn new(config: &Config, now: Timestamp) -> Arc<Self> {
        let bucket = full(config.per_s_max, now);
        Arc::new(Self {
            counts: Mutex::new(Counts {
                half_open: 0,
                bucket,
                origins: HashMap::new(),
            }),
        })
    }

    /// Takes note of a new connection; `origin` is none for those who speak for many.
    ///
    /// # Errors
    /// The [`Cap`] that it is over.
    pub(crate) fn begin_handshake(
        self: &Arc<Self>,
        origin: Option<ClientNetwork>,
        config: &Config,
        now: Timestamp,
    ) -> Result<HalfOpen, Cap> {
        let over = |count: u32, most: u32| most > 0 && count >= most;
        let mut counts = self.counts.lock();
        if over(counts.half_open, config.half_open_max) {
            return Err(Cap::HalfOpen);
        }
        if let Some(origin) = origin {
            let counted = counts.of(origin, config.per_address_per_s_max, now);
            let counted = counted.ok_or(Cap::HalfOpen)?;
            if over(counted.half_open, config.half_open_per_address_max) {
                return Err(Cap::HalfOpenPerAddress);
            }
        }
        counts.charge(origin, config, now)?;
        if let Some(counted) = origin.and_then(|origin| counts.origins.get_mut(&origin)) {
            counted.half_open += 1;
        }
        counts.half_open += 1;
        Ok(HalfOpen {
            caps: self.clone(),
            origin,
        })
    }

    /// Takes note of a request of a connection that is there already.
    ///
    /// # Errors
    /// The rate that it is over.
    pub fn charge(
        &self,
        origin: Option<ClientNetwork>,
        config: &Config,
        now: Timestamp,
    ) -> Result<(), Cap> {
        self.counts.lock().charge(origin, config, now)
    }

    fn done(&self, origin: Option<ClientNetwork>) {
        let mut counts = self.counts.lock();
        counts.half_open -= 1;
        if let Some(counted) = origin.and_then(|origin| counts.origins.get_mut(&origin)) {
            counted.half_open = counted.half_open.saturating_sub(1);
        }
    }

    /// Handshakes that are not done.
    #[must_use]
    pub fn half_open(&self) -> u32 {
        self.counts.lock().half_open
    }
}

impl Counts {
    /// An address; none if it is new and there are too many.
    fn of(&mut self, origin: ClientNetwork, per_s: u32, now: Timestamp) -> Option<&mut Counted> {
        if self.origins.len() >= ORIGINS_MAX && !self.origins.contains_key(&origin) {
            forget_the_quiet(&mut self.origins, now);
            if self.origins.len() >= ORIGINS_MAX {
                return None;
            }
        }
        Some(self.origins.entry(origin).or_insert_with(|| Counted {
            half_open: 0,
            bucket: full(per_s, now),
        }))
    }

    /// Takes one from what an address, and all, have saved up.
    fn charge(
        &mut self,
        origin: Option<ClientNetwork>,
        config: &Config,
        now: Timestamp,
    ) -> Result<(), Cap> {
        let per_s = config.per_address_per_s_max;
        if let Some(origin) = origin.filter(|_| per_s > 0) {
            let counted = self.of(origin, per_s, now).ok_or(Cap::Rate)?;
            if !counted.bucket.take(per_s, now) {
                return Err(Cap::RatePerAddress);
            }
        }
        if config.per_s_max > 0 && !self.bucket.take(config.per_s_max, now) {
            return Err(Cap::Rate);
        }
        Ok(())
    }
}

impl HalfOpen {
    /// Whether it is of one address, and not of a proxy's many.
    pub(super) const fn is_of_one(&self) -> bool {
        self.origin.is_some()
    }
}

fn full(per_s: u32, now: Timestamp) -> Bucket {
    Bucket {
        tokens: f64::from(per_s) * BURST_S,
        at: now,
    }
}

fn forget_the_quiet(origins: &mut HashMap<ClientNetwork, Counted>, now: Timestamp) {
    let quiet = |counted: &Counted| now.since(counted.bucket.at).as_secs_f64() > BURST_S;
    origins.retain(|_, counted| counted.half_open > 0 || !quiet(counted));
}

impl Drop for HalfOpen {
    fn drop(&mut self) {
        self.caps.done(self.origin);
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn origin(text: &str) -> Option<ClientNetwork> {
        Some(text.parse::<IpAddr>().unwrap().into())
    }

    fn s(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    #[test]
    fn half_open_handshakes_are_capped_for_each_and_for_all() {
        let config = Config {
            half_open_max: 3,
            half_open_per_address_max: 2,
            ..Config::default()
        };
        let caps = Caps::new(&config, s(0));
        let (ann, bob) = (origin("192.0.2.1"), origin("2001:db8::1"));
        let first = caps.begin_handshake(ann, &config, s(0)).unwrap();
        let _second = caps.begin_handshake(ann, &config, s(0)).unwrap();
        assert_eq!(
            caps.begin_handshake(ann, &config, s(0)).unwrap_err(),
            Cap::HalfOpenPerAddress
        );
        let _third = caps.begin_handshake(bob, &config, s(0)).unwrap();
        assert_eq!(
            caps.begin_handshake(None, &config, s(0)).unwrap_err(),
            Cap::HalfOpen
        );
        drop(first);
        assert!(caps.begin_handshake(ann, &config, s(0)).is_ok());
        assert_eq!(caps.half_open(), 2);
    }

    #[test]
    fn a_rate_has_a_burst_and_comes_back() {
        let config = Config {
            per_s_max: 4,
            per_address_per_s_max: 2,
            ..Config::default()
        };
        let caps = Caps::new(&config, s(0));
        let taken = |who: Option<ClientNetwork>, now| {
            let attempts = std::iter::repeat_with(|| caps.begin_handshake(who, &config, now).err());
            attempts.take(40).position(|refused| refused.is_some())
        };
        assert_eq!(taken(origin("192.0.2.1"), s(0)), Some(10));
        assert_eq!(
            taken(None, s(0)),
            Some(10),
            "20 of all, 10 of which are gone"
        );
        assert_eq!(taken(origin("192.0.2.1"), s(3)), Some(6));
        assert_eq!(caps.half_open(), 0);
    }

    /// S12: a connection brings many requests, and each is charged.
    #[test]
    fn s12_requests_are_charged_like_connections() {
        let config = Config {
            per_address_per_s_max: 2,
            ..Config::default()
        };
        let caps = Caps::new(&config, s(0));
        let (ann, bob) = (origin("192.0.2.1"), origin("192.0.2.2"));
        let _one = caps.begin_handshake(ann, &config, s(0)).unwrap();
        let charged = |who, now| {
            let charges = std::iter::repeat_with(|| caps.charge(who, &config, now));
            charges.take(40).take_while(Result::is_ok).count()
        };
        assert_eq!(charged(ann, s(0)), 9);
        assert_eq!(caps.charge(ann, &config, s(0)), Err(Cap::RatePerAddress));
        assert_eq!(charged(bob, s(0)), 10);
        assert_eq!(charged(None, s(0)), 40);
        assert_eq!(charged(ann, s(2)), 4);
        assert_eq!(caps.half_open(), 1);
    }

    #[test]
    fn zero_is_no_cap() {
        let config = Config {
            half_open_max: 0,
            half_open_per_address_max: 0,
            per_s_max: 0,
            per_address_per_s_max: 0,
            ..Config::default()
        };
        let caps = Caps::new(&config, s(0));
        let held: Vec<_> = (0..1_000)
            .map(|_| {
                caps.begin_handshake(origin("192.0.2.1"), &config, s(0))
                    .unwrap()
            })
            .collect();
        assert_eq!(held.len(), 1_000);
    }
}
