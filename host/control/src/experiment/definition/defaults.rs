//! What a definition says where it says nothing.

use super::super::metric::Metric;
use super::Guardrail;
use wastegate_core::stats::sequence::ASYMPTOTIC_USERS_MIN;

pub(super) const fn yes() -> bool {
    true
}

pub(super) const fn one() -> f64 {
    1.0
}
pub(super) const fn primary() -> Metric {
    Metric::Regret10m
}
pub(super) const fn alpha() -> f64 {
    0.05
}
pub(super) const fn power() -> f64 {
    0.8
}
pub(super) const fn planned_users() -> u32 {
    5_000
}
pub(super) const fn users_min() -> u64 {
    ASYMPTOTIC_USERS_MIN
}
pub(super) const fn events_min() -> u64 {
    25
}
pub(super) const fn hours_min() -> f64 {
    24.0
}
pub(super) const fn harm_after_s() -> u32 {
    60
}
pub(super) fn guardrails() -> Vec<Guardrail> {
    [
        (Metric::BlockedUsers, 0.005),
        (Metric::LiveKills, 0.02),
        (Metric::Fallbacks, 0.01),
    ]
    .map(|(metric, margin)| Guardrail { metric, margin })
    .to_vec()
}
