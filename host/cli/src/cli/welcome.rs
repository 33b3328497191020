//! What `serve` says when it is ready: facts, gathered once, as lines for people or as JSON.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use crate::app::App;
use crate::config::ProgramConfig;
use wastegate::gateway::identity::session::Missing;
use wastegate::gateway::identity::{self, Mode};
use wastegate::gateway::upstream::BackendView;
use wastegate_control::admin::kept;

/// How long a backend has to take a connection before it is said to be away.
const BACKEND_WITHIN: Duration = Duration::from_millis(500);

/// What there is to know.
#[derive(Debug, Serialize)]
pub(super) struct Welcome {
    listen: SocketAddr,
    url: String,
    admin: Option<SocketAddr>,
    /// The file of the token that operators need, where one is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    admin_token: Option<PathBuf>,
    policy: String,
    managers_per_user: u32,
    tls: bool,
    /// What is served, behind a host where a route names one.
    paths: Vec<String>,
    /// The value of `identity.mode`.
    identity: &'static str,
    /// How a client connects: a URL alone where that is enough.
    connect: String,
    /// What it needs besides, if anything.
    needs: Option<String>,
    /// As they were a moment ago; none with the built-in application.
    backends: Vec<BackendView>,
}

impl Welcome {
    /// Gathers it; asks backends.
    ///
    /// # Errors
    /// When the system does not tell where it listens.
    pub(super) async fn of(app: &App, config: &ProgramConfig) -> io::Result<Self> {
        let listen = app.address()?;
        let core = app.core();
        let policy = core.catalog().current();
        let policy = policy.as_ref().map_or("builtin", |it| &*it.about().name);
        let tls = config.gateway.tls.files().is_some();
        let scheme = if tls { "wss" } else { "ws" };
        let path = config.gateway.entry();
        let url = format!("{scheme}://{listen}{path}");
        let gateway = core.gateway();
        gateway.look_at_upstreams(true, BACKEND_WITHIN).await;
        let backends = gateway.upstreams();
        let needs = needs(config);
        let says_who = config.identity.mode == Mode::Dev && backends.is_empty();
        let connect = if says_who {
            format!("{url}?user=ann&key=chat-1&device=laptop")
        } else {
            url.clone()
        };
        Ok(Self {
            listen,
            url,
            admin: app.admin_address()?,
            admin_token: kept_token(config),
            policy: policy.to_owned(),
            managers_per_user: core.registry().limits().managers_per_user,
            tls,
            paths: config.gateway.listens_at(),
            identity: config.identity.mode.name(),
            connect,
            needs,
            backends,
        })
    }

    /// As one line of JSON.
    pub(super) fn json(&self, out: &mut dyn io::Write) -> io::Result<()> {
        writeln!(out, "{}", serde_json::json!(self))?;
        out.flush()
    }

    /// As lines for people.
    pub(super) fn lines(&self, out: &mut dyn io::Write) -> io::Result<()> {
        let Self { url, connect, .. } = self;
        let version = env!("CARGO_PKG_VERSION");
        writeln!(out, "wastegate {version} is listening on {url}")?;
        writeln!(out, "  connect   {connect}")?;
        match &self.needs {
            Some(needs) => writeln!(out, "            {needs}")?,
            None => writeln!(out, "            e.g. python3 -m websockets '{connect}'")?,
        }
        for backend in &self.backends {
            writeln!(out, "  backend   {}, {}", backend.url, backend.words())?;
        }
        if self.backends.is_empty() {
            writeln!(
                out,
                "            it echoes; send /help for its control lines"
            )?;
        }
        writeln!(out, "  users     {} (`identity.mode`)", self.identity)?;
        writeln!(
            out,
            "  limit     {} managers per user, ranked by policy `{}`",
            self.managers_per_user, self.policy
        )?;
        if let Some(admin) = self.admin {
            writeln!(
                out,
                "  operators http://{admin}/ in a browser; /metrics  /healthz"
            )?;
            if let Some(file) = &self.admin_token {
                writeln!(out, "            with the token in {}", file.display())?;
            }
        }
        writeln!(out, "  see it work: wastegate demo      stop: ctrl-c")?;
        out.flush()
    }
}

/// Where the operators' token is, if it is kept with the state.
fn kept_token(config: &ProgramConfig) -> Option<PathBuf> {
    let folder = config.rollout.state_dir.as_deref()?;
    config.admin_token.is_empty().then(|| kept::path(folder))
}

/// What a client needs besides the URL, where that is not enough.
fn needs(config: &ProgramConfig) -> Option<String> {
    let identity = &config.identity;
    match identity.mode {
        Mode::Dev | Mode::Address => None,
        Mode::Jwt => Some(format!(
            "with a token: {}",
            identity::jwt::wanted(&identity.token)
        )),
        Mode::Hook => {
            let hook = identity.hook.url.as_deref().unwrap_or_default();
            Some(format!("with what {hook} lets in (`identity.hook.url`)"))
        }
        Mode::Headers => Some(format!(
            "through a proxy of `gateway.trusted_proxies` that sends the header `{}`",
            identity.headers.user
        )),
        Mode::Cookie => {
            let name = &identity.cookie.name;
            Some(match identity.cookie.missing {
                Missing::Refuse => format!("with the cookie `{name}`"),
                Missing::Address => format!("with the cookie `{name}`, or as its address"),
            })
        }
    }
}
