//! The tier table: what each tier may touch, how many, and what it must find out first.
//!
//! The table is configuration. What no table can say is that a responsive manager may go below
//! `force`, or that `force` may take more than is needed: [`TierTable::new`] refuses it.

use std::time::Duration;

use super::snapshot::{Class, Row};
use crate::types::{Protection, Tier};

/// What has to be known before a tier decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// Whatever is known already, however old.
    Cached,
    /// One parallel round over every manager whose evidence is older than the evidence age.
    Round,
}

/// How many a tier may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Take {
    /// All that it may touch.
    All,
    /// What is needed and the reserve.
    NeededAndReserve,
    /// Exactly what is needed.
    Needed,
}

/// One row of the table.
#[derive(Debug, Clone, PartialEq)]
pub struct TierRule {
    /// Whether the tier runs at all.
    pub enabled: bool,
    /// The classes that it may touch.
    pub admits: Vec<Class>,
    /// What has to be known first.
    pub probe: Probe,
    /// How many it may take.
    pub take: Take,
    /// If set, detached managers that have been idle for longer than this are touched too.
    pub idle_ttl: Option<IdleTtl>,
}

/// How long a detached manager may idle at a given occupancy: Envoy's scaled trigger
/// (overload manager, "scaled timers"), linear from `max` at `scale` down to `min` at `saturation`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct IdleTtl {
    /// Below the scale threshold.
    pub max: Duration,
    /// The time that remains when the limit is fully used.
    pub min: Duration,
    /// The occupancy from which on it shrinks, 0 to 1.
    pub scale: f64,
    /// The occupancy at which it is shortest, above `scale`, at most 1.
    pub saturation: f64,
}

impl IdleTtl {
    /// The time at an occupancy, in ms.
    #[must_use]
    pub fn ms_at(&self, occupancy: f64) -> f64 {
        let (max, min) = (self.max.as_secs_f64() * 1e3, self.min.as_secs_f64() * 1e3);
        let left = (self.saturation - occupancy) / (self.saturation - self.scale);
        min + (max - min) * left.clamp(0.0, 1.0)
    }
}

/// Why a table was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTable {
    /// A tier below force admits responsive managers.
    #[error("tier `{0}` may not admit `responsive`: only `force` evicts what still answers")]
    ResponsiveBelowForce(Tier),
    /// The force tier takes more than is needed.
    #[error(
        "tier `force` must take `needed`: it evicts what still answers, so never more than that"
    )]
    ForceTakesMore,
    /// The thresholds of an idle time are not in order.
    #[error("tier `{0}`: idle_ttl needs 0 <= scale < saturation <= 1 and min <= max")]
    IdleTtl(Tier),
}

/// What every tier may do.
#[derive(Debug, Clone, PartialEq)]
pub struct TierTable {
    rules: [TierRule; 5],
    /// How many more than needed the tiers below force free, so that the next one need not.
    pub reserve: u32,
    /// Whether a user always keeps the last manager that still answers.
    pub keep_one: bool,
}

impl Default for TierTable {
    fn default() -> Self {
        use Class::{
            Dead, Detached, Expired, HalfOpen, Responsive, Stalled, Stuck, Suspect, TakenOver,
        };
        let rule = |admits: &[Class], probe, take| TierRule {
            enabled: true,
            admits: admits.to_vec(),
            probe,
            take,
            idle_ttl: None,
        };
        let gone = [Dead, TakenOver, Expired];
        let unattended = [Dead, TakenOver, Expired, Stuck, Detached];
        let failed = [
            Dead, TakenOver, Expired, Stuck, Detached, HalfOpen, Stalled, Suspect,
        ];
        let any = [
            Dead, TakenOver, Expired, Stuck, Detached, HalfOpen, Stalled, Suspect, Responsive,
        ];
        let ttl = IdleTtl {
            max: Duration::from_secs(600),
            min: Duration::from_secs(2),
            scale: 0.85,
            saturation: 0.95,
        };
        Self {
            rules: [
                TierRule {
                    idle_ttl: Some(ttl),
                    ..rule(&gone, Probe::Cached, Take::All)
                },
                rule(&gone, Probe::Cached, Take::NeededAndReserve),
                rule(&unattended, Probe::Cached, Take::NeededAndReserve),
                rule(&failed, Probe::Round, Take::NeededAndReserve),
                rule(&any, Probe::Cached, Take::Needed),
            ],
            reserve: 1,
            keep_one: false,
        }
    }
}

