//! Connections that come and go: connect, upgrade, close handshake, end of stream.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::bail;
use clap::Args;

use crate::client::Client;
use crate::{Target, process};

#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    target: Target,
    /// How many are on their way at once.
    #[arg(long, default_value_t = 32)]
    concurrency: usize,
    #[arg(long, default_value_t = 4.0)]
    seconds: f64,
    #[arg(long, default_value_t = 1.0)]
    warmup: f64,
}

pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let Target { target, pids, .. } = &options.target;
    let done = Arc::new(AtomicU64::new(0));
    let next = Arc::new(AtomicUsize::new(0));
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..options.concurrency {
        running.spawn(come_and_go(*target, next.clone(), done.clone()));
    }
    let sample = async {
        tokio::time::sleep(Duration::from_secs_f64(options.warmup)).await;
        let (count, cpu, since) = (done.load(Relaxed), process::cpu(pids)?, Instant::now());
        tokio::time::sleep(Duration::from_secs_f64(options.seconds)).await;
        let (took, cpu) = (since.elapsed(), process::cpu(pids)?.saturating_sub(cpu));
        anyhow::Ok((done.load(Relaxed) - count, took, cpu))
    };
    let (count, took, cpu) = tokio::select! {
        sample = sample => sample?,
        Some(ended) = running.join_next() => {
            ended??;
            bail!("a worker ended");
        }
    };
    #[expect(clippy::cast_precision_loss, reason = "counts of seconds")]
    let count = count as f64;
    options.target.report(
        "connection rate",
        &[
            ("connections/s", count / took.as_secs_f64()),
            ("proxy CPU, µs/connection", cpu.as_secs_f64() * 1e6 / count),
            (
                "proxy busy, %",
                cpu.as_secs_f64() / took.as_secs_f64() * 100.0,
            ),
        ],
    )
}

/// Ends with an error only.
async fn come_and_go(
    target: SocketAddr,
    next: Arc<AtomicUsize>,
    done: Arc<AtomicU64>,
) -> anyhow::Result<()> {
    /// Users come back, as they do; two of one number are never there at once.
    const NUMBERS: usize = 20_000;
    loop {
        let number = next.fetch_add(1, Relaxed) % NUMBERS;
        Client::open(target, number).await?.close().await?;
        done.fetch_add(1, Relaxed);
    }
}
