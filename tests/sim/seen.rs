//! What can be observed of a run. Checkers get these and nothing else, so a made-up stream tests a
//! checker as well as a real one.
//!
//! Names stand for users and keys; numbers that the host counts per process appear only where they
//! tell two things apart, and never in what is written to the log.

use std::time::Duration;

use wastegate::cleanup::TierRun;
use wastegate::health::Round;
use wastegate::manager::EndReport;
use wastegate_core::decision::Class;
use wastegate_core::types::{Scope, Tier, Timestamp};

use crate::rules::Facts;

/// One observation.
#[derive(Debug, Clone)]
pub(crate) enum Seen {
    /// Who holds how much, at one instant.
    Counts(Counts),
    /// Somebody asks to be let in.
    Knocked {
        knock: u64,
        user: String,
        key: String,
    },
    /// Somebody was answered.
    Answered(Answered),
    /// Somebody stopped waiting for an answer.
    GaveUp { knock: u64 },
    /// A tier is through, for a user or for the node.
    Ran {
        user: Option<String>,
        run: TierRun,
        round: Option<Round>,
    },
    /// A ranker is asked.
    Asked(Asked),
    /// A manager lost its slot.
    Evicted(Evicted),
    /// A decision is complete.
    Decided(Decided),
    /// A round of probes over so many managers.
    Probed { managers: usize, took: Duration },
    /// A connection was attached.
    Opened { link: u64 },
    /// A connection's own task ended.
    Ended {
        link: u64,
        report: EndReport,
        stands: Option<EndReport>,
        code: u16,
    },
    /// A client read a Close.
    Told { link: u64, code: u16 },
    /// Nothing else comes: what is left.
    Finished(Leftovers),
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Counts {
    pub(crate) users: Vec<Held>,
    pub(crate) total: u32,
}

#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) user: String,
    pub(crate) held: u32,
    pub(crate) ceiling: u32,
}

#[derive(Debug, Clone)]
pub(crate) struct Answered {
    pub(crate) knock: u64,
    pub(crate) user: String,
    pub(crate) took: Duration,
    /// From the queue rather than at the door.
    pub(crate) queued: bool,
    /// How many waited before it in the queue.
    pub(crate) ahead: usize,
    pub(crate) answer: Answer,
    /// The user's managers at that instant, everybody's where the node was full.
    pub(crate) around: Vec<Facts>,
}

#[derive(Debug, Clone)]
pub(crate) enum Answer {
    In,
    Queued,
    Refused {
        why: &'static str,
        code: u16,
        retry_after: Duration,
        held: u32,
        limit: u32,
    },
}

/// A question, beside what an independent look found at the same instant.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) tier: Tier,
    pub(crate) scope: Scope,
    pub(crate) needed: u32,
    pub(crate) most: u32,
    pub(crate) occupancy: f64,
    pub(crate) rows: Vec<Facts>,
    pub(crate) around: Vec<Facts>,
}

/// An eviction at the instant at which the slot was taken away.
#[derive(Debug, Clone)]
pub(crate) struct Evicted {
    pub(crate) tier: Tier,
    pub(crate) scope: Scope,
    pub(crate) occupancy: f64,
    /// As what the host took it.
    pub(crate) class: Class,
    /// What was known when the question was asked.
    pub(crate) facts: Facts,
    /// What the workload knows.
    pub(crate) truth: Truth,
    /// Somebody was on the way to it, nobody was attached, and it was still young.
    pub(crate) newborn: bool,
    /// Slots of its user, or of the node, that are free now.
    pub(crate) free: u32,
    /// Clients that want one.
    pub(crate) knocking: u32,
    /// Those that are held, might go, and have taken nothing for so long.
    pub(crate) takes_nothing: Vec<(String, Duration)>,
    /// Its connections.
    pub(crate) links: Vec<u64>,
    /// The slot is still taken by that very life.
    pub(crate) still_held: bool,
}

/// What is true of a manager, whatever the host believes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Truth {
    /// For how long one of its peers could have answered a ping in time, without a break.
    pub(crate) able_for: Option<Duration>,
    /// For how long its application has been busy with one message.
    pub(crate) busy_for: Option<Duration>,
    pub(crate) pinned: bool,
}

/// A decision and its end.
#[derive(Debug, Clone)]
pub(crate) struct Decided {
    pub(crate) tier: Tier,
    pub(crate) needed: u32,
    pub(crate) most: u32,
    pub(crate) fault: Option<&'static str>,
    pub(crate) rows: Vec<Facts>,
    /// Managers that answer and that the tier may not touch.
    pub(crate) outside: Vec<Facts>,
    /// Between the question and the plan.
    pub(crate) waited: Duration,
    /// The rows that were chosen, in the ranking's order.
    pub(crate) choices: Vec<u32>,
    /// The rows of the plan, in its order.
    pub(crate) victims: Vec<u32>,
    pub(crate) no_such_row: usize,
    pub(crate) repeated: usize,
    pub(crate) not_numbers: usize,
    pub(crate) outcomes: Vec<&'static str>,
}

/// What is left when everything is over.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Leftovers {
    pub(crate) total: u32,
    pub(crate) users: usize,
    pub(crate) tasks: usize,
    pub(crate) queued: usize,
    /// Managers that were left before the gateway was told to stop, where everybody had gone.
    pub(crate) unattended: u32,
}

impl Seen {
    /// Its line in the log, or none for what is seen all the time.
    pub(crate) fn line(&self, at: Timestamp) -> Option<String> {
        let text = match self {
            Self::Counts(_) => return None,
            Self::Knocked { knock, user, key } => format!("knock {knock} {user}/{key}"),
            Self::Answered(one) => format!(
                "answer {} {} after {:?}{}: {:?}",
                one.knock,
                one.user,
                one.took,
                if one.queued { " in the queue" } else { "" },
                one.answer
            ),
            Self::Ran { user, run, round } => format!(
                "ran {} for {}: {} of {} freed, {round:?}",
                run.tier,
                user.as_deref().unwrap_or("the node"),
                run.freed,
                run.eligible
            ),
            Self::GaveUp { knock } => format!("gave up {knock}"),
            Self::Asked(one) => format!(
                "asked {} {} needed {} most {} of {}",
                one.tier,
                one.scope.name(),
                one.needed,
                one.most,
                names(&one.rows)
            ),
            Self::Evicted(one) => format!(
                "evicted {}/{} at {} as {}, {} free, {} knock, {:?}",
                one.facts.user,
                one.facts.key,
                one.tier,
                one.class.name(),
                one.free,
                one.knocking,
                one.truth
            ),
            Self::Decided(one) => format!(
                "decided {} {}: {:?} of {} chosen, fault {:?}, {:?}",
                one.tier,
                names(&one.rows),
                one.victims,
                one.choices.len(),
                one.fault,
                one.outcomes
            ),
            Self::Probed { managers, took } => format!("probed {managers} in {took:?}"),
            Self::Opened { link } => format!("opened {link}"),
            Self::Ended { link, report, .. } => format!("ended {link}: {report:?}"),
            Self::Told { link, code } => format!("told {link} {code}"),
            Self::Finished(left) => format!("finished {left:?}"),
        };
        Some(format!("{:>9} ms  {text}", at.millis()))
    }
}

fn names(rows: &[Facts]) -> String {
    let names: Vec<String> = rows
        .iter()
        .map(|one| {
            format!(
                "{}/{}:{}",
                one.user,
                one.key,
                one.kind().map_or("newborn", Class::name)
            )
        })
        .collect();
    format!("[{}]", names.join(" "))
}
