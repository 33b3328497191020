//! A configuration while it is being filled in: every value is in its own range, nothing is
//! checked against anything else yet.
//!
//! It differs from [`ProgramConfig`] only where a checked type cannot be half right: the tier table, the
//! pressure thresholds, and what is there only if one of its keys says so.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::{ConfigError, PolicyChoice, PolicySource, ProgramConfig};
use wastegate::gateway::route;
use wastegate::observe::PressureThresholds;
use wastegate::observe::config::JournalConfig;
use wastegate_core::decision::tiers::InvalidTable;
use wastegate_core::decision::{Class, IdleTtl, Probe, Take, TierRule, TierTable};
use wastegate_core::types::{Limits, Tier};

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    /// Everything that is as it will be; what the other fields make up is not looked at.
    pub rooms: ProgramConfig,
    /// Routes of the gateway, by their place in the list.
    pub routes: BTreeMap<usize, route::Config>,
    pub policy: PolicyDraft,
    pub decisions: JournalDraft,
    pub activity: JournalDraft,
    pub pressure: PressureDraft,
    tiers: [TierDraft; 5],
}

/// What makes up a [`PolicyChoice`].
#[derive(Debug, Clone)]
pub(super) struct PolicyDraft {
    pub file: Option<PathBuf>,
    pub name: String,
    pub params: BTreeMap<String, f64>,
    pub limits: Limits,
}

/// A journal that may be off.
#[derive(Debug, Clone)]
pub(super) struct JournalDraft {
    /// None switches it off, whatever the limits say.
    pub path: Option<PathBuf>,
    /// Its path is not looked at.
    pub limits: JournalConfig,
}

/// What makes up [`PressureThresholds`].
#[derive(Debug, Clone)]
pub(super) struct PressureDraft {
    pub info: f64,
    pub warning: f64,
    pub critical: f64,
    pub emergency: f64,
    pub margin: f64,
}

/// What makes up a [`TierRule`].
#[derive(Debug, Clone)]
pub(super) struct TierDraft {
    pub enabled: bool,
    pub admits: Vec<Class>,
    pub probe: Probe,
    pub take: Take,
    /// None switches the idle time off, whatever the other three say.
    pub idle_max: Option<Duration>,
    pub idle_min: Duration,
    pub idle_scale: f64,
    pub idle_saturation: f64,
}

impl Default for Draft {
    fn default() -> Self {
        let rooms = ProgramConfig::default();
        let name = match &rooms.ranking.source {
            PolicySource::Shipped(name) => name.clone(),
            PolicySource::File(_) => String::new(),
        };
        // The thresholds do not tell what they are; a test compares these with their default.
        let pressure = PressureDraft {
            info: 0.4,
            warning: 0.6,
            critical: 0.8,
            emergency: 0.9,
            margin: 0.05,
        };
        let table = &rooms.cleanup.table;
        let usual = TierDraft::usual_idle(table);
        Self {
            policy: PolicyDraft {
                file: None,
                name,
                params: BTreeMap::new(),
                limits: Limits::NODES,
            },
            decisions: JournalDraft::of(rooms.observe.decisions.clone()),
            activity: JournalDraft::of(rooms.observe.activity.clone()),
            routes: BTreeMap::new(),
            pressure,
            tiers: Tier::ALL.map(|tier| TierDraft::of(table.rule(tier), usual)),
            rooms,
        }
    }
}

impl Draft {
    /// What a tier is to do.
    pub(super) fn tier(&mut self, tier: Tier) -> &mut TierDraft {
        let [proactive, conservative, moderate, aggressive, force] = &mut self.tiers;
        match tier {
            Tier::Proactive => proactive,
            Tier::Conservative => conservative,
            Tier::Moderate => moderate,
            Tier::Aggressive => aggressive,
            Tier::Force => force,
        }
    }

    /// What is wrong with one tier's rule, if anything, whatever the others say.
    pub(super) fn tier_error(&mut self, tier: Tier) -> Option<InvalidTable> {
        let drafted = self.tier(tier).rule();
        let mut rules = TierTable::default().rules();
        for (rule, _) in rules
            .iter_mut()
            .zip(Tier::ALL)
            .filter(|(_, at)| *at == tier)
        {
            *rule = drafted.clone();
        }
        TierTable::new(rules, 0, false).err()
    }

    /// The configuration, if every room takes its part.
    pub(super) fn finish(self) -> Result<ProgramConfig, ConfigError> {
        let Self {
            mut rooms,
            routes,
            policy,
            decisions,
            activity,
            pressure,
            tiers,
        } = self;

        rooms.gateway.routes = routes.into_values().collect();
        let old = &rooms.cleanup.table;
        let rules = tiers.map(|tier| tier.rule());
        rooms.cleanup.table = TierTable::new(rules, old.reserve, old.keep_one)
            .map_err(|error| ConfigError::room("cleanup.tiers", error))?;

        rooms.ranking = PolicyChoice {
            source: policy
                .file
                .map_or(PolicySource::Shipped(policy.name), PolicySource::File),
            // A parameter that was only asked about is none.
            params: policy
                .params
                .into_iter()
                .filter(|(_, value)| !value.is_nan())
                .collect(),
            limits: policy.limits,
        };
        rooms
            .policy
            .check()
            .map_err(|error| ConfigError::room("policy", error))?;

        rooms.observe.decisions = decisions.finish();
        rooms.observe.activity = activity.finish();
        let levels = [
            pressure.info,
            pressure.warning,
            pressure.critical,
            pressure.emergency,
        ];
        let alerts = &mut rooms.observe.alerts;
        alerts.pressure = PressureThresholds::new(levels, pressure.margin, alerts.stabilise)
            .map_err(|error| ConfigError::room("observe.alerts", error))?;
        Ok(rooms)
    }
}

impl JournalDraft {
    fn of(journal: Option<JournalConfig>) -> Self {
        Self {
            path: journal.as_ref().map(|journal| journal.path.clone()),
            limits: journal.unwrap_or_else(|| JournalConfig::at("")),
        }
    }

    fn finish(self) -> Option<JournalConfig> {
        let Self { path, limits } = self;
        path.map(|path| JournalConfig { path, ..limits })
    }
}

impl TierDraft {
    fn of(rule: &TierRule, usual: IdleTtl) -> Self {
        let ttl = rule.idle_ttl.unwrap_or(usual);
        Self {
            enabled: rule.enabled,
            admits: rule.admits.clone(),
            probe: rule.probe,
            take: rule.take,
            idle_max: rule.idle_ttl.map(|ttl| ttl.max),
            idle_min: ttl.min,
            idle_scale: ttl.scale,
            idle_saturation: ttl.saturation,
        }
    }

    /// What a tier gets that has no idle time and is given one: what the first one has.
    fn usual_idle(table: &TierTable) -> IdleTtl {
        let given = Tier::ALL
            .into_iter()
            .find_map(|tier| table.rule(tier).idle_ttl);
        given.unwrap_or(IdleTtl {
            max: Duration::ZERO,
            min: Duration::ZERO,
            scale: 0.0,
            saturation: 1.0,
        })
    }

    fn rule(&self) -> TierRule {
        TierRule {
            enabled: self.enabled,
            admits: self.admits.clone(),
            probe: self.probe,
            take: self.take,
            idle_ttl: self.idle_max.map(|max| IdleTtl {
                max,
                min: self.idle_min,
                scale: self.idle_scale,
                saturation: self.idle_saturation,
            }),
        }
    }
}
