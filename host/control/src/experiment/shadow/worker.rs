//! The thread of one shadow: asks it, compares, remembers where they disagree.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use parking_lot::Mutex;

use super::Ask;
use super::agreement::{Agreement, order};
use super::disagreement::Disagreements;
use wastegate_core::decision::{Disagreement, Question, Ranked};

/// A question that was answered.
pub(super) struct Task {
    pub(super) question: Arc<Question>,
    /// By the active policy.
    pub(super) answer: Ranked,
}

/// What is known of one shadow.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// Questions that it was asked.
    pub(super) asked: u64,
    /// What went wrong, by kind.
    pub(super) faults: BTreeMap<Cow<'static, str>, u64>,
    /// The last of it.
    pub(super) last_fault: Option<String>,
    /// Questions for which the active policy gave no usable ranking.
    pub(super) live_faults: u64,
    pub(super) fuel: u64,
    pub(super) fuel_most: u64,
    pub(super) live_fuel: u64,
    pub(super) micros: u64,
    pub(super) agreement: Agreement,
    pub(super) disagreements: Disagreements,
}

pub(super) fn spawn(
    ask: Ask,
    questions: Receiver<Task>,
    findings: Arc<Mutex<Findings>>,
) -> std::io::Result<()> {
    let thread = std::thread::Builder::new().name("shadow".to_owned());
    // Ends when the queue's other end is gone: with the shadow.
    thread.spawn(move || {
        while let Ok(task) = questions.recv() {
            // The call takes its time; the findings are held for the additions only.
            let ranked = ask(&task.question);
            findings.lock().add(&task, &ranked);
        }
    })?;
    Ok(())
}

impl Findings {
    fn add(&mut self, task: &Task, ranked: &Ranked) {
        let question = &task.question;
        self.asked += 1;
        self.disagreements.seen_again(question);
        let fuel = ranked.fuel.unwrap_or_default();
        self.fuel = self.fuel.saturating_add(fuel);
        self.fuel_most = self.fuel_most.max(fuel);
        self.live_fuel = self
            .live_fuel
            .saturating_add(task.answer.fuel.unwrap_or_default());
        let micros = u64::try_from(ranked.duration.as_micros()).unwrap_or(u64::MAX);
        self.micros = self.micros.saturating_add(micros);
        let shadow = match &ranked.outcome {
            Ok(ranking) => order(ranking, question),
            Err(fault) => {
                *self.faults.entry(fault.name().into()).or_default() += 1;
                self.last_fault = Some(fault.to_string());
                return;
            }
        };
        let Ok(live) = &task.answer.outcome else {
            self.live_faults += 1;
            return;
        };
        let live = order(live, question);
        // The built-in ranking, where it is active, proposes nothing; the guard completes it.
        if live.is_empty() {
            self.live_faults += 1;
            return;
        }
        self.agreement.add(&live, &shadow, question.needed);
        let first = Disagreement::of_rankings(&live, &shadow, 1);
        if let (Some(&live), Some(&shadow)) = (first.only_a.first(), first.only_b.first()) {
            self.disagreements.add(question, live, shadow);
        }
    }
}
