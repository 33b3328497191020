//! Who is examined: a program, or in tests a stand-in for a sandbox that is broken.

use crate::policy::call::{CallOutcome, Input};
use crate::policy::manifest::{Manifest, RawManifest};
use crate::policy::program::{CallOptions, Program};
use wastegate_core::decision::{Fault, Ranking};
use wastegate_core::types::{Limits, Scope};

/// All that the kit asks of a policy.
pub(super) trait Subject {
    /// What it said of itself when it was loaded.
    fn manifest(&self) -> &Manifest;

    /// What it says of itself now.
    fn describe(&self) -> Result<RawManifest, Fault>;

    /// Its answer to a question.
    fn ask(&self, input: &Input, params: &[f64]) -> CallOutcome<Ranking>;

    /// The fuel that it has for so many rows.
    fn fuel(&self, rows: u32) -> u64;
}

/// A program within the limits of its policy.
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

    fn ask(&self, input: &Input, params: &[f64]) -> CallOutcome<Ranking> {
        let options = CallOptions::OFF_PATH.within(*self.limits);
        self.program.ask(input, params, &options)
    }

    fn fuel(&self, rows: u32) -> u64 {
        // Fuel is the same at every scope.
        let allowance = self.program.allowance(self.limits, Scope::User, rows);
        allowance.fuel
    }
}
