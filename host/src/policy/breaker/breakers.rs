//! The breakers of every policy, by digest, and the leave to make one call.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::{Admission, Breaker, BreakerSettings, Standing};
use crate::policy::evidence::TestCase;
use crate::types::Timestamp;

/// Digests that are remembered; of more, the ones not asked for longest are forgotten.
const DIGESTS_MAX: usize = 64;

/// The breakers of all policies, by digest: a policy that comes back is still quarantined, and one
/// that fails does not harm another. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Breakers(Arc<Mutex<Entries>>);

#[derive(Debug)]
struct Entries {
    settings: BreakerSettings,
    by_digest: HashMap<Arc<str>, Entry>,
}

#[derive(Debug)]
struct Entry {
    breaker: Breaker,
    asked: Timestamp,
    last_fault: Option<Arc<TestCase>>,
}

/// Leave to make one call. Dropped unused, it is as if it had never been given.
#[derive(Debug)]
pub struct Leave {
    breakers: Breakers,
    digest: Arc<str>,
    admission: Admission,
}

impl Breakers {
    /// With no policy known yet.
    #[must_use]
    pub fn new(settings: BreakerSettings) -> Self {
        Self(Arc::new(Mutex::new(Entries {
            settings,
            by_digest: HashMap::new(),
        })))
    }

    /// Leave to ask a policy, if it is not quarantined.
    #[must_use]
    pub fn admit(&self, digest: &Arc<str>, now: Timestamp) -> Option<Leave> {
        let admission = self.0.lock().entry(digest, now).breaker.admit(now);
        (admission != Admission::Refused).then(|| Leave {
            breakers: self.clone(),
            digest: digest.clone(),
            admission,
        })
    }

    /// How a policy's breaker stands; closed for one that is not known.
    #[must_use]
    pub fn standing(&self, digest: &str, now: Timestamp) -> Standing {
        self.0
            .lock()
            .by_digest
            .get(digest)
            .map_or(Standing::Closed, |entry| entry.breaker.standing(now))
    }

    /// How many policies are not asked as always.
    #[must_use]
    pub fn quarantined(&self, now: Timestamp) -> usize {
        let entries = self.0.lock();
        let open = |entry: &&Entry| entry.breaker.standing(now) != Standing::Closed;
        entries.by_digest.values().filter(open).count()
    }

    /// The input of the last fault of a policy, as a test case.
    #[must_use]
    pub fn last_fault(&self, digest: &str) -> Option<Arc<TestCase>> {
        self.0.lock().by_digest.get(digest)?.last_fault.clone()
    }
}

impl Entries {
    fn entry(&mut self, digest: &Arc<str>, now: Timestamp) -> &mut Entry {
        if !self.by_digest.contains_key(digest) && self.by_digest.len() >= DIGESTS_MAX {
            let oldest = self.by_digest.iter().min_by_key(|(_, entry)| entry.asked);
            if let Some(oldest) = oldest.map(|(digest, _)| digest.clone()) {
                self.by_digest.remove(&oldest);
            }
        }
        let settings = &self.settings;
        let entry = self
            .by_digest
            .entry(digest.clone())
            .or_insert_with(|| Entry {
                breaker: Breaker::new(settings.clone()),
                asked: now,
                last_fault: None,
            });
        entry.asked = now;
        entry
    }
}

impl Leave {
    /// Whether what comes of the call decides if the policy stays quarantined.
    #[must_use]
    pub fn is_trial(&self) -> bool {
        self.admission == Admission::Trial
    }

    /// The call was made and went well.
    pub fn succeeded(self, now: Timestamp) {
        self.record(None, now);
    }

    /// The call was made and the policy failed on this.
    pub fn failed(self, case: TestCase, now: Timestamp) {
        self.record(Some(Arc::new(case)), now);
    }

    fn record(mut self, case: Option<Arc<TestCase>>, now: Timestamp) {
        let mut entries = self.breakers.0.lock();
        if let Some(entry) = entries.by_digest.get_mut(&self.digest) {
            entry.breaker.record(self.admission, case.is_some(), now);
            entry.last_fault = case.or_else(|| entry.last_fault.take());
        }
        drop(entries);
        self.admission = Admission::Ordinary;
    }
}

impl Drop for Leave {
    fn drop(&mut self) {
        // After a record this is an ordinary call, of which nothing has to be taken back.
        if self.admission == Admission::Trial
            && let Some(entry) = self.breakers.0.lock().by_digest.get_mut(&self.digest)
        {
            entry.breaker.abandon(self.admission);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    #[test]
    fn breakers_are_apart_by_digest_and_bounded() {
        let breakers = Breakers::new(BreakerSettings {
            consecutive_faults: 1,
            ..BreakerSettings::default()
        });
        let digest: Arc<str> = "a".into();
        let case: TestCase = serde_json::from_str(CASE).unwrap();
        breakers
            .admit(&digest, at(0))
            .unwrap()
            .failed(case.clone(), at(0));
        assert!(breakers.admit(&digest, at(1)).is_none());
        assert_eq!(*breakers.last_fault("a").unwrap(), case);
        assert!(breakers.admit(&"b".into(), at(1)).is_some());

        // A leave that is dropped takes its trial back.
        drop(breakers.admit(&digest, at(60)).unwrap());
        breakers.admit(&digest, at(60)).unwrap().succeeded(at(60));
        assert_eq!(breakers.standing("a", at(60)), Standing::HalfOpen);

        for other in 0..1_000_u64 {
            let _leave = breakers.admit(&other.to_string().into(), at(100 + other));
        }
        assert_eq!(breakers.0.lock().by_digest.len(), DIGESTS_MAX);
        assert_eq!(breakers.standing("a", at(2_000)), Standing::Closed);
    }

    const CASE: &str = r#"{"v":1,"policy":"p","digest":"a","engine":"e","fault":"f","tier":"force",
        "scope":"user","needed":1,"limit":2,"held":2,"now_ms":5,"seed":7,"params":[],"rows":2,
        "signals":["idle-ms"],"columns":[[1.5,null]]}"#;
}
