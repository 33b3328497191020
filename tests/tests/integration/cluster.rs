//! Several gateways as processes that share one engine: one limit, whatever node a client reaches, and what holds when
//! a node or the engine fails.

mod away;
mod damping;
mod levers;
mod limits;
mod nodes;
mod sharing;

use std::net::{SocketAddr, TcpListener};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use wastegate_tests::harness::{Client, Dial, Program, Refusal, http, until_async};

use crate::cli::operate_at;

/// The limit of every user here.
pub(crate) const LIMIT: usize = 4;

/// A redis-server that keeps nothing on disk.
pub(crate) struct Engine {
    program: Program,
    port: u16,
}

impl Engine {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let engine = Self {
            program: Self::spawn(port),
            port,
        };
        engine.is_up().await;
        engine
    }

    fn spawn(port: u16) -> Program {
        let port = port.to_string();
        let arguments = [
            "--bind",
            "127.0.0.1",
            "--port",
            &port,
            "--save",
            "",
            "--appendonly",
            "no",
        ];
        Program::start("redis-server", &arguments)
    }

    async fn is_up(&self) {
        let address = SocketAddr::from(([127, 0, 0, 1], self.port));
        until_async("the engine listens", async || {
            TcpStream::connect(address).await.is_ok()
        })
        .await;
    }

    /// Its address.
    pub(crate) fn address(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn kill(&mut self) {
        self.program.kill();
    }

    pub(crate) fn signal(&self, name: &str) {
        self.program.signal(name);
    }

    /// Has it carry out commands on one connection, as a person at a terminal would.
    pub(crate) async fn does(&self, commands: &[&str]) {
        let address = SocketAddr::from(([127, 0, 0, 1], self.port));
        let mut stream = BufReader::new(TcpStream::connect(address).await.unwrap());
        for command in commands {
            let line = format!("{command}\r\n");
            stream.write_all(line.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_line(&mut answer).await.unwrap();
            assert_eq!(answer, "+OK\r\n", "{command}");
        }
    }

    /// Another process in its place, which has nothing of what it had.
    pub(crate) async fn start_again(&mut self) {
        self.program = Self::spawn(self.port);
        self.is_up().await;
    }
}

/// A gateway of the cluster, as a process.
pub(crate) struct Node {
    pub(crate) program: Program,
    pub(crate) gateway: SocketAddr,
    pub(crate) admin: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Node {
    /// A node of that name, with more lines of settings, which go before the usual ones; its engine has answered it.
    pub(crate) async fn with(engine: &Engine, name: &str, more: &str) -> Self {
        let node = Self::started(engine, name, more).await;
        node.sees("up").await;
        node
    }

    /// Two nodes, `a` and `b`, that see each other.
    pub(crate) async fn pair(engine: &Engine, more: &str) -> (Self, Self) {
        let (a, b) = (
            Self::with(engine, "a", more).await,
            Self::with(engine, "b", more).await,
        );
        a.sees_nodes(2).await;
        (a, b)
    }

    /// One that may not have reached its engine.
    pub(crate) async fn started(engine: &Engine, name: &str, more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("wastegate.toml");
        let port = engine.port;
        let engine = format!("\"redis://127.0.0.1:{port}\"");
        let (limit, name) = (LIMIT.to_string(), format!("\"{name}\""));
        let usual = [
            ("limits.managers_per_user", limit.as_str()),
            ("limits.temporary_slots.count", "0"),
            ("cleanup.force_per_user_max", "0"),
            ("cleanup.displaced_hold_ms", "0"),
            ("cleanup.proactive_from", "1000.0"),
            ("gateway.drain_readyz_ms", "0"),
            ("gateway.drain_spread_ms", "0"),
            ("cluster.engine", &engine),
            ("cluster.secret", "\"the secret of these tests\""),
            ("cluster.node", &name),
            ("cluster.node_dead_ms", "3000"),
            ("cluster.budget_ms", "1000"),
        ];
        let usual = usual.iter().filter(|(key, _)| !more.contains(key));
        let usual = usual.map(|(key, value)| format!("{key} = {value}\n"));
        let text = format!("{more}\n{}", usual.collect::<String>());
        std::fs::write(&file, text).unwrap();
        let arguments = [
            "serve",
            "--json",
            "--listen",
            "127.0.0.1:0",
            "--admin",
            "127.0.0.1:0",
            "--config",
            file.to_str().unwrap(),
        ];
        let mut program = Program::start(env!("CARGO_BIN_EXE_wastegate-under-test"), &arguments);
        let welcome: Value = serde_json::from_str(&program.line().await).unwrap();
        let address = |key: &str| welcome[key].as_str().unwrap().parse().unwrap();
        Self {
            program,
            gateway: address("listen"),
            admin: address("admin"),
            _folder: folder,
        }
    }

    /// One without force: what answers stays.
    pub(crate) async fn gentle(engine: &Engine, name: &str) -> Self {
        Self::with(engine, name, "cleanup.last_tier = \"aggressive\"").await
    }

    pub(crate) fn dial(&self, user: &str, key: &str) -> Dial {
        Dial::to(self.gateway, user, key)
    }

    pub(crate) async fn enter(&self, user: &str, key: &str) -> Client {
        let entered = self.dial(user, key).connect().await;
        entered.unwrap_or_else(|refusal| panic!("{user}/{key}: {:?}", refusal.reply))
    }

    pub(crate) async fn refused(&self, user: &str, key: &str) -> Refusal {
        match self.dial(user, key).connect().await {
            Ok(client) => panic!("{client:?} was let in"),
            Err(refusal) => refusal,
        }
    }

    /// What a verb of the program says of this node.
    pub(crate) async fn verb(&self, line: &[&str]) -> String {
        let (code, out, err) = operate_at(self.admin, "olga", line).await;
        assert_eq!(code, Some(0), "{line:?}: {err}");
        out
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        http::ask(self.admin, "GET", path, None).await.json()
    }

    /// Waits until the engine is, for this node, `up` or `away`.
    pub(crate) async fn sees(&self, word: &str) {
        until_async(format!("the engine is {word}"), async || {
            self.get("/readyz").await["cluster"] == word
        })
        .await;
    }

    /// Waits until so many nodes live.
    pub(crate) async fn sees_nodes(&self, count: usize) {
        until_async(format!("{count} nodes live"), async || {
            let nodes = self.get("/v1/nodes").await;
            nodes["cluster"]["nodes"].as_array().unwrap().len() == count
        })
        .await;
    }

    /// How many managers it holds.
    pub(crate) async fn held(&self) -> u64 {
        self.get("/readyz").await["managers"].as_u64().unwrap()
    }

    /// The sum of a metric's series, for which a part of the labels holds.
    pub(crate) async fn metric(&self, name: &str, labels: &str) -> f64 {
        let text = http::ask(self.admin, "GET", "/metrics", None).await.body;
        let lines = text.lines().filter(|line| {
            line.starts_with(&format!("{name}{{")) || line.starts_with(&format!("{name} "))
        });
        let lines = lines.filter(|line| line.contains(labels));
        let values = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        values.sum()
    }
}

/// Waits until a client of the user is let in, and lets it in.
pub(crate) async fn enters(node: &Node, user: &str, key: &str) -> Client {
    let mut client = None;
    until_async(format!("{user}/{key} is let in"), async || {
        client = node.dial(user, key).connect().await.ok();
        client.is_some()
    })
    .await;
    client.unwrap()
}
