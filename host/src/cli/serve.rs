//! `wastegate serve`, also the default verb: the gateway until it is told to stop.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::json;

use super::Terminal;
use super::config::{SourceArgs, refuse};
use crate::app::{self, App, AppError};
use crate::config::{self, Config, Override, Sources};
use crate::gateway::Identify;
use crate::manager::{Application, NoApplication};
use crate::observe::logging;
use crate::playground::Playground;
pub(super) use crate::types::chain;

/// `EX_UNAVAILABLE` of `sysexits.h`: it could not be put together.
pub const EX_UNAVAILABLE: u8 = 69;

/// How long backends have to take a first connection before the start goes on.
const FIRST_LOOK_MAX: Duration = Duration::from_secs(1);

/// Arguments of `wastegate serve`.
#[derive(Debug, Default, clap::Args)]
pub struct Args {
    #[command(flatten)]
    sources: SourceArgs,
    /// Where clients connect (`server.listen`).
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Where operators connect, or `off` (`admin.listen`).
    #[arg(long, value_name = "ADDRESS")]
    admin: Option<String>,
    /// The policy in a file, component or core module (`policy.file`).
    #[arg(long, value_name = "FILE")]
    policy: Option<String>,
    /// The WebSocket server that connections are handed on to, such as `ws://127.0.0.1:8000`
    /// (`gateway.upstream`).
    #[arg(long, value_name = "URL")]
    upstream: Option<String>,
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
        let flags = [
            ("server.listen", "--listen", self.listen),
            ("admin.listen", "--admin", self.admin),
            ("policy.file", "--policy", self.policy),
            ("gateway.upstream", "--upstream", self.upstream),
        ];
        let overrides = flags
            .into_iter()
            .filter_map(|(key, flag, value)| Some(Override::shorthand(flag, key, value?)))
            .collect();
        let sources = self.sources.sources(terminal.environment, overrides);
        let config = match config::load(sources.clone()) {
            Ok(loaded) => loaded.config,
            Err(error) => return refuse(&error, terminal.err),
        };
        if let Err(error) = logging::init(&config.observe.log.filter, config.observe.log.format) {
            writeln!(terminal.err, "error: {}", chain(&error))?;
            return Ok(ExitCode::from(EX_UNAVAILABLE));
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()?;
        let served = runtime.block_on(serve(
            config,
            sources,
            self.json,
            terminal.out,
            stop_signal(),
        ));
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
    config: Config,
    sources: Sources,
    json: bool,
    out: &mut dyn io::Write,
    stop: impl Future<Output = ()>,
) -> Result<bool, Failed> {
    let path = config.gateway.path.clone();
    let application: Arc<dyn Application> = if config.gateway.upstream.is_empty() {
        Arc::new(Playground)
    } else {
        Arc::new(NoApplication)
    };
    let identify = app::identify(&config).map_err(|error| Failed::App(error.into()))?;
    let app = App::build(config.clone(), application, identify)
        .await
        .map_err(Failed::App)?;
    let address = app.address().map_err(Failed::Io)?;
    let admin = app.admin_address().map_err(Failed::Io)?;
    // Before anybody reads that they are there.
    let gateway = app.core().gateway();
    gateway.look_at_upstreams(true, FIRST_LOOK_MAX).await;
    welcome(&app, &path, address, admin, json, out).map_err(Failed::Io)?;
    let hangup = Hangup::new();
    let running = Mutex::new(config);
    let settings = || read_again(&sources, &running);
    let asked = || hangup.next();
    Ok(app.run_reloading(stop, asked, settings).await)
}

/// The settings that there are now, if they can be used; what of them needs a restart is said.
fn read_again(sources: &Sources, running: &Mutex<Config>) -> Option<(Config, Arc<dyn Identify>)> {
    let config = match config::load(sources.clone()) {
        Ok(loaded) => loaded.config,
        Err(error) => {
            tracing::error!(%error, "the settings cannot be used; the old ones stay");
            return None;
        }
    };
    let mut running = running.lock();
    if config.gateway.upstream.is_empty() != running.gateway.upstream.is_empty() {
        tracing::error!(
            "whether there is a `gateway.upstream` cannot change while the server runs; the old \
             settings stay"
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
    let need_a_restart = running.others_than_reloadable(&config);
    if !need_a_restart.is_empty() {
        let keys = need_a_restart.join(", ");
        tracing::warn!(keys, "these settings changed and need a restart");
    }
    running.gateway.clone_from(&config.gateway);
    running.identity.clone_from(&config.identity);
    Some((config, identify))
}

/// Says where it listens and how to connect.
fn welcome(
    app: &App,
    path: &str,
    address: SocketAddr,
    admin: Option<SocketAddr>,
    json: bool,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let policy = app.core().catalog().current();
    let policy = policy
        .as_ref()
        .map_or("builtin", |policy| &*policy.about().name);
    let limit = app.core().registry().limits().managers_per_user;
    let url = format!("ws://{address}{path}");
    if json {
        let line = json!({
            "listen": address, "url": url, "admin": admin, "policy": policy,
            "managers_per_user": limit, "upstreams": app.core().gateway().upstreams(),
        });
        writeln!(out, "{line}")?;
        return out.flush();
    }
    writeln!(
        out,
        "wastegate {} is listening on {url}",
        env!("CARGO_PKG_VERSION")
    )?;
    writeln!(out, "  connect   {url}?user=ann&key=chat-1&device=laptop")?;
    writeln!(
        out,
        "            e.g. python3 -m websockets '{url}?user=ann&key=chat-1'"
    )?;
    let upstreams = app.core().gateway().upstreams();
    if upstreams.is_empty() {
        writeln!(
            out,
            "            it echoes; send /help for its control lines"
        )?;
    }
    for upstream in upstreams {
        writeln!(out, "  backend   {}, {}", upstream.url, upstream.words())?;
    }
    writeln!(
        out,
        "  limit     {limit} managers per user, ranked by policy `{policy}`"
    )?;
    if let Some(admin) = admin {
        writeln!(
            out,
            "  operators http://{admin}/v1/stats  /metrics  /healthz"
        )?;
    }
    writeln!(out, "  see it work: wastegate demo      stop: ctrl-c")?;
    out.flush()
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
    use tokio::signal::unix::{SignalKind, signal};
    // Without a handler the signal ends the process by itself.
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
        }
        Err(error) => {
            tracing::warn!(%error, "cannot listen for SIGTERM");
            let _ = tokio::signal::ctrl_c().await;
        }
    }
}
