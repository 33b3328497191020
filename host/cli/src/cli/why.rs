//! `wastegate why`: why a client was disconnected, as a running server remembers it.

use std::process::ExitCode;

use reqwest::Method;

use super::Terminal;
use super::failure::Failure;
use super::policy::operate::client::Body;
use super::policy::operate::{Remote, shown};
use wastegate_control::page::utc;
use wastegate_control::why::Timeline;
use wastegate_core::types::{Clock, ConnectionRef};

/// Minutes of a day.
const MINUTES: u64 = 24 * 60;
const MINUTE_MS: u64 = 60_000;
const DAY_MS: u64 = MINUTES * MINUTE_MS;

/// Arguments of `wastegate why`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  wastegate why ann\n  wastegate why 7F3K2M\n  wastegate why ann --at 14:02\n  wastegate why ann --key tab-3 --json"
)]
pub struct Args {
    /// The user, or the six characters that a close reason has (`why 7F3K2M`).
    #[arg(value_name = "USER|REFERENCE")]
    user: String,
    /// Only this one of the user's managers.
    #[arg(long)]
    key: Option<String>,
    /// About when it was, UTC: the last time that the clock showed `14:02` or `14:02:30`. Without it the last end
    /// of a connection is explained.
    #[arg(long, value_name = "TIME", value_parser = time_of_day)]
    at: Option<u64>,
    #[command(flatten)]
    remote: Remote,
}

/// What may be a reference of a connection, as the API reads it.
fn reference(text: &str) -> Option<String> {
    let reference: Option<ConnectionRef> = text.parse().ok();
    reference.map(|reference| reference.to_string())
}

/// A time of day in UTC, as milliseconds since midnight.
fn time_of_day(text: &str) -> Result<u64, String> {
    let wrong = || "give a time of day in UTC, such as 14:02 or 14:02:30".to_owned();
    let parts: Vec<u64> = text
        .trim_end_matches('Z')
        .split(':')
        .map(|part| part.parse().map_err(|_| wrong()))
        .collect::<Result<_, _>>()?;
    match parts.as_slice() {
        [hour @ 0..24, minute @ 0..60] => Ok((hour * 60 + minute) * MINUTE_MS),
        [hour @ 0..24, minute @ 0..60, second @ 0..60] => {
            Ok((hour * 60 + minute) * MINUTE_MS + second * 1_000)
        }
        _ => Err(wrong()),
    }
}

/// The last moment before `now` at which a clock showed that time of day, ms since the Unix epoch.
const fn last_at(of_day_ms: u64, now_ms: u64) -> u64 {
    let today = now_ms - now_ms % DAY_MS + of_day_ms;
    if today <= now_ms {
        today
    } else {
        today.saturating_sub(DAY_MS)
    }
}

impl Args {
    /// Does it: 0 with what is remembered, 1 if the question was refused, 69 if the server does not answer.
    pub(in crate::cli) fn run(self, terminal: Terminal<'_>) -> Result<ExitCode, Failure> {
        let Self {
            user,
            key,
            at,
            remote,
        } = self;
        remote.run(terminal, async move |client, json| {
            let is_plain = key.is_none() && at.is_none();
            if let Some(reference) = is_plain.then(|| reference(&user)).flatten() {
                let query = [("reference", reference)];
                // What is no connection may be a user of such a name.
                if let Ok(answer) = client.ask(Method::GET, "/v1/why", &query, Body::None).await {
                    return Ok(shown(answer, json, in_words));
                }
            }
            let mut query = vec![("user", user)];
            query.extend(key.map(|key| ("key", key)));
            let clock = Clock::system();
            let at = at.map(|at| last_at(at, clock.unix_ms(clock.now())));
            query.extend(at.map(|at| ("at_ms", at.to_string())));
            let answer = client.ask(Method::GET, "/v1/why", &query, Body::None);
            Ok(shown(answer.await?, json, in_words))
        })
    }
}

/// What is remembered of a user, and the answer behind it.
fn in_words(timeline: &Timeline) -> String {
    let mut text = String::new();
    for line in &timeline.lines {
        text.push_str(&format!(
            "{}  {}  {}\n",
            utc(line.unix_ms),
            line.key,
            line.text
        ));
    }
    let since = utc(timeline.since_ms);
    match &timeline.answer {
        Some(answer) => text.push_str(&format!("\n{answer}\n")),
        None => text.push_str(&format!(
            "no connection of {} ended, and none was refused, since {since}\n",
            timeline.user
        )),
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_day_is_the_last_one_that_was() {
        assert_eq!(time_of_day("14:02"), Ok((14 * 60 + 2) * MINUTE_MS));
        assert_eq!(time_of_day("00:00:30Z"), Ok(30_000));
        for wrong in ["24:00", "14", "14:60", "two", "14:02:61", "1:2:3:4", ""] {
            assert!(time_of_day(wrong).is_err(), "{wrong}");
        }
        let now = 20 * DAY_MS + 15 * 60 * MINUTE_MS;
        assert_eq!(last_at(14 * 60 * MINUTE_MS, now), now - 60 * MINUTE_MS);
        assert_eq!(last_at(16 * 60 * MINUTE_MS, now), now - 23 * 60 * MINUTE_MS);
    }
}
