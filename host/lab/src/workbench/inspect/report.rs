//! An inspection as text and as JSON.

use std::fmt;

use serde_json::{Value, json};

use super::{Inside, Inspection, verdict};
use crate::workbench::fuel::{Cost, Model};
use crate::workbench::text::{bytes, grouped, hanging};
use wastegate_core::types::{Tier, visible};
use wastegate_engine::policy::load::{Anatomy, Build};

/// Row counts at which memory is told.
const MEMORY_ROWS: [u32; 3] = [20, 1_000, 10_000];

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Anatomy { digest, .. } = &self.anatomy;
        if let Some(Inside { manifest, .. }) = &self.program {
            writeln!(f, "{} {}", manifest.name, manifest.version)?;
            writeln!(f, "  {}", visible::line(&manifest.summary))?;
        }
        line(f, "digest", digest)?;
        line(f, "file", &self.file())?;
        line(f, "world", &self.world())?;
        let producers = self.producers();
        if !producers.is_empty() {
            line(f, "made by", &producers)?;
        }
        line(f, "imports", &verdict::of(&self.anatomy))?;
        if let Some(program) = &self.checkup.program {
            line(f, "weight", &program.weight().to_string())?;
        }
        if let Some(inside) = &self.program {
            write!(f, "{inside}")?;
        }
        match self.checkup.failed() {
            None => line(f, "check", "it would be taken"),
            Some(step) => {
                line(
                    f,
                    "check",
                    &format!("it would not be taken, because of: {step}"),
                )?;
                self.checkup
                    .problems()
                    .iter()
                    .try_for_each(|problem| writeln!(f, "    {}", hanging(problem, 4)))
            }
        }
    }
}

impl Inspection {
    fn file(&self) -> String {
        let kind = match self.anatomy.build {
            Some(Build::Component) => "component",
            Some(Build::CoreModule) => "core module",
            None => "no WebAssembly",
        };
        let size = grouped(self.anatomy.bytes as u64);
        match &self.program {
            Some(inside) => {
                let compiled = bytes(inside.compiled_bytes as u64);
                format!("{kind} of {size} bytes, {compiled} when compiled")
            }
            None => format!("{kind} of {size} bytes"),
        }
    }

    fn world(&self) -> String {
        match &self.anatomy.contract {
            Some(version) => format!("wastegate:policy@{version}"),
            None => "not that of a policy".to_owned(),
        }
    }

    fn producers(&self) -> String {
        let words: Vec<String> = self
            .anatomy
            .producers
            .iter()
            .map(|producer| format!("{} {}", producer.name, producer.version))
            .map(|words| words.trim_end().to_owned())
            .collect();
        words.join(", ")
    }

    /// The same for programs.
    #[must_use]
    pub fn json(&self, file: &str) -> Value {
        let Anatomy {
            digest,
            bytes,
            imports,
            exports,
            contract,
            producers,
            ..
        } = &self.anatomy;
        let producers: Vec<Value> = producers
            .iter()
            .map(|p| json!({ "field": p.field, "name": p.name, "version": p.version }))
            .collect();
        json!({
            "file": file,
            "digest": digest,
            "bytes": bytes,
            "kind": match self.anatomy.build {
                Some(Build::Component) => "component",
                Some(Build::CoreModule) => "core-module",
                None => "other",
            },
            "contract": contract,
            "imports": imports,
            "exports": exports,
            "verdict": verdict::of(&self.anatomy),
            "producers": producers,
            "policy": self.program.as_ref().map(Inside::json),
            "check": self.checkup.json(file),
        })
    }
}

impl fmt::Display for Inside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let manifest = &self.manifest;
        let scopes: Vec<&str> = manifest.scopes.iter().map(|scope| scope.name()).collect();
        line(f, "scopes", &scopes.join(", "))?;
        let signals: Vec<&str> = manifest.signals.iter().map(|s| s.name()).collect();
        line(f, "signals", &signals.join(", "))?;
        for (index, reason) in manifest.reasons.iter().enumerate() {
            let name = if index == 0 { "reasons" } else { "" };
            line(f, name, &format!("{index} {reason}"))?;
        }
        for (index, parameter) in manifest.parameters.iter().enumerate() {
            let name = if index == 0 { "parameters" } else { "" };
            let (known, default) = (&parameter.name, parameter.default);
            let value = match self.params.get(index) {
                Some(value) if *value != default => format!("{value}, by default {default}"),
                _ => default.to_string(),
            };
            let (min, max, doc) = (parameter.min, parameter.max, &parameter.doc);
            let text = format!("{known} = {value} (from {min} to {max}) {doc}");
            line(f, name, text.trim_end())?;
        }
        for cost in &self.costs {
            fuel(f, cost)?;
        }
        match self.costs.first() {
            Some(cost) => line(f, "memory", &memory(cost)),
            None => Ok(()),
        }
    }
}

impl Inside {
    fn json(&self) -> Value {
        let manifest = &self.manifest;
        let parameters = manifest
            .parameters
            .iter()
            .zip(0..)
            .map(|(parameter, index)| {
                json!({
                    "name": parameter.name,
                    "value": self.params.get(index),
                    "default": parameter.default,
                    "min": parameter.min,
                    "max": parameter.max,
                    "doc": parameter.doc,
                })
            });
        json!({
            "name": manifest.name,
            "version": manifest.version,
            "summary": manifest.summary,
            "scopes": manifest.scopes.iter().map(|scope| scope.name()).collect::<Vec<_>>(),
            "signals": manifest.signals.iter().map(|signal| signal.name()).collect::<Vec<_>>(),
            "reasons": manifest.reasons,
            "parameters": parameters.collect::<Vec<_>>(),
            "compiled_bytes": self.compiled_bytes,
            "costs": self.costs,
        })
    }
}

fn fuel(f: &mut fmt::Formatter<'_>, cost: &Cost) -> fmt::Result {
    let name = match cost.tier {
        Tier::Proactive => "fuel, all",
        Tier::Conservative | Tier::Moderate | Tier::Aggressive | Tier::Force => "fuel",
    };
    let model = match &cost.model {
        Some(model) => model_text(model),
        None => "too few calls succeeded for a model".to_owned(),
    };
    line(f, name, &model)?;
    let breaks = match cost.breaks_at {
        Some(rows) => format!("the budget breaks at {} rows", grouped(u64::from(rows))),
        None => "the budget does not break up to 100,000 rows".to_owned(),
    };
    line(f, "", &breaks)?;
    match &cost.fault {
        Some(fault) => line(f, "", fault),
        None => Ok(()),
    }
}

fn model_text(model: &Model) -> String {
    let Model {
        base,
        per_row,
        error,
        exponent,
    } = model;
    let error = error * 100.0;
    if model.is_linear() {
        format!("{base:.0} a call and {per_row:.0} a row, to within {error:.0} %")
    } else {
        format!(
            "not linear: it grows as about n^{exponent:.1} (a line of {base:.0} a call and {per_row:.0} a row would be {error:.0} % off)"
        )
    }
}

fn memory(cost: &Cost) -> String {
    let words: Vec<String> = cost
        .points
        .iter()
        .filter(|point| MEMORY_ROWS.contains(&point.rows))
        .map(|point| {
            let rows = grouped(u64::from(point.rows));
            format!("{} with {rows} rows", bytes(point.memory_bytes))
        })
        .collect();
    words.join(", ")
}

fn line(f: &mut fmt::Formatter<'_>, name: &str, text: &str) -> fmt::Result {
    writeln!(f, "  {name:<11} {}", visible::line(text))
}
