//! A refusal as an answer: status, word and sentence, as problem details (RFC 9457).

use std::borrow::Cow;

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::views::SeatDto;
use crate::rollout::{RolloutError, StoreError};
use wastegate_engine::policy::LoadError;

/// After how long a client that met too much at once may try again, seconds.
const RETRY_AFTER_S: &str = "1";
/// Before the word, the name of a problem's type (RFC 9457, section 3.1.1).
const PROBLEM: &str = "urn:wastegate:problem:";
/// The media type of problem details (RFC 9457, section 3).
const PROBLEM_JSON: &str = "application/problem+json";

/// The answer to a request that is refused.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Problem", example = example())]
pub struct RefusalDto {
    /// The word in `error` as the URI that RFC 9457 wants.
    #[serde(default, rename = "type")]
    pub kind: String,
    /// The same for people.
    #[serde(default)]
    pub title: String,
    /// The status of the answer.
    #[serde(default)]
    pub status: u16,
    /// The same as `message`.
    #[serde(default)]
    pub detail: String,
    /// What is wrong, in a word that stays.
    #[serde(default)]
    pub error: Cow<'static, str>,
    /// What is wrong and what to do, in sentences.
    pub message: String,
    /// Who answers now, where the refused change was made on a condition that does not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seats: Option<Vec<SeatDto>>,
}

/// What the document shows.
fn example() -> RefusalDto {
    Refusal::not_found("no such manager").problem()
}

/// Why a request was not done.
#[derive(Debug)]
pub(in crate::admin) struct Refusal {
    status: StatusCode,
    word: &'static str,
    message: String,
    seats: Option<Vec<SeatDto>>,
}

impl Refusal {
    /// A request of a form that the document does not have.
    pub(in crate::admin) fn request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "request", message)
    }

    /// A request of the right form, which says what cannot be used.
    pub(in crate::admin) fn unusable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "request", message)
    }

    /// A body that does not say what it is.
    pub(in crate::admin) fn media() -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "request",
            "what changes something takes a JSON body: send `content-type: application/json`, and `{}` where there is nothing to say",
        )
    }

    /// A file that is too large, told while it is read.
    pub(in crate::admin) fn too_large(max: u64) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too-large",
            format!(
                "the file has more than {max} bytes: build it for size and strip it, or raise `policy.size_bytes_max` (`policy.heavy.size_bytes_max` for one with an interpreter in it)"
            ),
        )
    }

    /// Something that is not there.
    pub(in crate::admin) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", message)
    }

    /// The worker that did it is gone.
    pub(in crate::admin) fn interrupted() -> Self {
        Self::from(RolloutError::Interrupted)
    }

    /// With the revision that is active now.
    pub(in crate::admin) fn with_seats(mut self, seats: Vec<SeatDto>) -> Self {
        if self.status == StatusCode::CONFLICT {
            self.seats = Some(seats);
        }
        self
    }

    pub(in crate::admin) fn new(
        status: StatusCode,
        word: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self {
            status,
            word,
            message: message.into(),
            seats: None,
        }
    }
}

impl Refusal {
    /// As its body has it.
    fn problem(self) -> RefusalDto {
        RefusalDto {
            kind: format!("{PROBLEM}{}", self.word),
            title: title(self.word),
            status: self.status.as_u16(),
            detail: self.message.clone(),
            error: self.word.into(),
            message: self.message,
            seats: self.seats,
        }
    }
}

impl From<RolloutError> for Refusal {
    fn from(refused: RolloutError) -> Self {
        let status = match &refused {
            RolloutError::Load(LoadError::TooLarge { .. }) => StatusCode::PAYLOAD_TOO_LARGE,
            RolloutError::Load(
                LoadError::Interrupted | LoadError::LoadersBusy { .. } | LoadError::NoLoader(_),
            )
            | RolloutError::Interrupted => StatusCode::SERVICE_UNAVAILABLE,
            RolloutError::Signature(_)
            | RolloutError::Load(_)
            | RolloutError::Name { .. }
            | RolloutError::Limits(_) => StatusCode::UNPROCESSABLE_ENTITY,
            RolloutError::Source(_) => StatusCode::BAD_GATEWAY,
            RolloutError::Store(StoreError::Write { .. }) => StatusCode::INSUFFICIENT_STORAGE,
            RolloutError::Store(_) => StatusCode::GONE,
            RolloutError::NoSuchPolicy { .. }
            | RolloutError::NeverActivated { .. }
            | RolloutError::NoSuchRevision(_) => StatusCode::NOT_FOUND,
            RolloutError::OfAnother { .. }
            | RolloutError::Changed { .. }
            | RolloutError::NothingBefore(_) => StatusCode::CONFLICT,
            RolloutError::Busy { .. } => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self::new(status, refused.word(), refused.sentence())
    }
}

/// A word as a title: `not-found` is `Not found`.
fn title(word: &str) -> String {
    let mut letters = word.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    let rest = letters.map(|letter| if letter == '-' { ' ' } else { letter });
    first.into_iter().chain(rest).collect()
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = self.status;
        let mut response = (status, Json(self.problem())).into_response();
        let kind = header::HeaderValue::from_static(PROBLEM_JSON);
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        if status == StatusCode::UNAUTHORIZED {
            let bearer = header::HeaderValue::from_static("Bearer");
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, bearer);
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            let after = header::HeaderValue::from_static(RETRY_AFTER_S);
            response.headers_mut().insert(header::RETRY_AFTER, after);
        }
        response
    }
}
