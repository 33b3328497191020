//! How many requests are under way, and how many connections bring them, of each address and in all.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::gateway::peer::ClientNetwork;

/// Which limit was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::gateway) enum Full {
    /// That of all.
    All,
    /// That of one address.
    Address,
}

/// How many there may be; 0 for no limit.
#[derive(Debug, Clone, Copy)]
pub(in crate::gateway) struct Most {
    pub(in crate::gateway) all: u32,
    pub(in crate::gateway) of_address: u32,
}

/// Those that there are.
#[derive(Debug, Default)]
pub(in crate::gateway) struct Requests {
    // A lock, because the sum and its parts change together; held for a few additions.
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    all: u32,
    /// Addresses that have some; as many as there are requests, at most.
    origins: HashMap<ClientNetwork, u32>,
}

/// One of them; dropped, it is over.
#[derive(Debug)]
pub(in crate::gateway) struct Place {
    requests: Arc<Requests>,
    origin: Option<ClientNetwork>,
}

impl Requests {
    /// Counts one more. `origin` is none where there is no address to count by.
    pub(in crate::gateway) fn take(
        self: &Arc<Self>,
        origin: Option<ClientNetwork>,
        most: Most,
    ) -> Result<Place, Full> {
        let over = |count: u32, most: u32| most > 0 && count >= most;
        let mut counts = self.counts.lock();
        if over(counts.all, most.all) {
            return Err(Full::All);
        }
        if let Some(origin) = origin {
            let of_origin = counts.origins.get(&origin).copied().unwrap_or_default();
            if over(of_origin, most.of_address) {
                return Err(Full::Address);
            }
            counts.origins.insert(origin, of_origin + 1);
        }
        counts.all += 1;
        Ok(Place {
            requests: self.clone(),
            origin,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.requests.counts.lock();
        counts.all = counts.all.saturating_sub(1);
        let Some(origin) = self.origin else {
            return;
        };
        if let Some(count) = counts.origins.get_mut(&origin) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                counts.origins.remove(&origin);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    #[test]
    fn places_are_counted_by_address_and_given_back() {
        let requests = Arc::new(Requests::default());
        let most = Most {
            all: 3,
            of_address: 2,
        };
        let from = |text: &str| Some(ClientNetwork::from(text.parse::<IpAddr>().unwrap()));
        let (ann, bob) = (from("192.0.2.1"), from("192.0.2.2"));
        let first = requests.take(ann, most).unwrap();
        let _second = requests.take(ann, most).unwrap();
        assert_eq!(requests.take(ann, most).unwrap_err(), Full::Address);
        let third = requests.take(bob, most).unwrap();
        assert_eq!(requests.take(bob, most).unwrap_err(), Full::All);
        drop((first, third));
        let _fourth = requests.take(ann, most).unwrap();
        assert_eq!(requests.counts.lock().origins.len(), 1);
        let unlimited = Most {
            all: 0,
            of_address: 0,
        };
        assert!(requests.take(ann, unlimited).is_ok());
    }
}
