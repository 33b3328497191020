//! How experiments begin, go through restarts and swaps, and keep out of each other's way.

use super::*;
use crate::experiment::definition::Definition;
use crate::experiment::entry::ExperimentState;
use crate::experiment::error::ExperimentError;

#[tokio::test]
async fn a_user_is_exposed_once_and_written_down_before_the_arm_is_asked() {
    let (host, folder) = (Arc::new(FakeHost::default()), tempfile::tempdir().unwrap());
    let experiments = opened(&host, folder.path(), 20);
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

#[tokio::test]
async fn a_restart_carries_on_and_counts_nobody_twice() {
    let (host, folder) = (Arc::new(FakeHost::default()), tempfile::tempdir().unwrap());
    let experiments = opened(&host, folder.path(), 20);
    experiments.start(definition(PRIMARY), "ann").unwrap();
    live(&experiments, 50, 5);
    experiments.look();
    experiments.look();
    let before = experiments.view("x").unwrap();
    drop(experiments);
    let again = opened(&host, folder.path(), 20);
    let after = again.view("x").unwrap();
    assert_eq!(after.phase, before.phase, "the same phase");
    let users = |view: &ExperimentView| {
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
    let events = |view: &ExperimentView| view.assessment.comparisons[0].findings[0].events;
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
    let other = opened(&host, folder.path(), 10);
    let view = other.view("x").unwrap();
    assert_eq!((view.phase.number, view.phase.cap), (2, 10));
    assert!(users(&view).iter().all(|(users, _)| *users == 0));
}

#[tokio::test]
async fn a_swapped_policy_begins_a_phase_and_one_that_is_gone_ends_it() {
    let (host, experiments) = in_memory("");
    assert!(expose(&experiments, 1).is_some());
    let arm = expose(&experiments, 1);
    *host.version.lock() = 1;
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
    *host.missing.lock() = Some("lru".to_owned());
    *host.version.lock() = 2;
    experiments.look();
    let view = experiments.view("x").unwrap();
    assert_eq!(view.state, ExperimentState::Stopped);
    assert!(view.reason.contains("no policy `lru`"), "{}", view.reason);
    assert_eq!(expose(&experiments, 1), None);
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
        Err(ExperimentError::Coverage { .. })
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
async fn p25_covering_what_is_covered_changes_nothing_and_is_no_error() {
    let (host, experiments) = in_memory("coverage = 0.2");
    experiments.cover("x", 1.0, "ann").unwrap();
    let noted = host.notes.lock().clone();
    assert_eq!(noted.last().map(|(what, _)| *what), Some(Noted::Covered));
    experiments.cover("x", 1.0, "ann").unwrap();
    assert_eq!(*host.notes.lock(), noted);
    assert_eq!(experiments.view("x").unwrap().definition.coverage, 1.0);
}

#[tokio::test]
async fn what_would_share_users_or_names_is_refused() {
    let (host, experiments) = in_memory("layer = {name=\"ranking\", from=0.0, to=0.5}");
    let other = |name: &str, layer: &str| Definition {
        name: name.to_owned(),
        ..definition(layer)
    };
    assert!(matches!(
        experiments.start(other("x", ""), "ann"),
        Err(ExperimentError::Exists(_))
    ));
    assert!(matches!(
        experiments.start(other("y", ""), "ann"),
        Err(ExperimentError::Overlaps { .. })
    ));
    let overlapping = other("y", "layer = {name=\"ranking\", from=0.4, to=0.9}");
    let report = experiments
        .start(overlapping, "ann")
        .unwrap_err()
        .to_string();
    assert!(report.contains("`x` in the layer `ranking`"), "{report}");
    *host.missing.lock() = Some("lru".to_owned());
    let beside = || other("y", "layer = {name=\"ranking\", from=0.5, to=1.0}");
    let report = experiments.start(beside(), "ann").unwrap_err().to_string();
    assert!(
        report.contains("arm `lru`") && report.contains("no policy"),
        "{report}"
    );
    *host.missing.lock() = None;
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

/// J23: new bytes of a policy rank for nobody before they are asked for.
#[tokio::test]
async fn j23_an_arm_keeps_to_its_revision_until_it_is_renewed() {
    let host = Arc::new(FakeHost::default());
    let experiments = Experiments::in_memory(given(&host, 20));
    let arms = "name = \"x\"\narms = [{policy=\"fifo\"}, {policy=\"lru\"}]";
    let definition = toml::from_str::<crate::experiment::Definition>(arms).unwrap();
    experiments.start(definition, "ann").unwrap();
    expose(&experiments, 1).unwrap();
    *host.version.lock() = 1;
    experiments.look();
    let view = experiments.view("x").unwrap();
    assert_eq!(
        (view.phase.number, view.phase.arms[1].digest.as_str()),
        (1, "lru@0")
    );
    assert_eq!(view.outdated, ["fifo", "lru"]);
    assert_eq!(experiments.renew("x", "joe").ok(), Some(true));
    assert_eq!(
        *host.noted_by.lock(),
        ["ann", "joe"],
        "the audit log has who renewed it, and not `guard`"
    );
    let view = experiments.view("x").unwrap();
    assert_eq!(
        (view.phase.number, view.phase.arms[1].digest.as_str()),
        (2, "lru@1")
    );
    assert_eq!(view.outdated, Vec::<String>::new());
    assert_eq!(
        experiments.renew("x", "joe").ok(),
        Some(false),
        "nothing is newer by now"
    );
    assert_eq!(experiments.view("x").unwrap().phase.number, 2);
    experiments.stop("x", "ann", "").unwrap();
    assert!(matches!(
        experiments.renew("x", "ann"),
        Err(ExperimentError::Over(_))
    ));
    assert!(matches!(
        experiments.renew("y", "ann"),
        Err(ExperimentError::NoSuch(_))
    ));
}

/// J23: the same over a restart.
#[tokio::test]
async fn j23_a_restart_keeps_an_arm_at_its_revision() {
    let (host, folder) = (Arc::new(FakeHost::default()), tempfile::tempdir().unwrap());
    let experiments = opened(&host, folder.path(), 20);
    let arms = "name = \"x\"\narms = [{policy=\"fifo\"}, {policy=\"lru\"}]";
    let definition = toml::from_str::<crate::experiment::Definition>(arms).unwrap();
    experiments.start(definition, "ann").unwrap();
    expose(&experiments, 1).unwrap();
    drop(experiments);
    *host.version.lock() = 1;
    let again = opened(&host, folder.path(), 20);
    let view = again.view("x").unwrap();
    assert_eq!(
        (view.phase.number, view.phase.arms[1].digest.as_str()),
        (1, "lru@0")
    );
    assert_eq!(
        view.assessment
            .users
            .iter()
            .map(|arm| arm.users)
            .sum::<u64>(),
        1
    );
}

/// J26: nothing is said to be kept that the disk has not, and it is written as soon as it can be.
#[tokio::test]
async fn j26_an_end_that_the_disk_does_not_take_is_reported_and_tried_again() {
    let (house, folder) = (Arc::new(FakeHost::default()), tempfile::tempdir().unwrap());
    let experiments = opened(&house, folder.path(), 20);
    experiments.start(definition(""), "ann").unwrap();
    assert!(experiments.view("x").unwrap().durable);
    experiments.ledger.lock().set_writable(false);
    experiments.stop("x", "ann", "seen").unwrap();
    let view = experiments.view("x").unwrap();
    assert_eq!(
        (view.state, view.durable),
        (ExperimentState::Stopped, false)
    );
    experiments.look();
    assert!(!experiments.view("x").unwrap().durable);
    experiments.ledger.lock().set_writable(true);
    experiments.look();
    assert!(experiments.view("x").unwrap().durable);
    drop(experiments);
    let again = opened(&house, folder.path(), 20);
    let view = again.view("x").unwrap();
    assert_eq!(
        (view.state, view.reason.as_str()),
        (ExperimentState::Stopped, "seen")
    );
}

/// J25: what an arm decides is recorded with the arm's revision.
#[tokio::test]
async fn j25_an_arms_decision_has_its_revision() {
    let (_house, experiments) = in_memory("");
    let arms = crate::experiment::Arms::new(experiments.clone(), Arc::new(BuiltIn));
    let mut revisions = std::collections::BTreeSet::new();
    for number in 0..40 {
        let question = Arc::new(question_of(&experiments, &user(number)));
        let wastegate_core::decision::Answer::Ready(ranked) = arms.rank(&question) else {
            panic!("the built-in ranking answers at once");
        };
        let arm = ranked.experiment.unwrap();
        revisions.insert((arm.to_string(), ranked.revision.map(|id| id.to_string())));
    }
    let of_lru = revisions.iter().filter(|(arm, _)| arm.ends_with("/lru"));
    let of_lru: Vec<_> = of_lru.map(|(_, revision)| revision.as_deref()).collect();
    assert_eq!(of_lru, [Some("r7")]);
}

/// A damaged line may have been an end, and what was ended is never resumed.
#[tokio::test]
async fn what_may_have_ended_is_not_resumed() {
    let (host, folder) = (Arc::new(FakeHost::default()), tempfile::tempdir().unwrap());
    let experiments = opened(&host, folder.path(), 20);
    experiments.start(definition(""), "ann").unwrap();
    expose(&experiments, 1).unwrap();
    experiments.stop("x", "ann", "seen").unwrap();
    drop(experiments);
    let path = folder.path().join("experiments.jsonl");
    let mut bytes = std::fs::read(&path).unwrap();
    let last = bytes.len() - 3;
    bytes[last] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let (again, problems) = Experiments::open(given(&host, 20), folder.path()).unwrap();
    assert_eq!(problems.len(), 1, "{problems:?}");
    let view = again.view("x").unwrap();
    assert_eq!(view.state, ExperimentState::Stopped);
    assert!(
        view.reason.contains("1 lines of the ledger are damaged"),
        "{}",
        view.reason
    );
    assert_eq!(expose(&again, 1), None);
}

/// What the disk does not take is tried again, and a clean stop with a free disk loses nothing.
#[tokio::test]
async fn counts_that_the_disk_did_not_take_are_tried_again() {
    let (host, folder) = (Arc::new(FakeHost::default()), tempfile::tempdir().unwrap());
    let experiments = opened(&host, folder.path(), 20);
    experiments.start(definition(""), "ann").unwrap();
    expose(&experiments, 1).unwrap();
    experiments.ledger.lock().set_writable(false);
    experiments.decided(&user(1), false);
    experiments.look();
    experiments.ledger.lock().set_writable(true);
    experiments.look();
    drop(experiments);
    let again = opened(&host, folder.path(), 20);
    let users = again.view("x").unwrap().assessment.users;
    assert_eq!(users.iter().map(|arm| arm.decisions).sum::<u64>(), 1);
}

/// Another key of pseudonyms makes other units of the same users.
#[tokio::test]
async fn another_key_begins_a_new_phase() {
    let (host, folder) = (Arc::new(FakeHost::default()), tempfile::tempdir().unwrap());
    let experiments = opened(&host, folder.path(), 20);
    experiments.start(definition(""), "ann").unwrap();
    expose(&experiments, 1).unwrap();
    drop(experiments);
    let other = ExperimentsContext {
        pseudonyms: Pseudonymizer::new(PseudonymKey::from_bytes([8; 16])),
        ..given(&host, 20)
    };
    let (again, _) = Experiments::open(other, folder.path()).unwrap();
    expose(&again, 1).unwrap();
    let view = again.view("x").unwrap();
    let users: u64 = view.assessment.users.iter().map(|arm| arm.users).sum();
    assert_eq!((view.phase.number, users), (2, 1));
}
