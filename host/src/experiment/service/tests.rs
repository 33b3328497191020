//! Experiments without sockets: exposures, restarts, phases, breakers, harm and its absence.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::*;
use crate::decision::builtin::BuiltIn;
use crate::decision::testing::{ask, row, snapshot};
use crate::decision::{Question, TierTable};
use crate::experiment::definition::Definition;
use crate::experiment::entry::State;
use crate::experiment::error::Refused;
use crate::experiment::testing::definition;
use crate::experiment::verdict::Verdict;
use crate::observe::pseudonym::PseudonymKey;
use crate::types::Tier;

/// A house whose policies and failures are what a test says.
#[derive(Default)]
struct House {
    notes: Mutex<Vec<(Noted, String)>>,
    quarantined: Mutex<Option<String>>,
    version: Mutex<u32>,
    missing: Mutex<Option<String>>,
}

impl Backstage for House {
    fn prepare(&self, arm: &ArmSpec) -> Result<Contestant, String> {
        if self.missing.lock().as_ref() == Some(&arm.policy) {
            return Err(format!("there is no policy `{}`", arm.policy));
        }
        let fingerprint = self.fingerprint(arm);
        Ok(Contestant {
            about: PolicyRef {
                name: arm.policy.as_str().into(),
                version: "1".into(),
                digest: fingerprint.as_str().into(),
            },
            params: arm.params.values().copied().collect(),
            ranker: Arc::new(BuiltIn),
            fingerprint,
        })
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

    fn note(&self, _by: &str, what: Noted, _experiment: &str, reason: &str) {
        self.notes.lock().push((what, reason.to_owned()));
    }
}

fn given(house: &Arc<House>, cap: u32) -> Given {
    Given {
        backstage: house.clone(),
        clock: Clock::system(),
        pseudonyms: Pseudonymizer::new(PseudonymKey::from_bytes([7; 16])),
        node: "n".to_owned(),
        cap,
    }
}

fn opened(house: &Arc<House>, folder: &Path, cap: u32) -> Arc<Experiments> {
    let (experiments, problems) = Experiments::open(given(house, cap), folder).unwrap();
    assert_eq!(problems, Vec::<String>::new());
    experiments
}

fn in_memory(rest: &str) -> (Arc<House>, Arc<Experiments>) {
    let house = Arc::new(House::default());
    let experiments = Experiments::in_memory(given(&house, 20));
    experiments.start(definition(rest), "ann").unwrap();
    (house, experiments)
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
            crate::decision::VictimOutcome::Echoed { after_ms: 1 },
        );
        let of_ten = if arm == "lru" { arm_of_ten } else { 1 };
        if number % 10 < of_ten {
            experiments.returned(&user, experiments.given.clock.now(), 100);
        }
    }
}

const PRIMARY: &str =
    "primary = \"thrash\"\nguardrails = [{metric=\"blocked-users\", margin=0.05}]";

#[tokio::test]
async fn a_user_is_exposed_once_and_written_down_before_the_arm_is_asked() {
    let (house, folder) = (Arc::new(House::default()), tempfile::tempdir().unwrap());
    let experiments = opened(&house, folder.path(), 20);
    experiments.start(definition(""), "ann").unwrap();
    let path = folder.path().join(crate::experiment::ledger::FILE_NAME);
    let lines = || std::fs::read_to_string(&path).unwrap().lines().count();
    let before = lines();
    let first = expose(&experiments, 1);
    assert!(first.is_some());
    assert_eq!(lines(), before + 1, "there before anybody is asked");
    assert_eq!(expose(&experiments, 1), first);
    assert_eq!(lines(), before + 1, "once");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(!text.contains("user-1"), "users are keyed hashes: {text}");
}

/// Killed without a word: whoever was exposed stays so, nobody is counted twice, and what was counted
/// up to the last look is there.
#[tokio::test]
async fn a_restart_carries_on_and_counts_nobody_twice() {
    let (house, folder) = (Arc::new(House::default()), tempfile::tempdir().unwrap());
    let experiments = opened(&house, folder.path(), 20);
    experiments.start(definition(PRIMARY), "ann").unwrap();
    live(&experiments, 50, 5);
    experiments.look();
    experiments.look();
    let before = experiments.view("x").unwrap();
    drop(experiments);
    let again = opened(&house, folder.path(), 20);
    let after = again.view("x").unwrap();
    assert_eq!(after.phase, before.phase, "the same phase");
    let users = |view: &View| {
        view.assessment
            .users
            .iter()
            .map(|arm| (arm.users, arm.decisions))
            .collect::<Vec<_>>()
    };
    assert_eq!(users(&after), users(&before));
    assert_eq!(
        users(&after).iter().map(|(users, _)| users).sum::<u64>(),
        50
    );
    let events = |view: &View| view.assessment.comparisons[0].findings[0].events;
    assert_eq!(events(&after), events(&before));
    assert!(expose(&again, 1).is_some());
    assert_eq!(
        users(&again.view("x").unwrap())
            .iter()
            .map(|(users, _)| users)
            .sum::<u64>(),
        50
    );
    drop(again);
    // Another limit is another question: a new phase, and nobody of the old one in it.
    let other = opened(&house, folder.path(), 10);
    let view = other.view("x").unwrap();
    assert_eq!((view.phase.number, view.phase.cap), (2, 10));
    assert!(users(&view).iter().all(|(users, _)| *users == 0));
}

