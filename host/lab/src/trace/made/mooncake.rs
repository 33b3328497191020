//! Sessions out of Mooncake's conversation trace (FAST'25 release, Apache-2.0).
//!
//! A request is a line with `timestamp` (ms), `output_length` (tokens) and `hash_ids`, blocks of its
//! prompt chained by their prefix. Requests that share a block other than 0, which all share, are turns
//! of one session; the last one shared says of which.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::chats::{Chat, Turn};
use crate::trace::builder::NotTaken;
use crate::trace::error::{LineProblem, TraceError};
use crate::trace::lines::{Lines, cannot_read};

/// The block that begins every prompt.
const GLOBAL_BLOCK: u64 = 0;
/// How fast an answer streams, tokens a second: a usual serving rate. The trace does not say.
const TOKENS_PER_SECOND: u64 = 50;
/// Bytes of a token, about.
const BYTES_PER_TOKEN: u64 = 4;
/// Requests that are read.
const REQUESTS_MAX: usize = 5_000_000;
/// Bytes of a line.
const LINE_BYTES_MAX: usize = 4 << 20;

#[derive(Debug, Deserialize)]
struct Request {
    timestamp: u64,
    #[serde(default)]
    output_length: u64,
    hash_ids: Vec<u64>,
}

/// Reads the sessions of a file, in the order of their first turns. A last line that was cut off is
/// left out, and added to `cut_off` with its file.
///
/// # Errors
/// [`TraceError`] with the file and the line.
pub fn read(path: &Path, cut_off: &mut Vec<(PathBuf, u64)>) -> Result<Vec<Chat>, TraceError> {
    let file = File::open(path).map_err(|source| cannot_read(path, source))?;
    let mut lines = Lines::new(path, file)?.at_most(LINE_BYTES_MAX);
    let (mut chats, mut owners): (Vec<Chat>, HashMap<u64, usize>) = (Vec::new(), HashMap::new());
    let (mut requests, mut latest_ms) = (0, 0);
    while lines.advance()? {
        if requests >= REQUESTS_MAX {
            return Err(lines.not_taken(NotTaken::Full("requests", REQUESTS_MAX)));
        }
        match request(&lines, latest_ms) {
            Ok(None) => {}
            Ok(Some(request)) => {
                requests += 1;
                latest_ms = request.timestamp;
                turn(&request, &mut chats, &mut owners);
            }
            Err(_) if lines.may_be_cut() && requests > 0 => cut_off.push(lines.cut()),
            Err(problem) => return Err(lines.problem(problem)),
        }
    }
    cut_off.extend(lines.torn());
    if chats.is_empty() {
        return Err(TraceError::Empty {
            path: path.to_owned(),
            what: "event: no request of a Mooncake trace is in it",
        });
    }
    Ok(chats)
}

/// The request of a line; none of an empty one.
fn request(lines: &Lines<'_>, latest_ms: u64) -> Result<Option<Request>, LineProblem> {
    let text = lines.text()?.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let request: Request = serde_json::from_str(text).map_err(|error| {
        let place = format!(" at line 1 column {}", error.column());
        let message = error.to_string();
        let message = message.strip_suffix(&place).unwrap_or(&message);
        LineProblem::Json(format!("no request of a Mooncake trace: {message}"))
    })?;
    if request.timestamp < latest_ms {
        return Err(LineProblem::Unordered {
            back_ms: latest_ms - request.timestamp,
            most_ms: 0,
        });
    }
    Ok(Some(request))
}

/// Adds a request to the session that it is a turn of.
fn turn(request: &Request, chats: &mut Vec<Chat>, owners: &mut HashMap<u64, usize>) {
    let hashes = request.hash_ids.iter();
    let blocks = hashes.filter(|block| **block != GLOBAL_BLOCK);
    let mut known = blocks.clone().rev();
    let session = known.find_map(|block| owners.get(block).copied());
    let session = session.unwrap_or_else(|| {
        chats.push(Chat {
            number: chats.len() as u64,
            turns: Vec::new(),
        });
        chats.len() - 1
    });
    owners.extend(blocks.map(|block| (*block, session)));
    if let Some(chat) = chats.get_mut(session) {
        chat.turns.push(Turn {
            at_ms: request.timestamp,
            answer_ms: request.output_length.saturating_mul(1_000) / TOKENS_PER_SECOND,
            answer_bytes: request.output_length.saturating_mul(BYTES_PER_TOKEN),
        });
    }
}
