//! Many cases against one policy: asked on every core, told in the order of their names.

mod junit;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

pub use junit::junit;
use parking_lot::Mutex;

use super::ask::{self, AskReport};
use super::case::Case;
use super::expect::{Unmet, unmet};
use super::files::{self, FileError};
use wastegate_core::types::Clock;
use wastegate_engine::policy::Program;

/// Threads that ask; more than cores would only wait for each other.
const THREADS_MAX: usize = 16;

/// A case with its name, or why there is none.
#[derive(Debug)]
pub struct Named {
    /// Its path below the folder.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// The case, as it was read.
    pub case: Result<Case, FileError>,
}

/// How one case ended.
#[derive(Debug)]
pub struct CaseResult {
    /// The case's name.
    pub name: String,
    /// What became of it.
    pub verdict: CaseVerdict,
}

/// What became of a case.
#[derive(Debug)]
pub enum CaseVerdict {
    /// Every expectation holds.
    Passed {
        /// Fuel of the call; none if the policy was not asked.
        fuel: Option<u64>,
        /// How long the call took.
        duration: Duration,
    },
    /// At least one does not.
    Failed(Box<Failure>),
    /// It could not be tried.
    Unusable(String),
}

/// A case that failed, with all there is to show of it.
#[derive(Debug)]
pub struct Failure {
    /// The case, as it was read.
    pub case: Case,
    /// What was asked and answered.
    pub asked: AskReport,
    /// The expectations that do not hold.
    pub unmet: Vec<Unmet>,
    /// Whether the parameters of a captured fault did not fit the policy any more.
    pub params_left_aside: bool,
}

/// How all of them ended.
#[derive(Debug)]
pub struct SuiteReport {
    /// In the order of their names.
    pub ended: Vec<CaseResult>,
    /// By the wall clock.
    pub took: Duration,
}

/// The cases below a folder: every `.json` file, in the order of their names.
///
/// # Errors
/// [`FileError`] when a folder cannot be read or holds too much. What is wrong with a single case
/// is told where it would stand.
pub fn collect(folder: &Path) -> Result<Vec<Named>, FileError> {
    let paths = files::walk(folder, |name| name.ends_with(".json"))?;
    Ok(on_every_core(&paths, |path| {
        let below = path.strip_prefix(folder).unwrap_or(path);
        Named {
            name: below.to_string_lossy().into_owned(),
            path: path.clone(),
            case: files::read(path),
        }
    }))
}

/// Asks the policy about every case. `set` are parameters that go before those of the cases.
#[must_use]
pub fn run(
    program: &Program,
    set: &BTreeMap<String, f64>,
    cases: &[Named],
    clock: &Clock,
) -> SuiteReport {
    let started = clock.now();
    let ended = on_every_core(cases, |named| CaseResult {
        name: named.name.clone(),
        verdict: match &named.case {
            Ok(case) => verdict(program, set, case),
            Err(error) => CaseVerdict::Unusable(describe(error)),
        },
    });
    SuiteReport {
        ended,
        took: clock.now().since(started),
    }
}

fn verdict(program: &Program, set: &BTreeMap<String, f64>, case: &Case) -> CaseVerdict {
    let (params, params_left_aside) = match ask::parameters(program, &case.params, set) {
        Ok(params) => params,
        Err(bad) => {
            let reported: Vec<String> = bad.iter().map(ToString::to_string).collect();
            return CaseVerdict::Unusable(format!("`params`: {}", reported.join("; ")));
        }
    };
    let asked = ask::ask(program, &params, &case.snapshot);
    let unmet = unmet(case, &asked);
    if unmet.is_empty() {
        return CaseVerdict::Passed {
            fuel: asked.answer.fuel,
            duration: asked.answer.duration,
        };
    }
    CaseVerdict::Failed(Box::new(Failure {
        case: case.clone(),
        asked,
        unmet,
        params_left_aside,
    }))
}

/// An error with everything below it.
fn describe(error: &FileError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

impl SuiteReport {
    /// How many passed, failed, and could not be tried.
    #[must_use]
    pub fn counts(&self) -> (usize, usize, usize) {
        let count = |wanted: fn(&CaseVerdict) -> bool| {
            self.ended
                .iter()
                .filter(|ended| wanted(&ended.verdict))
                .count()
        };
        (
            count(|verdict| matches!(verdict, CaseVerdict::Passed { .. })),
            count(|verdict| matches!(verdict, CaseVerdict::Failed(_))),
            count(|verdict| matches!(verdict, CaseVerdict::Unusable(_))),
        )
    }

    /// The most fuel that a call took, and the case that it was for.
    #[must_use]
    pub fn fuel_max(&self) -> Option<(u64, &str)> {
        let fuel = |ended: &CaseResult| match &ended.verdict {
            CaseVerdict::Passed { fuel, .. } => *fuel,
            CaseVerdict::Failed(failure) => failure.asked.answer.fuel,
            CaseVerdict::Unusable(_) => None,
        };
        let fuels = self.ended.iter();
        fuels
            .filter_map(|ended| Some((fuel(ended)?, ended.name.as_str())))
            .max_by_key(|(fuel, _)| *fuel)
    }
}

/// Does something for each, on every core, and returns the results in order.
pub(super) fn on_every_core<T: Sync, U: Send>(
    items: &[T],
    each: impl Fn(&T) -> U + Sync,
) -> Vec<U> {
    let threads = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    let threads = threads.min(THREADS_MAX).min(items.len());
    if threads <= 1 {
        return items.iter().map(each).collect();
    }
    let next = AtomicUsize::new(0);
    // A lock, because threads hand in at the end what they did: once each.
    let done = Mutex::new(Vec::with_capacity(items.len()));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut mine = Vec::new();
                loop {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(place) else { break };
                    mine.push((place, each(item)));
                }
                done.lock().append(&mut mine);
            });
        }
    });
    let mut done = done.into_inner();
    done.sort_unstable_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, result)| result).collect()
}
