//! The routes that change something.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;

use super::SIGNATURE_HEADER;
use super::extract::{Asked, By, Details, Named};
use super::refusal::Refusal;
use super::views::{ChangedDto, RevisionDto, SeatDto, UploadedDto};
use crate::admin::{Admin, blocking};
use crate::rollout::RolloutError;
use crate::rollout::service::{
    Activation, Changed, Expected, LimitsPatch, Patch, SettingsSource, Submitted,
};
use crate::rollout::source::oci::{InvalidReference, Reference};
use crate::rollout::source::{Fetched, PolicyOrigin};
use wastegate_core::types::{RevisionId, Tier};

/// How a file is taken.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Upload {
    /// Activate it at once.
    #[serde(default)]
    activate: bool,
    /// At that tier only.
    tier: Option<Tier>,
    /// Keep what is set for the policy now; without it every parameter and limit is as it comes.
    #[serde(default = "yes")]
    inherit: bool,
    /// The operator's reason, for the audit log.
    #[serde(default)]
    reason: String,
}

const fn yes() -> bool {
    true
}

/// Where a change is made, and on what condition.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Where {
    tier: Option<Tier>,
    /// A number, or 0 for the built-in ranking.
    expect_revision: Option<u64>,
    #[serde(default)]
    reason: String,
}

/// Which revision is activated, where, and on what condition.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    revision: Option<RevisionId>,
    tier: Option<Tier>,
    expect_revision: Option<u64>,
    #[serde(default)]
    reason: String,
}

/// What is brought from a registry, and how it is taken.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pull {
    reference: String,
    #[serde(default)]
    activate: bool,
    tier: Option<Tier>,
    #[serde(default = "yes")]
    inherit: bool,
    #[serde(default)]
    reason: String,
}

/// What is set; null gives back the default.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Set {
    #[serde(default)]
    params: BTreeMap<String, Option<f64>>,
    #[serde(default)]
    limits: LimitsPatch,
    expect_revision: Option<u64>,
    #[serde(default)]
    reason: String,
}

pub(super) async fn upload(
    State(admin): State<Arc<Admin>>,
    Named(name): Named,
    Asked(upload): Asked<Upload>,
    By(by): By,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let then = then(upload.activate, upload.tier, upload.reason)?;
    let signature = signature(&headers)?;
    let bytes = read(&headers, body, admin.rollout.size_bytes_max()).await?;
    let fetched = Fetched {
        name,
        bytes,
        signature,
        origin: PolicyOrigin::Upload,
    };
    let settings = settings(upload.inherit);
    let submitted = admin.rollout.submit(fetched, settings, then, by).await;
    admin.submitted(submitted)
}

pub(super) async fn pull(
    State(admin): State<Arc<Admin>>,
    Named(name): Named,
    By(by): By,
    Details(pull): Details<Pull>,
) -> Result<Response, Refusal> {
    let then = then(pull.activate, pull.tier, pull.reason)?;
    let reference: Reference = pull
        .reference
        .parse()
        .map_err(|error: InvalidReference| Refusal::request(error.to_string()))?;
    let submitted = admin
        .rollout
        .pull(name, &reference, settings(pull.inherit), then, by)
        .await;
    admin.submitted(submitted)
}

pub(super) async fn activate(
    State(admin): State<Arc<Admin>>,
    Named(name): Named,
    By(by): By,
    Details(which): Details<Which>,
) -> Result<Json<ChangedDto>, Refusal> {
    let activation = Activation {
        tier: which.tier,
        expected: which.expect_revision.map(expected),
        reason: which.reason,
    };
    let done = admin
        .rollout
        .activate(name, which.revision, activation, by)
        .await;
    admin.changed(done.map(|(revision, changed)| (Some(revision), changed)))
}

pub(super) async fn rollback(
    State(admin): State<Arc<Admin>>,
    By(by): By,
    Details(at): Details<Where>,
) -> Result<Json<ChangedDto>, Refusal> {
    let done = admin.rollout.rollback(at.activation(), by).await;
    admin.changed(done.map(|changed| {
        let to = changed.moves.first().and_then(|moved| moved.to);
        (to, changed)
    }))
}

pub(super) async fn disable(
    State(admin): State<Arc<Admin>>,
    By(by): By,
    Details(at): Details<Where>,
) -> Result<Json<ChangedDto>, Refusal> {
    let everywhere = at.tier.is_none();
    let done = admin.rollout.disable(at.activation(), by.clone()).await;
    let mut changed = admin.changed(done.map(|changed| (None, changed)))?;
    let experiments = admin.experiments.clone();
    let reason = "policies were disabled";
    let (stopped, going_on) = blocking(move || {
        if everywhere {
            Ok::<_, RolloutError>((experiments.stop_all(by.as_str(), reason), Vec::new()))
        } else {
            Ok((Vec::new(), experiments.live_names()))
        }
    })
    .await?;
    changed.stopped = stopped;
    changed.going_on = going_on;
    Ok(changed)
}

