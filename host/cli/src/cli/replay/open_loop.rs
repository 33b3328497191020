//! `wastegate replay --open-loop`: what two policies say to single decisions as they were recorded.
//!
//! Each decision is looked at by itself, on what the recorded policy left behind. That explains a
//! policy, and judges none: every eviction changes what comes after it.

use std::io;
use std::process::ExitCode;

use super::super::Terminal;
use super::{Input, contestants, engine};
use crate::cli::config::refuse;
use crate::cli::policy::diff::{Comparison, Rival};
use crate::cli::policy::target::Told;
use crate::config;

/// Partings that are shown.
const TOP: u16 = 5;
/// What an open loop is worth.
const NO_VERDICT: &str = "Open loop: each decision by itself, on what the recorded policy left behind. It explains, and it is no verdict: `wastegate replay` without --open-loop gives one, from the activity stream.";

pub(super) fn run(
    input: Input,
    policies: &[String],
    json: bool,
    terminal: Terminal<'_>,
) -> io::Result<Result<ExitCode, Told>> {
    let Terminal {
        environment,
        out,
        err,
    } = terminal;
    let [_, _] = policies else {
        writeln!(
            err,
            "error: --open-loop compares two policies, and {} given: name two with --policy",
            match policies.len() {
                0 => "none was".to_owned(),
                1 => "one was".to_owned(),
                many => format!("{many} were"),
            }
        )?;
        return Ok(Err(Told(ExitCode::FAILURE)));
    };
    let config = match config::load(input.sources.sources(environment, Vec::new())) {
        Ok(loaded) => loaded.config,
        Err(error) => return Ok(Err(Told(refuse(&error, err)?))),
    };
    let engine = match engine(config.policy, err)? {
        Ok(engine) => engine,
        Err(told) => return Ok(Err(told)),
    };
    let mut rivals = Vec::new();
    for named in policies {
        match contestants::program(named, &engine, err)? {
            Ok((program, params)) => rivals.push(Rival {
                name: program.about().name.to_string(),
                params: params.to_vec(),
                program,
            }),
            Err(told) => return Ok(Err(told)),
        }
    }
    let Ok(rivals) = <[Rival; 2]>::try_from(rivals) else {
        return Ok(Err(Told(ExitCode::FAILURE)));
    };
    let comparison = Comparison {
        rivals,
        records: input.activity,
        top: TOP,
        json,
    };
    // JSON is read by programs, which know by `open_loop` what they asked for.
    if !json {
        writeln!(out, "{NO_VERDICT}\n")?;
    }
    comparison.run(out, err)
}
