//! Connections that come and go: connect, upgrade, close handshake, end of stream.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::bail;
use clap::Args;
use hdrhistogram::Histogram;

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
    let done = Arc::new(Mutex::new(Histogram::new_with_bounds(1, 60_000_000, 3)?));
    let next = Arc::new(AtomicUsize::new(0));
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..options.concurrency {
        running.spawn(come_and_go(*target, next.clone(), done.clone()));
    }
    let sample = async {
        tokio::time::sleep(Duration::from_secs_f64(options.warmup)).await;
        opened(&done).reset();
        let (cpu, since) = (process::cpu(pids)?, Instant::now());
        tokio::time::sleep(Duration::from_secs_f64(options.seconds)).await;
        let (took, cpu) = (since.elapsed(), process::cpu(pids)?.saturating_sub(cpu));
        anyhow::Ok((opened(&done).clone(), took, cpu))
    };
    let (opened, took, cpu) = tokio::select! {
        sample = sample => sample?,
        Some(ended) = running.join_next() => {
            ended??;
            bail!("a worker ended");
        }
    };
    #[expect(
        clippy::cast_precision_loss,
        reason = "counts and microseconds of seconds"
    )]
    let (count, at) = (opened.len() as f64, |quantile| {
        opened.value_at_quantile(quantile) as f64
    });
    options.target.report(
        &format!("connection rate, {} at once", options.concurrency),
        &[
            ("p50, µs", at(0.5)),
            ("p99, µs", at(0.99)),
            ("connections/s", count / took.as_secs_f64()),
            ("proxy CPU, µs/connection", cpu.as_secs_f64() * 1e6 / count),
            (
                "proxy busy, %",
                cpu.as_secs_f64() / took.as_secs_f64() * 100.0,
            ),
        ],
    )
}

/// How long each connection took from the first packet to the answer 101, µs: those that were closed since.
type Opened = Mutex<Histogram<u64>>;

fn opened(done: &Opened) -> std::sync::MutexGuard<'_, Histogram<u64>> {
    done.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends with an error only.
async fn come_and_go(
    target: SocketAddr,
    next: Arc<AtomicUsize>,
    done: Arc<Opened>,
) -> anyhow::Result<()> {
    /// Users come back, as they do; two of one number are never there at once.
    const NUMBERS: usize = 20_000;
    loop {
        let number = next.fetch_add(1, Relaxed) % NUMBERS;
        let since = Instant::now();
        let client = Client::open(target, number).await?;
        let took = u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX);
        client.close().await?;
        opened(&done).saturating_record(took.max(1));
    }
}