pub(super) async fn set(
    State(admin): State<Arc<Admin>>,
    Named(name): Named,
    By(by): By,
    Details(set): Details<Set>,
) -> Result<Json<ChangedDto>, Refusal> {
    if set.params.is_empty() && set.limits.is_empty() {
        return Err(Refusal::request(
            "nothing is to be set: give `params`, `limits` or both, such as {\"params\": {\"patience-ms\": 50000}}",
        ));
    }
    let patch = Patch {
        params: set.params,
        limits: set.limits,
        expected: set.expect_revision.map(expected),
        reason: set.reason,
    };
    let done = admin.rollout.set(name, patch, by).await;
    admin.changed(done.map(|(revision, changed)| (Some(revision), changed)))
}

impl Where {
    fn activation(self) -> Activation {
        Activation {
            tier: self.tier,
            expected: self.expect_revision.map(expected),
            reason: self.reason,
        }
    }
}

impl Admin {
    fn changed(
        &self,
        done: Result<(Option<RevisionId>, Changed), RolloutError>,
    ) -> Result<Json<ChangedDto>, Refusal> {
        let seats = self.rollout.status().seats;
        match done {
            Ok((revision, changed)) => Ok(Json(ChangedDto::new(revision, changed, &seats))),
            Err(refused) => {
                let seats = seats.iter().map(SeatDto::from).collect();
                Err(Refusal::from(refused).with_seats(seats))
            }
        }
    }

    pub(super) fn submitted(
        &self,
        submitted: Result<Submitted, RolloutError>,
    ) -> Result<Response, Refusal> {
        let submitted = submitted?;
        let view = self.rollout.revision(submitted.revision)?;
        let status = if submitted.is_new {
            StatusCode::CREATED
        } else {
            StatusCode::OK
        };
        let body = UploadedDto {
            new: submitted.is_new,
            revision: RevisionDto::from(&view),
            durable: submitted
                .changed
                .as_ref()
                .map_or_else(|| self.rollout.is_durable(), |changed| changed.is_durable),
            moves: submitted
                .changed
                .map(|changed| changed.moves)
                .unwrap_or_default(),
        };
        Ok((status, Json(body)).into_response())
    }
}

/// Whether and where a new file is activated.
fn then(activate: bool, tier: Option<Tier>, reason: String) -> Result<Option<Activation>, Refusal> {
    if tier.is_some() && !activate {
        return Err(Refusal::request(
            "a tier is where the policy is made active: say `activate` with it, or leave it out",
        ));
    }
    Ok(activate.then_some(Activation {
        tier,
        expected: None,
        reason,
    }))
}

fn settings(inherit: bool) -> SettingsSource {
    if inherit {
        SettingsSource::Inherited
    } else {
        SettingsSource::defaults()
    }
}

/// What an operator takes to be active: 0 is the built-in ranking.
fn expected(number: u64) -> Expected {
    Expected(RevisionId::new(number))
}

/// The body, at most so many bytes; more is refused before it is read, or while it is.
async fn read(headers: &HeaderMap, body: Body, max: u64) -> Result<Arc<[u8]>, Refusal> {
    let length = headers.get(header::CONTENT_LENGTH);
    let length = length
        .and_then(|length| length.to_str().ok())
        .and_then(|length| length.parse::<u64>().ok());
    if length.is_some_and(|length| length > max) {
        return Err(Refusal::too_large(max));
    }
    let limit = usize::try_from(max).unwrap_or(usize::MAX);
    let bytes = axum::body::to_bytes(body, limit).await;
    let bytes = bytes.map_err(|error| {
        let source = std::error::Error::source(&error);
        // The one error that says so; any other is a client that went away.
        let is_length = source.is_some_and(|source| source.to_string().contains("length limit"));
        if is_length {
            Refusal::too_large(max)
        } else {
            Refusal::request("the body ended early: send the file again")
        }
    })?;
    Ok((*bytes).into())
}

/// The text of a `.minisig` file, out of its base64.
fn signature(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    let Some(header) = headers.get(SIGNATURE_HEADER) else {
        return Ok(None);
    };
    let text = BASE64
        .decode(header.as_bytes())
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok());
    text.map(Some).ok_or_else(|| {
        Refusal::request(format!(
            "`{SIGNATURE_HEADER}` is not base64: send the output of `base64 -w0 FILE.minisig`"
        ))
    })
}
