//! The telling of it.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use super::client::ClientError;
use super::{Options, PlainLimit, Summary, USER};
use wastegate::cleanup::{Decided, TierRun};
use wastegate::health::Round;
use wastegate_core::decision::VictimOutcome;

/// Victims and choices told one by one.
const TOLD_MAX: usize = 12;

/// How a line is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// As any other.
    Plain,
    /// What was promised came true.
    Good,
    /// What must not be.
    Bad,
    /// A step on the way.
    Soft,
}

/// Where the story is told.
pub trait Tell {
    /// Takes a line, without its end.
    ///
    /// # Errors
    /// When it cannot be written.
    fn tell(&mut self, tone: Tone, line: &str) -> io::Result<()>;
}

/// Tells what happens, if it is told anywhere.
pub(super) struct Story<'a>(Option<&'a mut dyn Tell>);

impl<'a> Story<'a> {
    pub(super) fn new(to: Option<&'a mut dyn Tell>) -> Self {
        Self(to)
    }

    fn say(&mut self, line: std::fmt::Arguments<'_>) -> io::Result<()> {
        self.say_as(Tone::Plain, line)
    }

    fn say_as(&mut self, tone: Tone, line: std::fmt::Arguments<'_>) -> io::Result<()> {
        match &mut self.0 {
            Some(to) => to.tell(tone, &line.to_string()),
            None => Ok(()),
        }
    }

    pub(super) fn begin(&mut self, options: &Options, address: SocketAddr) -> io::Result<()> {
        let Options {
            managers,
            silent,
            seed,
            upstream,
        } = options;
        let live = managers - silent;
        match upstream {
            None => self.say(format_args!(
                "wastegate demo (seed {seed}): a gateway on {address}"
            ))?,
            Some(upstream) => self.say(format_args!(
                "wastegate demo (seed {seed}): a gateway on {address}, in front of {upstream}, which \
                 knows nothing of it"
            ))?,
        }
        self.say(format_args!(
            "`{USER}` may hold {managers} managers and holds {managers}: {live} are alive, {silent} \
             went silent for good (their sockets are open and nothing reads them)."
        ))?;
        self.say(format_args!(
            "One more client asks to enter. The limit is reached, so room has to be made:"
        ))
    }

    pub(super) fn tier(&mut self, run: &TierRun, round: Option<Round>) -> io::Result<()> {
        if let Some(round) = round {
            self.say_as(
                Tone::Soft,
                format_args!(
                    "  probe         {} connections pinged at once: {} answered, {} did not",
                    round.asked,
                    round.answered,
                    round.asked - round.answered
                ),
            )?;
        }
        let what = match (run.freed, run.eligible) {
            (_, 0) => "no manager that it may evict".to_owned(),
            (0, eligible) => format!("might evict {eligible}, freed none"),
            (freed, eligible) => format!("might evict {eligible}, freed {freed}"),
        };
        let tone = if run.freed > 0 {
            Tone::Plain
        } else {
            Tone::Soft
        };
        self.say_as(tone, format_args!("  {:<13} {what}", run.tier.name()))
    }

    pub(super) fn answer(
        &mut self,
        took: Duration,
        refused: Option<&ClientError>,
    ) -> io::Result<()> {
        match refused {
            None => self.say_as(
                Tone::Good,
                format_args!("The newcomer is in after {} ms.", took.as_millis()),
            ),
            Some(error) => self.say_as(
                Tone::Bad,
                format_args!(
                    "The newcomer was refused after {} ms: {error}.",
                    took.as_millis()
                ),
            ),
        }
    }

    pub(super) fn decided(&mut self, decided: &Decided) -> io::Result<()> {
        let Decided {
            question,
            answer,
            plan,
            outcomes,
        } = decided;
        let (policy, took) = (&answer.policy, answer.duration.as_micros());
        let fuel = answer
            .fuel
            .map_or_else(String::new, |fuel| format!(", {fuel} units of fuel"));
        self.say(format_args!(
            "Policy {} {} ranked {} at tier {} in {took} µs{fuel}:",
            policy.name,
            policy.version,
            question.rows.len(),
            question.tier,
        ))?;
        if let Err(fault) = &answer.outcome {
            self.say(format_args!(
                "  it {fault}; the built-in ranking completed the decision"
            ))?;
        }
        if let Ok(ranking) = &answer.outcome {
            for (place, choice) in (1..).zip(ranking.choices.iter().take(TOLD_MAX)) {
                let Some(row) = question.rows.get(choice.row as usize) else {
                    continue;
                };
                let reason = answer
                    .reasons
                    .get(usize::from(choice.reason))
                    .map_or("", String::as_str);
                let explain = plan
                    .victims()
                    .iter()
                    .position(|victim| victim.row == choice.row)
                    .and_then(|at| outcomes.get(at))
                    .map_or("kept: enough is free", |outcome| explain(*outcome));
                let (key, health) = (&row.key, row.health.name());
                // A policy may say no more than that.
                let reason = match reason == health {
                    true => String::new(),
                    false => format!("{reason:<26}  "),
                };
                self.say(format_args!(
                    "  {place:>2}. {key:<8}  {health:<9}  {reason}{explain}"
                ))?;
            }
            let more = ranking.choices.len().saturating_sub(TOLD_MAX);
            if more > 0 {
                self.say(format_args!("      and {more} more"))?;
            }
        }
        Ok(())
    }

    pub(super) fn end(&mut self, summary: &Summary) -> io::Result<()> {
        let Summary {
            silent_evicted,
            live_evicted,
            live_answering,
            ..
        } = summary;
        let live = summary.managers - summary.silent;
        let answer = match summary.upstream {
            None => "answer",
            Some(_) => "talk to the server behind it",
        };
        let tone = if summary.is_as_promised() {
            Tone::Good
        } else {
            Tone::Bad
        };
        self.say_as(
            tone,
            format_args!(
                "Evicted: {silent_evicted} silent, {live_evicted} live. \
             {live_answering} of {live} live ones still {answer}."
            ),
        )?;
        let PlainLimit {
            admitted,
            answer_ms,
            held_by_silent,
        } = summary.without;
        let (fared, tone) = match admitted {
            true => ("let in", Tone::Plain),
            false => ("refused", Tone::Bad),
        };
        self.say_as(tone, format_args!(
            "Without it, at a plain limit of {}: the same newcomer was {fared} after {answer_ms} ms, \
             while clients that are gone held {held_by_silent} of the slots.",
            summary.managers
        ))
    }
}

fn explain(outcome: VictimOutcome) -> &'static str {
    match outcome {
        VictimOutcome::Spared => "spared: it became active",
        VictimOutcome::Elsewhere => "left to the node that holds it",
        VictimOutcome::Released => "evicted: nobody was attached",
        VictimOutcome::Echoed { .. } => "evicted: it answered our Close, so it was alive",
        VictimOutcome::Gone => "evicted: its transport was gone",
        VictimOutcome::Aborted => "evicted: it never answered our Close and was cut off",
        VictimOutcome::Undecided => {
            "evicted: it did not answer our Close in time, which on its path shows nothing"
        }
    }
}
