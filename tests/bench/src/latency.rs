//! Open loop: messages go out by a timetable whatever comes back, and each is late from the moment it
//! should have gone. So a proxy that stands still for a while is charged for everybody who would have
//! waited (coordinated omission).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use clap::Args;
use hdrhistogram::Histogram;

use crate::client::{Client, open_all};
use crate::frames::{Found, message};
use crate::{Target, process};

/// How long the last of them may take to come back.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    target: Target,
    #[arg(long, default_value_t = 100)]
    connections: usize,
    /// Messages a second, over all connections.
    #[arg(long, default_value_t = 5_000)]
    rate: u32,
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
    ensure!(options.bytes >= 8, "a message has to hold its moment");
    let clients = open_all(*target, options.connections).await?;
    let start = Instant::now();
    let warm = Duration::from_secs_f64(options.warmup);
    let end = warm + Duration::from_secs_f64(options.seconds);
    let step = Duration::from_secs(1) / options.rate;
    let (received, mut latencies) = tokio::sync::mpsc::channel::<u64>(65_536);
    let mut sockets = Vec::new();
    let mut listening = tokio::task::JoinSet::new();
    for client in clients {
        // A runtime's timers know whole milliseconds only, so the sender is a thread of its own.
        let (client, socket) = client.shared()?;
        sockets.push(socket);
        listening.spawn(listen(client, start, warm, received.clone()));
    }
    drop(received);
    let stop = Arc::new(AtomicBool::new(false));
    let (bytes, stopped) = (options.bytes, stop.clone());
    let sender = std::thread::spawn(move || send(&sockets, start, step, end, bytes, &stopped));
    let expected = (end - warm).as_nanos() / step.as_nanos();
    let mut histogram = Histogram::<u64>::new_with_bounds(1, 60_000_000, 3)?;
    let cpu = process::cpu(pids)?;
    let collect = async {
        while u128::from(histogram.len()) < expected {
            let micros = latencies.recv().await.context("nobody listens")?;
            histogram.saturating_record(micros.max(1));
        }
        anyhow::Ok(())
    };
    tokio::select! {
        done = tokio::time::timeout(end + PATIENCE, collect) => done.context("not all came back")??,
        Some(ended) = listening.join_next() => {
            ended??;
            bail!("a connection ended");
        }
    }
    let cpu = process::cpu(pids)?.saturating_sub(cpu);
    stop.store(true, Relaxed);
    sender
        .join()
        .map_err(|_| anyhow::anyhow!("the sender panicked"))??;
    #[expect(clippy::cast_precision_loss, reason = "microseconds of a run")]
    let at = |quantile| histogram.value_at_quantile(quantile) as f64;
    options.target.report(
        &format!("latency at {}/s, {} B", options.rate, options.bytes),
        &[
            ("p50, µs", at(0.5)),
            ("p99, µs", at(0.99)),
            ("p99.9, µs", at(0.999)),
            (
                "proxy busy, %",
                cpu.as_secs_f64() / start.elapsed().as_secs_f64() * 100.0,
            ),
        ],
    )
}

/// Sends each message at its moment, which it carries in nanoseconds from the start.
fn send(
    sockets: &[std::net::TcpStream],
    start: Instant,
    step: Duration,
    end: Duration,
    bytes: usize,
    stop: &AtomicBool,
) -> anyhow::Result<()> {
    use std::io::Write;
    let mut moment = Duration::ZERO;
    let mut payload = vec![0; bytes];
    for mut socket in sockets.iter().cycle() {
        if moment >= end || stop.load(Relaxed) {
            return Ok(());
        }
        if let Some(early) = moment.checked_sub(start.elapsed()) {
            std::thread::sleep(early);
        }
        let nanos = u64::try_from(moment.as_nanos())?.to_be_bytes();
        payload
            .get_mut(..8)
            .context("too short")?
            .copy_from_slice(&nanos);
        let frame = message(&payload);
        let sent = socket.write(&frame).context("the socket takes nothing")?;
        ensure!(sent == frame.len(), "the socket takes a part only");
        moment += step;
    }
    Ok(())
}

/// Tells how late each message came back, µs. Ends with an error only.
async fn listen(
    mut client: Client,
    start: Instant,
    warm: Duration,
    received: tokio::sync::mpsc::Sender<u64>,
) -> anyhow::Result<()> {
    let mut moment = Vec::with_capacity(8);
    loop {
        client.stream.readable().await?;
        let mut late = Vec::new();
        let open = client.read(|found| match found {
            Found::Payload(_, at, part) if at < 8 => {
                let room = 8_usize.saturating_sub(moment.len());
                moment.extend(part.iter().take(room));
            }
            Found::End(_) => {
                let nanos = moment.first_chunk::<8>().copied().unwrap_or_default();
                let meant = Duration::from_nanos(u64::from_be_bytes(nanos));
                if meant >= warm {
                    late.push(start.elapsed().saturating_sub(meant));
                }
                moment.clear();
            }
            _ => {}
        })?;
        if !open {
            bail!("closed under load");
        }
        for late in late {
            received.send(u64::try_from(late.as_micros())?).await?;
        }
        client.answer().await?;
    }
}
