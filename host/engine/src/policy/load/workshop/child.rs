//! Compiling in a process of this program's own: both sides of it.
//!
//! The process is started from `/proc/self/exe`, so it is this build even where the file was replaced
//! meanwhile. It takes limits upon itself before it reads a byte of the file: address space, processor
//! time, no core dump, and an end with whoever started it. Not a lower priority: on a busy machine it
//! would come to nothing before its deadline. What it cannot be held to by the system, the wall clock,
//! it is killed for from here.
//!
//! This bounds what a file may cost. It is no wall against a mistake in the compiler: what the process
//! answers is run as native code here.

use std::io::{self, BufReader, BufWriter};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use parking_lot::Mutex;
use rlimit::Resource;

use super::{Ended, Event, wire};
use crate::policy::load::error::LoadError;
use crate::policy::load::made::Made;
use crate::policy::load::make::{self, Order};
use crate::policy::load::settings::Allowed;
use crate::policy::load::step::Step;

/// The verb of the program that is the other side.
pub const VERB: &str = "policy-load-child";

/// This program, whatever became of its file.
const PROGRAM: &str = "/proc/self/exe";

/// Asks for it and waits.
pub(super) fn make(
    order: &Order,
    bytes: &[u8],
    allowed: Allowed,
    events: SyncSender<Event>,
    wait: impl Fn(Duration) -> Result<Event, LoadError>,
    passed: &mut dyn FnMut(Step),
) -> Result<Made, LoadError> {
    let mut child = start().map_err(LoadError::NoLoader)?;
    let (to, from) = (child.stdin.take(), child.stdout.take());
    let head = wire::Head {
        order: order.clone(),
        memory_bytes: allowed.memory_bytes,
        cpu_s: allowed.cpu.as_secs().max(1),
    };
    // A lock because the steps are read over there and told here; held for one of them.
    let steps = Mutex::new(Vec::new());
    let (event, status) = std::thread::scope(|scope| {
        scope.spawn(move || {
            if let Some(to) = to {
                // Who is not listened to has ended, which the other pipe tells.
                let _ = wire::ask(&mut BufWriter::new(to), &head, bytes);
            }
        });
        let steps = &steps;
        scope.spawn(move || {
            let ended = from.map_or(Ended::Silent, |from| {
                let mut from = BufReader::new(from);
                wire::answer(&mut from, &mut |step| steps.lock().push(step))
            });
            let _ = events.try_send(Event::Ended(ended));
        });
        let event = wait(allowed.deadline);
        let status = match &event {
            // It is dying, and how says why.
            Ok(Event::Ended(Ended::Silent)) => child.wait(),
            // It has nothing more to say. Killed, it closes its pipes, and the threads here end.
            _ => end(&mut child),
        };
        (event, status)
    });
    steps.lock().drain(..).for_each(passed);
    match event? {
        Event::Ended(Ended::Made(made)) => Ok(made),
        Event::Ended(Ended::Refused(error)) => Err(error),
        Event::Ended(Ended::Silent) => Err(silent(status, allowed)),
        Event::Stop => Err(LoadError::Interrupted),
    }
}

fn start() -> io::Result<Child> {
    Command::new(PROGRAM)
        .arg0("wastegate")
        .arg(VERB)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        // What a runtime complains of as it ends is told by how it ended.
        .stderr(Stdio::null())
        .spawn()
}

/// Ends it, if it has not ended, and says how it did.
fn end(child: &mut Child) -> io::Result<ExitStatus> {
    if let Some(status) = child.try_wait()? {
        return Ok(status);
    }
    child.kill()?;
    child.wait()
}

/// Why it ended without an answer.
fn silent(status: io::Result<ExitStatus>, allowed: Allowed) -> LoadError {
    let signal = status.as_ref().ok().and_then(ExitStatusExt::signal);
    if signal == Some(libc::SIGXCPU) {
        return LoadError::LoadCpu {
            key: format!("{}cpu_ms", allowed.prefix),
            cpu: allowed.cpu,
        };
    }
    LoadError::LoaderEnded {
        how: match (status, signal) {
            (_, Some(signal)) => format!("by signal {signal}"),
            (Ok(status), None) => format!("with {status}"),
            (Err(error), None) => format!("unseen ({error})"),
        },
        key: format!("{}memory_bytes", allowed.prefix),
        memory_bytes: allowed.memory_bytes,
    }
}

/// The other side: reads an order and a file from standard input, and answers on standard output.
#[must_use]
pub fn run() -> ExitCode {
    let made = std::thread::Builder::new()
        .stack_size(make::STACK_BYTES)
        .spawn(answer)
        .map(std::thread::JoinHandle::join);
    match made {
        Ok(Ok(Ok(()))) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

fn answer() -> io::Result<()> {
    let mut from = BufReader::new(io::stdin());
    let head = wire::head(&mut from)?;
    hold(&head)?;
    let bytes = wire::file(&mut from)?;
    let mut to = BufWriter::new(io::stdout());
    let made = make::make(&head.order, &bytes, &mut |step| {
        // Who does not listen any more will kill this.
        let _ = wire::step(&mut to, step);
    });
    match made {
        Ok(made) => wire::made(&mut to, &made),
        Err(error) => wire::refused(&mut to, &error.into()),
    }
}

/// Takes the limits upon this process.
fn hold(head: &wire::Head) -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    rlimit::setrlimit(Resource::CORE, 0, 0)?;
    rlimit::setrlimit(Resource::FSIZE, 0, 0)?;
    rlimit::setrlimit(Resource::CPU, head.cpu_s, head.cpu_s.saturating_add(1))?;
    rlimit::setrlimit(Resource::AS, head.memory_bytes, head.memory_bytes)
}
