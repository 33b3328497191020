//! What this room's tests share.

use super::definition::Definition;
use super::entry::{ArmKey, LedgerEntry, PhaseKey};
use super::tally::{Exposure, ExposureTally};
use wastegate::observe::pseudonym::{Pseudonym, PseudonymKey, Pseudonymizer};
use wastegate_core::types::{Tier, UserId};

pub(super) fn unit(user: usize) -> Pseudonym {
    let names = Pseudonymizer::new(PseudonymKey::from_bytes([7; 16]));
    names.user(&UserId::new(&format!("user-{user}")).unwrap())
}

pub(super) fn definition(rest: &str) -> Definition {
    let text =
        format!("name = \"x\"\narms = [{{policy=\"champion\"}}, {{policy=\"lru\"}}]\n{rest}");
    toml::from_str::<Definition>(&text).unwrap().named()
}

pub(super) fn exposure(user: usize, arm: usize) -> Exposure {
    Exposure {
        unit: unit(user),
        arm,
        place: 0.25,
        tier: Tier::Conservative,
        held: 2,
        limit: 2,
        unix_ms: 1_000,
        now_us: 5,
        until_ms: None,
        device: None,
        past: None,
    }
}

pub(super) fn exposed(user: usize) -> LedgerEntry {
    LedgerEntry::Exposed {
        experiment: "x".to_owned(),
        phase: 1,
        node: "n".to_owned(),
        exposure: exposure(user, user % 2),
    }
}

pub(super) fn phase_key() -> PhaseKey {
    let arm = |name: &str| ArmKey {
        name: name.to_owned(),
        policy: name.to_owned(),
        version: "1".to_owned(),
        digest: format!("{name}-digest"),
        revision: None,
        params: vec![],
        explore: None,
    };
    PhaseKey {
        number: 1,
        unix_ms: 900,
        contract: "1".to_owned(),
        cap: 2,
        hashed_by: None,
        weights: vec![0.5, 0.5],
        arms: vec![arm("champion"), arm("lru")],
    }
}

pub(super) fn entries() -> Vec<LedgerEntry> {
    let tally = ExposureTally {
        attempts: 3,
        ..ExposureTally::default()
    };
    vec![
        LedgerEntry::Started {
            unix_ms: 900,
            by: "ann".to_owned(),
            definition: definition(""),
        },
        LedgerEntry::Phase {
            experiment: "x".to_owned(),
            phase: phase_key(),
        },
        exposed(1),
        exposed(2),
        LedgerEntry::Tally {
            experiment: "x".to_owned(),
            phase: 1,
            unit: unit(1),
            tally,
        },
    ]
}