#[tokio::test]
async fn a_swapped_policy_begins_a_phase_and_one_that_is_gone_ends_it() {
    let (house, experiments) = in_memory("");
    assert!(expose(&experiments, 1).is_some());
    let arm = expose(&experiments, 1);
    *house.version.lock() = 1;
    experiments.look();
    let view = experiments.view("x").unwrap();
    assert_eq!(view.phase.number, 2);
    assert_eq!(
        view.assessment
            .users
            .iter()
            .map(|arm| arm.users)
            .sum::<u64>(),
        0
    );
    assert_eq!(expose(&experiments, 1), arm, "users stay where they are");
    *house.missing.lock() = Some("lru".to_owned());
    *house.version.lock() = 2;
    experiments.look();
    let view = experiments.view("x").unwrap();
    assert_eq!(view.state, State::Stopped);
    assert!(view.reason.contains("no policy `lru`"), "{}", view.reason);
    assert_eq!(expose(&experiments, 1), None);
}

#[tokio::test]
async fn harm_is_rolled_back_once_for_good_and_everybody_has_the_control() {
    let (house, folder) = (Arc::new(House::default()), tempfile::tempdir().unwrap());
    let experiments = opened(&house, folder.path(), 20);
    experiments.start(definition(PRIMARY), "ann").unwrap();
    live(&experiments, 150, 9);
    experiments.look();
    assert_eq!(
        experiments.view("x").unwrap().state,
        State::Running,
        "too few users to say anything"
    );
    for number in 150..600 {
        let Some(arm) = expose(&experiments, number) else {
            continue;
        };
        let user = user(number);
        experiments.evicted(&user);
        if number % 10 < if arm == "lru" { 9 } else { 1 } {
            experiments.returned(&user, experiments.given.clock.now(), 100);
        }
    }
    experiments.look();
    let view = experiments.view("x").unwrap();
    assert_eq!(view.state, State::RolledBack);
    assert!(
        view.reason
            .contains("`lru` is worse than the control in `thrash`"),
        "{}",
        view.reason
    );
    experiments.look();
    let notes = house
        .notes
        .lock()
        .iter()
        .filter(|(what, _)| *what == Noted::RolledBack)
        .count();
    assert_eq!(notes, 1, "one line in the audit log");
    let arms: std::collections::BTreeSet<_> =
        (0..100).filter_map(|it| expose(&experiments, it)).collect();
    assert_eq!(arms.into_iter().collect::<Vec<_>>(), ["champion"]);
    drop(experiments);
    let again = opened(&house, folder.path(), 20);
    assert_eq!(
        again.view("x").unwrap().state,
        State::RolledBack,
        "never resumed"
    );
    again.stop("x", "ann", "seen").unwrap();
    assert!(matches!(again.stop("x", "ann", ""), Err(Refused::Over(_))));
    assert_eq!(expose(&again, 1), None);
}

#[tokio::test]
async fn no_difference_stays_undecided_and_a_better_arm_may_be_promoted() {
    let (_house, experiments) = in_memory(PRIMARY);
    live(&experiments, 2_000, 1);
    experiments.look();
    let view = experiments.view("x").unwrap();
    assert_eq!(
        (view.state, view.assessment.verdict),
        (State::Running, Verdict::Continue)
    );
    let (_house, experiments) = in_memory(&PRIMARY.replace("0.05", "0.2"));
    live(&experiments, 3_000, 0);
    experiments.look();
    let view = experiments.view("x").unwrap();
    let assessment = &view.assessment;
    assert_eq!(
        assessment.verdict,
        Verdict::Promotable,
        "{:?}",
        assessment.because
    );
    assert_eq!(assessment.arm.as_deref(), Some("lru"));
}

#[tokio::test]
async fn a_quarantined_arm_ends_it_by_the_breaker_and_a_quarantined_control_does_not() {
    let (house, experiments) = in_memory("");
    *house.quarantined.lock() = Some("champion@0".to_owned());
    experiments.look();
    assert_eq!(experiments.view("x").unwrap().state, State::Running);
    *house.quarantined.lock() = Some("lru@0".to_owned());
    experiments.look();
    let view = experiments.view("x").unwrap();
    assert_eq!(view.state, State::RolledBack);
    assert!(view.reason.starts_with("breaker: "), "{}", view.reason);
}

