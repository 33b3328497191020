//! What a connection costs that does nothing: the proxy's memory before, with them, and after.

use std::time::{Duration, Instant};

use anyhow::bail;
use clap::Args;

use crate::client::{Client, open_all};
use crate::frames::message;
use crate::{Target, process};

/// How far apart two looks are that say whether something has settled.
const LOOK: Duration = Duration::from_millis(250);
/// It has settled when that many looks in a row agree.
const AGREE: usize = 4;
/// How long it may take.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    target: Target,
    #[arg(long, default_value_t = 8_000)]
    connections: usize,
}

pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let Target { target, pids, .. } = &options.target;
    // One first, so that what is made once is there before.
    Client::open(*target, options.connections)
        .await?
        .close()
        .await?;
    let descriptors = process::descriptors(pids)?;
    let before = settled(|| process::pss_kib(pids)).await?;
    let mut clients = open_all(*target, options.connections).await?;
    let frame = message(&[0; 64]);
    for client in &mut clients {
        client.round_trip(&frame).await?;
    }
    let mut held = tokio::task::JoinSet::new();
    let (leave, left) = tokio::sync::watch::channel(false);
    for client in clients {
        held.spawn(hold(client, left.clone()));
    }
    let sample = settled(|| process::pss_kib(pids));
    let with = tokio::select! {
        with = sample => with?,
        Some(ended) = held.join_next() => {
            ended??;
            bail!("an idle connection ended");
        }
    };
    leave.send(true)?;
    while let Some(ended) = held.join_next().await {
        ended??;
    }
    let given_up = Instant::now() + PATIENCE;
    while process::descriptors(pids)? > descriptors + 1 {
        if Instant::now() > given_up {
            bail!("descriptors are left behind");
        }
        tokio::time::sleep(LOOK).await;
    }
    let after = settled(|| process::pss_kib(pids)).await?;
    #[expect(clippy::cast_precision_loss, reason = "KiB of one process")]
    let [before, with, after, count] =
        [before, with, after, options.connections as u64].map(|number| number as f64);
    options.target.report(
        &format!("idle, {count} connections"),
        &[
            ("PSS/connection, KiB", (with - before) / count),
            ("PSS before, MiB", before / 1_024.0),
            ("PSS with them, MiB", with / 1_024.0),
            ("PSS after, MiB", after / 1_024.0),
        ],
    )
}

/// Answers pings until it is time to leave.
async fn hold(
    mut client: Client,
    mut left: tokio::sync::watch::Receiver<bool>,
) -> anyhow::Result<()> {
    loop {
        tokio::select! {
            _ = left.changed() => return client.close().await,
            ready = client.stream.readable() => ready?,
        }
        if !client.read(|_| {})? {
            bail!("closed while idle");
        }
        client.answer().await?;
    }
}

/// A number once it stays the same within half a percent.
async fn settled(look: impl Fn() -> anyhow::Result<u64>) -> anyhow::Result<u64> {
    let given_up = Instant::now() + PATIENCE;
    let mut last = Vec::new();
    loop {
        let now = look()?;
        last.retain(|&then| now.abs_diff(then) <= now / 200);
        last.push(now);
        if last.len() >= AGREE || Instant::now() > given_up {
            return Ok(now);
        }
        tokio::time::sleep(LOOK).await;
    }
}
