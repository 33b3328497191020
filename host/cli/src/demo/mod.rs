//! The demonstration: a user at its limit, some of its managers dead, one more at the door.
//!
//! Everything is real: a gateway in this process with the policy that ships, a listener on a free
//! port, one TCP connection a client. The silent clients stop reading their sockets for good, which
//! is what a crashed tab, a sleeping laptop or a lost phone look like from here. Behind the gateway is
//! the built-in application, or any WebSocket server that is running already. The same crowd then meets a plain
//! limit, which is what the gateway is measured against.

mod client;
mod stage;
mod story;

use std::io;
use std::time::Duration;

use serde::Serialize;
use tokio::time::timeout;

use crate::app::{AppError, WatchedEvent};
use wastegate::cleanup::TierRun;
use wastegate::gateway::upstream::Upstream;
use wastegate_core::decision::tiers::InvalidTable;
use wastegate_core::types::time::whole_ms;
use wastegate_core::types::{Clock, SplitMix64};

use client::{Asking, Client, ClientError};
pub use stage::PlainLimit;
use stage::{AtTheLimit, Stage};
use story::Story;
pub use story::{Tell, Tone};

/// The most managers that the demonstration opens; each takes two descriptors.
pub const MANAGERS_MAX: u32 = 2_000;
/// How long anything may take that has to happen.
const PATIENCE: Duration = Duration::from_secs(10);
/// The user of the story.
const USER: &str = "ann";

/// What to show.
#[derive(Debug, Clone)]
pub struct Options {
    /// The user's limit, all of which is taken. 1 to [`MANAGERS_MAX`].
    pub managers: u32,
    /// How many of them go silent; at most all.
    pub silent: u32,
    /// Which of them.
    pub seed: u64,
    /// The server behind the gateway; the built-in application if there is none.
    pub upstream: Option<Upstream>,
}

impl Options {
    fn asking(&self) -> Asking {
        match self.upstream {
            None => Asking::Echo,
            Some(_) => Asking::Ping,
        }
    }
}

/// What came of it.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// Silent managers that were evicted.
    pub silent_evicted: u32,
    /// Live managers that were evicted.
    pub live_evicted: u32,
    /// Whether the newcomer was let in.
    pub admitted: bool,
    /// How long that took, from connecting to the upgrade, ms.
    pub admission_ms: u64,
    /// Live managers that still answer afterwards, the newcomer not counted.
    pub live_answering: u32,
    /// The tiers that ran, in order.
    pub tiers: Vec<TierRun>,
    /// How the same newcomer fares at a plain limit.
    pub without: PlainLimit,
    /// The options, to repeat it.
    pub managers: u32,
    /// See [`Options::silent`].
    pub silent: u32,
    /// See [`Options::seed`].
    pub seed: u64,
    /// See [`Options::upstream`].
    pub upstream: Option<String>,
}

impl Summary {
    /// Whether the promise was kept: the newcomer is in; as long as a silent manager was there,
    /// only silent ones went; every live one that was left answers.
    #[must_use]
    pub fn is_as_promised(&self) -> bool {
        let live = self.managers - self.silent;
        let only_silent = self.silent == 0 || (self.live_evicted == 0 && self.silent_evicted > 0);
        self.admitted && only_silent && self.live_answering == live - self.live_evicted
    }
}