#[tokio::test]
async fn a_diluted_arm_and_a_broken_split_are_not_compared() {
    let (_house, experiments) = in_memory("");
    for number in 0..100 {
        if expose(&experiments, number).as_deref() == Some("lru") {
            experiments.decided(&user(number), true);
        }
    }
    let assessment = experiments.view("x").unwrap().assessment;
    assert_eq!(assessment.verdict, Verdict::Hold);
    assert!(
        assessment.because[0].contains("diluted"),
        "{:?}",
        assessment.because
    );
    assert!(assessment.users[1].is_diluted && !assessment.users[0].is_diluted);

    let (_house, experiments) = in_memory("");
    // Half of the arm's users never get as far as a trigger.
    for number in 0..2_000 {
        let place = crate::experiment::assign::place(
            crate::experiment::assign::HashVersion::V2,
            "x",
            user(number).as_str(),
        );
        if place < 0.5 || place > 0.75 {
            expose(&experiments, number);
        }
    }
    let assessment = experiments.view("x").unwrap().assessment;
    assert_eq!(assessment.verdict, Verdict::Hold);
    assert!(
        assessment.because[0].contains("do not fall into the arms"),
        "{:?}",
        assessment.because
    );
}

#[tokio::test]
async fn coverage_goes_up_only_and_moves_nobody() {
    let (_house, experiments) = in_memory("coverage = 0.2");
    let arms = |experiments: &Experiments| {
        (0..400)
            .map(|it| expose(experiments, it))
            .collect::<Vec<_>>()
    };
    let before = arms(&experiments);
    assert!(matches!(
        experiments.cover("x", 0.1, "ann"),
        Err(Refused::Coverage { .. })
    ));
    experiments.cover("x", 0.8, "ann").unwrap();
    let after = arms(&experiments);
    let in_now = |arms: &[Option<String>]| arms.iter().flatten().count();
    assert!(in_now(&after) > 2 * in_now(&before));
    for (before, after) in before.iter().zip(&after) {
        assert!(before.is_none() || before == after);
    }
}

#[tokio::test]
async fn what_would_share_users_or_names_is_refused() {
    let (house, experiments) = in_memory("layer = {name=\"ranking\", from=0.0, to=0.5}");
    let other = |name: &str, layer: &str| Definition {
        name: name.to_owned(),
        ..definition(layer)
    };
    assert!(matches!(
        experiments.start(other("x", ""), "ann"),
        Err(Refused::Exists(_))
    ));
    assert!(matches!(
        experiments.start(other("y", ""), "ann"),
        Err(Refused::Overlaps { .. })
    ));
    let overlapping = other("y", "layer = {name=\"ranking\", from=0.4, to=0.9}");
    let told = experiments
        .start(overlapping, "ann")
        .unwrap_err()
        .to_string();
    assert!(told.contains("`x` in the layer `ranking`"), "{told}");
    *house.missing.lock() = Some("lru".to_owned());
    let beside = || other("y", "layer = {name=\"ranking\", from=0.5, to=1.0}");
    let told = experiments.start(beside(), "ann").unwrap_err().to_string();
    assert!(
        told.contains("arm `lru`") && told.contains("no policy"),
        "{told}"
    );
    *house.missing.lock() = None;
    experiments.start(beside(), "ann").unwrap();
    for number in 0..200 {
        let user = user(number);
        let asked = experiments.expose(&user, &question_of(&experiments, &user));
        let owner = if crate::experiment::assign::Layer::new("ranking", 0.0, 0.5)
            .unwrap()
            .holds(user.as_str())
        {
            "x/"
        } else {
            "y/"
        };
        assert!(asked.unwrap().label.starts_with(owner));
    }
}

#[tokio::test]
async fn only_victims_since_the_first_trigger_are_regretted() {
    let (_house, experiments) = in_memory("");
    let clock = experiments.given.clock.clone();
    let before = clock.now();
    tokio::time::pause();
    tokio::time::advance(Duration::from_millis(20)).await;
    expose(&experiments, 1).unwrap();
    experiments.returned(&user(1), before, 30);
    let events = |experiments: &Experiments| {
        experiments.view("x").unwrap().assessment.comparisons[0].findings[0].events
    };
    assert_eq!(events(&experiments), 0.0);
    experiments.returned(&user(1), clock.now(), 30);
    assert_eq!(events(&experiments), 1.0);
}

#[tokio::test]
async fn the_export_is_growthbooks_and_the_page_is_whole() {
    let (_house, experiments) = in_memory("question = \"Is <lru> better?\"");
    for number in 0..20 {
        expose(&experiments, number);
    }
    let csv = experiments.export("x").unwrap();
    assert!(csv.starts_with("user_id,timestamp,experiment_id,variation_id,"));
    assert_eq!(csv.lines().count(), 21);
    let page = crate::experiment::page::html(&experiments.view("x").unwrap());
    assert!(
        page.contains("Is &lt;lru&gt; better?") && page.contains("Undecided"),
        "{page}"
    );
    assert!(
        !page.contains("<script") && !page.contains("http"),
        "nothing from elsewhere"
    );
}
