//! Experiments without sockets: exposures, restarts, phases, breakers, harm and its absence.

mod classes;
mod evidence;
mod holdouts;
mod lives;
mod past;
mod steps;
mod turns;
mod verdicts;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::*;
use crate::experiment::definition::ACTIVE;
use crate::experiment::testing::definition;
use wastegate::observe::pseudonym::PseudonymKey;
use wastegate_core::decision::builtin::BuiltIn;
use wastegate_core::decision::testing::{ask, row, snapshot};
use wastegate_core::decision::{Question, TierTable};
use wastegate_core::types::Tier;

/// A house whose policies and failures are what a test says.
#[derive(Default)]
struct FakeHost {
    notes: Mutex<Vec<(Noted, String)>>,
    /// Who was noted, in the same order.
    noted_by: Mutex<Vec<String>>,
    quarantined: Mutex<Option<String>>,
    version: Mutex<u32>,
    missing: Mutex<Option<String>>,
}

impl ExperimentHost for FakeHost {
    fn prepare(&self, arm: &ArmSpec, before: Option<&ArmKey>) -> Result<ArmCandidate, String> {
        if self.missing.lock().as_ref() == Some(&arm.policy) {
            return Err(format!("there is no policy `{}`", arm.policy));
        }
        let fingerprint = self.fingerprint(arm);
        let pinned = before.filter(|_| arm.policy != ACTIVE);
        let digest = pinned.map_or(fingerprint.as_str(), |before| &before.digest);
        Ok(ArmCandidate {
            about: PolicyRef {
                name: arm.policy.as_str().into(),
                version: "1".into(),
                digest: digest.into(),
            },
            revision: (arm.policy != ACTIVE).then(|| RevisionId::new(7)).flatten(),
            params: arm.params.values().copied().collect(),
            ranker: Arc::new(BuiltIn),
            fingerprint: digest.to_owned(),
        })
    }

    fn candidate(&self, _: &ArmSpec) -> Result<ShadowCandidate, String> {
        Err("no shadows here".to_owned())
    }

    fn fingerprint(&self, arm: &ArmSpec) -> String {
        format!("{}@{}", arm.policy, self.version.lock())
    }

    fn quarantined(&self, digest: &str) -> Option<String> {
        self.quarantined
            .lock()
            .clone()
            .filter(|bad| bad == digest)
            .map(|_| "3 faults in a row".to_owned())
    }

    fn contract(&self) -> String {
        "1".to_owned()
    }

    fn note(&self, by: &str, what: Noted, _experiment: &str, reason: &str) {
        self.noted_by.lock().push(by.to_owned());
        self.notes.lock().push((what, reason.to_owned()));
    }
}

fn given(host: &Arc<FakeHost>, cap: u32) -> ExperimentsContext {
    ExperimentsContext {
        host: host.clone(),
        clock: Clock::system(),
        pseudonyms: Pseudonymizer::new(PseudonymKey::from_bytes([7; 16])),
        node: "n".to_owned(),
        cap,
    }
}

fn opened(host: &Arc<FakeHost>, folder: &Path, cap: u32) -> Arc<Experiments> {
    let (experiments, problems) = Experiments::open(given(host, cap), folder).unwrap();
    assert_eq!(problems, Vec::<String>::new());
    experiments
}

fn in_memory(rest: &str) -> (Arc<FakeHost>, Arc<Experiments>) {
    let host = Arc::new(FakeHost::default());
    let experiments = Experiments::in_memory(given(&host, 20));
    experiments.start(definition(rest), "ann").unwrap();
    (host, experiments)
}

fn user(number: usize) -> UserId {
    UserId::new(&format!("user-{number}")).unwrap()
}

/// A question about a user who is at the limit now.
fn question_of(experiments: &Experiments, user: &UserId) -> Question {
    let rows = vec![
        row("a", 10).of(user.as_str()),
        row("b", 20).of(user.as_str()),
    ];
    let question = ask(&snapshot(2, rows), &TierTable::default(), Tier::Force, 1);
    Question {
        now: experiments.given.clock.now(),
        ..question
    }
}

/// Exposes a user; the arm by its label.
fn expose(experiments: &Experiments, number: usize) -> Option<String> {
    let user = user(number);
    let asked = experiments.expose(&user, &question_of(experiments, &user))?;
    Some(asked.label.rsplit('/').next().unwrap().to_owned())
}

/// So many users, of whom the arm's come back to every victim in `of_ten` of ten cases and the control's in one.
fn live(experiments: &Experiments, users: usize, arm_of_ten: usize) {
    for number in 0..users {
        let Some(arm) = expose(experiments, number) else {
            continue;
        };
        let user = user(number);
        experiments.admission(&user, Duration::from_millis(1), true, false);
        experiments.decided(&user, false);
        experiments.evicted(&user);
        experiments.ended(
            &user,
            wastegate_core::decision::VictimOutcome::Echoed { after_ms: 1 },
        );
        let of_ten = if arm == "lru" { arm_of_ten } else { 1 };
        if number % 10 < of_ten {
            experiments.returned(&user, experiments.given.clock.now(), 100);
        }
    }
}

/// Judged at once, whatever the age of the phase.
const PRIMARY: &str = "primary = \"thrash\"\nguardrails = [{metric=\"blocked-users\", margin=0.05}]\nhours_min = 0\nharm_after_s = 0";
