//! `wastegate serve`, also the default verb: the gateway until it is told to stop.

use std::io;
use std::process::ExitCode;
use std::sync::Arc;

use super::Terminal;
use super::config::{Shorthands, SourceArgs, refuse};
use super::welcome::Welcome;
use crate::app::{self, App, AppError};
use crate::config::{self, LoadedConfig, ProgramConfig, Reread, Sources};
use crate::playground::Playground;
use wastegate::gateway::Identify;
use wastegate::manager::{NoApplication, SharedApplication};
use wastegate::observe::logging;
pub(super) use wastegate_core::types::chain;

/// `EX_UNAVAILABLE` of `sysexits.h`: it could not be put together.
pub const EX_UNAVAILABLE: u8 = 69;

/// Arguments of `wastegate serve`.
#[derive(Debug, Default, clap::Args)]
pub struct Args {
    #[command(flatten)]
    sources: SourceArgs,
    #[command(flatten)]
    shorthands: Shorthands,
    /// Print one JSON line with the addresses instead of a welcome.
    #[arg(long)]
    json: bool,
}

impl Args {
    /// Serves.
    ///
    /// # Errors
    /// When the terminal cannot be written to, or the runtime cannot be started.
    pub fn run(self, terminal: Terminal<'_>) -> io::Result<ExitCode> {
        let overrides = self.shorthands.overrides();
        let sources = self.sources.sources(terminal.environment, overrides);
        let loaded = match config::load(sources.clone()) {
            Ok(loaded) => loaded,
            Err(error) => return refuse(&error, terminal.err),
        };
        let log = &loaded.config.observe.log;
        if let Err(error) = logging::init(&log.filter, log.format, log.repeats_per_s_max) {
            writeln!(terminal.err, "error: {}", chain(&error))?;
            return Ok(ExitCode::from(EX_UNAVAILABLE));
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()?;
        let served = runtime.block_on(async {
            // Both hear of every signal from now on.
            let (first, mut second) = (Stops::new(), Stops::new());
            tokio::select! {
                served = serve(loaded, sources, self.json, terminal.out, first) => served,
                () = second.second() => {
                    tracing::warn!("a second signal: ending at once");
                    Ok(false)
                }
            }
        });
        // What still runs has had its time, or is not waited for.
        runtime.shutdown_background();
        match served {
            Ok(true) => Ok(ExitCode::SUCCESS),
            Ok(false) => Ok(ExitCode::FAILURE),
            Err(Failed::App(error)) => {
                writeln!(terminal.err, "error: {}", chain(&error))?;
                Ok(ExitCode::from(EX_UNAVAILABLE))
            }
            Err(Failed::Io(error)) => Err(error),
        }
    }
}

enum Failed {
    App(AppError),
    Io(io::Error),
}

async fn serve(
    started: LoadedConfig,
    sources: Sources,
    json: bool,
    out: &mut dyn io::Write,
    mut stops: Stops,
) -> Result<bool, Failed> {
    // Whoever reads the welcome may send the signal, which ends a process that does not listen for it.
    let hangup = Hangup::new();
    let config = &started.config;
    let identify = app::identify(config).map_err(|error| Failed::App(error.into()))?;
    let app = tokio::select! {
        app = App::build(config.clone(), application(config), identify) => app,
        // Nobody is connected yet: there is nothing to drain.
        () = stops.next() => return Ok(true),
    };
    let app = app.map_err(Failed::App)?;
    // Before the welcome says that they are there.
    let welcome = Welcome::of(&app, config).await.map_err(Failed::Io)?;
    let said = if json {
        welcome.json(out)
    } else {
        welcome.lines(out)
    };
    said.map_err(Failed::Io)?;
    let settings = || read_again(&sources, &started);
    let asked = || hangup.next();
    Ok(app.run_reloading(stops.next(), asked, settings).await)
}

/// What runs behind the gateway.
pub(super) fn application(config: &ProgramConfig) -> SharedApplication {
    if config.gateway.hands_on() {
        NoApplication.into()
    } else {
        Playground.into()
    }
}

/// What a server that was `started` with other settings takes over of those that there are now, if they
/// can be used. Keys that need a restart are named each time, as long as they differ from what runs.
fn read_again(
    sources: &Sources,
    started: &LoadedConfig,
) -> Option<(ProgramConfig, Arc<dyn Identify>)> {
    let reread = config::load(sources.clone()).and_then(|loaded| loaded.on(started));
    let Reread { taken, waiting } = match reread {
        Ok(reread) => reread,
        Err(error) => {
            tracing::error!(%error, "the settings cannot be used; the old ones stay");
            return None;
        }
    };
    let config = taken.config;
    if config.gateway.hands_on() != started.config.gateway.hands_on() {
        tracing::error!(
            "whether there are backends (`gateway.upstream`, `gateway.route`) cannot change while the \
             server runs; the old settings stay"
        );
        return None;
    }
    let identify = match app::identify(&config) {
        Ok(identify) => identify,
        Err(error) => {
            let error = chain(&error);
            tracing::error!(error, "the settings cannot be used; the old ones stay");
            return None;
        }
    };
    if !waiting.is_empty() {
        let keys = waiting.join(", ");
        tracing::warn!(keys, "these settings changed and need a restart");
    }
    Some((config, identify))
}

/// SIGHUP, by which operators ask for another look at the settings.
struct Hangup(Option<tokio::sync::Mutex<tokio::signal::unix::Signal>>);

impl Hangup {
    fn new() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        let signal = signal(SignalKind::hangup());
        if let Err(error) = &signal {
            tracing::warn!(%error, "cannot listen for SIGHUP");
        }
        Self(signal.ok().map(tokio::sync::Mutex::new))
    }

    async fn next(&self) {
        match &self.0 {
            Some(signal) if signal.lock().await.recv().await.is_some() => {}
            _ => std::future::pending().await,
        }
    }
}

/// Completes at SIGINT or SIGTERM.
pub(super) async fn stop_signal() {
    Stops::new().next().await;
}

/// SIGINT and SIGTERM.
struct Stops([Option<tokio::signal::unix::Signal>; 2]);

impl Stops {
    fn new() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        // Without a handler a signal ends the process by itself.
        Self(
            [SignalKind::terminate(), SignalKind::interrupt()].map(|kind| {
                let signal = signal(kind);
                if let Err(error) = &signal {
                    tracing::warn!(%error, "cannot listen for a signal to stop");
                }
                signal.ok()
            }),
        )
    }

    /// Completes at the second of them: two say not to wait.
    async fn second(&mut self) {
        self.next().await;
        self.next().await;
    }

    async fn next(&mut self) {
        async fn one(signal: &mut Option<tokio::signal::unix::Signal>) {
            let asked = match signal {
                Some(signal) => signal.recv().await.is_some(),
                None => false,
            };
            if !asked {
                std::future::pending().await
            }
        }
        let Self([terminate, interrupt]) = self;
        tokio::select! {
            () = one(terminate) => {}
            () = one(interrupt) => {}
        }
    }
}