impl TierTable {
    /// Checks and takes a table; the rules are in the order of [`Tier::ALL`].
    ///
    /// # Errors
    /// [`InvalidTable`] when it would break a promise that is not the operator's to give up.
    pub fn new(rules: [TierRule; 5], reserve: u32, keep_one: bool) -> Result<Self, InvalidTable> {
        for (tier, rule) in Tier::ALL.into_iter().zip(&rules) {
            if tier != Tier::Force && rule.admits.contains(&Class::Responsive) {
                return Err(InvalidTable::ResponsiveBelowForce(tier));
            }
            if tier == Tier::Force && rule.take != Take::Needed {
                return Err(InvalidTable::ForceTakesMore);
            }
            if let Some(ttl) = rule.idle_ttl {
                let ordered =
                    0.0 <= ttl.scale && ttl.scale < ttl.saturation && ttl.saturation <= 1.0;
                if !ordered || ttl.min > ttl.max {
                    return Err(InvalidTable::IdleTtl(tier));
                }
            }
        }
        Ok(Self {
            rules,
            reserve,
            keep_one,
        })
    }

    /// The row of a tier.
    #[must_use]
    pub fn rule(&self, tier: Tier) -> &TierRule {
        let [proactive, conservative, moderate, aggressive, force] = &self.rules;
        match tier {
            Tier::Proactive => proactive,
            Tier::Conservative => conservative,
            Tier::Moderate => moderate,
            Tier::Aggressive => aggressive,
            Tier::Force => force,
        }
    }

    /// The row of a tier, to change before the table is checked anew by [`TierTable::new`].
    #[must_use]
    pub fn rules(&self) -> [TierRule; 5] {
        self.rules.clone()
    }

    /// Whether a tier may touch a manager at an occupancy.
    ///
    /// A pinned manager and a newborn never; a protected one in `force` only, unless it is
    /// certainly gone and there is nobody left to protect.
    #[must_use]
    pub fn admits(&self, tier: Tier, occupancy: f64, row: &Row) -> bool {
        let class = row.class();
        self.admits_one(tier, occupancy, (class, row.protection), || row.idle_ms())
    }

    /// The same of a manager that is no row yet: what it is, how strongly it is held, and how long it has been
    /// idle, ms, which only some tiers ask.
    #[must_use]
    pub fn admits_one(
        &self,
        tier: Tier,
        occupancy: f64,
        (class, protection): (Option<Class>, Protection),
        idle_ms: impl Fn() -> f64,
    ) -> bool {
        let rule = self.rule(tier);
        let Some(class) = class else {
            return false;
        };
        match protection {
            Protection::Pinned => return false,
            Protection::Protected(_) if tier != Tier::Force && !class.is_gone() => return false,
            Protection::Protected(_) | Protection::Evictable => {}
        }
        let overdue = |ttl: &IdleTtl| class == Class::Detached && idle_ms() > ttl.ms_at(occupancy);
        rule.enabled
            && (rule.admits.contains(&class) || rule.idle_ttl.as_ref().is_some_and(overdue))
    }

    /// How many of `eligible` managers a tier may take when `needed` have to go.
    #[must_use]
    pub fn most(&self, tier: Tier, needed: u32, eligible: u32) -> u32 {
        let most = match self.rule(tier).take {
            Take::All => eligible,
            Take::NeededAndReserve if needed == 0 => 0,
            Take::NeededAndReserve => needed.saturating_add(self.reserve),
            Take::Needed => needed,
        };
        most.min(eligible)
    }
}
