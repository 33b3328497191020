//! `wastegate replay --open-loop`: what two policies say to single decisions as they were recorded.
//!
//! Each decision is looked at by itself, on what the recorded policy left behind. That explains a
//! policy, and judges none: every eviction changes what comes after it. Decisions that lack what one of
//! the two reads are left out, and where none remains the comparison is refused.

use std::process::ExitCode;

use super::super::Terminal;
use super::{Input, candidates};
use crate::cli::failure::Failure;
use crate::cli::policy::diff::{Comparison, DiffCandidate};
use crate::cli::policy::target::engine;
use crate::config;
use wastegate_lab::workbench::diff::Unrecorded;

/// Partings that are shown.
const TOP: u16 = 5;
/// What an open loop is worth.
const NO_VERDICT: &str = "Open loop: each decision by itself, on what the recorded policy left behind. It explains, and it is no verdict: `wastegate replay` without --open-loop gives one, from the activity stream.";

pub(super) fn run(
    input: Input,
    policies: &[String],
    json: bool,
    terminal: Terminal<'_>,
) -> Result<ExitCode, Failure> {
    let Terminal {
        environment, out, ..
    } = terminal;
    let [_, _] = policies else {
        return Err(Failure::new(format!(
            "--open-loop compares two policies, and {} given: name two with --policy",
            match policies.len() {
                0 => "none was".to_owned(),
                1 => "one was".to_owned(),
                many => format!("{many} were"),
            }
        )));
    };
    let config = config::load(input.sources.sources(environment, Vec::new()))?.config;
    let engine = engine(config.policy)?;
    let mut candidates = Vec::new();
    for named in policies {
        let (program, params) = candidates::program(named, &engine)?;
        candidates.push(DiffCandidate {
            name: program.about().name.to_string(),
            params: params.to_vec(),
            program,
        });
    }
    let Ok(candidates) = <[DiffCandidate; 2]>::try_from(candidates) else {
        return Ok(ExitCode::FAILURE);
    };
    let comparison = Comparison {
        candidates,
        records: input.activity,
        top: TOP,
        json,
        unrecorded: Unrecorded::LeftOut,
        preface: Some(NO_VERDICT),
    };
    comparison.run(out)
}