/// Why it could not be shown.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The options make no story.
    #[error("--managers must be 1 to {MANAGERS_MAX} and --silent at most as many")]
    Options,
    /// The gateway could not be put together.
    #[error("the gateway cannot be started")]
    App(#[from] AppError),
    /// The server behind the gateway does not take connections.
    #[error("no client gets through to {0}")]
    Upstream(Upstream, #[source] ClientError),
    /// The tiers cannot be switched off.
    #[error("there is no plain limit to compare with")]
    Table(#[from] InvalidTable),
    /// A client failed where none may.
    #[error("a client failed")]
    Client(#[from] ClientError),
    /// Nothing can be written.
    #[error("cannot write")]
    Io(#[from] io::Error),
    /// Something that had to happen did not.
    #[error("waited {PATIENCE:?} in vain for {0}")]
    Waited(&'static str),
}

/// Shows it. Tells the story as it happens, if there is one.
///
/// # Errors
/// [`DemoError`] if it could not be shown; a broken promise is a summary, not an error.
pub async fn run(options: Options, to: Option<&mut dyn Tell>) -> Result<Summary, DemoError> {
    if !(1..=MANAGERS_MAX).contains(&options.managers) || options.silent > options.managers {
        return Err(DemoError::Options);
    }
    let mut stage = Stage::set(&options, AtTheLimit::Tiers).await?;
    let address = stage.address;
    let mut story = Story::new(to);
    let (mut live, silent) = open(address, &options).await?;
    story.begin(&options, address)?;

    let (newcomer, admission) = knock(address, &options).await?;
    let admitted = newcomer.is_ok();

    let seen = watch(
        &mut stage.events,
        &mut story,
        admission,
        newcomer.as_ref().err(),
    )
    .await?;
    let is_silent = |key: &str| silent.iter().any(|client| client.key() == key);
    let (silent_evicted, live_evicted) = seen.evicted.iter().fold((0, 0), |(s, l), key| {
        if is_silent(key) {
            (s + 1, l)
        } else {
            (s, l + 1)
        }
    });

    let mut live_answering = 0;
    for client in &mut live {
        live_answering += u32::from(client.answers(PATIENCE).await);
    }
    drop((live, silent, newcomer));
    stage.clear().await?;
    let summary = Summary {
        without: plain_limit(&options).await?,
        silent_evicted,
        live_evicted,
        admitted,
        admission_ms: whole_ms(admission),
        live_answering,
        tiers: seen.tiers,
        managers: options.managers,
        silent: options.silent,
        seed: options.seed,
        upstream: options.upstream.as_ref().map(ToString::to_string),
    };
    story.end(&summary)?;
    Ok(summary)
}

/// One more client asks to enter: whether it may, and how long the answer took.
async fn knock(
    address: std::net::SocketAddr,
    options: &Options,
) -> Result<(Result<Client, ClientError>, Duration), DemoError> {
    let clock = Clock::system();
    let asked_at = clock.now();
    let newcomer = Client::connect(address, USER, "newcomer", options.asking());
    let newcomer = timeout(PATIENCE, newcomer).await;
    let took = clock.now().since(asked_at);
    let newcomer = newcomer.map_err(|_| DemoError::Waited("the newcomer's answer"))?;
    Ok((newcomer, took))
}

/// The same crowd and the same newcomer at a plain limit.
async fn plain_limit(options: &Options) -> Result<PlainLimit, DemoError> {
    let stage = Stage::set(options, AtTheLimit::Refusal).await?;
    let clients = open(stage.address, options).await?;
    let (newcomer, took) = knock(stage.address, options).await?;
    let fared = PlainLimit::of(newcomer.is_ok(), took, options.silent);
    drop((clients, newcomer));
    stage.clear().await?;
    Ok(fared)
}

/// Opens the user's managers, and has the seed's choice of them go silent.
async fn open(
    address: std::net::SocketAddr,
    options: &Options,
) -> Result<(Vec<Client>, Vec<Client>), DemoError> {
    let mut numbers: Vec<u32> = (1..=options.managers).collect();
    shuffle(&mut numbers, options.seed);
    let chosen = numbers.split_off((options.managers - options.silent) as usize);
    let (mut live, mut silent) = (Vec::new(), Vec::new());
    for number in 1..=options.managers {
        let key = format!("chat-{number:02}");
        let client = Client::connect(address, USER, &key, options.asking()).await;
        let mut client = match (client, &options.upstream) {
            // The gateway lets it in: nobody is there yet, so it is the server behind it.
            (Err(error @ ClientError::Refused(_)), Some(upstream)) => {
                return Err(DemoError::Upstream(upstream.clone(), error));
            }
            (client, _) => client?,
        };
        if !client.answers(PATIENCE).await {
            return Err(DemoError::Waited("a client's first answer"));
        }
        // A silent client is kept open and never read again; a live one has a task that reads.
        if chosen.contains(&number) {
            silent.push(client);
        } else {
            client.keep_reading();
            live.push(client);
        }
    }
    Ok((live, silent))
}

/// What was seen of the cleanup.
#[derive(Default)]
struct Seen {
    tiers: Vec<TierRun>,
    evicted: Vec<String>,
}

/// Follows the cleanup until every eviction has come to its end.
async fn watch(
    events: &mut tokio::sync::broadcast::Receiver<WatchedEvent>,
    story: &mut Story<'_>,
    admission: Duration,
    refused: Option<&ClientError>,
) -> Result<Seen, DemoError> {
    let mut seen = Seen::default();
    let mut reported = false;
    loop {
        let freed: u32 = seen.tiers.iter().map(|run| run.freed).sum();
        let drained = events.is_empty();
        if drained && !reported {
            story.answer(admission, refused)?;
            reported = true;
        }
        if drained && seen.evicted.len() >= freed as usize {
            return Ok(seen);
        }
        let event = timeout(PATIENCE, events.recv()).await;
        match event.map_err(|_| DemoError::Waited("the evictions to end"))? {
            Ok(WatchedEvent::Tier { run, round, .. })
                if run.tier != wastegate_core::types::Tier::Proactive =>
            {
                story.tier(&run, round)?;
                seen.tiers.push(run);
            }
            Ok(WatchedEvent::Decided(decided)) => {
                story.decided(&decided)?;
                let ends = decided.plan.victims().iter().zip(&decided.outcomes);
                let gone = ends.filter(|(_, outcome)| outcome.is_eviction());
                seen.evicted
                    .extend(gone.map(|(victim, _)| victim.key.to_string()));
            }
            Ok(WatchedEvent::Tier { .. } | WatchedEvent::Pressure(_)) => {}
            Err(_) => return Err(DemoError::Waited("the gateway's events")),
        }
    }
}

/// Fisher and Yates' shuffle over SplitMix64: the same seed, the same order, anywhere.
fn shuffle(numbers: &mut [u32], seed: u64) {
    let mut random = SplitMix64::new(seed);
    for last in (1..numbers.len()).rev() {
        let bound = last as u64 + 1;
        #[expect(clippy::cast_possible_truncation, reason = "a remainder of a length")]
        numbers.swap(last, (random.next() % bound) as usize);
    }
}
