//! Asking the server, again and again.

use std::time::Duration;

use reqwest::Method;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use super::super::exit::EX_UNAVAILABLE;
use super::super::failure::Failure;
use super::super::policy::operate::client::{Body, Client};
use super::super::users::path;
use super::state::{Look, News, Wanted};
use wastegate_control::admin::HistoryView;
use wastegate_core::types::{Clock, Timestamp};

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(6);
/// How many times as long as the answers took the server is left alone: what is dear for it is asked for rarely.
const REST_TIMES: u32 = 50;
const REST_MAX: Duration = Duration::from_secs(10);
/// How often the past is asked for; it is the longest answer.
const PAST_EVERY: Duration = Duration::from_secs(4);
/// After how long what keys chose is asked for: whoever types a filter presses several.
const SOONEST: Duration = Duration::from_millis(150);
/// Between two tries of a server that does not answer: doubled from the first to the last.
const RETRY_FIRST: Duration = Duration::from_millis(500);
const RETRY_MAX: Duration = Duration::from_secs(5);
/// Seconds that a rate is the mean of.
pub(super) const RATE_OVER: usize = 10;

/// The last minutes, series by series.
#[derive(Debug, Clone)]
pub(super) struct Past(HistoryView);

impl Past {
    pub(super) const fn new(view: HistoryView) -> Self {
        Self(view)
    }

    /// The values of a series, oldest first, second by second; empty where the server has none of that name.
    pub(super) fn of(&self, series: &str) -> &[Option<f64>] {
        self.0.series.get(series).map_or(&[], Vec::as_slice)
    }

    /// What happened each second, over the last ones; none where nothing is known.
    pub(super) fn rate(&self, series: &str) -> Option<f64> {
        let values = self.of(series);
        let last = values.get(values.len().saturating_sub(RATE_OVER)..)?;
        mean(last)
    }
}

/// The mean of what is known.
#[expect(clippy::cast_precision_loss, reason = "hundreds of values")]
pub(super) fn mean(values: &[Option<f64>]) -> Option<f64> {
    let known: Vec<f64> = values.iter().copied().flatten().collect();
    (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
}

/// Asks one server.
pub(super) struct Looker<'a> {
    client: &'a Client,
    every: Duration,
    clock: Clock,
    past_at: Option<Timestamp>,
    /// When it last answered, ms since the Unix epoch.
    answered_unix_ms: u64,
    /// How long the last answers took.
    took: Duration,
    failures: u32,
}

impl<'a> Looker<'a> {
    pub(super) fn new(client: &'a Client, every: Duration) -> Self {
        let clock = Clock::system();
        Self {
            client,
            every,
            answered_unix_ms: clock.unix_ms(clock.now()),
            clock,
            past_at: None,
            took: Duration::ZERO,
            failures: 0,
        }
    }

    /// Asks once.
    ///
    /// # Errors
    /// When the server refuses or does not answer.
    pub(super) async fn look(&mut self, wanted: &Wanted) -> Result<News, Failure> {
        let now = self.clock.now();
        let is_due = |at: Timestamp| now.since(at) >= PAST_EVERY;
        let with_past = self.past_at.is_none_or(is_due);
        let asked = timeout(PATIENCE, ask(self.client, wanted, with_past));
        let mut look = asked.await.unwrap_or_else(|_| {
            let sentence = format!("it did not answer within {} s", PATIENCE.as_secs());
            Err(Failure::new(sentence).code(EX_UNAVAILABLE))
        })?;
        if with_past {
            self.past_at = Some(now);
        }
        self.answered_unix_ms = self.clock.unix_ms(self.clock.now());
        look.unix_ms = self.answered_unix_ms;
        Ok(News::Looked(Box::new(look)))
    }

    /// Asks for ever: when it is time, and soon after something else is wanted.
    pub(super) async fn again(
        mut self,
        mut wanted: watch::Receiver<Wanted>,
        news: mpsc::Sender<News>,
    ) {
        loop {
            let rest = tokio::time::sleep(self.rest());
            tokio::select! {
                () = rest => {}
                changed = wanted.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    tokio::time::sleep(SOONEST).await;
                }
            }
            let asked = wanted.borrow_and_update().clone();
            let from = self.clock.now();
            let heard = match self.look(&asked).await {
                Ok(looked) => {
                    self.failures = 0;
                    looked
                }
                Err(failure) => {
                    self.failures += 1;
                    self.failed(failure)
                }
            };
            self.took = self.clock.now().since(from);
            if news.send(heard).await.is_err() {
                return;
            }
        }
    }

    /// How long the server is left alone now.
    fn rest(&self) -> Duration {
        if let Some(before) = self.failures.checked_sub(1) {
            return RETRY_FIRST
                .saturating_mul(2_u32.saturating_pow(before))
                .min(RETRY_MAX);
        }
        self.every.max((self.took * REST_TIMES).min(REST_MAX))
    }

    fn failed(&mut self, failure: Failure) -> News {
        // What comes back may be another process with another past.
        self.past_at = None;
        match failure {
            Failure::Verb { code, sentences } if code != EX_UNAVAILABLE => {
                News::Refused(sentences.join("; "))
            }
            Failure::Verb { sentences, .. } => News::Lost {
                since_unix_ms: self.answered_unix_ms,
                why: sentences.join("; "),
            },
            Failure::Io(error) => News::Refused(error.to_string()),
        }
    }
}

async fn ask(client: &Client, wanted: &Wanted, with_past: bool) -> Result<Look, Failure> {
    let query = [
        ("order", wanted.order.name().to_owned()),
        ("filter", wanted.filter.clone()),
        ("limit", wanted.limit.to_string()),
    ];
    let (status, _) = client.get("/v1/status").await?;
    let users = client.ask(Method::GET, "/v1/users", &query, Body::None);
    let (users, _) = users.await?;
    let user = match &wanted.user {
        Some(user) => Some(slots(client, user).await?),
        None => None,
    };
    let past = match with_past {
        true => Some(Past::new(client.get("/v1/history").await?.0)),
        false => None,
    };
    Ok(Look {
        wanted: wanted.clone(),
        unix_ms: 0,
        status,
        users,
        past,
        user,
    })
}

/// The slots of a user. That they are refused is no failure of the whole look.
async fn slots(
    client: &Client,
    user: &str,
) -> Result<Result<wastegate_control::admin::users::views::UserAnswer, String>, Failure> {
    match client.get(&path(user)).await {
        Ok((answer, _)) => Ok(Ok(answer)),
        Err(Failure::Verb { code, sentences }) if code != EX_UNAVAILABLE => {
            Ok(Err(sentences.join("; ")))
        }
        Err(failure) => Err(failure),
    }
}
