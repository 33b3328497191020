//! What a policy costs by the language it is written in: the same `lru` in Rust, C, Python and
//! JavaScript, in one run, as a table of `policies/examples/README.md`.
//!
//! `cargo bench --bench languages`, after `bash policies/examples/build.sh`. Times are medians of
//! calls one after another on an otherwise idle machine; fuel is exact. Not a criterion benchmark,
//! because most columns are no times of a repeatable call.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a table on standard output is what it is for, and a call that fails is no measurement"
)]

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use wastegate_core::types::time::Clock;
use wastegate_core::types::{Scope, Tier};
use wastegate_engine::policy::call::Input;
use wastegate_engine::policy::{
    CallOptions, Config, Engine, HeavySettings, Program, load, shipped,
};

/// Rows of a user's call and of a large one.
const ROWS: [u32; 2] = [20, 1_000];

/// Calls of which the median is told.
const CALLS: usize = 101;

/// For how long calls are made while memory is watched.
const WATCHED: Duration = Duration::from_secs(1);

fn main() -> Result<(), Box<dyn Error>> {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/examples");
    let compiled = examples.join("compiled-bench");
    // The first load has to compile.
    if compiled.exists() {
        fs::remove_dir_all(&compiled)?;
    }
    println!(
        "| language | file | compile | load again | resident while called | fuel at 20 | fuel at 1,000 | a call at 20 | a call at 1,000 |"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    let rust = shipped::find("lru").ok_or("no `lru` is shipped")?;
    row("Rust", rust, &compiled)?;
    for (language, file) in [
        ("C", "lru-c"),
        ("Python", "lru-python"),
        ("JavaScript", "lru-js"),
    ] {
        let path = examples.join(format!("{file}.wasm"));
        let bytes = fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        row(language, &bytes, &compiled)?;
    }
    Ok(())
}

fn row(language: &str, bytes: &[u8], compiled: &Path) -> Result<(), Box<dyn Error>> {
    let (compile, _) = timed(|| load(bytes, compiled))?;
    let (again, program) = timed(|| load(bytes, compiled))?;
    let calls = ROWS.map(|rows| measure(&program, rows));
    let [small, large] = calls;
    println!(
        "| {language} | {} | {} | {} | {} | {} | {} | {} | {} |",
        size(bytes.len() as u64),
        time(compile),
        time(again),
        size(resident(&program)?),
        small.0,
        large.0,
        time(small.1),
        time(large.1),
    );
    Ok(())
}

/// With no engine shared, so that nothing is remembered but in the directory.
fn load(bytes: &[u8], compiled: &Path) -> Result<Arc<Program>, Box<dyn Error>> {
    let config = Config {
        compiled_dir: Some(PathBuf::from(compiled)),
        heavy: HeavySettings {
            deadline: Duration::from_secs(10),
            ..HeavySettings::default()
        },
        ..Config::default()
    };
    let engine = Engine::new(config, Clock::system())?;
    Ok(load::program(&engine, bytes)?)
}

fn timed<T>(
    work: impl FnOnce() -> Result<T, Box<dyn Error>>,
) -> Result<(Duration, T), Box<dyn Error>> {
    #[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
    let started = Instant::now();
    let done = work()?;
    Ok((started.elapsed(), done))
}

/// Fuel, and the median time of a call.
fn measure(program: &Program, rows: u32) -> (u64, Duration) {
    let input = input(rows);
    let mut fuel = 0;
    let mut times: Vec<Duration> = (0..CALLS)
        .map(|_| {
            let outcome = program.ask(&input, &[], &CallOptions::default());
            outcome.result.unwrap();
            fuel = outcome.fuel;
            outcome.duration
        })
        .collect();
    times.sort();
    (fuel, times[CALLS / 2])
}

/// By how much the process is larger while a call is made, at its most.
fn resident(program: &Program) -> Result<u64, Box<dyn Error>> {
    let before = statm()?;
    let (most, done) = (AtomicU64::new(0), AtomicBool::new(false));
    let input = input(ROWS[0]);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                most.fetch_max(statm().unwrap_or(0), Ordering::Relaxed);
            }
        });
        #[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
        let started = Instant::now();
        while started.elapsed() < WATCHED {
            program
                .ask(&input, &[], &CallOptions::default())
                .result
                .unwrap();
        }
        done.store(true, Ordering::Relaxed);
    });
    Ok(most.into_inner().saturating_sub(before))
}

/// Resident memory of this process, bytes.
fn statm() -> Result<u64, Box<dyn Error>> {
    let text = fs::read_to_string("/proc/self/statm")?;
    let pages = text.split(' ').nth(1).ok_or("no resident pages")?;
    Ok(pages.parse::<u64>()? * 4_096)
}

fn input(rows: u32) -> Input {
    // Distinct, and in no order: a prime larger than the number of rows.
    let idle = |row: u32| f64::from((row + 1) * 7_919 % 100_003);
    Input {
        tier: Tier::Force,
        scope: Scope::User,
        needed: 2,
        limit: rows,
        held: rows,
        now_ms: 1_000_000,
        seed: 7,
        rows,
        columns: vec![(0..rows).map(idle).collect()],
    }
}

#[expect(clippy::cast_precision_loss, reason = "shown to three digits")]
fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{:.1} KB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}

fn time(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 1e-3 {
        format!("{:.1} µs", seconds * 1e6)
    } else if seconds < 1.0 {
        format!("{:.2} ms", seconds * 1e3)
    } else {
        format!("{seconds:.1} s")
    }
}
