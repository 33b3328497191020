//! Backends and clients at their worst, through the gateway: each has its end, nobody else notices, and
//! everything comes back.

mod backend;
mod backends;
mod clients;
mod memory;

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wastegate::manager::NoApplication;
use wastegate_tests::harness::{Client, Server, Setup, until, until_async, within};

use backend::{Backend, SLOWEST};

/// How long somebody may take nothing.
const STALL: Duration = Duration::from_secs(1);

/// A gateway in front of a backend, with somebody who talks all along and notices nothing.
struct Scene {
    server: Server,
    backend: Backend,
    bystander: Client,
    tasks: usize,
}

fn setup(backend: &Backend) -> Setup {
    let upstream = format!("ws://{}", backend.address);
    Setup::new()
        .impatient()
        .application(NoApplication)
        .with(|config| {
            config.gateway.upstream = vec![upstream.parse().unwrap()];
            config.gateway.upstream_timeout = SLOWEST;
            config.health.stalled_after = STALL;
            config.connection.stall_max = STALL;
        })
}

impl Scene {
    async fn start() -> Self {
        Self::of(2).await
    }

    /// With so many managers to a user.
    async fn of(limit: u32) -> Self {
        let backend = Backend::start().await;
        let server = setup(&backend).limit(limit).start().await;
        let mut bystander = server.enter("bob", "bystander").await;
        bystander.echo("before").await;
        let tasks = server.tasks.running();
        Self {
            server,
            backend,
            bystander,
            tasks,
        }
    }

    /// The bystander talks on.
    async fn undisturbed(&mut self) {
        self.bystander.echo("meanwhile").await;
    }

    /// Only the bystander is left: its manager, its task, its socket and its backend's.
    async fn comes_back(mut self) {
        self.server.holds("ann", 0).await;
        let Self {
            server,
            backend,
            tasks,
            ..
        } = &self;
        until("tasks to end", || server.tasks.running() <= *tasks).await;
        until("the clients' sockets to close", || {
            sockets(1, server.address.port()) == 2
        })
        .await;
        until("the backend's legs to close", || {
            sockets(2, backend.address.port()) == 1
        })
        .await;
        until_async("the gauges to fall", async || {
            let stats = server.stats().await;
            ["managers", "users", "connections"].map(|gauge| stats[gauge].as_u64()) == [Some(1); 3]
        })
        .await;
        self.undisturbed().await;
        self.bystander.leave().await;
        assert!(self.server.stop().await.drained);
    }

    /// Waits until so many connections have ended for a reason.
    async fn ended(&self, reason: &str, times: f64) {
        let series = format!("wastegate_gateway_closed_total{{reason=\"{reason}\"}}");
        until_async(format!("{times} ends by {reason}"), async || {
            self.server.metric(&series).await >= times
        })
        .await;
    }
}

/// A client that is nothing but its bytes, upgraded.
async fn raw(server: &Server, user: &str, key: &str) -> TcpStream {
    let dial = server.dial(user, key);
    let mut stream = dial.tcp().await;
    let request = dial.request();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let byte = within("the answer", stream.read_u8()).await;
        head.push(byte.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "));
    stream
}

/// Sockets that a program has open by the kernel's table, with a port in this column: 1 is the own
/// end, listener included, and 2 the other.
fn sockets(column: usize, port: u16) -> usize {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let port = format!(":{port:04X}");
    let open = |line: &&str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let at = fields.get(column).is_some_and(|end| end.ends_with(&port));
        at && fields.get(9) != Some(&"0")
    };
    table.lines().skip(1).filter(open).count()
}
