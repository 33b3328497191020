//! What came of running those who ranked in a recording once more, in sentences and in JSON.

use std::collections::BTreeMap;
use std::io;

use serde_json::{Value, json};

use crate::cli::failure::Failure;
use wastegate_lab::replay::fidelity::FAITHFUL_FROM;
use wastegate_lab::replay::{Fidelity, FidelityMismatch};
use wastegate_lab::trace::Trace;
use wastegate_lab::workbench::units;

/// What came of it.
pub(in crate::cli) enum Reproduced {
    /// The activity holds no decision, so there is nothing to reproduce.
    NothingRecorded,
    /// The policy is not at hand.
    NotAtHand(String),
    /// It was run.
    Run {
        fidelity: Fidelity,
        /// The share of victims where the gateway's own part is simulated although the record tells it.
        simulated: f64,
        /// How many victims were taken over, by why.
        as_recorded: BTreeMap<String, u64>,
    },
}

/// A share in percent, rounded down to two digits: what is not enough must not look as if it were.
fn rounded_down(share: f64) -> f64 {
    (share * 10_000.0).floor() / 100.0
}

impl Reproduced {
    /// Whether what a replay says may be believed.
    pub(in crate::cli) fn may_compare(&self) -> bool {
        match self {
            Self::NothingRecorded => true,
            Self::NotAtHand(_) => false,
            Self::Run { fidelity, .. } => fidelity.is_faithful(),
        }
    }

    /// What to say beside whatever is compared all the same; nothing where it may be believed.
    pub(in crate::cli) fn warning(&self) -> Option<String> {
        match self {
            _ if self.may_compare() => None,
            Self::NotAtHand(wanted) => Some(format!(
                "nobody can say whether this replay reproduces what was recorded ({wanted}): what it says \
                 may be about another world"
            )),
            Self::Run { fidelity, .. } => Some(format!(
                "this replay reproduces {:.2} % of the recorded victims, and {:.0} % are needed: what it \
                 says is about another world",
                rounded_down(fidelity.share()),
                FAITHFUL_FROM * 100.0
            )),
            Self::NothingRecorded => None,
        }
    }

    /// Says how well it went; nothing where there was nothing to reproduce.
    pub(in crate::cli) fn print(&self, trace: &Trace, out: &mut dyn io::Write) -> io::Result<()> {
        let Self::Run {
            fidelity,
            simulated,
            as_recorded,
        } = self
        else {
            return Ok(());
        };
        writeln!(
            out,
            "Fidelity: {:.2} % of {} victims as recorded ({} needed); {} came back, {} in the replay",
            rounded_down(fidelity.share()),
            units::thousands(fidelity.recorded),
            format_args!("{:.0} %", FAITHFUL_FROM * 100.0),
            units::thousands(fidelity.returns_recorded),
            units::thousands(fidelity.returns_replayed),
        )?;
        writeln!(
            out,
            "  {:.2} % where the gateway's own part is simulated, as it is once another policy chose otherwise",
            rounded_down(*simulated)
        )?;
        for (why, victims) in as_recorded {
            let victims = units::thousands(*victims);
            writeln!(out, "  {victims} victims are taken over as recorded: {why}")?;
        }
        if fidelity.of_the_node > 0 {
            writeln!(
                out,
                "  {} more were taken for the node's own limit, in every replay as recorded",
                units::thousands(fidelity.of_the_node)
            )?;
        }
        let kinds: Vec<String> = fidelity
            .kinds()
            .iter()
            .map(|(kind, count)| format!("{count} {kind}"))
            .collect();
        match fidelity.first() {
            Some(first) => writeln!(
                out,
                "  differences: {}; the first: {}",
                kinds.join(", "),
                mismatch(first, trace)
            ),
            None => Ok(()),
        }
    }

    /// Says why nothing is compared.
    pub(in crate::cli) fn refusal(&self, trace: &Trace) -> Failure {
        match self {
            Self::NothingRecorded => Failure::all([]),
            Self::NotAtHand(wanted) => Failure::new(format!(
                "nobody can say whether a replay reproduces this activity ({wanted}): name the file of what \
                 ranked by `--recorded`, or compare all the same with `--unfaithful`"
            )),
            Self::Run { fidelity, .. } => {
                let first = fidelity.first();
                let first = first.map_or(String::new(), |first| {
                    format!("; first difference: {}", mismatch(first, trace))
                });
                Failure::new(format!(
                    "a replay of the recorded policy takes {:.2} % of the recorded victims, and \
                     {:.0} % are needed: what it says of others would be about another world{first}. \
                     `--unfaithful` compares all the same",
                    rounded_down(fidelity.share()),
                    FAITHFUL_FROM * 100.0
                ))
            }
        }
    }

    /// The comparison as JSON.
    pub(in crate::cli) fn json(&self) -> Value {
        match self {
            Self::NothingRecorded => Value::Null,
            Self::NotAtHand(wanted) => json!({ "policy_not_at_hand": wanted, "faithful": false }),
            Self::Run {
                fidelity,
                simulated,
                as_recorded,
            } => json!({
                "share": fidelity.share(),
                "simulated": simulated,
                "faithful": fidelity.is_faithful(),
                "recorded": fidelity.recorded,
                "replayed": fidelity.replayed,
                "matched": fidelity.matched,
                "returns_recorded": fidelity.returns_recorded,
                "returns_replayed": fidelity.returns_replayed,
                "of_the_node": fidelity.of_the_node,
                "as_recorded": as_recorded,
                "differences": fidelity.kinds(),
            }),
        }
    }
}

fn mismatch(first: &FidelityMismatch, trace: &Trace) -> String {
    let name = |session: &u32| {
        let session = trace.sessions.get(*session as usize);
        session.map_or("?", |session| &*session.key)
    };
    let names = |who: &[u32]| {
        let names: Vec<&str> = who.iter().map(name).collect();
        if names.is_empty() {
            "nobody".to_owned()
        } else {
            names.join(", ")
        }
    };
    let user = trace
        .users
        .get(first.user as usize)
        .map_or("?", |user| &**user);
    format!(
        "{} of user {user} at {} ms: recorded {}, replayed {}",
        first.kind.name(),
        first.at_ms,
        names(&first.recorded),
        names(&first.replayed)
    )
}
