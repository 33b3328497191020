//! Who is examined: a program, or in tests a stand-in for a sandbox that is broken.

use crate::policy::call::{Input, Outcome};
use crate::policy::manifest::{Manifest, RawManifest};
use crate::policy::program::Program;
use wastegate_core::decision::{Fault, Ranking};
use wastegate_core::types::Limits;

/// All that the kit asks of a policy.
pub(super) trait Subject {
    /// What it said of itself when it was loaded.
    fn manifest(&self) -> &Manifest;

    /// What it says of itself now.
    fn describe(&self) -> Result<RawManifest, Fault>;

    /// Its answer to a question.
    fn ask(&self, input: &Input, params: &[f64]) -> Outcome<Ranking>;

    /// The fuel that it has for so many rows.
    fn fuel(&self, rows: u32) -> u64;
}

impl Subject for Program {
    fn manifest(&self) -> &Manifest {
        self.manifest()
    }

    fn describe(&self) -> Result<RawManifest, Fault> {
        self.describe().result
    }

    fn ask(&self, input: &Input, params: &[f64]) -> Outcome<Ranking> {
        self.examine(input, params)
    }

    fn fuel(&self, rows: u32) -> u64 {
        Program::fuel(self, rows)
    }
}

/// A program with limits of its own.
pub(super) struct Limited<'a> {
    pub(super) program: &'a Program,
    pub(super) limits: &'a Limits,
}

impl Subject for Limited<'_> {
    fn manifest(&self) -> &Manifest {
        self.program.manifest()
    }

    fn describe(&self) -> Result<RawManifest, Fault> {
        self.program.describe().result
    }

    fn ask(&self, input: &Input, params: &[f64]) -> Outcome<Ranking> {
        self.program.examine_within(input, params, self.limits)
    }

    fn fuel(&self, rows: u32) -> u64 {
        self.program.fuel_within(self.limits, rows)
    }
}
