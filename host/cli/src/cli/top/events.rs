//! Listening to what happens: server-sent events (WHATWG HTML, section 9.2), as far as the operators' API sends them.

use std::time::Duration;

use tokio::sync::mpsc;

use super::super::failure::Failure;
use super::super::policy::operate::client::Client;
use super::state::News;
use wastegate_control::page::time_of_day;
use wastegate_control::why::Event;
use wastegate_core::types::visible;

/// What is listened to: what went wrong for a client and what operators did, and not each client that comes and goes.
const KINDS: &str = "refused,evicted,pressure,change";
/// Between two tries: doubled from the first to the last.
const RETRY_FIRST: Duration = Duration::from_millis(500);
const RETRY_MAX: Duration = Duration::from_secs(10);
/// Bytes of an event; of a longer one the rest is passed over.
const EVENT_BYTES_MAX: usize = 64 << 10;
/// Events of one read that are shown, the newest: a storm of them does not fit a screen.
const SHOWN_MAX: usize = 16;

/// Listens for ever, and goes on behind the last event where a stream broke off.
pub(super) async fn hear(client: &Client, news: mpsc::Sender<News>) {
    let mut last = None;
    let mut failures = 0_u32;
    loop {
        match client
            .stream(
                "/v1/events",
                &[("kinds", KINDS.to_owned())],
                last.as_deref(),
            )
            .await
        {
            Ok(mut answer) => {
                let mut stream = Stream::default();
                while let Ok(Some(bytes)) = answer.chunk().await {
                    failures = 0;
                    let events = stream.read(&bytes);
                    if !events.is_empty() && news.send(News::Happened(events)).await.is_err() {
                        return;
                    }
                }
                last = stream.id.or(last);
            }
            Err(failure) => {
                // That the server is away is said elsewhere.
                if let Failure::Verb {
                    code: super::super::exit::EX_FAILURE,
                    sentences,
                } = failure
                    && news.send(News::Deaf(sentences.join("; "))).await.is_err()
                {
                    return;
                }
            }
        }
        tokio::time::sleep(
            RETRY_FIRST
                .saturating_mul(2_u32.saturating_pow(failures))
                .min(RETRY_MAX),
        )
        .await;
        failures = failures.saturating_add(1);
    }
}

/// A stream as it is read.
#[derive(Debug, Default)]
pub(super) struct Stream {
    /// The number of the last event.
    pub(super) id: Option<String>,
    line: Vec<u8>,
    data: String,
}

impl Stream {
    /// Takes what came, and gives the newest of the events that it completes as lines for people.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut data = Vec::new();
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            if self.line.len() < EVENT_BYTES_MAX {
                self.line.extend_from_slice(part);
            }
            if part.ends_with(b"\n") {
                let line = std::mem::take(&mut self.line);
                data.extend(self.line(String::from_utf8_lossy(&line).trim_end()));
            }
        }
        let older = data.len().saturating_sub(SHOWN_MAX);
        data.iter()
            .skip(older)
            .filter_map(|data| shown(data))
            .collect()
    }

    /// Takes a line; an empty one completes an event, whose data this gives.
    fn line(&mut self, line: &str) -> Option<String> {
        if line.is_empty() {
            let data = std::mem::take(&mut self.data);
            return (!data.is_empty()).then_some(data);
        }
        let (name, text) = line.split_once(':').unwrap_or((line, ""));
        let text = text.strip_prefix(' ').unwrap_or(text);
        match name {
            "id" => self.id = Some(text.to_owned()),
            "data" if self.data.len() + text.len() < EVENT_BYTES_MAX => self.data.push_str(text),
            _ => {}
        }
        None
    }
}

/// An event as a line; none where it is of another kind, such as that some were missed.
fn shown(data: &str) -> Option<String> {
    let Event { user, line, .. } = serde_json::from_str(data).ok()?;
    // What is about the node has no user.
    let user = user.unwrap_or_else(|| "the node".to_owned());
    let subject = match line.key.as_str() {
        "" => user,
        key => format!("{user} {key}"),
    };
    let text = format!("{}  {subject}  {}", time_of_day(line.unix_ms), line.text);
    Some(visible::line(&text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(number: u64) -> String {
        format!(
            "id: 19a-{number}\nevent: evicted\ndata: {{\"number\":{number},\"user\":\"ann\\u001b[2J\",\"unix_ms\":0,\
             \"key\":\"tab-{number}\",\"kind\":\"evicted\",\"text\":\"evicted at force\"}}\n\n"
        )
    }

    #[test]
    fn events_are_read_however_they_are_cut() {
        let text = format!(
            ": a comment\n\n{}event: gap\ndata: {{\"missed\":true}}\n\n{}",
            event(1),
            event(2)
        );
        for size in [1, 7, 8_192] {
            let mut stream = Stream::default();
            let read: Vec<String> = text
                .as_bytes()
                .chunks(size)
                .flat_map(|bytes| stream.read(bytes))
                .collect();
            assert_eq!(
                read,
                [
                    "00:00:00Z  ann\\u001b[2J tab-1  evicted at force",
                    "00:00:00Z  ann\\u001b[2J tab-2  evicted at force",
                ]
            );
            assert_eq!(stream.id.as_deref(), Some("19a-2"));
        }
    }

    #[test]
    fn of_a_storm_the_newest_are_shown_and_an_endless_line_is_cut() {
        let mut stream = Stream::default();
        let storm: String = (0..500).map(event).collect();
        let read = stream.read(storm.as_bytes());
        assert_eq!(read.len(), SHOWN_MAX);
        assert!(read.last().unwrap().contains("tab-499"), "{read:?}");
        for _ in 0..100 {
            assert!(stream.read(&[b'x'; 8_192]).is_empty());
        }
        assert!(stream.line.len() <= EVENT_BYTES_MAX + 8_192);
        assert!(stream.read(b"\n").is_empty());
        assert_eq!(stream.read(event(7).as_bytes()).len(), 1);
    }
}
