//! Closed loop: every connection keeps a window of messages in flight.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::bail;
use clap::Args;
use tokio::io::Interest;

use crate::client::{Client, open_all};
use crate::frames::{Found, message};
use crate::{Target, process};

#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    target: Target,
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Messages in flight on each.
    #[arg(long, default_value_t = 16)]
    window: usize,
    /// Payload of a message.
    #[arg(long, default_value_t = 64)]
    bytes: usize,
    #[arg(long, default_value_t = 4.0)]
    seconds: f64,
    #[arg(long, default_value_t = 1.0)]
    warmup: f64,
}

pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let Target { target, pids, .. } = &options.target;
    let done = Arc::new(AtomicU64::new(0));
    // As many frames in a row as a window has: any part of what is owed is a slice of it.
    let frame = message(&vec![0; options.bytes]);
    let frames: Arc<[u8]> = frame.repeat(options.window).into();
    let mut running = tokio::task::JoinSet::new();
    for client in open_all(*target, options.connections).await? {
        running.spawn(keep_busy(client, frames.clone(), frame.len(), done.clone()));
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
            bail!("a connection ended");
        }
    };
    #[expect(clippy::cast_precision_loss, reason = "counts of seconds")]
    let count = count as f64;
    options.target.report(
        &format!("throughput {} B", options.bytes),
        &[
            ("messages/s", count / took.as_secs_f64()),
            ("proxy CPU, µs/message", cpu.as_secs_f64() * 1e6 / count),
            (
                "proxy busy, %",
                cpu.as_secs_f64() / took.as_secs_f64() * 100.0,
            ),
        ],
    )
}

/// Ends with an error only.
async fn keep_busy(
    mut client: Client,
    frames: Arc<[u8]>,
    frame: usize,
    done: Arc<AtomicU64>,
) -> anyhow::Result<()> {
    // Bytes that may be sent, and where in a frame the next of them is.
    let (mut owed, mut at) = (frames.len(), 0);
    loop {
        let interest = if owed > 0 {
            Interest::READABLE | Interest::WRITABLE
        } else {
            Interest::READABLE
        };
        let ready = client.stream.ready(interest).await?;
        if ready.is_readable() {
            let mut echoed = 0;
            if !client.read(|found| echoed += u64::from(matches!(found, Found::End(_))))? {
                bail!("closed under load");
            }
            done.fetch_add(echoed, Relaxed);
            owed += usize::try_from(echoed)? * frame;
        }
        if at == 0 {
            client.answer().await?;
        }
        let end = frames.len().min(at + owed);
        let part = frames.get(at..end).unwrap_or_default();
        if !part.is_empty() {
            match client.stream.try_write(part) {
                Ok(sent) => {
                    owed -= sent;
                    at = (at + sent) % frame;
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}
