//! Who takes part: a ramp of users, windows of time, or all users against a few who are held.

use super::super::ramp::RAMP_HOURS_MAX;
use super::{ACTIVE, Definition, Invalid};

impl Definition {
    pub(super) fn check_population(&self) -> Result<(), Invalid> {
        self.check_ramp()?;
        self.check_switchback()?;
        self.check_holdout()
    }

    fn check_ramp(&self) -> Result<(), Invalid> {
        let Some(ramp) = &self.ramp else {
            return Ok(());
        };
        if !ramp.is_rising() {
            return Err(Invalid::RampSteps(ramp.steps.clone()));
        }
        if !(ramp.hours > 0.0 && ramp.hours <= RAMP_HOURS_MAX) {
            return Err(Invalid::Range {
                key: "ramp.hours".to_owned(),
                value: ramp.hours,
                remedy: "give the hours that a step lasts, above 0 and at most 2,160 (90 days); 24 is usual",
            });
        }
        if self.coverage < 1.0 || self.switchback.is_some() {
            return Err(Invalid::RampOfSome);
        }
        Ok(())
    }

    fn check_switchback(&self) -> Result<(), Invalid> {
        let Some(switchback) = self.switchback else {
            return Ok(());
        };
        if !switchback.is_sound() {
            return Err(Invalid::Switchback(switchback));
        }
        if self.coverage < 1.0 || self.layer.is_some() {
            return Err(Invalid::SwitchbackOfSome);
        }
        for metric in self.metrics() {
            let ahead_s = metric.looks_ahead_s();
            if ahead_s > switchback.washout_s {
                return Err(Invalid::Washout { metric, ahead_s });
            }
        }
        Ok(())
    }

    fn check_holdout(&self) -> Result<(), Invalid> {
        if !self.holdout {
            return Ok(());
        }
        let [held, others] = self.arms.as_slice() else {
            return Err(Invalid::Holdout);
        };
        let is_plain = others.params.is_empty() && others.explore.is_none();
        let is_sound = held.policy != ACTIVE && others.policy == ACTIVE && is_plain;
        // Halves would keep every second user from all that is new.
        let is_weighted = held.weight.is_some();
        let is_whole = self.coverage >= 1.0;
        let is_alone = self.layer.is_none() && self.ramp.is_none() && self.switchback.is_none();
        if is_sound && is_weighted && is_whole && is_alone {
            Ok(())
        } else {
            Err(Invalid::Holdout)
        }
    }
}
