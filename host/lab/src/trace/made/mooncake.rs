//! Sessions out of Mooncake's conversation trace (FAST'25 release, Apache-2.0).
//!
//! A request is a line with `timestamp` (ms), `output_length` (tokens) and `hash_ids`, blocks of its
//! prompt chained by their prefix. Requests that share a block other than 0, which all share, are turns
//! of one session; the last one shared says of which.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use serde::Deserialize;

use super::chats::{Chat, Turn};
use crate::trace::error::{LineProblem, TraceError};

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

/// Reads the sessions of a file, in the order of their first turns.
///
/// # Errors
/// [`TraceError`] with the file and the line.
pub fn read(path: &Path) -> Result<Vec<Chat>, TraceError> {
    let failed = |source| TraceError::Read {
        path: path.to_owned(),
        source,
    };
    let mut lines = BufReader::new(File::open(path).map_err(failed)?);
    let (mut chats, mut owners): (Vec<Chat>, HashMap<u64, usize>) = (Vec::new(), HashMap::new());
    let (mut line, mut latest_ms) = (String::new(), 0);
    for number in 1.. {
        line.clear();
        let at = |problem| TraceError::Line {
            path: path.to_owned(),
            line: number,
            problem,
        };
        let taken = std::io::Read::take(&mut lines, LINE_BYTES_MAX as u64).read_line(&mut line);
        if taken.map_err(failed)? == 0 {
            break;
        }
        if line.trim().is_empty() {
            continue;
        }
        if number as usize > REQUESTS_MAX {
            return Err(TraceError::TooMany {
                path: path.to_owned(),
                line: number,
                what: "requests",
                most: REQUESTS_MAX,
            });
        }
        let request: Request = serde_json::from_str(&line).map_err(|error| {
            at(LineProblem::Json(format!(
                "no request of a Mooncake trace: {error}"
            )))
        })?;
        if request.timestamp < latest_ms {
            return Err(at(LineProblem::Unordered {
                back_ms: latest_ms - request.timestamp,
                most_ms: 0,
            }));
        }
        latest_ms = request.timestamp;
        let blocks = request
            .hash_ids
            .iter()
            .filter(|block| **block != GLOBAL_BLOCK);
        let session = blocks
            .clone()
            .rev()
            .find_map(|block| owners.get(block).copied());
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
    if chats.is_empty() {
        return Err(TraceError::Empty {
            path: path.to_owned(),
            format: "mooncake",
        });
    }
    Ok(chats)
}
