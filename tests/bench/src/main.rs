//! Load on a WebSocket proxy, and what it did with it. `run.sh` beside it puts proxies side by side.
//!
//! One thread, so that it can share a core with the echo server behind the proxy while the proxy has
//! the other core to itself.

#![expect(
    clippy::disallowed_methods,
    reason = "a tool with a clock of its own, whose tasks end with the process"
)]

mod backend;
mod client;
mod frames;
mod idle;
mod latency;
mod process;
mod rate;
mod summary;
mod throughput;

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Load on a WebSocket proxy, and what it did with it; a line of JSON for each run.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// The echo server behind the proxy.
    Backend {
        /// Where it listens.
        #[arg(long)]
        listen: SocketAddr,
    },
    /// Messages a second, when every connection keeps some in flight.
    Throughput(throughput::Options),
    /// Latency at a fixed rate, from the moment each message should have been sent.
    Latency(latency::Options),
    /// Memory of the proxy for each idle connection.
    Idle(idle::Options),
    /// Connections that are opened, upgraded and closed in a second.
    Rate(rate::Options),
    /// Medians of what runs said, as Markdown.
    Summary {
        /// Lines of JSON.
        results: PathBuf,
    },
}

/// Who is measured.
#[derive(Args, Clone)]
struct Target {
    /// What the proxy is called in results.
    #[arg(long)]
    peer: String,
    /// Where it listens.
    #[arg(long)]
    target: SocketAddr,
    /// Its processes; none for no proxy at all.
    #[arg(long, value_delimiter = ',')]
    pids: Vec<u32>,
}

impl Target {
    /// Prints what a run came to.
    fn report(&self, variant: &str, values: &[(&str, f64)]) -> anyhow::Result<()> {
        let mut line = serde_json::Map::new();
        line.insert("peer".to_owned(), self.peer.clone().into());
        line.insert("run".to_owned(), variant.into());
        // What was not measured is not said; and a proxy that took no time was another process.
        let proxys = |(name, _): &&(&str, f64)| name.starts_with("proxy");
        let idle = values.iter().filter(proxys).any(|&(_, value)| value <= 0.0);
        anyhow::ensure!(self.pids.is_empty() || !idle, "these are not its processes");
        let said = values.iter();
        let said: Vec<_> = said
            .filter(|value| !self.pids.is_empty() || !proxys(value))
            .collect();
        line.insert("values".to_owned(), serde_json::json!(said));
        let line = serde_json::Value::Object(line);
        writeln!(std::io::stdout(), "{line}")?;
        Ok(())
    }
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        match cli.what {
            What::Backend { listen } => backend::run(listen).await,
            What::Throughput(options) => throughput::run(options).await,
            What::Latency(options) => latency::run(options).await,
            What::Idle(options) => idle::run(options).await,
            What::Rate(options) => rate::run(options).await,
            What::Summary { results } => summary::run(&results),
        }
    })
}
