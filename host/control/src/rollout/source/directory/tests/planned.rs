//! The plan by properties: any run of looks at any files.

use super::*;
use crate::rollout::source::file::{Stamp, Stamps};

/// What one file is like at one look: absent, or a version of it.
type Script = Vec<Vec<Option<u8>>>;

fn script() -> impl Strategy<Value = Script> {
    let version = prop::option::weighted(0.8, 0_u8..4);
    prop::collection::vec(prop::collection::vec(version, 3), 1..40)
}

fn listing(versions: &[Option<u8>]) -> Listing {
    let mut listing = Listing::default();
    for (file, version) in versions.iter().enumerate() {
        let Some(version) = version else { continue };
        let stamp = Stamp {
            bytes: u64::from(*version),
            file: (0, 0),
            modified: (0, 0),
            changed: (0, 0),
        };
        let stamps = Stamps {
            policy: stamp,
            signature: None,
        };
        listing.files.insert(name(file), stamps);
    }
    listing
}

fn name(file: usize) -> PolicyName {
    PolicyName::new(&format!("p{file}")).unwrap()
}

fn identity(version: u8) -> Identity {
    Identity::of(&Contents {
        bytes: [version].as_slice().into(),
        signature: None,
        stamps: listing(&[Some(version)]).files.remove(&name(0)).unwrap(),
    })
}

proptest! {
    /// Whatever happens: only what stood still for two looks is read, nothing is handed over twice
    /// in a row, and once all stands still the last version of each file was handed over.
    #[test]
    fn what_stands_still_is_handed_over_once(script in script()) {
        let mut memory = Memory::default();
        let mut handed: [Vec<u8>; 3] = Default::default();
        let mut before: Option<&Vec<Option<u8>>> = None;
        let last = script.last().unwrap().clone();
        let looks = script.iter().chain(std::iter::repeat_n(&last, 2));
        for versions in looks {
            let seen = listing(versions);
            let Todo { read, .. } = memory.look(&seen);
            for file in read {
                let at = (0..3).find(|at| name(*at) == file).unwrap();
                prop_assert!(before.is_some_and(|before| before[at] == versions[at]));
                let version = versions[at].unwrap();
                let identity = identity(version);
                if let Some(sighting) = memory.sighting(&file, &identity) {
                    let was_there = script[0][at].is_some() && handed[at].is_empty();
                    prop_assert_eq!(sighting == Sighting::First, was_there);
                    handed[at].push(version);
                }
                memory.settle(&file, seen.files[&file], Some(identity));
            }
            before = Some(versions);
        }
        for (at, versions) in handed.iter().enumerate() {
            prop_assert!(versions.windows(2).all(|pair| pair[0] != pair[1]), "{:?}", versions);
            if let Some(version) = last[at] {
                prop_assert_eq!(versions.last(), Some(&version));
            }
        }
        // Two more looks at the same find nothing to do, and doubting only reads again.
        prop_assert_eq!(memory.look(&listing(&last)), Todo::default());
        memory.doubt();
        for file in memory.look(&listing(&last)).read {
            let at = (0..3).find(|at| name(*at) == file).unwrap();
            let again = memory.sighting(&file, &identity(last[at].unwrap()));
            prop_assert_eq!(again, None);
        }
    }

    /// A thing is told when it begins and not again before it ends.
    #[test]
    fn what_is_odd_is_told_once(looks in prop::collection::vec(prop::collection::btree_set("[a-c]", 0..3), 1..20)) {
        let mut memory = Memory::default();
        let mut before = std::collections::BTreeSet::new();
        for odd in looks {
            let seen = Listing { odd: odd.clone(), ..Listing::default() };
            let reported: std::collections::BTreeSet<_> = memory.look(&seen).tell.into_iter().collect();
            let news: std::collections::BTreeSet<_> = odd.difference(&before).cloned().collect();
            prop_assert_eq!(reported, news);
            before = odd;
        }
    }

    /// What is known does not grow with what was ever seen.
    #[test]
    fn memory_is_bounded(rounds in 1_usize..6) {
        let mut memory = Memory::default();
        for round in 0..rounds {
            let mut seen = Listing::default();
            for file in 0..FILES_MAX {
                let stamps = listing(&[Some(0)]).files.remove(&name(0)).unwrap();
                seen.files.insert(PolicyName::new(&format!("r{round}f{file}")).unwrap(), stamps);
            }
            memory.look(&seen);
            prop_assert!(memory.known() <= 2 * FILES_MAX);
        }
    }
}
