//! [`Protect`]: rows that somebody needs come last, or not at all, whatever the policy within says.

use std::marker::PhantomData;

use super::inner::Inner;
use super::merge::{NAME_BYTES_MAX, Names, Parameters, SENTENCE_BYTES_MAX, Text};
use crate::{Call, Choice, Manifest, Policy, Protection, Row, Rows, Visibility};

/// Shields rows from a policy: it ranks the others first, and the shielded, among themselves, only if
/// those are not enough.
///
/// A row is shielded if any of these holds; what is unknown shields nobody:
///
/// ```text
/// idle-ms   < protect-active-ms       its user was here just now
/// age-ms    < protect-newborn-ms      it was created just now
/// priority >= protect-priority        application or operator call it important
/// protection is "protected", or it is visible, and protect-hinted is 1
/// something is in flight, and protect-in-flight is 1
/// ```
///
/// With `protect-strictly` 1 the shielded are not proposed at all. At the force tier the host then
/// tops up what is missing by its own ranking, so strictness leaves *which* of them goes to the host.
///
/// A shielded row that is proposed after all says so as its reason, and keeps the score that the policy
/// gave it. Pinned rows are no matter of a policy: the host never takes one.
///
/// Source: minimum background time and protected candidates of Chrome's tab discarding; `minPodAge`
/// and priority thresholds of the Kubernetes descheduler.
#[derive(Debug)]
pub struct Protect<P>(PhantomData<P>);

crate::manifest! {
    name: "protect",
    version: "1.0.0",
    summary: "Shields rows from a policy.",
    scopes: [User, Node],
    signals: {
        IDLE: IdleMs,
        AGE: AgeMs,
        PRIORITY: Priority,
        PROTECTION: Protection,
        VISIBILITY: Visibility,
        IN_FLIGHT: InFlight,
    },
    parameters: {
        /// Whose user was active within this time is shielded, in milliseconds; 0 shields nobody.
        ACTIVE_MS: "protect-active-ms" = 60_000.0 in 0.0..=86_400_000.0,
        /// Who was created within this time is shielded, in milliseconds; 0 shields nobody.
        NEWBORN_MS: "protect-newborn-ms" = 30_000.0 in 0.0..=86_400_000.0,
        /// From this priority on a manager is shielded.
        PRIORITY_MIN: "protect-priority" = 1.0 in -1_000_000.0..=1_000_000.0,
        /// 1 shields whom the host calls protected and who is on screen, 0 does not.
        HINTED: "protect-hinted" = 1.0 in 0.0..=1.0,
        /// 1 shields who has something in flight, 0 does not.
        BUSY: "protect-in-flight" = 1.0 in 0.0..=1.0,
        /// 1 to propose no shielded manager at all, 0 to propose them last.
        STRICTLY: "protect-strictly" = 0.0 in 0.0..=1.0,
    },
    reasons: { SHIELDED: "protected, and too few others were left" },
}

impl<P: Policy> Protect<P> {
    const SIGNALS: &'static Names = &Names::of(&[MANIFEST.signals, P::MANIFEST.signals]);
    const REASONS: &'static Names = &Names::of(&[MANIFEST.reasons, P::MANIFEST.reasons]);
    const PARAMETERS: &'static Parameters =
        &Parameters::of(&[MANIFEST.parameters, P::MANIFEST.parameters]);
    const NAME: &'static Text<NAME_BYTES_MAX> = &Text::of(&["protect-", P::MANIFEST.name]);
    const SUMMARY: &'static Text<SENTENCE_BYTES_MAX> = &Text::of(&[
        P::MANIFEST.summary,
        " Spares the active, the new, the important and the busy as long as there are others.",
    ]);
    const INNER: &'static Inner = &Inner::of(
        &P::MANIFEST,
        Self::SIGNALS,
        Self::REASONS,
        MANIFEST.parameters.len(),
    );
}

impl<P: Policy> Policy for Protect<P> {
    const MANIFEST: Manifest = Manifest {
        name: Self::NAME.as_str(),
        version: P::MANIFEST.version,
        summary: Self::SUMMARY.as_str(),
        signals: Self::SIGNALS.all(),
        parameters: Self::PARAMETERS.all(),
        reasons: Self::REASONS.all(),
        scopes: P::MANIFEST.scopes,
    }
    .checked();

    fn rank(call: &Call, rows: &Rows<'_>) -> Result<Vec<Choice>, String> {
        let shield = Shield::of(call);
        let (mut open, mut shielded) = (Vec::new(), Vec::new());
        for row in rows.iter() {
            let group = if shield.covers(row) {
                &mut shielded
            } else {
                &mut open
            };
            group.push(row.index());
        }
        if shielded.is_empty() {
            return Self::INNER.ask::<P>(call, rows);
        }
        let mut choices = Self::INNER.ask_about::<P>(call, rows, &open)?;
        let missing = call.enough(rows).saturating_sub(choices.len());
        if shield.strictly || missing == 0 {
            return Ok(choices);
        }
        let more = Self::INNER.ask_about::<P>(call, rows, &shielded)?;
        choices.extend(more.into_iter().take(missing).map(|choice| Choice {
            reason: SHIELDED,
            ..choice
        }));
        Ok(choices)
    }
}

/// Who is shielded, by the parameters of a call.
struct Shield {
    active_ms: f64,
    newborn_ms: f64,
    priority: f64,
    hinted: bool,
    busy: bool,
    strictly: bool,
}

impl Shield {
    fn of(call: &Call) -> Self {
        Self {
            active_ms: call.param(ACTIVE_MS),
            newborn_ms: call.param(NEWBORN_MS),
            priority: call.param(PRIORITY_MIN),
            hinted: call.param(HINTED) != 0.0,
            busy: call.param(BUSY) != 0.0,
            strictly: call.param(STRICTLY) != 0.0,
        }
    }

    /// An unknown value is neither less nor at least anything.
    fn covers(&self, row: Row<'_>) -> bool {
        row.value(IDLE) < self.active_ms
            || row.value(AGE) < self.newborn_ms
            || row.value(PRIORITY) >= self.priority
            || (self.busy && row.is_set(IN_FLIGHT))
            || (self.hinted && hinted(row))
    }
}

fn hinted(row: Row<'_>) -> bool {
    let protection = row.get(PROTECTION).map(Protection::from_signal);
    protection == Some(Protection::Protected)
        || Visibility::from_signal(row.value(VISIBILITY)) == Visibility::Visible
}
