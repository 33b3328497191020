//! A refusal as an answer: status, word and sentence.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::views::{RefusalDto, SeatDto};
use crate::rollout::{RolloutError, StoreError};
use wastegate_engine::policy::LoadError;

/// After how long a client that met too much at once may try again, seconds.
const RETRY_AFTER_S: &str = "1";

/// Why a request was not done.
#[derive(Debug)]
pub(in crate::admin) struct Refusal {
    status: StatusCode,
    word: &'static str,
    message: String,
    seats: Option<Vec<SeatDto>>,
}

impl Refusal {
    /// A request that makes no sense.
    pub(in crate::admin) fn request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "request", message)
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

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = RefusalDto {
            error: self.word.into(),
            message: self.message,
            seats: self.seats,
        };
        let mut response = (self.status, Json(body)).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            let after = header::HeaderValue::from_static(RETRY_AFTER_S);
            response.headers_mut().insert(header::RETRY_AFTER, after);
        }
        response
    }
}
