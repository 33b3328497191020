//! `wastegate serve`, also the default verb: the gateway until it is told to stop.

use std::io;
use std::process::ExitCode;
use std::sync::Arc;

use super::Terminal;
use super::config::{Shorthands, SourceArgs};
use super::exit::EX_UNAVAILABLE;
use super::failure::Failure;
use super::welcome::Welcome;
use crate::app::{self, App, AppError};
use crate::config::{self, LoadedConfig, ProgramConfig, Reread, Sources};
use crate::playground::Playground;
use wastegate::gateway::Identify;
use wastegate::manager::{NoApplication, SharedApplication};
use wastegate::observe::logging;
use wastegate_control::admin::ShownSettings;
pub(super) use wastegate_core::types::chain;

/// Arguments of `wastegate serve`.
#[derive(Debug, Default, clap::Args)]
#[command(
    after_help = "Examples:\n  wastegate serve\n  wastegate serve --upstream ws://127.0.0.1:8000\n  wastegate serve --config wastegate.toml --set limits.managers_per_user=50"
)]
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
    /// Runs the gateway until it is stopped.
    pub(in crate::cli) fn run(self, terminal: Terminal<'_>) -> Result<ExitCode, Failure> {
        let overrides = self.shorthands.overrides();
        let sources = self.sources.sources(terminal.environment, overrides);
        let loaded = config::load(sources.clone())?;
        let log = &loaded.config.observe.log;
        logging::init(&log.filter, log.format, log.repeats_per_s_max)
            .map_err(|error| Failure::of(&error).code(EX_UNAVAILABLE))?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()?;
        let served = runtime.block_on(async {
            // Both receive every signal from now on.
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
        Ok(if served? {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}

async fn serve(
    started: LoadedConfig,
    sources: Sources,
    json: bool,
    out: &mut dyn io::Write,
    mut stops: Stops,
) -> Result<bool, Failure> {
    // Whoever reads the welcome may send the signal, which ends a process that does not listen for it.
    let hangup = Hangup::new();
    let config = &started.config;
    let identify = app::identify(config).map_err(AppError::from)?;
    let app = tokio::select! {
        app = App::build(config.clone(), application(config), identify) => app?,
        // Nobody is connected yet: there is nothing to drain.
        () = stops.next() => return Ok(true),
    };
    // Before the welcome says that they are there.
    let welcome = Welcome::of(&app, config).await?;
    if json {
        welcome.json(out)?;
    } else {
        welcome.lines(out)?;
    }
    let shown = app.core().shown_settings();
    shown.show(started.shown());
    let settings = || read_again(&sources, &started, &shown);
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
    shown: &ShownSettings,
) -> Option<(ProgramConfig, Arc<dyn Identify>)> {
    let reread = config::load(sources.clone()).and_then(|loaded| loaded.on(started));
    let Reread { taken, waiting } = match reread {
        Ok(reread) => reread,
        Err(error) => {
            tracing::error!(%error, "the settings cannot be used; the old ones stay");
            return None;
        }
    };
    let now_shown = taken.shown();
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
    shown.show(now_shown);
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
