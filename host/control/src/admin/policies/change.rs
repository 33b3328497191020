//! The routes that change something.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::SIGNATURE_HEADER;
use super::extract::{Asked, By, Details, Named, body_bytes};
use super::refusal::Refusal;
use super::views::{ChangedDto, RevisionDto, SeatDto, UploadedDto};
use crate::admin::openapi::CreatedOrKnown;
use crate::admin::{Admin, blocking};
use crate::rollout::RolloutError;
use crate::rollout::service::{
    Activation, Changed, Expected, LimitsPatch, Patch, SettingsSource, Submitted,
};
use crate::rollout::source::oci::{InvalidReference, REFERENCE_BYTES_MAX, Reference};
use crate::rollout::source::{Fetched, PolicyOrigin};
use wastegate_core::types::{Limits, RevisionId, Tier};

/// How a file is taken.
#[derive(Debug, Deserialize, JsonSchema)]
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
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ChangeRequest", example = json!({ "tier": "force", "reason": "too many live kills" }))]
pub(super) struct Where {
    /// At that tier only; at all where it is not said.
    tier: Option<Tier>,
    /// Only if that revision is active: a number, or 0 for the built-in ranking.
    expect_revision: Option<u64>,
    /// Why, for the audit log; may be empty.
    #[serde(default)]
    reason: String,
}

/// Which revision is activated, where, and on what condition.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ActivateRequest", example = json!({ "tier": "moderate", "reason": "tried in shadow" }))]
pub(super) struct Which {
    /// That revision; the newest where it is not said.
    revision: Option<RevisionId>,
    /// At that tier only; at all where it is not said.
    tier: Option<Tier>,
    /// Only if that revision is active: a number, or 0 for the built-in ranking.
    expect_revision: Option<u64>,
    /// Why, for the audit log; may be empty.
    #[serde(default)]
    reason: String,
}

/// What is brought from a registry, and how it is taken.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PullRequest", example = json!({ "reference": "localhost:5000/policies/revisit:1.2", "activate": true }))]
pub(super) struct Pull {
    /// Where it is: `registry/repository:tag`, or with a digest.
    #[schemars(length(min = 1, max = REFERENCE_BYTES_MAX))]
    reference: String,
    /// Activate it at once.
    #[serde(default)]
    activate: bool,
    /// At that tier only.
    tier: Option<Tier>,
    /// Keep what is set for the policy now; without it every parameter and limit is as it comes.
    #[serde(default = "yes")]
    inherit: bool,
    /// Why, for the audit log; may be empty.
    #[serde(default)]
    reason: String,
}

/// What is set; null gives back the default.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "SetRequest", example = json!({ "params": { "patience-ms": 50_000 } }))]
pub(super) struct Set {
    /// Parameters by name; null gives back the default.
    #[serde(default)]
    params: BTreeMap<String, Option<f64>>,
    /// Limits by name; null gives back the node's.
    #[serde(default)]
    #[schemars(with = "Limits")]
    limits: LimitsPatch,
    /// Only if that is the policy's revision: a number, or 0 for none.
    expect_revision: Option<u64>,
    /// Why, for the audit log; may be empty.
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
) -> Result<CreatedOrKnown<UploadedDto>, Refusal> {
    let then = then(upload.activate, upload.tier, upload.reason)?;
    let signature = signature(&headers)?;
    let bytes = body_bytes(
        &headers,
        body,
        admin.rollout.size_bytes_max(),
        Refusal::too_large,
    )
    .await?;
    let fetched = Fetched {
        name,
        bytes: (*bytes).into(),
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
) -> Result<CreatedOrKnown<UploadedDto>, Refusal> {
    let then = then(pull.activate, pull.tier, pull.reason)?;
    let reference: Reference = pull
        .reference
        .parse()
        .map_err(|error: InvalidReference| Refusal::unusable(error.to_string()))?;
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
        return Err(Refusal::unusable(
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
    ) -> Result<CreatedOrKnown<UploadedDto>, Refusal> {
        let submitted = submitted?;
        let view = self.rollout.revision(submitted.revision)?;
        let answer = UploadedDto {
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
        Ok(CreatedOrKnown {
            is_new: answer.new,
            view: answer,
        })
    }
}

/// Whether and where a new file is activated.
fn then(activate: bool, tier: Option<Tier>, reason: String) -> Result<Option<Activation>, Refusal> {
    if tier.is_some() && !activate {
        return Err(Refusal::unusable(
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
        Refusal::unusable(format!(
            "`{SIGNATURE_HEADER}` is not base64: send the output of `base64 -w0 FILE.minisig`"
        ))
    })
}
